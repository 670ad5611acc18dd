/**
 * Rows of 8-bit codes with a scale and a bias of their own: the fused 8-bit row-wise format of
 * FBGEMM and PyTorch (`Fused8BitRowwiseQuantizedSBFloat`), bit for bit as its AVX2 code computes
 * it.
 *
 * @module
 */

import { checkDim, checkNoNaN, checkRow } from "./_check_row.ts";
import { readF32, writeF32 } from "./_f32_bytes.ts";
import { fma32 } from "./fma.ts";
import type { RowFormat } from "./row_format.ts";

const LANES = 8;
const FLT_MAX = 2 ** 128 - 2 ** 104;
/**
 * Keeps a constant row from a division by zero. It goes into the codes alone, never into the scale.
 */
const EPSILON: number = Math.fround(1e-8);
/**
 * Added to and taken from a value in [0, 2^51], it rounds to the nearest integer, halves to even.
 */
const TO_INTEGER: number = 1.5 * 2 ** 52;

/**
 * The format "q8" (number 2): `dim` codes of one byte, an fp32 scale, an fp32 bias; `dim` + 8 bytes
 * a row. A value is scale * code + bias: the bias is the row's least value, the scale its range /
 * 255, so a decoded value is off by half a scale and a few roundings at most, as long as the range
 * is well above 1e-8 (below, fewer codes are used, and the error is 1e-8 at most). A row that holds
 * an infinity or whose range exceeds fp32 decodes to infinities or NaN, as the original does.
 * Encoding costs 5 to 10 ns a value, decoding about 5.
 *
 * @example
 * ```ts
 * import { q8 } from "@rowtier/rowtier/kernels";
 * import { assertAlmostEquals, assertEquals } from "@std/assert";
 *
 * const values = new Float32Array([-1, 0.25, 1]);
 * const row = new Uint8Array(q8.rowBytes(3));
 * q8.quantise(values, 0, 3, row, 0);
 * assertEquals([...row.subarray(0, 3)], [0, 159, 255]);
 *
 * const decoded = new Float32Array(3);
 * q8.dequantise(row, 0, 3, decoded, 0);
 * assertAlmostEquals(decoded[1], 0.25, 1 / 255);
 * ```
 */
export const q8: RowFormat = {
  name: "q8",
  code: 2,
  rowBytes(dim: number): number {
    return checkDim("Cannot size q8 row", dim) + 8;
  },
  quantise(values: Float32Array, at: number, dim: number, row: Uint8Array, start: number): void {
    const what = "Cannot quantise q8 row";
    checkDim(what, dim);
    checkRow(what, values, at, dim, row, start, dim + 8);
    checkNoNaN(what, values, at, dim);
    encode(values, at, dim, row, start);
  },
  dequantise(row: Uint8Array, start: number, dim: number, values: Float32Array, at: number): void {
    const what = "Cannot dequantise q8 row";
    checkDim(what, dim);
    checkRow(what, values, at, dim, row, start, dim + 8);
    decode(row, start, dim, values, at);
  },
};

function encode(
  values: Float32Array,
  at: number,
  dim: number,
  row: Uint8Array,
  start: number,
): void {
  const least = leastOf(values, at, dim);
  const range = Math.fround(greatestOf(values, at, dim) - least);
  const inverse = Math.fround(255 / Math.fround(range + EPSILON));
  for (let j = 0; j < dim; j++) {
    const code = Math.fround(Math.fround(values[at + j] - least) * inverse);
    // 255 is never passed: x - least <= range, and inverse * range rounds to 255 at most. Infinite
    // ranges give inverse 0 and codes 0 or NaN, which a Uint8Array stores as 0.
    row[start + j] = code + TO_INTEGER - TO_INTEGER;
  }
  writeF32(row, start + dim, range / 255);
  writeF32(row, start + dim + 4, least);
}

/**
 * The least value as eight lanes find it: they start at FLT_MAX and let a tie take the newer value,
 * and are then folded in order. Against a plain loop this decides the sign of a zero, and what a
 * row of +inf gives.
 */
function leastOf(values: Float32Array, at: number, dim: number): number {
  const whole = dim - dim % LANES;
  let least = FLT_MAX;
  for (let lane = 0; lane < LANES && lane < whole; lane++) {
    let low = FLT_MAX;
    for (let j = lane; j < whole; j += LANES) low = low < values[at + j] ? low : values[at + j];
    if (low < least) least = low;
  }
  for (let j = whole; j < dim; j++) if (values[at + j] < least) least = values[at + j];
  return least;
}

/** The greatest value, with the ties and the start of {@linkcode leastOf} mirrored. */
function greatestOf(values: Float32Array, at: number, dim: number): number {
  const whole = dim - dim % LANES;
  let greatest = -FLT_MAX;
  for (let lane = 0; lane < LANES && lane < whole; lane++) {
    let high = -FLT_MAX;
    for (let j = lane; j < whole; j += LANES) high = high > values[at + j] ? high : values[at + j];
    if (high > greatest) greatest = high;
  }
  for (let j = whole; j < dim; j++) if (values[at + j] > greatest) greatest = values[at + j];
  return greatest;
}

function decode(
  row: Uint8Array,
  start: number,
  dim: number,
  values: Float32Array,
  at: number,
): void {
  const scale = readF32(row, start + dim);
  const bias = readF32(row, start + dim + 4);
  const whole = dim - dim % LANES;
  for (let j = 0; j < whole; j++) values[at + j] = fma32(scale, row[start + j], bias);
  // The columns that fill no eight lanes run on scalar code there, which rounds to fp64 first.
  for (let j = whole; j < dim; j++) values[at + j] = scale * row[start + j] + bias;
}
