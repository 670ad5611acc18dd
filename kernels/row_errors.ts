/**
 * What a row format loses.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { checkDim } from "./_check_row.ts";
import type { RowFormat } from "./row_format.ts";

/** What a format loses over some rows. */
export interface RowErrors {
  /** How many rows. */
  readonly rowCount: number;
  /** Bytes of a row. */
  readonly rowBytes: number;
  /** The mean over rows of the L2 norm of a row's error. */
  readonly meanL2: number;
  /** The largest of these. */
  readonly maxL2: number;
  /** The largest error of a value. */
  readonly maxError: number;
  /** Signal to quantisation noise, 10 log10 (sum of x^2 / sum of error^2), in decibels. */
  readonly sqnrDb: number;
}

/**
 * Encodes and decodes rows, and says what was lost: enough to choose each table's bits by an error
 * budget. Takes the format's own time, and one row of memory.
 *
 * @param format The format to measure.
 * @param values Rows of fp32 values, one after the other.
 * @param dim Values of a row.
 * @param rowL2 Where given, takes the L2 norm of each row's error.
 * @returns The statistics over all rows.
 * @throws {RangeError} when `values` is not one or more whole rows, or `rowL2` is too short.
 *
 * @example The fewest bits within a budget
 * ```ts
 * import { greedy, q2, q4, q8, rowErrors } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const values = Float32Array.from({ length: 6400 }, (_, j) => Math.sin(j));
 * const formats = [greedy(q2), greedy(q4), q8];
 * const chosen = formats.find((format) => rowErrors(format, values, 64).sqnrDb > 20);
 * assertEquals(chosen?.name, "q4");
 * ```
 */
export function rowErrors(
  format: RowFormat,
  values: Float32Array,
  dim: number,
  rowL2?: Float64Array,
): RowErrors {
  const what = "Cannot measure errors";
  checkDim(what, dim);
  const rowCount = values.length / dim;
  checkInteger(what, "values.length / dim", rowCount, 1);
  if (rowL2 !== undefined) checkInteger(what, "rowL2.length", rowL2.length, rowCount);
  const rowBytes = format.rowBytes(dim);
  const row = new Uint8Array(rowBytes), decoded = new Float32Array(dim);
  let signal = 0, noise = 0, sumL2 = 0, maxL2 = 0, maxError = 0;
  for (let r = 0; r < rowCount; r++) {
    format.quantise(values, r * dim, dim, row, 0);
    format.dequantise(row, 0, dim, decoded, 0);
    let squares = 0;
    for (let j = 0; j < dim; j++) {
      const x = values[r * dim + j], error = Math.abs(decoded[j] - x);
      signal += x * x;
      squares += error * error;
      maxError = Math.max(maxError, error);
    }
    const l2 = Math.sqrt(squares);
    if (rowL2 !== undefined) rowL2[r] = l2;
    noise += squares;
    sumL2 += l2;
    maxL2 = Math.max(maxL2, l2);
  }
  const sqnrDb = noise === 0 ? Infinity : 10 * Math.log10(signal / noise);
  return { rowCount, rowBytes, meanL2: sumL2 / rowCount, maxL2, maxError, sqnrDb };
}
