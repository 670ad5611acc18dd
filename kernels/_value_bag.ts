/**
 * One bag of rows that are decoded first: the sum of floating-point rows,
 * `acc = fround(acc + x)` or `acc = fma32(weight, x, acc)`, and the maximum of any rows.
 *
 * @module
 */

import type { BagAdder } from "./_adder.ts";
import { rowDecoder } from "./_row_decoder.ts";
import { settleFma32 } from "./fma.ts";
import type { Weighting } from "./kernel.ts";
import type { RowFormat } from "./row_format.ts";

/** Adds up rows of values; holds 4 bytes a column. */
export function valueAdder(format: RowFormat, dim: number, weighting: Weighting): BagAdder {
  const decode = rowDecoder(format, dim);
  const values = new Float32Array(dim);
  return ({ arena, slots, rowStride, weights }, view, first, count, acc) => {
    const weightsFrom = weighting === "position" ? first : 0;
    for (let i = first; i < first + count; i++) {
      if (slots[i] === -1) continue;
      decode(arena, view, slots[i] * rowStride, values);
      if (weights === undefined) add(values, acc);
      else addWeighted(weights, i - weightsFrom, values, acc);
    }
  };
}

function add(values: Float32Array, acc: Float64Array): void {
  for (let j = 0; j < acc.length; j++) acc[j] = Math.fround(acc[j] + values[j]);
}

/**
 * With the test of {@linkcode fma32} written out: a weight and a value have 48 bits together, so
 * sums are often inexact. (A store before the test, as one number or the other, chosen by `?:`, was
 * boxed once a row.)
 */
function addWeighted(
  weights: Float32Array,
  i: number,
  values: Float32Array,
  acc: Float64Array,
): void {
  const weight = weights[i];
  for (let j = 0; j < acc.length; j++) {
    const p = weight * values[j];
    const t = acc[j];
    const y = p + t;
    acc[j] = Math.fround(y);
    if (y - p !== t || y - t !== p) acc[j] = settleFma32(p, t, y);
  }
}

/** Takes the greatest value of each column, beginning with the first row. */
export function maxAdder(format: RowFormat, dim: number): BagAdder {
  const decode = rowDecoder(format, dim);
  const values = new Float32Array(dim);
  return ({ arena, slots, rowStride }, view, first, count, acc) => {
    let begun = false;
    for (let i = first; i < first + count; i++) {
      if (slots[i] === -1) continue;
      decode(arena, view, slots[i] * rowStride, values);
      if (begun) takeGreater(values, acc);
      else acc.set(values);
      begun = true;
    }
  };
}

/** As MAXPS: of equals, and where one is NaN, the later row's. */
function takeGreater(values: Float32Array, acc: Float64Array): void {
  for (let j = 0; j < acc.length; j++) acc[j] = acc[j] > values[j] ? acc[j] : values[j];
}
