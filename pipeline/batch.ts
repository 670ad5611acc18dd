/**
 * Batches of bags, as the pipeline takes them.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import type { PipelineTable } from "./options.ts";

/** The bags of one table in a batch. */
export interface BatchPart {
  /** Which of the pipeline's tables. */
  readonly table: number;
  /** The row keys of all bags, one after the other. */
  readonly keys: Uint32Array;
  /** Bags + 1 entries, from 0, never decreasing: bag b is keys [offsets[b], offsets[b + 1]). */
  readonly offsets: Uint32Array;
  /** fp32, one for each key; required exactly when the table is weighted. */
  readonly weights?: Float32Array;
}

/** One request: bags over one or more tables, answered together. */
export interface KeyBatch {
  /** In any order; a table may occur more than once. */
  readonly parts: readonly BatchPart[];
}

/** Number of bags of a part. */
export function bagCount(part: BatchPart): number {
  return part.offsets.length - 1;
}

/** Number of keys of a part. */
export function keyCount(part: BatchPart): number {
  return part.offsets[part.offsets.length - 1];
}

/** What `checkPart` needs to know of a table. */
interface PartBounds {
  /** Rows of the table. */
  readonly rowCount: number;
  /** Whether its bags are weighted. */
  readonly weighted: boolean;
}

/**
 * Throws a RangeError naming the first thing wrong with part number `index`, before anything of the
 * batch is touched. One pass over offsets and keys, about 1 ns each.
 */
function checkPart(index: number, part: BatchPart, bounds: PartBounds): void {
  const what = `Cannot stage batch: part ${index}`;
  const { keys, offsets, weights } = part;
  if (offsets.length < 1 || offsets[0] !== 0) {
    throw new RangeError(`${what}: offsets must start with 0: received ${offsets[0]}`);
  }
  for (let b = 1; b < offsets.length; b++) {
    if (offsets[b] < offsets[b - 1]) {
      throw new RangeError(
        `${what}: offsets must not decrease: received ${offsets[b]} after ${offsets[b - 1]}`,
      );
    }
  }
  const count = keyCount(part);
  if (count > keys.length) {
    throw new RangeError(`${what}: offsets end at ${count}: received ${keys.length} keys`);
  }
  const bad = firstAtLeast(keys, count, bounds.rowCount);
  if (bad >= 0) {
    throw new RangeError(
      `${what}: key ${bad} must be below the table's ${bounds.rowCount} rows: received ${
        keys[bad]
      }`,
    );
  }
  if ((weights !== undefined) !== bounds.weighted) {
    const needs = bounds.weighted ? "weights, as the table is weighted" : "no weights";
    throw new RangeError(`${what} must have ${needs}`);
  }
  if (weights !== undefined && weights.length < count) {
    throw new RangeError(`${what}: weights must be at least ${count}: received ${weights.length}`);
  }
}

/** How large a batch may be. */
export interface BatchBounds {
  /** Keys of all parts. */
  readonly maxKeys: number;
  /** Bags of all parts, and parts. */
  readonly maxBags: number;
}

/** Throws a RangeError naming the first thing wrong with `batch`, before any of it is touched. */
export function checkBatch(
  batch: KeyBatch,
  tables: readonly PipelineTable[],
  { maxKeys, maxBags }: BatchBounds,
): void {
  const { parts } = batch;
  let keys = 0, bags = 0;
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index];
    const served = tables[part.table];
    if (served === undefined) {
      throw new RangeError(
        `Cannot stage batch: part ${index}: table must be below ${tables.length}: ` +
          `received ${part.table}`,
      );
    }
    const { table: { rowCount }, weighted = false } = served;
    checkPart(index, part, { rowCount, weighted });
    keys += keyCount(part);
    bags += bagCount(part);
  }
  checkInteger("Cannot stage batch", "number of parts", parts.length, 0, maxBags);
  checkInteger("Cannot stage batch", "number of keys", keys, 0, maxKeys);
  checkInteger("Cannot stage batch", "number of bags", bags, 0, maxBags);
}

function firstAtLeast(keys: Uint32Array, count: number, bound: number): number {
  for (let i = 0; i < count; i++) if (keys[i] >= bound) return i;
  return -1;
}
