/**
 * The contract of a row format: how a vector of fp32 values becomes the bytes of a row.
 *
 * @module
 */

/** How a row's values are coded; what generated code is generated for. */
export interface RowLayout {
  /** What each value is stored as. `u4` and `u2` are packed from the low bits of a byte up. */
  readonly codes: "f32" | "f16" | "bf16" | "fp8" | "u8" | "u4" | "u2";
  /** Where the row's scale and bias are, and as what. */
  readonly scaleBias: "none" | "f32 last" | "f16 last" | "f16 first";
}

/** One row format. */
export interface RowFormat {
  /** Its name, which table files store: "q8", "f32". */
  readonly name: string;
  /** Its number in table files, from 1; never reused. Users' own formats start at 1000. */
  readonly code: number;
  /**
   * How the bytes lie, where one of the known layouts fits: kernels with code of their own for it
   * are used then. Left out, a kernel decodes each row by `dequantise`.
   */
  readonly layout?: RowLayout;
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

/** A row format whose rows have a range of their own, which callers may choose. */
export interface RangeRowFormat extends RowFormat {
  /** How the bytes lie. */
  readonly layout: RowLayout;
  /**
   * As {@linkcode RowFormat.quantise}, with the range that the codes shall cover.
   *
   * @param range The least and the greatest value, rounded to fp32.
   * @param outside What becomes of values outside the range: "saturate", the default, takes its
   * ends; "wrap" gives FBGEMM's bits for 8-bit codes, where the columns from the last multiple of
   * 32 on keep the low byte of their code (4-bit and 2-bit codes always saturate).
   * @throws {RangeError} when a value or an end of the range is NaN, or the arrays are too short.
   */
  quantiseIn(
    range: readonly [least: number, greatest: number],
    values: Float32Array,
    at: number,
    dim: number,
    row: Uint8Array,
    start: number,
    outside?: "saturate" | "wrap",
  ): void;
}
