/**
 * ARC (Megiddo, Modha: "ARC: A Self-Tuning, Low Overhead Replacement Cache", FAST 2003).
 *
 * @module
 */

import { ABSENT } from "./_ghost_table.ts";
import { Ghosts } from "./_ghosts.ts";
import { createQueues, listQueue, moveToNewest, pushNewest, verifyQueue } from "./_queues.ts";
import { unlink } from "./_slot_list.ts";
import {
  type EvictionPolicy,
  NO_SLOT,
  REMOVAL,
  type RemovalCause,
  type Slots,
} from "../eviction.ts";

/** Rows seen once (T1) and often (T2); their ghosts (B1, B2) are queues of the same numbers. */
const ONCE = 0;
const OFTEN = 1;

/**
 * The policy that finds its own balance between recency and frequency: one LRU list of rows seen
 * once, one of rows seen again, and for each the ghosts of what left it. A miss on a ghost says
 * which list was too short, and moves the target. A scan of any length passes through the first
 * list only.
 *
 * 9 bytes a slot and 20 to 40 for the ghosts, of which there are as many as slots.
 *
 * Rows that live batches hold are passed over; where no other row of its list is left, the other
 * list gives one.
 *
 * @example
 * ```ts
 * import { arc, RowCache } from "@rowtier/rowtier/cache";
 *
 * const cache = new RowCache({ partitions: [{ slotCount: 8, scratchCount: 2, eviction: arc }] });
 * if (cache.contents(0).length !== 0) throw new Error("unreachable");
 * ```
 */
export function arc(slots: Slots): EvictionPolicy {
  return new Arc(slots);
}

class Arc implements EvictionPolicy {
  readonly name = "arc";
  readonly #slots: Slots;
  /** Those of `#slots`. */
  readonly #key: Uint32Array;
  readonly #count: number;
  readonly #links: Int32Array;
  /** By slot: ONCE or OFTEN. */
  readonly #queue: Uint8Array;
  readonly #ghosts: Ghosts;
  #onceSize = 0;
  #oftenSize = 0;
  /** How many rows seen once are wanted: the paper's p, a real number in [0, slots]. */
  #target = 0;
  /** The key that `onMiss` was last told, its bits; it counts while `#missing`. */
  #missed = 0;
  #missing = false;
  /** The ghost queue that key was in, or ABSENT. */
  #origin = ABSENT;

  constructor(slots: Slots) {
    this.#slots = slots;
    this.#key = slots.key;
    this.#count = slots.count;
    this.#links = createQueues(slots.count, 2);
    this.#queue = new Uint8Array(slots.count);
    this.#ghosts = new Ghosts(slots.count, slots.keyCount);
  }

  get bytes(): number {
    return this.#links.byteLength + this.#queue.byteLength + this.#ghosts.bytes;
  }

  onMiss(key: number): void {
    const origin = this.#ghosts.take(key);
    this.#missed = key | 0;
    this.#missing = true;
    this.#origin = origin;
    if (origin !== ABSENT) this.#adapt(origin);
  }

  /** Moves the target towards the list whose ghost was missed; that ghost is gone already. */
  #adapt(origin: number): void {
    const own = this.#ghosts.size(origin) + 1;
    const step = Math.max(1, this.#ghosts.size(1 - origin) / own);
    this.#target = origin === ONCE
      ? Math.min(this.#count, this.#target + step)
      : Math.max(0, this.#target - step);
  }

  onInsert(slot: number): void {
    const key = this.#key[slot];
    if (!this.#missing || this.#missed !== (key | 0)) this.onMiss(key);
    this.#missing = false;
    if (this.#origin === ABSENT) {
      this.#queue[slot] = ONCE;
      pushNewest(this.#links, this.#count + ONCE, slot);
      this.#onceSize++;
    } else {
      this.#queue[slot] = OFTEN;
      pushNewest(this.#links, this.#count + OFTEN, slot);
      this.#oftenSize++;
    }
  }

  onHit(slot: number): number {
    const links = this.#links;
    const often = this.#count + OFTEN;
    if (this.#queue[slot] === OFTEN) moveToNewest(links, often, slot);
    else {
      this.#queue[slot] = OFTEN;
      this.#onceSize--;
      this.#oftenSize++;
      unlink(links, slot);
      pushNewest(links, often, slot);
    }
    return NO_SLOT;
  }

  onRemove(slot: number, cause: RemovalCause): void {
    const queue = this.#queue[slot];
    if (cause === REMOVAL.EVICTED && this.#makeGhostRoom()) {
      this.#ghosts.push(queue, this.#key[slot]);
    }
    unlink(this.#links, slot);
    if (queue === ONCE) this.#onceSize--;
    else this.#oftenSize--;
  }

  /**
   * The paper's case IV, told at the eviction: the rows seen once and their ghosts are as many as
   * slots at most, and all ghosts, too. False when the row must leave without a ghost.
   */
  #makeGhostRoom(): boolean {
    const ghosts = this.#ghosts;
    const isNew = !this.#missing || this.#origin === ABSENT;
    if (isNew && this.#onceSize + ghosts.size(ONCE) >= this.#count) {
      if (ghosts.size(ONCE) === 0) return false;
      ghosts.dropOldest(ONCE);
    } else if (ghosts.size(ONCE) + ghosts.size(OFTEN) === ghosts.capacity) {
      // Of rows seen often, by the paper's sums; deletions can leave others than they expect.
      ghosts.dropOldest(ghosts.size(OFTEN) > 0 ? OFTEN : ONCE);
    }
    return true;
  }

  victim(_key: number): number {
    const first = this.#replaced();
    const slot = this.#oldest(first);
    return slot === NO_SLOT ? this.#oldest(1 - first) : slot;
  }

  /** The list that gives a row next: the paper's REPLACE. */
  #replaced(): number {
    const size = this.#onceSize;
    if (this.#oftenSize === 0) return ONCE;
    if (size === 0) return OFTEN;
    if (size > this.#target) return ONCE;
    return size === this.#target && this.#missing && this.#origin === OFTEN ? ONCE : OFTEN;
  }

  /** The oldest evictable slot of a list. */
  #oldest(queue: number): number {
    const links = this.#links;
    const sentinel = this.#count + queue;
    let at = links[2 * sentinel];
    while (at !== sentinel && !this.#slots.evictable(at)) at = links[2 * at];
    return at === sentinel ? NO_SLOT : at;
  }

  contents(): Uint32Array {
    const count = this.#count;
    const out = new Uint32Array(this.#onceSize + this.#oftenSize);
    const first = this.#replaced();
    const at = listQueue(this.#links, count + 1 - first, out, 0);
    listQueue(this.#links, count + first, out, at);
    return out;
  }

  verify(): void {
    const count = this.#count;
    const key = this.#key;
    for (const [queue, size] of [[ONCE, this.#onceSize], [OFTEN, this.#oftenSize]]) {
      verifyQueue(this.name, this.#links, count + queue, size, (slot) => {
        return this.#queue[slot] === queue && !this.#ghosts.has(key[slot]);
      });
    }
    this.#ghosts.verify(this.name);
    if (!(this.#target >= 0 && this.#target <= count)) {
      throw new Error(
        `Broken invariant: arc: target must be in [0, ${count}]: received ${this.#target}`,
      );
    }
  }
}
