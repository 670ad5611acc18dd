/**
 * 2Q (Johnson, Shasha: "2Q: A Low Overhead High Performance Buffer Management Replacement
 * Algorithm", VLDB 1994), the full version.
 *
 * @module
 */

import { checkRatio } from "./_ratios.ts";
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

/** What {@linkcode twoq} may be told. */
export interface TwoQOptions {
  /** Share of the slots that new rows may take, in [0, 1]; 0.25 by default, as in the paper. */
  inRatio?: number;
  /** Ghosts for each slot, in [0, 1]; 0.5 by default, as in the paper. */
  outRatio?: number;
}

/** The queues of slots; they are sentinels `count` + these, too. */
const IN = 0;
const MAIN = 1;

/**
 * The policy that tries rows out: a new row goes through a short FIFO queue where hits mean
 * nothing, and when it leaves, its key stays behind as a ghost for a while. Only a row that comes
 * back while its ghost is there enters the main part, which is LRU. So a burst of uses counts as
 * one, and a scan passes the main part by.
 *
 * 9 bytes a slot and, at the default ratios, 10 to 20 for the ghosts.
 *
 * When the main part is full a row may have to leave it although slots are free (`crowded`). Rows
 * that live batches hold are passed over; where no other row of its part is left, the other part
 * gives one.
 *
 * @throws {RangeError} when a ratio is out of range.
 *
 * @example
 * ```ts
 * import { RowCache, twoq } from "@rowtier/rowtier/cache";
 *
 * const cache = new RowCache({ partitions: [{ slotCount: 8, scratchCount: 2, eviction: twoq }] });
 * if (cache.contents(0).length !== 0) throw new Error("unreachable");
 * ```
 */
export function twoq(slots: Slots, options: TwoQOptions = {}): EvictionPolicy {
  const what = "Cannot create twoq";
  return new TwoQ(
    slots,
    checkRatio(what, "inRatio", options.inRatio ?? 0.25),
    checkRatio(what, "outRatio", options.outRatio ?? 0.5),
  );
}

class TwoQ implements EvictionPolicy {
  readonly name = "twoq";
  readonly #slots: Slots;
  /** Those of `#slots`. */
  readonly #key: Uint32Array;
  readonly #count: number;
  readonly #links: Int32Array;
  /** By slot: IN or MAIN. */
  readonly #queue: Uint8Array;
  readonly #ghosts: Ghosts;
  readonly #inCapacity: number;
  readonly #mainCapacity: number;
  #inSize = 0;
  #mainSize = 0;
  /** The key that `onMiss` was last told, its bits; it counts while `#missing`. */
  #missed = 0;
  #missing = false;
  /** Whether that key was a ghost. */
  #returns = false;

  constructor(slots: Slots, inRatio: number, outRatio: number) {
    const { count } = slots;
    this.#slots = slots;
    this.#key = slots.key;
    this.#count = slots.count;
    this.#links = createQueues(count, 2);
    this.#queue = new Uint8Array(count);
    // At least 1, where the paper's rounding would leave a part empty and the policy stuck.
    this.#inCapacity = Math.max(1, Math.floor(count * inRatio));
    this.#mainCapacity = Math.max(1, count - this.#inCapacity);
    this.#ghosts = new Ghosts(Math.max(1, Math.floor(count * outRatio)), slots.keyCount);
  }

  get bytes(): number {
    return this.#links.byteLength + this.#queue.byteLength + this.#ghosts.bytes;
  }

  onMiss(key: number): void {
    this.#missed = key | 0;
    this.#missing = true;
    this.#returns = this.#ghosts.take(key) !== ABSENT;
  }

  onInsert(slot: number): void {
    const key = this.#key[slot];
    if (!this.#missing || this.#missed !== (key | 0)) this.onMiss(key);
    this.#missing = false;
    if (this.#returns) {
      this.#queue[slot] = MAIN;
      pushNewest(this.#links, this.#count + MAIN, slot);
      this.#mainSize++;
    } else {
      this.#queue[slot] = IN;
      pushNewest(this.#links, this.#count + IN, slot);
      this.#inSize++;
    }
  }

  onHit(slot: number): number {
    if (this.#queue[slot] === MAIN) moveToNewest(this.#links, this.#count + MAIN, slot);
    return NO_SLOT;
  }

  onRemove(slot: number, cause: RemovalCause): void {
    unlink(this.#links, slot);
    if (this.#queue[slot] === MAIN) {
      this.#mainSize--;
      return;
    }
    this.#inSize--;
    if (cause !== REMOVAL.EVICTED) return;
    const ghosts = this.#ghosts;
    if (ghosts.size(0) === ghosts.capacity) ghosts.dropOldest(0);
    ghosts.push(0, this.#key[slot]);
  }

  victim(_key: number): number {
    const first = this.#inSize > this.#inCapacity ? IN : MAIN;
    const slot = this.#oldest(first);
    return slot === NO_SLOT ? this.#oldest(1 - first) : slot;
  }

  crowded(key: number): boolean {
    return this.#mainSize >= this.#mainCapacity && this.#returns && this.#missing &&
      this.#missed === (key | 0) && this.#oldest(MAIN) !== NO_SLOT;
  }

  /** The oldest evictable slot of a queue. */
  #oldest(queue: number): number {
    const links = this.#links;
    const sentinel = this.#count + queue;
    let at = links[2 * sentinel];
    while (at !== sentinel && !this.#slots.evictable(at)) at = links[2 * at];
    return at === sentinel ? NO_SLOT : at;
  }

  contents(): Uint32Array {
    const count = this.#count;
    const out = new Uint32Array(this.#inSize + this.#mainSize);
    const first = this.#inSize > this.#inCapacity ? IN : MAIN;
    const at = listQueue(this.#links, count + 1 - first, out, 0);
    listQueue(this.#links, count + first, out, at);
    return out;
  }

  verify(): void {
    const count = this.#count;
    const key = this.#key;
    for (const [queue, size] of [[IN, this.#inSize], [MAIN, this.#mainSize]]) {
      verifyQueue(this.name, this.#links, count + queue, size, (slot) => {
        return this.#queue[slot] === queue && !this.#ghosts.has(key[slot]);
      });
    }
    this.#ghosts.verify(this.name);
  }
}
