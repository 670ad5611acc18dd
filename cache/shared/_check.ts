/**
 * Reading a whole shared partition: its order, its counts, and whether it is whole. All of it wants
 * the locks of all shards it reads held.
 *
 * @module
 */

import { COUNTER, END, GONE, type PartitionLayout, PIN, RECORD, SHARD } from "./_layout.ts";
import type { SharedPartition } from "./_partition.ts";
import { createTally, type PartitionBytes, readTally } from "../rows/counters.ts";
import type { SharedPartitionCounters } from "./shared_options.ts";
import { SLOT_STATE, SLOT_STATE_MASK } from "../rows/slot_state.ts";

const { FREE, LOADING, READY } = SLOT_STATE;

/** Counters of a shard. */
export const COUNTERS: number = Object.keys(COUNTER).length;

/** Adds a shard's counters to `sums`. */
export function sumCounters(partition: SharedPartition, shard: number, sums: Float64Array): void {
  const at = (partition.shardAt(shard) + SHARD.COUNTERS) >>> 1;
  for (let counter = 0; counter < sums.length; counter++) {
    sums[counter] += partition.floats[at + counter];
  }
}

/** The counters of a partition from the sums over its shards. */
export function readCounters(sums: Float64Array, rowBytes: number): SharedPartitionCounters {
  const [hits, delayedHits, misses, admissions, evictions, deletions, failures, unplaced] = sums;
  const lookups = hits + delayedHits + misses;
  const looked = { lookups, hits, delayedHits, misses };
  const tally = { ...createTally(), ...looked, admissions, evictions, deletions, failures };
  return { ...readTally(tally, rowBytes), unplaced };
}

/** Pins on the slots of a shard. */
export function countPins(partition: SharedPartition, shard: number): number {
  const { words, recordWords } = partition;
  const records = partition.recordsAt(partition.shardAt(shard));
  let pins = 0;
  for (let local = 0; local < partition.slotsOf(shard); local++) {
    pins += Math.floor(words[records + local * recordWords + RECORD.PINS] / PIN);
  }
  return pins;
}

/** Writes the keys of a shard to `keys`, next victim last; returns how many there are. */
export function listShard(partition: SharedPartition, shard: number, keys: Uint32Array): number {
  const { words, recordWords } = partition;
  const head = partition.shardAt(shard);
  const records = partition.recordsAt(head);
  const count = partition.slotsOf(shard);
  let listed = 0;
  if (partition.isLru) {
    const ring = partition.layout.capacity;
    let local = words[records + ring * recordWords + RECORD.OLDER];
    while (local !== ring && listed <= count) {
      keys[listed++] = words[records + local * recordWords + RECORD.KEY];
      local = words[records + local * recordWords + RECORD.OLDER];
    }
    return listed;
  }
  // The hand's own row comes last: from the one before it, backwards.
  const hand = words[head + SHARD.HAND];
  for (let step = 1; step <= count; step++) {
    const local = (hand - step + count) % count;
    if (partition.holds(head, local)) keys[listed++] = words[records + local * recordWords];
  }
  return listed;
}

/** Bytes of a partition, padding and locks among the columns. */
export function bytesOf(layout: PartitionLayout): PartitionBytes {
  const { shardCount, shardWords, chainCount, slotCount, order } = layout;
  const indexBytes = 4 * shardCount * chainCount;
  const policyBytes = order === "lru" ? 8 * slotCount : 0;
  const columnBytes = 4 * shardCount * shardWords - indexBytes - policyBytes;
  return { indexBytes, policyBytes, columnBytes };
}

/** The first of each list, then the second of each, and so on. */
export function interleave(lists: readonly Uint32Array[]): Uint32Array {
  const merged = new Uint32Array(lists.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (let rank = 0; at < merged.length; rank++) {
    for (const list of lists) if (rank < list.length) merged[at++] = list[rank];
  }
  return merged;
}

/** What is broken in a shard; undefined when nothing is. */
export function findBreak(partition: SharedPartition, shard: number): string | undefined {
  const { words, floats, recordWords } = partition;
  const head = partition.shardAt(shard);
  const records = partition.recordsAt(head);
  const count = partition.slotsOf(shard);
  const indexed = new Uint8Array(count);
  const free = new Uint8Array(count);
  const listBreak = findListBreak(partition, shard, indexed, free);
  if (listBreak !== undefined) return listBreak;
  let size = 0, loading = 0, evictable = 0;
  for (let local = 0; local < count; local++) {
    const at = records + local * recordWords;
    const broken = findRecordBreak(words, at, indexed[local] === 1, free[local] === 1);
    if (broken !== undefined) return `record ${local} ${broken}`;
    size += indexed[local];
    loading += Number((words[at + RECORD.CLAIM] & SLOT_STATE_MASK) === LOADING);
    evictable += Number(partition.isEvictable(at));
  }
  if (words[head + SHARD.EXHAUSTED] !== 0 && evictable > 0) return "must not seem exhausted";
  if (words[head + SHARD.SIZE] !== size) return `size must be ${size}`;
  if (words[head + SHARD.LOADING] !== loading) return `loading slots must number ${loading}`;
  const hand = words[head + SHARD.HAND];
  if (hand < 0 || hand >= count) return "the hand must be at a slot";
  const at = (head + SHARD.COUNTERS) >>> 1;
  const left = floats[at + COUNTER.EVICTIONS] + floats[at + COUNTER.DELETIONS] +
    floats[at + COUNTER.FAILURES];
  if (floats[at + COUNTER.ADMISSIONS] - left !== size) return "counters must add up";
  return partition.isLru ? findRingBreak(partition, head, indexed, size) : undefined;
}

/** Counts in `indexed` and `free` how often chains and free list lead to each record. */
function findListBreak(
  partition: SharedPartition,
  shard: number,
  indexed: Uint8Array,
  free: Uint8Array,
): string | undefined {
  const { words, recordWords } = partition;
  const head = partition.shardAt(shard);
  const records = partition.recordsAt(head);
  const isRecord = (local: number): boolean => local >= 0 && local < free.length;
  for (let chain = 0; chain < partition.layout.chainCount; chain++) {
    let local = words[head + SHARD.HEADS + chain];
    for (; local !== END; local = words[records + local * recordWords + RECORD.NEXT]) {
      if (!isRecord(local)) return `chain ${chain} must lead to slots`;
      const key = words[records + local * recordWords + RECORD.KEY];
      // One that is met twice closes a ring, or is in two chains.
      if (
        indexed[local]++ !== 0 || partition.shardOf(key) !== shard ||
        partition.chainOf(key) !== chain || partition.find(head, key) !== local
      ) return `record ${local} must be once in the chain of its key`;
    }
  }
  let local = words[head + SHARD.FREE];
  for (; local !== END; local = words[records + local * recordWords + RECORD.NEXT]) {
    if (!isRecord(local) || free[local]++ !== 0) {
      return "the free list must lead to slots, each once";
    }
  }
  return undefined;
}

function findRecordBreak(
  words: Int32Array,
  at: number,
  isIndexed: boolean,
  isFree: boolean,
): string | undefined {
  const state = words[at + RECORD.CLAIM] & SLOT_STATE_MASK;
  const pins = words[at + RECORD.PINS];
  const isGone = (pins & GONE) !== 0;
  if (Number(isIndexed) + Number(isFree) + Number(isGone) !== 1) {
    return "must be in the index, free or gone";
  }
  if (pins < 0 || isGone && pins < PIN || isFree && pins !== 0) return "must have right pins";
  if (isIndexed && state !== LOADING && state !== READY) return "must be LOADING or READY";
  if (isFree !== (state === FREE)) return "must be FREE exactly while it is free";
  if (isGone && state === LOADING) return "must be in the index while LOADING";
  return undefined;
}

function findRingBreak(
  partition: SharedPartition,
  head: number,
  indexed: Uint8Array,
  size: number,
): string | undefined {
  const { words, recordWords } = partition;
  const records = partition.recordsAt(head);
  const ring = partition.layout.capacity;
  let local = ring;
  for (let left = size; left >= 0; left--) {
    const newer = words[records + local * recordWords + RECORD.NEWER];
    const isRow = newer === ring ? left === 0 : indexed[newer] === 1;
    if (!isRow || words[records + newer * recordWords + RECORD.OLDER] !== local) {
      return `links of record ${local} must go both ways round all rows`;
    }
    local = newer;
  }
  return undefined;
}
