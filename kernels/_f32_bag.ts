/**
 * The sum of one bag of f32 rows: `acc = fround(acc + x)`, or `acc = fma32(weight, x, acc)`.
 *
 * @module
 */

import { settleFma32 } from "./fma.ts";
import type { BagBatch } from "./kernel.ts";

/**
 * Adds the `count` rows from `batch.slots[first]` on to `acc`, which holds `dim` fp32 values;
 * `view` is over the arena. Slots must be valid. The view's reads take any alignment, which arena
 * slots have.
 */
export function addF32Rows(
  batch: BagBatch,
  view: DataView,
  first: number,
  count: number,
  dim: number,
  acc: Float64Array,
): void {
  const { slots, rowStride, weights } = batch;
  for (let i = first; i < first + count; i++) {
    const at = slots[i] * rowStride;
    if (weights === undefined) addRow(view, at, dim, acc);
    else addWeightedRow(view, at, weights, i, dim, acc);
  }
}

function addRow(view: DataView, at: number, dim: number, acc: Float64Array): void {
  for (let j = 0; j < dim; j++) acc[j] = Math.fround(acc[j] + view.getFloat32(at + 4 * j, true));
}

/**
 * With the test of {@linkcode fma32} written out: a weight and a value have 48 bits together, so
 * sums are often inexact.
 */
function addWeightedRow(
  view: DataView,
  at: number,
  weights: Float32Array,
  i: number,
  dim: number,
  acc: Float64Array,
): void {
  const weight = weights[i];
  for (let j = 0; j < dim; j++) {
    const p = weight * view.getFloat32(at + 4 * j, true);
    const t = acc[j];
    const y = p + t;
    acc[j] = y - p === t && y - t === p ? Math.fround(y) : settleFma32(p, t, y);
  }
}
