/**
 * Claiming a slot for a missing row.
 *
 * @module
 */

import type { AdmissionPolicy } from "../admission.ts";
import type { Claim } from "./claim.ts";
import { NO_SLOT, REMOVAL } from "../eviction.ts";
import type { Partition } from "./_partition.ts";
import { PREFETCH_STAMP } from "./_partition_store.ts";
import { SLOT_STATE } from "./slot_state.ts";

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
  if (stamp === PREFETCH_STAMP) partition.markPrefetched(slot);
  return slot;
}

/** The slot of `key` for its return to the cache: like a prefetch, but not counted as one. */
export function warmSlot(partition: Partition, key: number, heat: number, claim: Claim): number {
  claim.fresh = false;
  claim.evictedKey = -1;
  const found = partition.find(key);
  if (found !== NO_SLOT) {
    claim.generation = partition.generation[found];
    return found;
  }
  if (!partition.admitting) return NO_SLOT;
  const slot = makeRoom(partition, key, undefined, claim);
  if (slot === NO_SLOT) return NO_SLOT;
  partition.tally.admissions++;
  partition.stamp[slot] = PREFETCH_STAMP;
  claim.generation = partition.load(slot, key);
  claim.fresh = true;
  for (let use = 0; use < heat; use++) partition.hit(slot);
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
  if (!partition.admitting) return NO_SLOT;
  if (admission !== undefined && !admission.admit(key)) {
    partition.tally.refusals++;
    return NO_SLOT;
  }
  return makeRoom(partition, key, admission, claim);
}

/** The frame of every cache: a cache slot for `key`, emptied; NO_SLOT when there is none. */
function makeRoom(
  partition: Partition,
  key: number,
  admission: AdmissionPolicy | undefined,
  claim: Claim,
): number {
  const { policy } = partition;
  policy.onMiss(key);
  for (;;) {
    const free = policy.crowded?.(key) === true ? NO_SLOT : partition.takeFree();
    if (free !== NO_SLOT) return free;
    const victim = partition.victim(key);
    if (victim === NO_SLOT) return NO_SLOT;
    const victimKey = partition.key[victim];
    // One newcomer is weighed once: what it pushes out beyond the first is the policy's own affair.
    if (claim.evictedKey === -1 && admission !== undefined && !admission.prefers(key, victimKey)) {
      partition.tally.refusals++;
      return NO_SLOT;
    }
    partition.release(victim, REMOVAL.EVICTED);
    claim.evictedKey = victimKey;
  }
}
