/**
 * What must hold of a compact partition at any time.
 *
 * @module
 */

import { isThere, PREFETCHED } from "./_compact_bucket.ts";
import { WAYS } from "./_compact_keys.ts";
import { orderFault } from "./_compact_order.ts";
import type { CompactPartition } from "./_compact_partition.ts";
import { SLOT_STATE, SLOT_STATE_MASK } from "./slot_state.ts";

/** Throws an Error naming the first broken invariant of `partition`, called `name`. */
export function verifyCompact(partition: CompactPartition, name: string): void {
  const { count, state, clock, loading, prefetches, scratch } = partition;
  const assert = (holds: boolean, what: string): void => {
    if (!holds) throw new Error(`Broken invariant: ${name}: ${what}`);
  };
  for (let first = 0; first < count; first += WAYS) {
    const fault = orderFault(state, first, Math.min(first + WAYS, count), clock);
    assert(fault === undefined, `bucket of slot ${first} ${fault}`);
  }
  let loadingCount = 0, unsettled = 0;
  for (let slot = 0; slot < count; slot++) {
    const byte = state[slot];
    const there = isThere(byte);
    const isLoading = (byte & SLOT_STATE_MASK) === SLOT_STATE.LOADING;
    const isPrefetched = (byte & PREFETCHED) !== 0;
    // One slot a key: another of the same tag before it would be found in its place.
    const found = there ? partition.findCached(partition.keyOf(slot)) : slot;
    assert(found === slot, `slot ${slot} must be found by its key`);
    assert(there || !isLoading, `slot ${slot} must be there while LOADING`);
    assert(isLoading === (loading.get(slot) !== 0), `slot ${slot} must be in a claim if LOADING`);
    assert(there || !isPrefetched, `slot ${slot} must be settled when it is gone`);
    loadingCount += Number(isLoading);
    unsettled += Number(isPrefetched);
  }
  assert(loadingCount === loading.size, `loading slots must number ${loadingCount}`);
  assert(unsettled === prefetches.unsettled, `prefetched rows must number ${unsettled}`);
  const { lookups, hits, delayedHits, misses } = partition.tally;
  assert(lookups === hits + delayedHits + misses, "lookups must add up");
  scratch.verify(name);
}
