/**
 * Checks what a pipeline is made from, before anything is allocated.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import type { BatchBounds } from "./batch.ts";
import { MAX_BATCH_KEYS, MAX_BATCHES_IN_FLIGHT, MAX_BLOCK_BYTES, MAX_TABLES } from "./limits.ts";
import type { PipelineOptions, PipelineTable } from "./options.ts";

/** What follows from the options that were left out. */
export interface CheckedOptions extends BatchBounds {
  /** Batches in flight. */
  readonly maxBatches: number;
  /** By table. */
  readonly names: readonly string[];
  /** Rows of so many bytes and less are kept compactly. */
  readonly compactRowBytes: number;
}

/** Throws a RangeError naming the first option that is out of its bounds. */
export function checkOptions(what: string, options: PipelineOptions): CheckedOptions {
  const { tables, maxBatches = 4, maxBatchKeys = 4096, maxBatchBags = maxBatchKeys } = options;
  const { compactRowBytes = 0 } = options;
  checkInteger(what, "tables.length", tables.length, 1, MAX_TABLES);
  checkInteger(what, "maxBatches", maxBatches, 1, MAX_BATCHES_IN_FLIGHT);
  checkInteger(what, "maxBatchKeys", maxBatchKeys, 1, MAX_BATCH_KEYS);
  checkInteger(what, "maxBatchBags", maxBatchBags, 1, MAX_BATCH_KEYS);
  checkInteger(what, "compactRowBytes", compactRowBytes, 0, MAX_BLOCK_BYTES);
  tables.forEach((table, t) => checkTable(what, table, t, compactRowBytes));
  const names = tables.map(({ name }, t) => name ?? `table ${t}`);
  checkDistinct(what, names);
  return { maxBatches, maxKeys: maxBatchKeys, maxBags: maxBatchBags, names, compactRowBytes };
}

function checkDistinct(what: string, names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) {
      throw new RangeError(`${what}: every name must be one table's: received "${name}" twice`);
    }
    seen.add(name);
  }
}

function checkTable(what: string, served: PipelineTable, t: number, compactRowBytes: number): void {
  const { table, cacheRows, pooling = "sum", eviction, writeBytesPerDay = Infinity } = served;
  checkInteger(what, "cacheRows", cacheRows, 1, table.rowCount);
  if (!["sum", "mean", "max"].includes(pooling)) {
    throw new RangeError(`${what}: pooling must be sum, mean or max: received ${pooling}`);
  }
  const { rowBytes } = table;
  if (eviction !== undefined && rowBytes <= compactRowBytes) {
    throw new RangeError(
      `${what}: compactRowBytes must be below the ${rowBytes} bytes of a row of table ${t}, ` +
        `as it has an eviction policy: received ${compactRowBytes}`,
    );
  }
  if (!(writeBytesPerDay > 0)) {
    throw new RangeError(
      `${what}: writeBytesPerDay must be above 0: received ${writeBytesPerDay}`,
    );
  }
}
