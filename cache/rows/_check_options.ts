/**
 * Checks of what row caches are made from, before anything is allocated.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { MAX_PARTITION_SLOTS, MAX_PARTITIONS } from "../limits.ts";
import { maxKeyCount } from "./_compact_keys.ts";
import type { CommonPartitionOptions, CompactPartitionOptions } from "./options.ts";

/** Throws a RangeError unless every partition has the slots and row bytes that one can have. */
export function checkPartitions(what: string, partitions: readonly CommonPartitionOptions[]): void {
  checkInteger(what, "number of partitions", partitions.length, 1, MAX_PARTITIONS);
  partitions.forEach(({ slotCount, scratchCount, rowBytes = 0 }, number) => {
    const which = `${what}: partition ${number}`;
    checkInteger(which, "slotCount", slotCount, 1, MAX_PARTITION_SLOTS);
    checkInteger(which, "scratchCount", scratchCount, 0, MAX_PARTITION_SLOTS - slotCount);
    checkInteger(which, "rowBytes", rowBytes, 0);
  });
}

/** Throws unless the other options of a compact partition, whose slots are right, are so, too. */
export function checkCompact(which: string, options: CompactPartitionOptions): void {
  const { slotCount, order = "lru", keyCount = 2 ** 32, loadingCount = 1 } = options;
  checkInteger(which, "keyCount", keyCount, 1, maxKeyCount(slotCount));
  checkInteger(which, "loadingCount", loadingCount, 1, MAX_PARTITION_SLOTS);
  if (order !== "lru" && order !== "clock") {
    throw new TypeError(`${which}: order must be "lru" or "clock": received ${order}`);
  }
}
