/**
 * Rows of plain fp32 values: 4 bytes a value, little-endian, nothing else.
 *
 * @module
 */

import { readF32, writeF32 } from "./_bytes.ts";
import { valueFormat } from "./_value_format.ts";
import type { RowFormat } from "./row_format.ts";

/**
 * The format "f32" (number 1): `dim` fp32 values, 4 * `dim` bytes a row. Decoding gives the very
 * bits that were encoded. Rows may lie at any byte.
 *
 * @example
 * ```ts
 * import { f32 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const row = new Uint8Array(f32.rowBytes(2));
 * f32.quantise(new Float32Array([1.5, -2]), 0, 2, row, 0);
 * const values = new Float32Array(2);
 * f32.dequantise(row, 0, 2, values, 0);
 * assertEquals([...values], [1.5, -2]);
 * ```
 */
export const f32: RowFormat = valueFormat({
  name: "f32",
  code: 1,
  codes: "f32",
  bytes: 4,
  read: readF32,
  write: writeF32,
});
