/**
 * What a pipeline holds.
 *
 * @module
 */

import type { PartitionBytes } from "../cache/mod.ts";
import type { Arena } from "./_arena.ts";
import type { PipelineMemory, PipelineTable } from "./options.ts";

/** Bytes beside the tables' own. */
interface OtherBytes {
  readonly tickets: number;
  readonly explainer: number;
  readonly pooled: number;
}

/** Adds up what the tables' places in the arena, their partitions and the rest hold. */
export function measureMemory(
  tables: readonly PipelineTable[],
  arena: Arena,
  partitions: readonly PartitionBytes[],
  others: OtherBytes,
): PipelineMemory {
  const sum = (of: (table: number) => number): number =>
    tables.reduce((total, _, t) => total + of(t), 0);
  const stride = (t: number): number => arena.places[t].rowStride;
  const cacheRows = (t: number): number => tables[t].cacheRows;
  const slotCount = (t: number): number => arena.places[t].slotCount;
  const parts = {
    cacheBytes: sum((t) => cacheRows(t) * stride(t)),
    scratchBytes: sum((t) => (slotCount(t) - cacheRows(t)) * stride(t)),
    bounceBytes: arena.bounce.byteLength,
    indexBytes: sum((t) => partitions[t].indexBytes),
    policyBytes: sum((t) => partitions[t].policyBytes),
    columnBytes: sum((t) => partitions[t].columnBytes),
    checksumBytes: sum((t) => tables[t].table.checksums.byteLength),
    ticketBytes: others.tickets,
    explainerBytes: others.explainer,
    pooledBytes: others.pooled,
  };
  return { ...parts, totalBytes: Object.values(parts).reduce((a, b) => a + b, 0) };
}
