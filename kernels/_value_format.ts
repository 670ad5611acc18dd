/**
 * Row formats that store one value after the other and nothing else.
 *
 * @module
 */

import { checkDim, checkNoNaN, checkRow } from "./_check_row.ts";
import type { RowFormat, RowLayout } from "./row_format.ts";

/** What tells one such format from another. */
export interface ValueCoding {
  /** As in {@linkcode RowFormat}. */
  readonly name: string;
  /** As in {@linkcode RowFormat}. */
  readonly code: number;
  /** Absent where no kernel has code of its own for the values. */
  readonly codes?: RowLayout["codes"];
  /** Bytes of a value. */
  readonly bytes: number;
  /** The value at `row[at]`. */
  readonly read: (row: Uint8Array, at: number) => number;
  /** Writes a value to `row[at]`. */
  readonly write: (row: Uint8Array, at: number, x: number) => void;
}

/** The row format of values coded in that way. */
export function valueFormat({ name, code, codes, bytes, read, write }: ValueCoding): RowFormat {
  const sizing = `Cannot size ${name} row`;
  const encoding = `Cannot quantise ${name} row`;
  const decoding = `Cannot dequantise ${name} row`;
  return {
    name,
    code,
    ...(codes && { layout: { codes, scaleBias: "none" } }),
    rowBytes: (dim) => bytes * checkDim(sizing, dim),
    quantise(values, at, dim, row, start) {
      checkDim(encoding, dim);
      checkRow(encoding, values, at, dim, row, start, bytes * dim);
      checkNoNaN(encoding, values, at, dim);
      for (let j = 0; j < dim; j++) write(row, start + bytes * j, values[at + j]);
    },
    dequantise(row, start, dim, values, at) {
      checkDim(decoding, dim);
      checkRow(decoding, values, at, dim, row, start, bytes * dim);
      for (let j = 0; j < dim; j++) values[at + j] = read(row, start + bytes * j);
    },
  };
}
