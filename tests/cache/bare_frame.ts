/**
 * The frame of every cache around a bare policy, over dense keys: an array says where each one is,
 * so that a test plays half a million lookups in the time that a cache takes to hash them.
 *
 * @module
 */

import {
  type AdmissionPolicyFactory,
  type EvictionPolicy,
  type EvictionPolicyFactory,
  NO_SLOT,
  REMOVAL,
  type Slots,
} from "@rowtier/rowtier/cache";

/** Slots whose evictability a test sets; all are evictable at first. */
export function createSlots(count: number): Slots & { pinned: Set<number> } {
  const pinned = new Set<number>();
  return { count, key: new Uint32Array(count), pinned, evictable: (slot) => !pinned.has(slot) };
}

/** What is played. */
export interface Subject {
  eviction: EvictionPolicyFactory;
  /** Admits every key by default. */
  admission?: AdmissionPolicyFactory;
}

/** A policy and the rows that it holds. */
class BareFrame implements Slots {
  readonly count: number;
  readonly key: Uint32Array;
  readonly keyCount: number;
  readonly policy: EvictionPolicy;
  readonly slotOf: Int32Array;
  readonly #free: Int32Array;
  #freeCount: number;

  constructor(eviction: EvictionPolicyFactory, size: number, keyCount: number) {
    this.count = size;
    this.key = new Uint32Array(size);
    this.keyCount = keyCount;
    this.slotOf = new Int32Array(keyCount).fill(NO_SLOT);
    this.#free = new Int32Array(size).map((_, i) => size - 1 - i);
    this.#freeCount = size;
    this.policy = eviction(this);
  }

  evictable(_slot: number): boolean {
    return true;
  }

  evict(slot: number): void {
    this.policy.onRemove(slot, REMOVAL.EVICTED);
    this.slotOf[this.key[slot]] = NO_SLOT;
    this.#free[this.#freeCount++] = slot;
  }

  /** Inserts `id` if the policy finds a place for it. */
  enter(id: number): void {
    const { policy } = this;
    policy.onMiss(id);
    const canCrowd = policy.crowded !== undefined;
    while (this.#freeCount === 0 || canCrowd && policy.crowded!(id)) {
      const victim = policy.victim(id);
      if (victim === NO_SLOT) return;
      this.evict(victim);
    }
    const slot = this.#free[--this.#freeCount];
    this.key[slot] = id;
    this.slotOf[id] = slot;
    policy.onInsert(slot);
  }
}

/** Misses on `ids`, which are all below `ids.length`, with `size` slots. */
export function missesOf({ eviction, admission }: Subject, ids: Uint32Array, size: number): number {
  const frame = new BareFrame(eviction, size, ids.length);
  const { policy, slotOf } = frame;
  const gate = admission?.(size);
  let misses = 0;
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i];
    if (gate !== undefined) gate.onAccess(id);
    const slot = slotOf[id];
    if (slot !== NO_SLOT) {
      let out = policy.onHit(slot);
      while (out !== NO_SLOT) {
        frame.evict(out);
        out = policy.pushedOut?.() ?? NO_SLOT;
      }
      continue;
    }
    misses++;
    if (gate === undefined || gate.admit(id)) frame.enter(id);
  }
  policy.verify();
  return misses;
}
