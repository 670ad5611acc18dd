/**
 * Claiming a slot for a missing row.
 *
 * @module
 */

import type { Claim } from "./claim.ts";
import { NO_SLOT, REMOVAL } from "./eviction.ts";
import type { Partition } from "./_partition.ts";
import { SLOT_STATE } from "./slot_state.ts";

/** A claim for no batch. */
export const PREFETCH_STAMP = 0;

/**
 * The slot of `key` for the batch of `stamp`, claimed unless it is there; NO_SLOT when there is
 * none.
 */
export function claimSlot(partition: Partition, key: number, stamp: number, claim: Claim): number {
  claim.fresh = false;
  claim.evictedKey = -1;
  const found = partition.find(key);
  if (found !== NO_SLOT) {
    claim.generation = partition.generation[found];
    if (stamp !== PREFETCH_STAMP) recount(partition, found, stamp);
    return found;
  }
  partition.policy.onMiss(key);
  let slot = takeCacheSlot(partition, key, claim);
  if (slot !== NO_SLOT) partition.tally.admissions++;
  else if (stamp === PREFETCH_STAMP) return NO_SLOT;
  else {
    slot = partition.takeScratch();
    if (slot === NO_SLOT) return NO_SLOT;
    partition.tally.scratchClaims++;
  }
  // A slot with stamp 0 is held by no batch, so a prefetch takes whatever stamp its last row left
  // away.
  partition.stamp[slot] = stamp;
  claim.generation = partition.load(slot, key);
  claim.fresh = true;
  if (stamp === PREFETCH_STAMP) {
    partition.prefetched[slot] = 1;
    partition.unsettled++;
    partition.tally.prefetches++;
  }
  return slot;
}

/**
 * The key repeats within its batch: what was counted a miss is a use of the row that is on its way.
 */
function recount(partition: Partition, slot: number, stamp: number): void {
  partition.hold(slot, stamp);
  partition.use(slot);
  partition.tally.misses--;
  if (partition.state[slot] === SLOT_STATE.LOADING) partition.tally.delayedHits++;
  else partition.tally.hits++;
}

/** A cache slot for `key`, emptied; NO_SLOT when it is refused or nothing is evictable. */
function takeCacheSlot(partition: Partition, key: number, claim: Claim): number {
  const { admission } = partition;
  if (admission !== undefined && !admission.admit(key)) {
    partition.tally.refusals++;
    return NO_SLOT;
  }
  const free = partition.takeFree();
  if (free !== NO_SLOT) return free;
  const victim = partition.victim(key);
  if (victim === NO_SLOT) return NO_SLOT;
  const victimKey = partition.key[victim];
  if (admission !== undefined && !admission.prefers(key, victimKey)) {
    partition.tally.refusals++;
    return NO_SLOT;
  }
  partition.release(victim, REMOVAL.EVICTED);
  claim.evictedKey = victimKey;
  return partition.takeFree();
}
