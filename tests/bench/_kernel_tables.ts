/**
 * Tables and streams of slots for the kernels' benchmark, written to files too, so that peers read
 * the same bytes.
 *
 * @module
 */

import { createRandom } from "../../base/random.ts";
import type { RowFormat } from "../../kernels/mod.ts";

/** Where the rows of a case lie and which of them are read. */
export interface Place {
  /** For people. */
  readonly name: string;
  /** Bytes of the table, about. */
  readonly bytes: number;
  /** How often each row is read. */
  readonly skew: "uniform" | "zipf";
}

/** Different rows of a table; the table repeats them, as only their places matter to the time. */
const BASE_ROWS = 4096;

/** Skew of the zipf streams: between the 0.8 and 1.05 that embedding traces are reported with. */
const ZIPF_EXPONENT = 0.9;

/** A prime above every row count here: multiples of it modulo the count visit every row once. */
const SCATTER = 179_424_673;

/** How many rows fit. */
export function rowsIn(bytes: number, rowBytes: number): number {
  return Math.floor(bytes / rowBytes);
}

/** Rows of normal-like values, quantised, one after the other without padding. */
export function baseRows(format: RowFormat, dim: number, seed: number): Uint8Array {
  const random = createRandom(seed);
  const rowBytes = format.rowBytes(dim);
  const rows = new Uint8Array(BASE_ROWS * rowBytes);
  const values = new Float32Array(dim);
  for (let row = 0; row < BASE_ROWS; row++) {
    for (let j = 0; j < dim; j++) values[j] = random.unit() + random.unit() - 1;
    format.quantise(values, 0, dim, rows, row * rowBytes);
  }
  return rows;
}

/** Fills the first `bytes` of `arena` with `base`, again and again. */
export function fillTable(arena: Uint8Array, base: Uint8Array, bytes: number): void {
  for (let at = 0; at < bytes; at += base.length) {
    arena.set(at + base.length > bytes ? base.subarray(0, bytes - at) : base, at);
  }
}

/** A stream of slots below `rows`; a row's rank has nothing to do with its place. */
export function slotStream(
  place: Pick<Place, "skew">,
  rows: number,
  count: number,
  seed: number,
): Int32Array {
  const random = createRandom(seed);
  const slots = new Int32Array(count);
  // The inverse of the continuous distribution with density x^-s on [1, rows + 1).
  const power = 1 - ZIPF_EXPONENT;
  const span = (rows + 1) ** power - 1;
  for (let i = 0; i < count; i++) {
    const rank = place.skew === "uniform"
      ? random.below(rows)
      : Math.min(rows, Math.floor((random.unit() * span + 1) ** (1 / power))) - 1;
    slots[i] = rank * SCATTER % rows;
  }
  return slots;
}
