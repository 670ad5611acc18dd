/**
 * Rows of 8-bit floating-point values, in three codings: FBGEMM's, and the two of the "OCP 8-bit
 * Floating Point Specification (OFP8)", revision 1.0, 2023. A byte is a sign, `exponentBits` of
 * exponent and the rest mantissa; exponent 0 is subnormal. All three saturate: what is too large
 * becomes the largest value (OFP8's saturating conversion), which hurts a sum less than infinity.
 *
 * @module
 */

import { valueFormat } from "./_value_format.ts";
import type { RowFormat } from "./row_format.ts";

/** What tells one 8-bit floating-point coding from another. */
export interface Fp8Coding {
  /** Bits of exponent, 2 to 6. */
  readonly exponentBits: number;
  /** What is taken from the exponent. */
  readonly exponentBias: number;
  /** Codes of NaN and infinity: "none"; the all-ones code alone is NaN; or as in IEEE 754. */
  readonly specials: "none" | "one NaN" | "IEEE";
}

const single = new Float32Array(1);
const word = new Int32Array(single.buffer);
/** Added to and taken from a value in [0, 2^51], it rounds to an integer, halves to even. */
const TO_INTEGER: number = 1.5 * 2 ** 52;

/**
 * The value of one code.
 *
 * @param code 0 to 255.
 * @param coding How it is coded.
 * @returns Its value, an fp32 value.
 *
 * @example
 * ```ts
 * import { fp8ToF32 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(fp8ToF32(0x7e, { exponentBits: 4, exponentBias: 7, specials: "one NaN" }), 448);
 * ```
 */
export function fp8ToF32(code: number, coding: Fp8Coding): number {
  const { exponentBits, exponentBias, specials } = coding;
  const mantissaBits = 7 - exponentBits;
  const exponent = (code & 0x7f) >> mantissaBits;
  const mantissa = (code & 0x7f) - (exponent << mantissaBits);
  const sign = code & 0x80 ? -1 : 1;
  if (specials === "one NaN" && (code & 0x7f) === 0x7f) return NaN;
  if (specials === "IEEE" && exponent === 2 ** exponentBits - 1) {
    return mantissa === 0 ? sign * Infinity : NaN;
  }
  const unit = 2 ** (Math.max(exponent, 1) - exponentBias - mantissaBits);
  return sign * unit * (exponent === 0 ? mantissa : mantissa + 2 ** mantissaBits);
}

/**
 * The code nearest to `x`, halves to even; the largest finite one where `x` is larger, infinite or
 * NaN. "none" leaves the largest exponent out, as FBGEMM does, though it decodes.
 *
 * @param x An fp32 value.
 * @param coding How to code it.
 * @returns The code, 0 to 255; the sign of a zero is kept.
 *
 * @example
 * ```ts
 * import { f32ToFp8 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(f32ToFp8(-500, { exponentBits: 4, exponentBias: 7, specials: "one NaN" }), 0xfe);
 * ```
 */
export function f32ToFp8(x: number, coding: Fp8Coding): number {
  const { exponentBits, exponentBias, specials } = coding;
  const mantissaBits = 7 - exponentBits;
  single[0] = x;
  const sign = (word[0] >>> 24) & 0x80;
  // All bits set but one decodes to the largest value of a coding with one NaN.
  const top = specials === "one NaN" ? 0x7e : 2 ** 7 - 2 ** mantissaBits - 1;
  const greatest = fp8ToF32(top, coding);
  const size = Math.abs(single[0]);
  if (!(size < greatest)) return sign | top;
  const exponent = Math.max(((word[0] >>> 23) & 0xff) - 127, 1 - exponentBias);
  // The value in units of its last place, 2^M to 2^(M+1), or less where it is subnormal. Added to
  // the exponent's code, its leading one is the exponent's last unit, and a carry rounds up into
  // it.
  const units = size * 2 ** (mantissaBits - exponent) + TO_INTEGER - TO_INTEGER;
  return sign | (((exponent + exponentBias - 1) << mantissaBits) + units);
}

function fp8Format(
  name: string,
  code: number,
  coding: Fp8Coding,
  codes?: "fp8",
): RowFormat {
  const table = Float32Array.from({ length: 256 }, (_, byte) => fp8ToF32(byte, coding));
  return valueFormat({
    name,
    code,
    ...(codes && { codes }),
    bytes: 1,
    read: (row, at) => table[row[at]],
    write: (row, at, x) => row[at] = f32ToFp8(x, coding),
  });
}

/**
 * The format "hfp8" (number 10): one byte a value, 4 bits of exponent with bias 7, 3 of mantissa,
 * no infinity and no NaN: FBGEMM's 8-bit floats. Encoding saturates at 240.
 *
 * @example
 * ```ts
 * import { hfp8 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const row = new Uint8Array(hfp8.rowBytes(2));
 * hfp8.quantise(new Float32Array([1.3, 300]), 0, 2, row, 0);
 * const values = new Float32Array(2);
 * hfp8.dequantise(row, 0, 2, values, 0);
 * assertEquals([...values], [1.25, 240]);
 * ```
 */
export const hfp8: RowFormat = fp8Format(
  "hfp8",
  10,
  { exponentBits: 4, exponentBias: 7, specials: "none" },
  "fp8",
);

/**
 * The format "e4m3" (number 11): one byte a value, OFP8 E4M3: 4 bits of exponent with bias 7, 3 of
 * mantissa, the all-ones codes are NaN, there is no infinity. Encoding saturates at 448.
 *
 * @example
 * ```ts
 * import { e4m3 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const row = new Uint8Array(e4m3.rowBytes(2));
 * e4m3.quantise(new Float32Array([1.3, 500]), 0, 2, row, 0);
 * assertEquals([...row], [0x3a, 0x7e]);
 * ```
 */
export const e4m3: RowFormat = fp8Format(
  "e4m3",
  11,
  { exponentBits: 4, exponentBias: 7, specials: "one NaN" },
);

/**
 * The format "e5m2" (number 12): one byte a value, OFP8 E5M2: 5 bits of exponent with bias 15, 2 of
 * mantissa, infinities and NaNs as in IEEE 754. Encoding saturates at 57344.
 *
 * @example
 * ```ts
 * import { e5m2 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const row = new Uint8Array(e5m2.rowBytes(2));
 * e5m2.quantise(new Float32Array([1.3, 1e6]), 0, 2, row, 0);
 * assertEquals([...row], [0x3d, 0x7b]);
 * ```
 */
export const e5m2: RowFormat = fp8Format(
  "e5m2",
  12,
  { exponentBits: 5, exponentBias: 15, specials: "IEEE" },
);
