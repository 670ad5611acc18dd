/**
 * Rows for the tests of x64 code, some of which run in a process of their own.
 *
 * @module
 */

import type { RowFormat } from "../../kernels/row_format.ts";

/** Numbers in [0, 1), the same for the same seed (Numerical Recipes' generator). */
export function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** `rows` rows of values from 1e-6 to 1e3, of both signs. */
export function filledArena(
  format: RowFormat,
  dim: number,
  rows: number,
  rowStride: number,
  seed: number,
): Uint8Array<ArrayBuffer> {
  const next = numbers(seed);
  const values = new Float32Array(dim);
  const arena = new Uint8Array(rows * rowStride);
  for (let row = 0; row < rows; row++) {
    const scale = 10 ** (next() * 9 - 6);
    for (let j = 0; j < dim; j++) values[j] = (next() - 0.5) * scale;
    format.quantise(values, 0, dim, arena, row * rowStride);
  }
  return arena;
}
