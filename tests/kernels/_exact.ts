/**
 * fp32 arithmetic in exact integers, for the kernels' tests.
 *
 * @module
 */

import fc from "fast-check";

const word = new Uint32Array(1);
const value = new Float32Array(word.buffer);

/** The fp32 value with these bits. */
export function fromBits(bits: number): number {
  word[0] = bits;
  return value[0];
}

/** The bits of `x` as fp32; all NaNs give the same. */
export function toBits(x: number): number {
  value[0] = x;
  return x !== x ? 0x7fc00000 : word[0];
}

/** Bits of all values: what two results must have in common. */
export function bitsOf(values: Float32Array): Uint32Array {
  return Uint32Array.from(values, toBits);
}

/** Every finite fp32 value is a whole multiple of 2^-149. */
const scaled = (x: number): bigint => BigInt(x * 2 ** 149);

/** fma32 by the book: the exact sum as an integer multiple of 2^-298, rounded once. */
export function exactFma(a: number, b: number, c: number): number {
  if (!Number.isFinite(a) || !Number.isFinite(b) || !Number.isFinite(c)) return a * b + c;
  const sum = scaled(a) * scaled(b) + (scaled(c) << 149n);
  // An exact zero takes the sign that both operands share, else +0: as any sum of two zeros.
  if (sum === 0n) return a * b === 0 && c === 0 ? a * b + c : 0;
  const size = sum < 0n ? -sum : sum;
  // The spacing of fp32 around the sum: 24 bits, but never below 2^-149.
  const shift = BigInt(Math.max(size.toString(2).length - 24, 149));
  let whole = size >> shift;
  const rest = size - (whole << shift);
  const half = 1n << (shift - 1n);
  if (rest > half || rest === half && (whole & 1n) === 1n) whole += 1n;
  const rounded = Number(whole) * 2 ** (Number(shift) - 298);
  return (sum < 0n ? -1 : 1) * (rounded >= 2 ** 128 ? Infinity : rounded);
}

/** Any fp32 value but NaN, by its bits: subnormals, zeros and infinities as often as their bits. */
export const anyFloat: fc.Arbitrary<number> = fc.nat(0xffffffff).map(fromBits)
  .filter((x) => x === x);

/**
 * fp32 values with an exponent in [low, high] and the mantissas that make ties: few bits set, or
 * all but few.
 */
export function floatNear(low: number, high: number): fc.Arbitrary<number> {
  const single = fc.nat(22).map((bit) => 1 << bit);
  const mantissa = fc.oneof(
    fc.constantFrom(0, 1, 0x7fffff, 0x400000, 0x555555),
    single,
    single.map((bit) => 0x7fffff ^ bit),
    fc.nat(0x7fffff),
  );
  return fc.tuple(fc.boolean(), fc.integer({ min: low, max: high }), mantissa)
    .map(([negative, exponent, m]) =>
      fromBits((negative ? 0x80000000 : 0) + (exponent + 127) * 2 ** 23 + m)
    );
}
