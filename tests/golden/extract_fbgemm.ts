/**
 * Copies the cases that the kernels' tests use out of a folder of FBGEMM outputs into
 * `fbgemm_kernels.jsonl` and `fbgemm_kernels.bin` beside this file:
 *
 *     deno run --allow-read --allow-write tests/golden/extract_fbgemm.ts FOLDER
 *
 * The folder holds `index.json` (sections and cases) and the `.bin` files that the sections lie in.
 * A section is [file, byteOffset, dtype, ...shape]; cases name sections by their number. Here a
 * case is a line, and its sections stand in it as [byteOffset, dtype, ...shape], at multiples of 8
 * bytes, so that typed arrays can be laid over them. What a case expects is `wanted`: what the AVX2
 * code gave, or the portable code where there is no other.
 *
 * @module
 */

type Section = [file: number, byteOffset: number, dtype: string, ...shape: number[]];
type Case = Record<string, unknown> & { kind: string };

interface Index {
  readonly source: unknown;
  readonly files: readonly { readonly name: string }[];
  readonly sections: readonly Section[];
  readonly cases: readonly Case[];
}

const BYTES: Readonly<Record<string, number>> = { f32: 4, i32: 4, u8: 1, f16: 2, bf16: 2 };
/** What no test reads, and what `wanted` stands for. */
const LEFT_OUT: readonly string[] = [
  ...["ref", "avx2", "avx512", "avx512bf16", "equal", "publicApi", "origin", "derived", "source"],
  ...["useOffsets"],
];
/** Fields that are section numbers. */
const SECTIONS: readonly string[] = [
  ...["input", "wanted", "range", "fused", "tbe", "table", "indices", "lengths", "offsets"],
  ...["weights", "compressed", "outIndices", "outOffsets", "outWeights"],
  ...["rowOffsets", "colOffsets", "bias", "multiplier"],
];

function extract(folder: string): void {
  const index: Index = JSON.parse(Deno.readTextFileSync(`${folder}/index.json`));
  const files = index.files.map(({ name }) => Deno.readFileSync(`${folder}/${name}`));
  const copied = new Map<number, unknown[]>();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const copy = (number: number): unknown[] => {
    const known = copied.get(number);
    if (known !== undefined) return known;
    const [file, at, dtype, ...shape] = index.sections[number];
    const length = shape.reduce((product, n) => product * n, BYTES[dtype]);
    const chunk = new Uint8Array(Math.ceil(length / 8) * 8);
    chunk.set(files[file].subarray(at, at + length));
    chunks.push(chunk);
    const section = [bytes, dtype, ...shape];
    copied.set(number, section);
    bytes += chunk.length;
    return section;
  };
  const cases = index.cases.map((one) => {
    const taken: Case = { kind: one.kind };
    const wanted = one.avx2 ?? one.ref;
    for (const [field, value] of Object.entries({ ...one, wanted })) {
      // Most flags are false: left out, they read as undefined.
      if (LEFT_OUT.includes(field) || value === null || value === undefined || value === false) {
        continue;
      }
      taken[field] = SECTIONS.includes(field) ? copy(value as number) : value;
    }
    return taken;
  });
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  const lines = [{ source: index.source }, ...cases].map((line) => JSON.stringify(line) + "\n");
  Deno.writeTextFileSync(new URL("fbgemm_kernels.jsonl", import.meta.url), lines.join(""));
  Deno.writeFileSync(new URL("fbgemm_kernels.bin", import.meta.url), all);
  console.log(`${cases.length} cases, ${copied.size} sections, ${bytes} bytes`);
}

if (import.meta.main) {
  if (Deno.args.length !== 1) {
    console.error("Usage: extract_fbgemm.ts FOLDER");
    Deno.exit(2);
  }
  extract(Deno.args[0]);
}
