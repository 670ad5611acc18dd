/**
 * The fused multiply-add of fp32, `a * b + c` with one rounding, out of fp64 arithmetic.
 *
 * The product of two fp32 values has 48 bits at most, so fp64 holds it exactly; the sum is rounded
 * to 53 bits, and `Math.fround` rounds again to 24. Twice is once too often in exactly one case:
 * the sum is inexact, and its fp64 value is a tie, halfway between two neighbouring fp32 values. (A
 * tie is itself an fp64 value and rounding is monotonic, so the exact sum and its fp64 value are
 * never on different sides of one; unless the fp64 value is the tie, both round to the same fp32
 * value.)
 *
 * @module
 */

const FLT_MAX = 2 ** 128 - 2 ** 104;
/**
 * Halfway between FLT_MAX and 2^128, which rounds to infinity: the one tie without an fp32
 * neighbour above.
 */
const LAST_TIE = 2 ** 128 - 2 ** 103;

/**
 * `a * b + c`, rounded once to fp32 (to nearest, ties to even), as IEEE 754-2019 (5.4.1) and the
 * FMA3, AVX-512 and NEON instructions define it. The three arguments must be fp32 values.
 * Subnormals, zeros, infinities and NaN behave as in hardware; the payload of a NaN is not
 * specified. Allocates nothing; about 2 ns.
 *
 * @param a An fp32 value.
 * @param b An fp32 value.
 * @param c An fp32 value.
 * @returns The fp32 value nearest to the exact `a * b + c`.
 *
 * @example
 * ```ts
 * import { fma32 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * // The exact sum is 2^-54 below a tie, too little for fp64 beside c: rounding twice goes up.
 * const a = 2 ** -24 * (1 + 2 ** -15), b = 1 - 2 ** -15, c = 1 + 2 ** -23;
 * assertEquals(Math.fround(a * b + c), 1 + 2 ** -22);
 * assertEquals(fma32(a, b, c), 1 + 2 ** -23);
 * ```
 */
export function fma32(a: number, b: number, c: number): number {
  const p = a * b;
  const y = p + c;
  // p + c is exact if and only if both differences give the other operand back: the difference with
  // the larger operand is always computed exactly (Dekker 1971, Fast2Sum). NaN and infinities fail
  // and go on.
  if (y - p === c && y - c === p) return Math.fround(y);
  return settleFma32(p, c, y);
}

/**
 * The right rounding of `p + c`, given `y`, their fp64 sum: the rare branch of {@linkcode fma32},
 * for loops that write its test out. `p` and `c` must be such that p + c does not overflow fp64.
 *
 * Round to odd (Boldo, Melquiond, 2008) would step the fp64 bits by one instead, through a scratch
 * array and 64-bit integers; at a tie the answer is one of two neighbours, and the sign of the
 * error tells which.
 */
export function settleFma32(p: number, c: number, y: number): number {
  const r = Math.fround(y);
  if (r === y || r !== r) return r;
  // Knuth's TwoSum: y + e is the exact sum.
  const z = y - p;
  const e = (p - (y - z)) + (c - z);
  if (e === 0) return r;
  if (!Number.isFinite(r)) {
    const inward = y === LAST_TIE && e < 0 || y === -LAST_TIE && e > 0;
    return inward ? Math.sign(y) * FLT_MAX : r;
  }
  // The mirror image of r in y. At a tie it is the other neighbour, so an fp32 value; anywhere else
  // it lies strictly between r and that neighbour. Both steps are exact.
  const other = y + (y - r);
  if (Math.fround(other) !== other) return r;
  return e > 0 ? Math.max(r, other) : Math.min(r, other);
}
