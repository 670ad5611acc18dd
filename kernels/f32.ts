/**
 * Rows of plain fp32 values: 4 bytes a value, little-endian, nothing else.
 *
 * @module
 */

import { checkDim, checkNoNaN, checkRow } from "./_check_row.ts";
import { readF32, writeF32 } from "./_f32_bytes.ts";
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
export const f32: RowFormat = {
  name: "f32",
  code: 1,
  rowBytes(dim: number): number {
    return 4 * checkDim("Cannot size f32 row", dim);
  },
  quantise(values: Float32Array, at: number, dim: number, row: Uint8Array, start: number): void {
    const what = "Cannot quantise f32 row";
    checkDim(what, dim);
    checkRow(what, values, at, dim, row, start, 4 * dim);
    checkNoNaN(what, values, at, dim);
    for (let j = 0; j < dim; j++) writeF32(row, start + 4 * j, values[at + j]);
  },
  dequantise(row: Uint8Array, start: number, dim: number, values: Float32Array, at: number): void {
    const what = "Cannot dequantise f32 row";
    checkDim(what, dim);
    checkRow(what, values, at, dim, row, start, 4 * dim);
    for (let j = 0; j < dim; j++) values[at + j] = readF32(row, start + 4 * j);
  },
};
