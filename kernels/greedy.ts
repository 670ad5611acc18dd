/**
 * The greedy search for a row's range: PyTorch's `choose_qparams_optimized`, for 4-bit and 2-bit
 * codes (Guan et al., "Post-Training 4-bit Quantization on Embedding Tables", 2019, section 3.1).
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { checkDim, checkNoNaN } from "./_check_row.ts";
import { f16ToF32, f32ToF16 } from "./half.ts";
import { MAX_GREEDY_BINS } from "./limits.ts";
import type { RangeRowFormat } from "./row_format.ts";

/** Added to and taken from a value in [-2^51, 2^51], it rounds to an integer, halves to even. */
const TO_INTEGER: number = 1.5 * 2 ** 52;

/** Options of {@linkcode greedyRange} and {@linkcode greedy}. */
export interface GreedyOptions {
  /** Steps that the row's own range is cut into; 200 by default. */
  readonly bins?: number;
  /** The share of the range that the search may shrink to, 0 to 1; 0.16 by default. */
  readonly ratio?: number;
}

/**
 * The range whose codes give `values[at, at + dim)` back with the least L2 error, of those that a
 * greedy walk meets: it starts at the row's own range and moves one end in by one bin at a time,
 * the one that costs less. Bit for bit PyTorch's answer where that has one; where a bin is below
 * half an ulp of that end, and PyTorch goes round for ever, the walk stops. Costs about 2 * 168
 * encodings.
 *
 * @param values Finite fp32 values.
 * @param at The first of the row.
 * @param dim How many.
 * @param bits Bits of a code, 4 or 2.
 * @param options How fine to search, and how far.
 * @returns The range, for `quantiseIn`.
 * @throws {RangeError} when a value is NaN, or an option out of its bounds.
 *
 * @example
 * ```ts
 * import { greedyRange, q2 } from "@rowtier/rowtier/kernels";
 * import { assert } from "@std/assert";
 *
 * // One far value stretches the range of all others.
 * const values = Float32Array.of(0, 1, 2, 3, 2, 1, 0, 3.4);
 * const range = greedyRange(values, 0, 8, 2);
 * assert(range[1] < 3.4);
 * const row = new Uint8Array(q2.rowBytes(8));
 * q2.quantiseIn(range, values, 0, 8, row, 0);
 * ```
 */
export function greedyRange(
  values: Float32Array,
  at: number,
  dim: number,
  bits: 4 | 2,
  options: GreedyOptions = {},
): [least: number, greatest: number] {
  const what = "Cannot search range";
  const { bins, ratio } = checkedOptions(what, options);
  checkDim(what, dim);
  checkInteger(what, "at", at, 0);
  checkInteger(what, "values.length", values.length, at + dim);
  checkInteger(what, "bits", bits, 2, 4);
  checkNoNaN(what, values, at, dim);
  return search(values, at, dim, 2 ** bits - 1, bins, ratio);
}

function checkedOptions(what: string, options: GreedyOptions): { bins: number; ratio: number } {
  const { bins = 200, ratio = 0.16 } = options;
  checkInteger(what, "bins", bins, 1, MAX_GREEDY_BINS);
  if (!(ratio >= 0 && ratio <= 1)) {
    throw new RangeError(`${what}: ratio must be at least 0 and at most 1: received ${ratio}`);
  }
  return { bins, ratio: Math.fround(ratio) };
}

function search(
  values: Float32Array,
  at: number,
  dim: number,
  top: number,
  bins: number,
  ratio: number,
): [least: number, greatest: number] {
  const { fround } = Math;
  let low = values[at], high = values[at];
  for (let j = 1; j < dim; j++) {
    if (values[at + j] < low) low = values[at + j];
    if (values[at + j] > high) high = values[at + j];
  }
  const step = fround(fround(high - low) / bins);
  const span = fround(Math.trunc(bins * (1 - ratio)) * step);
  let [least, greatest] = [low, high];
  let current = loss(values, at, dim, top, low, high);
  let best = current;
  while (fround(low + span) < high) {
    const inLow = fround(low + step), inHigh = fround(high - step);
    const lossLow = loss(values, at, dim, top, inLow, high);
    const lossHigh = loss(values, at, dim, top, low, inHigh);
    // The last position is never looked at: as in the original.
    if (current < lossLow && current < lossHigh && current < best) {
      best = current;
      [least, greatest] = [low, high];
    }
    // An end that its bin does not move would be chosen again for ever.
    if (lossLow < lossHigh) {
      if (inLow === low) break;
      [low, current] = [inLow, lossLow];
    } else {
      if (inHigh === high) break;
      [high, current] = [inHigh, lossHigh];
    }
  }
  return [least, greatest];
}

/** The L2 error of the row under a range, every step rounded to fp32. */
function loss(
  values: Float32Array,
  at: number,
  dim: number,
  top: number,
  low: number,
  high: number,
): number {
  const { fround } = Math;
  const bias = f16ToF32(f32ToF16(low));
  const range = fround(high - bias);
  const scale = range === 0 ? 1 : f16ToF32(f32ToF16(fround(range / top)));
  const inverse = scale === 0 ? 1 : fround(1 / scale);
  let norm = 0;
  for (let j = 0; j < dim; j++) {
    const x = values[at + j];
    const ideal = fround(fround(x - bias) * inverse);
    const code = Math.min(Math.max(ideal, 0), top) + TO_INTEGER - TO_INTEGER;
    const error = fround(x - fround(fround(code * scale) + bias));
    norm = fround(norm + fround(error * error));
  }
  return fround(Math.sqrt(norm));
}

/**
 * `format` with the greedy range in `quantise`: the same rows to read, and the same name and number
 * in table files. About 300 times the time to encode.
 *
 * @param format A format of 4-bit or 2-bit codes: `q4`, `q2`, `tbe4`, `tbe2`.
 * @param options How fine to search, and how far.
 * @returns A format for building tables.
 * @throws {RangeError} when `format` has other codes, or an option is out of its bounds.
 *
 * @example
 * ```ts
 * import { greedy, q4, rowErrors } from "@rowtier/rowtier/kernels";
 * import { assert } from "@std/assert";
 *
 * const values = Float32Array.from({ length: 640 }, (_, j) => Math.sin(j) ** 7);
 * const own = rowErrors(q4, values, 64), searched = rowErrors(greedy(q4), values, 64);
 * assert(searched.meanL2 < own.meanL2);
 * ```
 */
export function greedy(format: RangeRowFormat, options: GreedyOptions = {}): RangeRowFormat {
  const what = "Cannot make greedy format";
  const { bins, ratio } = checkedOptions(what, options);
  const { codes } = format.layout;
  if (codes !== "u4" && codes !== "u2") {
    throw new RangeError(`${what}: format must have 4-bit or 2-bit codes: received ${format.name}`);
  }
  const bits = codes === "u4" ? 4 : 2;
  return {
    ...format,
    quantise: (values, at, dim, row, start) =>
      format.quantiseIn(
        greedyRange(values, at, dim, bits, { bins, ratio }),
        ...[values, at, dim, row, start] as const,
      ),
  };
}
