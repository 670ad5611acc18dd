/**
 * From the 32-bit sums of an 8-bit matrix product to 8-bit values again: what stands between two
 * quantised layers, and between pooled rows and a quantised layer.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";

/** Added to and taken from a value in [-2^51, 2^51], it rounds to an integer, halves to even. */
const TO_INTEGER: number = 1.5 * 2 ** 52;

/** A product A * B of 8-bit matrices, summed up in 32 bits, and how it becomes 8-bit again. */
export interface Product {
  /** Rows of A. */
  readonly rows: number;
  /** Columns of B. */
  readonly columns: number;
  /** The sums, row after row. */
  readonly sums: Int32Array;
  /** The sum of each row of A. */
  readonly rowSums: Int32Array;
  /** The sum of each column of B. */
  readonly columnSums: Int32Array;
  /** What is added to each column. */
  readonly bias: Int32Array;
  /** What stands for zero in A, in B and in the output. */
  readonly zeroPoints: { readonly a: number; readonly b: number; readonly output: number };
  /** fp32: scale of A times scale of B over scale of the output. */
  readonly multiplier: number;
  /** Whether what is below zero becomes zero. */
  readonly relu: boolean;
}

/**
 * Writes `round((sums - a * columnSums - b * rowSums + bias) * multiplier) + output`, saturated to
 * 0 to 255 (from the output's zero point with `relu`), with FBGEMM's roundings: the sum wraps to 32
 * bits, the product is one of fp32, halves go to even.
 *
 * @param product What to convert.
 * @param output `rows` * `columns` bytes.
 * @throws {RangeError} when an array is too short.
 *
 * @example
 * ```ts
 * import { requantise } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const output = new Uint8Array(2);
 * requantise({
 *   rows: 1,
 *   columns: 2,
 *   sums: Int32Array.of(100, -300),
 *   rowSums: Int32Array.of(10),
 *   columnSums: Int32Array.of(4, 4),
 *   bias: Int32Array.of(0, 0),
 *   zeroPoints: { a: 0, b: 2, output: 128 },
 *   multiplier: 0.5,
 *   relu: false,
 * }, output);
 * assertEquals([...output], [168, 0]);
 * ```
 */
export function requantise(product: Product, output: Uint8Array): void {
  const what = "Cannot requantise";
  const { rows, columns, sums, rowSums, columnSums, bias, zeroPoints } = product;
  checkInteger(what, "rows", rows, 0);
  checkInteger(what, "columns", columns, 0);
  checkInteger(what, "sums.length", sums.length, rows * columns);
  checkInteger(what, "rowSums.length", rowSums.length, rows);
  checkInteger(what, "columnSums.length", columnSums.length, columns);
  checkInteger(what, "bias.length", bias.length, columns);
  checkInteger(what, "output.length", output.length, rows * columns);
  const multiplier = Math.fround(product.multiplier);
  const least = product.relu ? zeroPoints.output : 0;
  for (let i = 0; i < rows; i++) {
    const rowTerm = Math.imul(zeroPoints.b, rowSums[i]);
    for (let j = 0; j < columns; j++) {
      const columnTerm = Math.imul(zeroPoints.a, columnSums[j]);
      const sum = (sums[i * columns + j] - columnTerm - rowTerm + bias[j]) | 0;
      const scaled = Math.fround(Math.fround(sum) * multiplier) + TO_INTEGER - TO_INTEGER;
      output[i * columns + j] = Math.min(Math.max(scaled + zeroPoints.output, least), 255);
    }
  }
}
