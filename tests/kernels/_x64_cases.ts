/**
 * Random batches for code that is compared with the scalar code.
 *
 * @module
 */

import fc from "fast-check";
import type { CodeCall } from "../../kernels/_code.ts";
import { ROW_FORMATS } from "../../kernels/formats.ts";
import type { KernelSpec } from "../../kernels/kernel.ts";
import { filledArena, numbers } from "./_x64_rows.ts";

/** What a test needs besides the call. */
export interface X64Case {
  readonly spec: KernelSpec;
  readonly call: CodeCall;
  /** Seed of the accumulators that a call of `accumulate` starts from. */
  readonly seed: number;
}

/** Lane and panel borders of both instruction sets, and anything between. */
const DIM = fc.oneof(
  fc.constantFrom(
    1,
    7,
    8,
    9,
    15,
    16,
    17,
    32,
    64,
    79,
    80,
    81,
    96,
    128,
    160,
    255,
    256,
    384,
    385,
    800,
  ),
  fc.integer({ min: 1, max: 64 }),
  fc.integer({ min: 1, max: 900 }),
);

const SPEC: fc.Arbitrary<KernelSpec> = fc.record({
  format: fc.constantFrom(...ROW_FORMATS.filter(({ layout }) => layout !== undefined)),
  dim: DIM,
  pooling: fc.constantFrom("sum", "mean", "max"),
  weighting: fc.constantFrom("none", "sample", "position"),
  output: fc.constantFrom("f32", "f16", "bf16"),
  pruned: fc.boolean(),
  numerics: fc.constant("exact"),
}).map((spec) => (spec.pooling === "max" ? { ...spec, weighting: "none" } : spec) as KernelSpec);

/** Sums of few columns of coded rows, which two bags at a time are pooled of. */
const NARROW_SPEC: fc.Arbitrary<KernelSpec> = fc.record({
  format: fc.constantFrom(...ROW_FORMATS.filter((f) => f.layout?.scaleBias.startsWith("f"))),
  dim: fc.integer({ min: 1, max: 64 }),
  pooling: fc.constantFrom("sum", "mean"),
  weighting: fc.constantFrom("none", "sample"),
  output: fc.constantFrom("f32", "f16", "bf16"),
  pruned: fc.constant(false),
  numerics: fc.constant("exact"),
});

/**
 * A spec and a batch; three in seven have a slot out of range, a bag too many, or slots left over.
 */
export const X64_CASE: fc.Arbitrary<X64Case> = fc.record({
  spec: fc.oneof(SPEC, NARROW_SPEC),
  lengths: fc.array(fc.nat(30), { maxLength: 6 }),
  rows: fc.integer({ min: 1, max: 30 }),
  padding: fc.constantFrom(0, 0, 3, 16),
  seed: fc.nat(2 ** 31 - 1),
  fault: fc.constantFrom("none", "none", "none", "none", "slot", "short", "long"),
}).map(({ spec, lengths, rows, padding, seed, fault }) => {
  const next = numbers(seed);
  const total = lengths.reduce((sum, n) => sum + n, 0);
  const slots = Int32Array.from({ length: total + 2 }, () => {
    if (spec.pruned && next() < 0.2) return -1;
    return Math.floor(next() * rows);
  });
  if (fault === "slot") {
    const wrong = [rows, -2, -(2 ** 31), 2 ** 31 - 1, spec.pruned ? -7 : -1];
    slots[Math.floor(next() * (total + 1))] = wrong[Math.floor(next() * wrong.length)];
  }
  const offsets = new Uint32Array(lengths.length + 1);
  offsets[0] = 2 ** 32 - 5; // only differences count
  lengths.forEach((n, i) => offsets[i + 1] = offsets[i] + n);
  const slotCount = fault === "short" ? Math.max(0, total - 1) : total + (fault === "long" ? 2 : 0);
  const rowStride = spec.format.rowBytes(spec.dim) + padding;
  const weights = spec.weighting === "none"
    ? undefined
    : Float32Array.from({ length: total + 2 }, () => next() * 4 - 2);
  const arena = filledArena(spec.format, spec.dim, rows, rowStride, seed);
  const bagCount = lengths.length;
  const call = { bagCount, offsets, slots, slotCount, weights, arena, rowStride, rowCount: rows };
  return { spec, call, seed };
});
