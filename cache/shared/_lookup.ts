/**
 * The loops over batches: looking keys up and pinning what is there, and taking pins off again.
 *
 * @module
 */

import { NO_SLOT } from "../eviction.ts";
import { RUN_CHUNK, type ShardRuns } from "./_shard_runs.ts";
import { CHAIN_MULTIPLIER, COUNTER, END, GONE, PIN, RECORD, SHARD, USED } from "./_layout.ts";
import { makeNewest } from "./_links.ts";
import type { SharedPartition } from "./_partition.ts";
import { SLOT_STATE, SLOT_STATE_MASK } from "../rows/slot_state.ts";

const { LOADING } = SLOT_STATE;
const { imul } = Math;

/**
 * As SharedRowCache.acquire does. When a lock is not to be had, `slots` has what was pinned before,
 * and NO_SLOT for the rest.
 */
export function acquireRows(
  partition: SharedPartition,
  runs: ShardRuns,
  firstShard: number,
  keys: Uint32Array,
  count: number,
  slots: Int32Array,
): number {
  const what = "Cannot acquire";
  const { shardMask } = partition;
  const { shards, ends } = runs;
  slots.fill(NO_SLOT, 0, count);
  let absent = 0;
  for (let first = 0; first < count; first += RUN_CHUNK) {
    const length = Math.min(RUN_CHUNK, count - first);
    partition.shardsOf(keys, first, length, shards);
    runs.sort(length, shardMask + 1);
    for (let step = 0; step <= shardMask; step++) {
      const shard = (firstShard + step) & shardMask;
      const start = shard === 0 ? 0 : ends[shard - 1];
      if (start === ends[shard]) continue;
      partition.lock(what, shard);
      absent += acquireRun(partition, shard, runs, start, ends[shard], first, keys, slots);
      partition.unlock(shard);
    }
  }
  return absent;
}

/** Looks a run of keys up whose shard is locked; returns how many are absent. */
function acquireRun(
  partition: SharedPartition,
  shard: number,
  { order, fronts }: ShardRuns,
  start: number,
  end: number,
  first: number,
  keys: Uint32Array,
  slots: Int32Array,
): number {
  const { words, floats, recordWords, chainShift, shardBits, isLru } = partition;
  const { capacity } = partition.layout;
  const head = partition.shardAt(shard);
  const records = partition.recordsAt(head);
  const heads = head + SHARD.HEADS;
  let absent = 0, delayed = 0;
  // Two passes that only read let the cache misses of the run overlap: at 1,048,576 slots 67 ns a
  // key instead of 155. The place of END is among the heads, and does no harm.
  for (let j = start; j < end; j++) {
    fronts[j] = words[heads + (imul(keys[first + order[j]], CHAIN_MULTIPLIER) >>> chainShift)];
  }
  let touched = 0;
  for (let j = start; j < end; j++) touched ^= words[records + imul(fronts[j], recordWords)];
  partition.touched = touched;
  for (let j = start; j < end; j++) {
    const i = first + order[j];
    const key = keys[i] | 0;
    let local = fronts[j];
    let at = 0;
    while (local !== END) {
      at = records + imul(local, recordWords);
      if (words[at + RECORD.KEY] === key) break;
      local = words[at + RECORD.NEXT];
    }
    if (local === END) {
      absent++;
      continue;
    }
    words[at + RECORD.PINS] = (words[at + RECORD.PINS] | USED) + PIN;
    if (isLru) makeNewest(words, records, capacity, local);
    const slot = (local << shardBits) | shard;
    if ((words[at + RECORD.CLAIM] & SLOT_STATE_MASK) === LOADING) {
      slots[i] = ~slot;
      delayed++;
    } else slots[i] = slot;
  }
  const counters = (head + SHARD.COUNTERS) >>> 1;
  floats[counters + COUNTER.HITS] += end - start - absent - delayed;
  floats[counters + COUNTER.DELAYED] += delayed;
  floats[counters + COUNTER.MISSES] += absent;
  return absent;
}

/**
 * Takes a pin off each of the first `count` of `slots` that is one, and writes NO_SLOT in its
 * place. Returns a slot that had no pin, or NO_SLOT.
 */
export function releaseRows(
  partition: SharedPartition,
  runs: ShardRuns,
  firstShard: number,
  slots: Int32Array,
  count: number,
): number {
  const what = "Cannot release";
  const { shardMask } = partition;
  const { shards, ends } = runs;
  let unpinned = NO_SLOT;
  for (let first = 0; first < count; first += RUN_CHUNK) {
    const length = Math.min(RUN_CHUNK, count - first);
    // NO_SLOT goes along in the run of some shard: slots that are none are rare.
    for (let i = 0; i < length; i++) shards[i] = rowSlot(slots[first + i]) & shardMask;
    runs.sort(length, shardMask + 1);
    for (let step = 0; step <= shardMask; step++) {
      const shard = (firstShard + step) & shardMask;
      const start = shard === 0 ? 0 : ends[shard - 1];
      if (start === ends[shard]) continue;
      partition.lock(what, shard);
      const bad = releaseRun(partition, shard, runs.order, start, ends[shard], first, slots);
      partition.unlock(shard);
      if (bad !== NO_SLOT) unpinned = bad;
    }
  }
  return unpinned;
}

function releaseRun(
  partition: SharedPartition,
  shard: number,
  order: Uint16Array,
  start: number,
  end: number,
  first: number,
  slots: Int32Array,
): number {
  const { words, recordWords, shardBits } = partition;
  const head = partition.shardAt(shard);
  const pinsAt = partition.recordsAt(head) + RECORD.PINS;
  let unpinned = NO_SLOT;
  for (let j = start; j < end; j++) {
    const i = first + order[j];
    const written = slots[i];
    if (written === NO_SLOT) continue;
    slots[i] = NO_SLOT;
    const slot = written < 0 ? ~written : written;
    const local = slot >>> shardBits;
    const at = pinsAt + imul(local, recordWords);
    const pins = words[at];
    // Other pins stay, or a row that stays: nothing comes free.
    if (pins >= PIN && (pins & GONE) === 0) words[at] = pins - PIN;
    else if (!partition.unpinGone(head, local)) unpinned = slot;
  }
  words[head + SHARD.EXHAUSTED] = 0;
  return unpinned;
}

/** The slot that `acquire` wrote, plain or as ~slot. NO_SLOT gives a number beyond any slot. */
export function rowSlot(slot: number): number {
  return slot < 0 ? ~slot : slot;
}
