/**
 * The contract of a row format: how a vector of fp32 values becomes the bytes of a row.
 *
 * @module
 */

/** One row format. */
export interface RowFormat {
  /** Its name, which table files store: "q8", "f32". */
  readonly name: string;
  /** Its number in table files, from 1; never reused. */
  readonly code: number;
  /** Bytes of a row of `dim` values. */
  rowBytes(dim: number): number;
  /**
   * Writes `values[at, at + dim)` as one row at `row[start]`.
   *
   * @throws {RangeError} when a value is NaN, or the arrays are too short.
   */
  quantise(values: Float32Array, at: number, dim: number, row: Uint8Array, start: number): void;
  /**
   * Decodes the row at `row[start]` to `values[at, at + dim)`.
   *
   * @throws {RangeError} when the arrays are too short.
   */
  dequantise(row: Uint8Array, start: number, dim: number, values: Float32Array, at: number): void;
}
