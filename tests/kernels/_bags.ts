/**
 * Any rows of any format, any bags over them, and a comparison of a kernel with its slow twin.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { BagBatch, Kernel, KernelSpec, OutputType, RowFormat } from "../../kernels/mod.ts";
import { anyFloat, floatNear, toBits } from "./_exact.ts";
import { twinPool } from "./_twin.ts";

/** What `output` is full of before a call; past the end it must stay. */
const SENTINEL = 0x55555555;

/** Rows in an arena. */
export interface Rows {
  readonly format: RowFormat;
  readonly dim: number;
  readonly arena: Uint8Array;
  readonly rowStride: number;
  readonly rowCount: number;
}

/** Something to pool. */
export interface Call {
  readonly spec: KernelSpec;
  readonly batch: BagBatch;
}

/** Exponents side by side; 30 binades apart, around the q8 proof's bound; anything. */
const terms: fc.Arbitrary<fc.Arbitrary<number>> = fc.constantFrom(
  floatNear(-8, 0),
  fc.oneof(floatNear(-25, -20), floatNear(0, 6)),
  fc.oneof(floatNear(-32, -26), floatNear(-2, 2), fc.constantFrom(0, -0)),
  fc.oneof(floatNear(-127, -120), fc.constantFrom(0, -0)),
  fc.oneof(floatNear(118, 127), floatNear(100, 101)),
  anyFloat,
);

const anyByte = fc.oneof(fc.constantFrom(0, 1, 128, 255), fc.nat(255));

function bytesOf(length: number): fc.Arbitrary<number[]> {
  return fc.array(anyByte, { minLength: length, maxLength: length });
}

/**
 * A row with any bytes for codes, and fp32 numbers by `term`: not what quantising gives, but what a
 * file may hold.
 */
function rowOf(
  format: RowFormat,
  dim: number,
  term: fc.Arbitrary<number>,
): fc.Arbitrary<Uint8Array> {
  const { codes, scaleBias } = format.layout ?? {};
  const bytes = format.rowBytes(dim);
  const words = codes === "f32" ? dim : scaleBias === "f32 last" ? 2 : 0;
  return fc.tuple(bytesOf(bytes), fc.array(term, { minLength: words, maxLength: words }))
    .map(([list, numbers]) => {
      const row = Uint8Array.from(list), view = new DataView(row.buffer);
      numbers.forEach((x, i) => view.setFloat32(bytes - 4 * (words - i), x, true));
      return row;
    });
}

/** One to nine rows, unaligned, and no byte longer than they must be. */
export function anyRows(format: RowFormat): fc.Arbitrary<Rows> {
  return fc.tuple(fc.integer({ min: 1, max: 19 }), fc.integer({ min: 1, max: 9 }), terms)
    .chain(([dim, rowCount, term]) => {
      const list = fc.array(rowOf(format, dim, term), { minLength: rowCount, maxLength: rowCount });
      return fc.tuple(list, fc.nat(7), fc.nat(3)).map(([rows, padding, shift]) => {
        const rowStride = format.rowBytes(dim) + padding;
        const bytes = (rowCount - 1) * rowStride + format.rowBytes(dim);
        const arena = new Uint8Array(shift + bytes).fill(0xee).subarray(shift);
        rows.forEach((one, slot) => arena.set(one, slot * rowStride));
        return { format, dim, arena, rowStride, rowCount };
      });
    });
}

const shapes = fc.constantFrom<Pick<KernelSpec, "pooling" | "weighting">>(
  { pooling: "sum", weighting: "none" },
  { pooling: "sum", weighting: "sample" },
  { pooling: "sum", weighting: "position" },
  { pooling: "mean", weighting: "none" },
  { pooling: "mean", weighting: "sample" },
  { pooling: "mean", weighting: "position" },
  { pooling: "max", weighting: "none" },
  { pooling: "none", weighting: "none" },
  { pooling: "none", weighting: "sample" },
);

/** Bags over any rows; with `faults`, slots and lengths that may be wrong. */
export function anyCall(rows: Rows, faults: boolean): fc.Arbitrary<Call> {
  return fc.record({
    shape: shapes,
    output: fc.constantFrom<OutputType>("f32", "f16", "bf16"),
    pruned: fc.boolean(),
    remapped: fc.boolean(),
    lengths: fc.boolean(),
    weight: fc.constantFrom(floatNear(-3, 3), anyFloat),
    origin: fc.nat(50),
    cut: faults ? fc.integer({ min: -2, max: 2 }) : fc.constant(0),
  }).chain((one) => {
    const valid = fc.nat(rows.rowCount - 1);
    const row = one.pruned ? fc.oneof({ weight: 4, arbitrary: valid }, fc.constant(-1)) : valid;
    const bad = fc.constantFrom(-1, -2, -(2 ** 31), rows.rowCount, 2 ** 31 - 1);
    const slot = faults ? fc.oneof({ weight: 30, arbitrary: row }, bad) : row;
    const bags = fc.array(fc.array(slot, { maxLength: 7 }), { maxLength: 6 });
    return fc.tuple(bags, fc.array(one.weight, { minLength: 44, maxLength: 44 }), fc.nat(1000))
      .map(([lists, weights, seed]) => callOf(rows, one, lists, weights, seed));
  });
}

interface Choice {
  readonly shape: Pick<KernelSpec, "pooling" | "weighting">;
  readonly output: OutputType;
  readonly pruned: boolean;
  readonly remapped: boolean;
  readonly lengths: boolean;
  readonly origin: number;
  readonly cut: number;
}

function callOf(
  rows: Rows,
  { shape, output, pruned, remapped, lengths, origin, cut }: Choice,
  bags: readonly number[][],
  weights: readonly number[],
  seed: number,
): Call {
  const list = [...bags.flat(), 0, 0];
  const offsets = new Uint32Array(bags.length + 1).fill(origin);
  bags.forEach((bag, b) => offsets[b + 1] = offsets[b] + bag.length);
  // Every slot of the list stands in the remap once, in another order.
  const order = list.map((_, i) => i).sort((a, b) => (a * seed) % 7 - (b * seed) % 7 || a - b);
  const remap = remapped ? Int32Array.from(order, (i) => list[i]) : undefined;
  const slots = Int32Array.from(remapped ? list.map((_, i) => order.indexOf(i)) : list);
  const { format, dim, arena, rowStride, rowCount } = rows;
  return {
    spec: { format, dim, ...shape, output, pruned, numerics: "exact" },
    batch: {
      bagCount: bags.length,
      ...(shape.pooling === "none"
        ? {}
        : lengths
        ? { lengths: Int32Array.from(bags, (bag) => bag.length) }
        : { offsets }),
      slots,
      slotCount: Math.max(0, list.length - 2 + cut),
      arena,
      rowStride,
      rowCount,
      ...(remap && { remap }),
      ...(shape.weighting !== "none" && { weights: Float32Array.from(weights) }),
    },
  };
}

/** Bits of an output, all NaNs alike. */
export function outputBits(output: Float32Array | Uint16Array, type: OutputType): number[] {
  if (type === "f32") return [...output].map(toBits);
  const infinity = type === "f16" ? 0x7c00 : 0x7f80;
  return [...output].map((bits) => (bits & 0x7fff) > infinity ? infinity + 1 : bits);
}

/** Room for `count` vectors and two entries more, full of the sentinel. */
export function outputFor({ dim, output }: KernelSpec, count: number): Float32Array | Uint16Array {
  const length = count * dim + 2;
  if (output !== "f32") return new Uint16Array(length).fill(SENTINEL & 0xffff);
  const values = new Float32Array(length);
  new Uint32Array(values.buffer).fill(SENTINEL);
  return values;
}

/** The kernel and the twin on outputs of the same kind, which must come out the same. */
export function compareWithTwin(kernel: Kernel, { spec, batch }: Call): number {
  const vectors = spec.pooling === "none" ? batch.slotCount : batch.bagCount;
  const actual = outputFor(spec, vectors), wanted = outputFor(spec, vectors);
  const result = kernel.pool(batch, actual);
  assertEquals(result, twinPool(spec, batch, wanted));
  const [received, expected] = [actual, wanted].map((output) => outputBits(output, spec.output));
  if (spec.output === "bf16") {
    // Half an ulp more in the bits of a NaN can be an infinity or a zero: they are alike here.
    const isWrapped = (bits: number): boolean => [0, 0x7f80, 0x7f81].includes(bits & 0x7fff);
    expected.forEach((bits, i) => {
      if (bits === 0x7f81 && isWrapped(received[i])) received[i] = bits;
    });
  }
  assertEquals(received, expected);
  return result;
}
