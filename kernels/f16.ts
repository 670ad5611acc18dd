/**
 * Rows of fp16 values: 2 bytes a value, little-endian, nothing else.
 *
 * @module
 */

import { readF16, writeF16 } from "./_bytes.ts";
import { valueFormat } from "./_value_format.ts";
import type { RowFormat } from "./row_format.ts";

/**
 * The format "f16" (number 3): `dim` fp16 values, 2 * `dim` bytes a row, rounded to nearest, halves
 * to even: off by 2^-11 of a value at most, or 2^-25 below 2^-14. Values of 65520 and above become
 * infinite, as in FBGEMM without clipping.
 *
 * @example
 * ```ts
 * import { f16 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const row = new Uint8Array(f16.rowBytes(2));
 * f16.quantise(new Float32Array([1.5, 0.1]), 0, 2, row, 0);
 * const values = new Float32Array(2);
 * f16.dequantise(row, 0, 2, values, 0);
 * assertEquals([...values], [1.5, 0.0999755859375]);
 * ```
 */
export const f16: RowFormat = valueFormat({
  name: "f16",
  code: 3,
  codes: "f16",
  bytes: 2,
  read: readF16,
  write: writeF16,
});
