/**
 * Looking the keys of a batch up in a compact partition.
 *
 * @module
 */

import { findWay } from "./_compact_bucket.ts";
import type { CompactPartition } from "./_compact_partition.ts";
import { WAYS } from "./_compact_keys.ts";
import { mark, promote } from "./_compact_order.ts";
import { NO_SLOT } from "../eviction.ts";
import { SLOT_STATE, SLOT_STATE_MASK } from "./slot_state.ts";

const { LOADING } = SLOT_STATE;

/** From so many bytes of words on, buckets are touched ahead; see the other lookup loop. */
const NEAR_BYTES = 2 ** 19;

/** Keys touched ahead: two lines each. */
const CHUNK = 512;

/** As the lookup over a hash index does; see AnyRowCache.acquire. */
export function lookUpCompact(
  partition: CompactPartition,
  keys: Uint32Array,
  count: number,
  stamp: number,
  slots: Int32Array,
): number {
  const { admission, places, words, state, quads, clock, scratch, tally, prefetches } = partition;
  const slotCount = partition.count;
  const newest = partition.isNewest(stamp);
  const far = words.byteLength > NEAR_BYTES;
  let absent = 0, delayed = 0;
  for (let i = 0; i < count; i++) {
    if (far && i % CHUNK === 0) partition.touch(keys, i, Math.min(i + CHUNK, count));
    const key = keys[i];
    if (admission !== undefined) admission.onAccess(key);
    const permuted = places.permute(key);
    const first = places.firstSlot(permuted);
    const end = first + WAYS < slotCount ? first + WAYS : slotCount;
    let slot = findWay(words, state, first, end, permuted);
    if (slot !== NO_SLOT) {
      if (newest) words[slot] = words[slot] & ~0xff | stamp;
      else partition.hold(slot, stamp);
      if (prefetches.unsettled !== 0) partition.settleUse(slot);
      if (clock) mark(state, slot);
      else promote(state, quads, slot);
    } else {
      if (scratch.size !== 0) slot = scratch.find(key);
      if (slot === NO_SLOT) {
        slots[i] = NO_SLOT;
        absent++;
        continue;
      }
      scratch.hold(slot, stamp);
    }
    if ((state[slot] & SLOT_STATE_MASK) === LOADING) {
      slots[i] = ~slot;
      delayed++;
    } else slots[i] = slot;
  }
  tally.lookups += count;
  tally.misses += absent;
  tally.delayedHits += delayed;
  tally.hits += count - absent - delayed;
  return absent;
}
