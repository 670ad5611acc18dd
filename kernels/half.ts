/**
 * The two 16-bit floating-point types, as bit patterns: IEEE binary16 ("f16") and the upper half of
 * an fp32 value ("bf16"). Rounding is FBGEMM's, which differs between the two.
 *
 * @module
 */

const single = new Float32Array(1);
const word = new Int32Array(single.buffer);
/** The exponents of fp32 and fp16 are 112 apart; a multiplication is right for subnormals too. */
const UP: number = 2 ** 112;
/** The exponent of infinity and NaN. */
const SPECIAL = 0x7c00;

/**
 * The value of an fp16 bit pattern; every one is an fp32 value. About 1 ns.
 *
 * @param bits The pattern, 0 to 65535.
 * @returns Its value; NaN for any NaN.
 *
 * @example
 * ```ts
 * import { f16ToF32 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(f16ToF32(0xc100), -2.5);
 * assertEquals(f16ToF32(1), 2 ** -24);
 * ```
 */
export function f16ToF32(bits: number): number {
  word[0] = ((bits & 0x8000) << 16) | ((bits & 0x7fff) << 13);
  const x = single[0] * UP;
  if ((bits & SPECIAL) !== SPECIAL) return x;
  return (bits & 0x3ff) === 0 ? x * Infinity : NaN;
}

/**
 * The fp16 bit pattern nearest to `x`: halves to even, subnormals kept, 65520 and above infinite.
 *
 * @param x An fp32 value; other numbers are rounded to fp32 first.
 * @returns The pattern; for NaN a quiet NaN.
 *
 * @example
 * ```ts
 * import { f32ToF16 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(f32ToF16(-2.5), 0xc100);
 * assertEquals(f32ToF16(65520), 0x7c00);
 * ```
 */
export function f32ToF16(x: number): number {
  single[0] = x;
  const bits = word[0];
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7e00 | ((size >>> 13) & 0x3ff);
  // 65520, halfway between the largest value and 2^16.
  if (size >= 0x477ff000) return sign | 0x7c00;
  if (size < 0x38800000) {
    // Below 2^-14 the spacing is 2^-24. Beside 2^52 that of fp64 is 1: the sum rounds to it.
    return sign | (Math.abs(single[0]) * 2 ** 24 + 2 ** 52 - 2 ** 52);
  }
  // Adds just under half an ulp, and the last kept bit: halves go to even. A carry is an exponent.
  return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
}

/**
 * The value of a bf16 bit pattern: those bits as the upper half of an fp32 value.
 *
 * @param bits The pattern, 0 to 65535.
 * @returns Its value.
 *
 * @example
 * ```ts
 * import { bf16ToF32 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(bf16ToF32(0xc020), -2.5);
 * ```
 */
export function bf16ToF32(bits: number): number {
  word[0] = bits << 16;
  return single[0];
}

/**
 * The bf16 bit pattern nearest to `x`, halves away from zero: FBGEMM adds half an ulp to the bits
 * and cuts. That carries some NaNs over into a zero there; here NaN stays NaN.
 *
 * @param x An fp32 value; other numbers are rounded to fp32 first.
 * @returns The pattern; 0x7fc0 for NaN.
 *
 * @example
 * ```ts
 * import { f32ToBf16 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(f32ToBf16(-2.5), 0xc020);
 * assertEquals(f32ToBf16(1 + 2 ** -8), 0x3f81); // to even it were 0x3f80
 * ```
 */
export function f32ToBf16(x: number): number {
  if (x !== x) return 0x7fc0;
  single[0] = x;
  return (word[0] + 0x8000) >>> 16;
}
