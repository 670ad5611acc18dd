/**
 * The sum of one bag of q8 rows. Each row takes, in every column,
 *
 *     acc = fma32(s, code, fround(acc + c))
 *
 * where s = fround(scale * weight) and c = fround(bias * weight).
 *
 * The multiply-add needs care only where its fp64 sum is inexact, and most bags can prove that it
 * never is:
 *
 * - Each s and c so far is a multiple of its ulp, which is more than 2^-24 of its size (any fp32
 *   value). So all are multiples of G, the smallest of these ulps, a power of two above `least` /
 *   2^24, `least` being the smallest of their sizes, zeros left out. Codes are integers, and
 *   rounding to fp32 keeps a multiple of G one (below 2^24 G nothing is rounded, above it an ulp is
 *   at least G). So every intermediate value is a multiple of G.
 * - Each is at most `bound`, the sum of 255 |s| + |c|, grown by {@linkcode GROWTH} a row: two
 *   roundings to fp32 add less.
 * - Multiples of G up to 2^53 G are fp64 values. So while bound <= 2^29 * least, the fp64 sum is
 *   exact, and `Math.fround` rounds once. (An accumulator that overflowed stays infinite or NaN:
 *   nothing to round.)
 *
 * The test costs a few operations a row. It fails for bags that mix scales or biases 2^20 apart,
 * and they take the loop that looks at each sum.
 *
 * Measured for dim 100 in cache, ns an element, AMD EPYC (Zen 4), Deno 2.9.6: 1.02 as below, two
 * rows a pass; 1.21 with one row a pass; 1.26 with four; 1.34 with the code converted rather than
 * looked up (the conversions are the bottleneck); 1.42 accumulating in the Float32Array; 1.32 with
 * four columns unrolled: not worth its lines. Testing each sum: 2.1 with both differences, 2.26
 * with the tie read from the low word, 4.0 with the mirror image of settleFma32.
 *
 * @module
 */

import { settleFma32 } from "./fma.ts";
import type { BagBatch } from "./kernel.ts";

/** The codes as fp64 values: a load takes less time than a conversion. */
const CODES: Float64Array = new Float64Array(256).map((_, code) => code);
/** Above (1 + 2^-24)^2, with room for the roundings of the bound itself. */
const GROWTH: number = 1 + 2 ** -22;
/** 2^53 * 2^-24: see above. */
const EXACT_SPAN: number = 2 ** 29;
/** Entries of the scratch array that holds [s, c] of the two rows of a pass. */
export const TERMS = 4;

/**
 * Adds the `count` rows from `batch.slots[first]` on to `acc`, which holds `dim` fp32 values;
 * `view` is over the arena, and `terms` is scratch. Slots must be valid.
 */
export function addQ8Rows(
  batch: BagBatch,
  view: DataView,
  first: number,
  count: number,
  dim: number,
  acc: Float64Array,
  terms: Float64Array,
): void {
  const { arena, slots, rowStride, weights } = batch;
  let bound = 0;
  let least = Infinity;
  const end = first + count;
  for (let i = first; i < end;) {
    const rows = Math.min(end - i, 2);
    for (let k = 0; k < rows; k++) {
      const at = slots[i + k] * rowStride + dim;
      const weight = weights === undefined ? 1 : weights[i + k];
      const s = Math.fround(view.getFloat32(at, true) * weight);
      const c = Math.fround(view.getFloat32(at + 4, true) * weight);
      terms[2 * k] = s;
      terms[2 * k + 1] = c;
      bound = (bound + 255 * Math.abs(s) + Math.abs(c)) * GROWTH;
      if (s !== 0) least = Math.min(least, Math.abs(s));
      if (c !== 0) least = Math.min(least, Math.abs(c));
    }
    // False for NaN too. Both sides only move apart, so the second row's test covers the first row.
    const exact = bound <= EXACT_SPAN * least;
    if (exact && rows === 2) {
      addTwoExact(arena, slots, i, rowStride, dim, acc, terms);
    } else if (exact) {
      addOneExact(arena, slots, i, rowStride, dim, acc, terms);
    } else {
      for (let k = 0; k < rows; k++) addOne(arena, slots, i, k, rowStride, dim, acc, terms);
    }
    i += rows;
  }
}

function addTwoExact(
  arena: Uint8Array,
  slots: Int32Array,
  i: number,
  rowStride: number,
  dim: number,
  acc: Float64Array,
  terms: Float64Array,
): void {
  const a = slots[i] * rowStride;
  const b = slots[i + 1] * rowStride;
  const s0 = terms[0];
  const c0 = terms[1];
  const s1 = terms[2];
  const c1 = terms[3];
  for (let j = 0; j < dim; j++) {
    const one = Math.fround(s0 * CODES[arena[a + j]] + Math.fround(acc[j] + c0));
    acc[j] = Math.fround(s1 * CODES[arena[b + j]] + Math.fround(one + c1));
  }
}

function addOneExact(
  arena: Uint8Array,
  slots: Int32Array,
  i: number,
  rowStride: number,
  dim: number,
  acc: Float64Array,
  terms: Float64Array,
): void {
  const at = slots[i] * rowStride;
  const s = terms[0];
  const c = terms[1];
  for (let j = 0; j < dim; j++) {
    acc[j] = Math.fround(s * CODES[arena[at + j]] + Math.fround(acc[j] + c));
  }
}

/** Row `i` + `k` with the test of {@linkcode fma32} written out. */
function addOne(
  arena: Uint8Array,
  slots: Int32Array,
  i: number,
  k: number,
  rowStride: number,
  dim: number,
  acc: Float64Array,
  terms: Float64Array,
): void {
  const at = slots[i + k] * rowStride;
  const s = terms[2 * k];
  const c = terms[2 * k + 1];
  for (let j = 0; j < dim; j++) {
    const p = s * CODES[arena[at + j]];
    const t = Math.fround(acc[j] + c);
    const y = p + t;
    acc[j] = y - p === t && y - t === p ? Math.fround(y) : settleFma32(p, t, y);
  }
}
