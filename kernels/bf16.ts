/**
 * Rows of bf16 values: 2 bytes a value, little-endian, nothing else.
 *
 * @module
 */

import { read16, write16 } from "./_bytes.ts";
import { valueFormat } from "./_value_format.ts";
import { bf16ToF32, f32ToBf16 } from "./half.ts";
import type { RowFormat } from "./row_format.ts";

/**
 * The format "bf16" (number 4): `dim` bf16 values, 2 * `dim` bytes a row, rounded to nearest,
 * halves away from zero: off by 2^-8 of a value at most.
 *
 * @example
 * ```ts
 * import { bf16 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const row = new Uint8Array(bf16.rowBytes(2));
 * bf16.quantise(new Float32Array([1.5, 0.1]), 0, 2, row, 0);
 * const values = new Float32Array(2);
 * bf16.dequantise(row, 0, 2, values, 0);
 * assertEquals([...values], [1.5, 0.10009765625]);
 * ```
 */
export const bf16: RowFormat = valueFormat({
  name: "bf16",
  code: 4,
  codes: "bf16",
  bytes: 2,
  read: (row, at) => bf16ToF32(read16(row, at)),
  write: (row, at, x) => write16(row, at, f32ToBf16(x)),
});
