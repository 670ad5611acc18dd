import { assert, assertEquals } from "@std/assert";
import { createKernel, q8, rowFormat } from "../../kernels/mod.ts";
import { bitsOf } from "./_exact.ts";

type Section = [byteOffset: number, dtype: string, ...shape: number[]];

interface Case {
  readonly kind: "quantize" | "dequantize" | "bag";
  readonly dim: number;
  readonly rows: number;
  readonly avx2: Section;
}
interface RowCase extends Case {
  readonly input: Section;
  readonly rowNames?: string[];
}
interface BagCase extends Case {
  readonly format: string;
  readonly rowBytes: number;
  readonly bags: number;
  readonly table: Section;
  readonly indices: Section;
  readonly lengths?: Section;
  readonly offsets?: Section;
  readonly weights?: Section;
  readonly mean: boolean;
  readonly ok: boolean;
  readonly indexSize?: number;
  readonly note?: string;
}

const folder = new URL("../golden/", import.meta.url);
const bytes = Deno.readFileSync(new URL("fbgemm_kernels.bin", folder));
const cases: Case[] = Deno.readTextFileSync(new URL("fbgemm_kernels.jsonl", folder))
  .trim().split("\n").slice(1).map((line) => JSON.parse(line));

const length = ([, , ...shape]: Section): number => shape.reduce((product, n) => product * n, 1);
const floats = (s: Section): Float32Array<ArrayBuffer> =>
  new Float32Array(bytes.buffer, s[0], length(s));
const integers = (s: Section): Int32Array<ArrayBuffer> =>
  new Int32Array(bytes.buffer, s[0], length(s));
const octets = (s: Section): Uint8Array<ArrayBuffer> =>
  new Uint8Array(bytes.buffer, s[0], length(s));

/** A NaN that no kernel makes: what is left of it in the output was not written. */
const UNTOUCHED = 0x7fabcdef;

Deno.test("q8.quantise() gives FBGEMM's bytes", () => {
  let rows = 0;
  for (const one of cases.filter(({ kind }) => kind === "quantize") as RowCase[]) {
    const input = floats(one.input);
    const rowBytes = one.dim + 8;
    for (let r = 0; r < one.rows; r++) {
      const row = new Uint8Array(rowBytes);
      q8.quantise(input, r * one.dim, one.dim, row, 0);
      const wanted = octets(one.avx2).slice(r * rowBytes, (r + 1) * rowBytes);
      assertEquals(row, wanted, `dim ${one.dim}, row ${r} (${one.rowNames?.[r]})`);
      rows++;
    }
  }
  assertEquals(rows, 13 * 37);
});

Deno.test("q8.dequantise() gives FBGEMM's values", () => {
  let rows = 0;
  for (const one of cases.filter(({ kind }) => kind === "dequantize") as RowCase[]) {
    const input = octets(one.input);
    const values = new Float32Array(one.dim);
    for (let r = 0; r < one.rows; r++) {
      q8.dequantise(input, r * (one.dim + 8), one.dim, values, 0);
      const wanted = floats(one.avx2).subarray(r * one.dim, (r + 1) * one.dim);
      assertEquals(bitsOf(values), bitsOf(wanted), `dim ${one.dim}, row ${r}`);
      rows++;
    }
  }
  assertEquals(rows, 13 * 37 + 24);
});

/** Offsets from whichever of the two a case has. */
function offsetsOf(one: BagCase): Uint32Array {
  if (one.offsets) return Uint32Array.from(integers(one.offsets));
  const offsets = new Uint32Array(one.bags + 1);
  integers(one.lengths!).forEach((n, bag) => offsets[bag + 1] = offsets[bag] + n);
  return offsets;
}

/** How many bags come before the first that has a bad index or runs past the index count. */
function completeBags(one: BagCase, offsets: Uint32Array, slotCount: number): number {
  const slots = integers(one.indices);
  for (let bag = 0; bag < one.bags; bag++) {
    const from = offsets[bag] - offsets[0], to = offsets[bag + 1] - offsets[0];
    if (to > slotCount) return bag;
    if (slots.subarray(from, to).some((slot) => slot < 0 || slot >= one.rows)) return bag;
  }
  return one.bags;
}

Deno.test("Kernel.pool() gives FBGEMM's sums", () => {
  let bags = 0, count = 0, failed = 0;
  for (const one of cases.filter(({ kind }) => kind === "bag") as BagCase[]) {
    const { dim, rowBytes: rowStride } = one;
    const weighted = one.weights !== undefined;
    const pooling = one.mean ? "mean" : "sum";
    using kernel = createKernel({ format: rowFormat(one.format), dim, pooling, weighted });
    const slots = integers(one.indices);
    const slotCount = one.indexSize ?? slots.length;
    const offsets = offsetsOf(one);
    const output = new Float32Array(one.bags * dim);
    const bits = new Uint32Array(output.buffer);
    bits.fill(UNTOUCHED);
    const result = kernel.pool({
      bagCount: one.bags,
      offsets,
      slots,
      slotCount,
      arena: octets(one.table),
      rowStride,
      rowCount: one.rows,
      ...(one.weights && { weights: floats(one.weights) }),
    }, output);
    const what = `case ${count} (${one.format}, dim ${dim}, ${one.note ?? "plain"})`;
    assertEquals(result === -1, one.ok, what);
    const complete = completeBags(one, offsets, slotCount);
    assertEquals(
      bitsOf(output.subarray(0, complete * dim)),
      bitsOf(floats(one.avx2).subarray(0, complete * dim)),
      what,
    );
    assert(bits.subarray(complete * dim).every((word) => word === UNTOUCHED), what);
    bags += complete;
    count++;
    if (!one.ok) failed++;
  }
  assertEquals([count, failed], [120, 12]);
  assert(bags > 500, `only ${bags} bags`);
});
