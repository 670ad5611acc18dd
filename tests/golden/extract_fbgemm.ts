/**
 * Copies the cases that the kernels' tests use out of a folder of FBGEMM outputs into
 * `fbgemm_kernels.jsonl` and `fbgemm_kernels.bin` beside this file:
 *
 *     deno run --allow-read --allow-write tests/golden/extract_fbgemm.ts FOLDER
 *
 * The folder holds `index.json` (sections and cases) and the `.bin` files that the sections lie in.
 * A section is [file, byteOffset, dtype, ...shape]; cases name sections by their number. Here a
 * case is a line, and its sections stand in it as [byteOffset, dtype, ...shape], at multiples of 8
 * bytes, so that typed arrays can be laid over them. What a case expects is what the AVX2 code
 * gave.
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

const BYTES: Readonly<Record<string, number>> = { f32: 4, i32: 4, u8: 1 };
/** The fields of each kind that the tests read; those in `SECTIONS` are section numbers. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  quantize: ["dim", "rows", "input", "avx2", "rowNames"],
  dequantize: ["dim", "rows", "input", "avx2"],
  bag: [
    ...["format", "dim", "rows", "rowBytes", "bags", "table", "indices", "lengths", "offsets"],
    ...["mode", "weights", "mean", "ok", "indexSize", "note", "avx2"],
  ],
};
const SECTIONS: readonly string[] = [
  ...["input", "avx2", "table", "indices", "lengths", "offsets", "weights"],
];

/**
 * True for the cases that the kernels room can compute: fp32 out, formats f32 and q8, no pruned
 * rows.
 */
function isWanted(index: Index, one: Case): boolean {
  if (one.kind === "quantize") {
    return one.bits === 8 && index.sections[one.input as number][2] === "f32";
  }
  if (one.kind === "dequantize") {
    return one.bits === 8 && one.scaleType === "f32" && one.out === "f32";
  }
  return one.kind === "bag" && (one.format === "f32" || one.format === "q8") &&
    one.out === "f32" && one.mode !== "position" && one.allowPruned !== true &&
    one.outStride === one.dim;
}

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
  const cases = index.cases.filter((one) => isWanted(index, one)).map((one) => {
    const taken: Case = { kind: one.kind };
    for (const field of FIELDS[one.kind]) {
      const value = one[field];
      if (value === undefined || value === null) continue;
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
