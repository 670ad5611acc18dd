/**
 * Making room in a bucket of a compact partition.
 *
 * @module
 */

import type { AdmissionPolicy } from "../admission.ts";
import { isFilled, isThere } from "./_compact_bucket.ts";
import { WAYS } from "./_compact_keys.ts";
import {
  CLOCK_ROUNDS,
  handOf,
  moveHand,
  oldestSlot,
  ORDER_SHIFT,
  unmark,
} from "./_compact_order.ts";
import type { CompactPartition } from "./_compact_partition.ts";
import type { Claim } from "./claim.ts";
import { NO_SLOT, REMOVAL } from "../eviction.ts";

/** A vacant slot of the bucket of `key`, or its victim, emptied; NO_SLOT when there is none. */
export function makeRoom(
  partition: CompactPartition,
  key: number,
  admission: AdmissionPolicy | undefined,
  claim: Claim,
): number {
  const { loading, places, quads, tally } = partition;
  if (loading.size === loading.capacity) return NO_SLOT;
  const first = places.firstSlot(places.permute(key));
  const end = Math.min(first + WAYS, partition.count);
  // In steady state buckets are full, which four words tell; slots and stamps are looked at only
  // where they are not. Looking at all 16 in any case took 70 ns a miss more.
  const full = end - first === WAYS && isFilled(quads, first);
  const vacant = full ? NO_SLOT : vacantSlot(partition, first, end);
  if (vacant !== NO_SLOT) return vacant;
  const victim = partition.clock
    ? clockVictim(partition, first, end)
    : lruVictim(partition, first, end, full);
  if (victim === NO_SLOT) return NO_SLOT;
  const victimKey = partition.keyOf(victim);
  if (admission !== undefined && !admission.prefers(key, victimKey)) {
    tally.refusals++;
    return NO_SLOT;
  }
  partition.release(victim, REMOVAL.EVICTED);
  claim.evictedKey = victimKey;
  return victim;
}

/** A slot in [first, end) without a row that nobody holds, or NO_SLOT. */
function vacantSlot(partition: CompactPartition, first: number, end: number): number {
  for (let slot = first; slot < end; slot++) {
    if (!isThere(partition.state[slot]) && !partition.isHeld(slot)) return slot;
  }
  return NO_SLOT;
}

/** The evictable slot in [first, end) that was used last the longest ago, or NO_SLOT. */
function lruVictim(
  partition: CompactPartition,
  first: number,
  end: number,
  full: boolean,
): number {
  const { state, quads } = partition;
  // Mostly the oldest of all may leave.
  const last = full ? oldestSlot(state, quads, first) : NO_SLOT;
  if (full && partition.isEvictable(last)) return last;
  let victim = NO_SLOT, oldest = -1;
  for (let slot = first; slot < end; slot++) {
    const rank = state[slot] >>> ORDER_SHIFT;
    if (rank <= oldest || !partition.isEvictable(slot)) continue;
    oldest = rank;
    victim = slot;
  }
  return victim;
}

/**
 * The first evictable slot from the hand on, round [first, end), whose uses are taken up, or
 * NO_SLOT. Rows that are held keep theirs. The hand stays at the victim until a row enters there:
 * if none does, the same is asked for again.
 */
function clockVictim(partition: CompactPartition, first: number, end: number): number {
  const { state } = partition;
  const hand = handOf(state, first, end);
  let at = hand;
  for (let step = CLOCK_ROUNDS * (end - first); step > 0; step--) {
    if (partition.isEvictable(at) && !unmark(state, at)) {
      moveHand(state, hand, at);
      return at;
    }
    at = at + 1 === end ? first : at + 1;
  }
  return NO_SLOT;
}
