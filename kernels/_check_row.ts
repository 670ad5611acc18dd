/**
 * Checks that every row format makes before it touches an array.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { MAX_DIM } from "./limits.ts";

/** Throws a RangeError unless `dim` is one that a row can have; returns it. */
export function checkDim(what: string, dim: number): number {
  return checkInteger(what, "dim", dim, 1, MAX_DIM);
}

/**
 * Throws a RangeError unless `values[at, at + dim)` and the `rowBytes` bytes at `row[start]` exist.
 */
export function checkRow(
  what: string,
  values: Float32Array,
  at: number,
  dim: number,
  row: Uint8Array,
  start: number,
  rowBytes: number,
): void {
  checkInteger(what, "at", at, 0);
  checkInteger(what, "start", start, 0);
  checkInteger(what, "values.length", values.length, at + dim);
  checkInteger(what, "row.length", row.length, start + rowBytes);
}

/** Throws a RangeError if one of `values[at, at + dim)` is NaN: it has no place in a range. */
export function checkNoNaN(what: string, values: Float32Array, at: number, dim: number): void {
  for (let j = 0; j < dim; j++) {
    const x = values[at + j];
    if (x !== x) {
      throw new RangeError(`${what}: values[${at + j}] must be a number: received NaN`);
    }
  }
}
