/**
 * The optimum, which knows the future (Belady: "A study of replacement algorithms for a
 * virtual-storage computer", 1966).
 *
 * @module
 */

import { nextUses } from "./_next_uses.ts";
import {
  type EvictionPolicy,
  type EvictionPolicyFactory,
  NO_SLOT,
  type Slots,
} from "../eviction.ts";

/** What {@linkcode belady} is told beside the trace. */
export interface BeladyOptions {
  /**
   * Keep a newcomer out that is used no earlier than every row that is there. False by default:
   * then each missed key is inserted, as other policies have to.
   */
  bypass?: boolean;
}

/**
 * Makes the policy that evicts the row whose next use is farthest away: the fewest misses that any
 * policy can have which inserts each missed key, and with `bypass` the fewest that any can have.
 *
 * It follows the trace request by request, so it must see every one of them, in order, once: a
 * replay of single lookups without an admission policy that refuses, and no prefetches. It throws
 * when it is told of another request than the one that is due.
 *
 * Preparing takes about 100 ns and 4 bytes a request (8 more meanwhile), shared by all policies
 * that the factory makes; a policy takes 12 bytes a slot, and a heap's logarithm for each access.
 *
 * @param keys The trace; it must not change while a policy follows it. Less than 2^32 - 1 requests.
 *
 * @example
 * ```ts
 * import { belady, createClaim, RowCache } from "@rowtier/rowtier/cache";
 *
 * const keys = Uint32Array.of(1, 2, 3, 1, 2);
 * const cache = new RowCache({
 *   partitions: [{ slotCount: 2, scratchCount: 0, eviction: belady(keys) }],
 * });
 * const claim = createClaim();
 * for (const key of keys) {
 *   const batch = cache.begin();
 *   if (cache.acquire(0, Uint32Array.of(key), 1, batch, new Int32Array(1)) === 1) {
 *     cache.fill(0, cache.claim(0, key, batch, claim), claim.generation);
 *   }
 *   cache.retire(batch);
 * }
 * if (cache.counters(0).misses !== 4) throw new Error("unreachable"); // LRU: 5
 * ```
 */
export function belady(keys: Uint32Array, options: BeladyOptions = {}): EvictionPolicyFactory {
  const { bypass = false } = options;
  const next = nextUses(keys);
  return (slots) => new Belady(slots, { keys, next, bypass });
}

/** What a policy follows. */
interface Future {
  readonly keys: Uint32Array;
  /** By request: when its key comes again. */
  readonly next: Uint32Array;
  readonly bypass: boolean;
}

class Belady implements EvictionPolicy {
  readonly name = "belady";
  readonly #slots: Slots;
  readonly #future: Future;
  /** Requests seen. */
  #seen = 0;
  /** Column: the next use of each slot's row. */
  readonly #use: Uint32Array;
  /** The held slots as a heap, the one used last of all on top. */
  readonly #heap: Int32Array;
  /** Column: where each slot is in the heap. */
  readonly #place: Int32Array;
  #size = 0;

  constructor(slots: Slots, future: Future) {
    this.#slots = slots;
    this.#future = future;
    this.#use = new Uint32Array(slots.count);
    this.#heap = new Int32Array(slots.count);
    this.#place = new Int32Array(slots.count);
  }

  get bytes(): number {
    return this.#use.byteLength + this.#heap.byteLength + this.#place.byteLength;
  }

  onMiss(key: number): void {
    this.#follow(key);
  }

  onInsert(slot: number): void {
    const key = this.#slots.key[slot];
    const last = this.#seen - 1;
    if (last < 0 || this.#future.keys[last] !== key) {
      throw new Error(`Cannot insert: key must be the one just missed: received ${key}`);
    }
    this.#use[slot] = this.#future.next[last];
    this.#rise(this.#size++, slot);
  }

  onHit(slot: number): number {
    this.#follow(this.#slots.key[slot]);
    // Its use was the next of all, so it can only rise.
    this.#use[slot] = this.#future.next[this.#seen - 1];
    this.#rise(this.#place[slot], slot);
    return NO_SLOT;
  }

  onRemove(slot: number): void {
    const at = this.#place[slot];
    const last = this.#heap[--this.#size];
    if (last === slot) return;
    if (this.#use[last] > this.#use[slot]) this.#rise(at, last);
    else this.#sink(at, last);
  }

  victim(_key: number): number {
    const victim = this.#farthest();
    if (victim === NO_SLOT || !this.#future.bypass) return victim;
    return this.#future.next[this.#seen - 1] >= this.#use[victim] ? NO_SLOT : victim;
  }

  contents(): Uint32Array {
    return Uint32Array.from(
      this.#heap.slice(0, this.#size).sort((a, b) => {
        return this.#use[a] - this.#use[b];
      }),
    );
  }

  verify(): void {
    for (let at = 0; at < this.#size; at++) {
      const slot = this.#heap[at];
      const parent = this.#heap[(at - 1) >> 1];
      const isOrdered = at === 0 || this.#use[slot] <= this.#use[parent];
      if (this.#place[slot] !== at || !isOrdered) {
        throw new Error(`Broken invariant: belady: slot ${slot} must be in its place of the heap`);
      }
      if (this.#use[slot] < this.#seen) {
        throw new Error(`Broken invariant: belady: slot ${slot} must be used in future`);
      }
    }
  }

  /** Takes in the request that is due; throws when it is not for `key`. */
  #follow(key: number): void {
    const { keys } = this.#future;
    if (this.#seen >= keys.length || keys[this.#seen] !== key) {
      const due = this.#seen < keys.length ? `for key ${keys[this.#seen]}` : "none, after the last";
      throw new Error(
        `Cannot follow trace: request ${this.#seen} must be ${due}: received key ${key}`,
      );
    }
    this.#seen++;
  }

  /** The row used last of those that may go. Rows in use make it look at all, where it must. */
  #farthest(): number {
    if (this.#size === 0) return NO_SLOT;
    let victim = this.#heap[0];
    if (this.#slots.evictable(victim)) return victim;
    victim = NO_SLOT;
    for (let at = 1; at < this.#size; at++) {
      const slot = this.#heap[at];
      const isFarther = victim === NO_SLOT || this.#use[slot] > this.#use[victim];
      if (isFarther && this.#slots.evictable(slot)) victim = slot;
    }
    return victim;
  }

  /** Puts `slot` at `at` or above. */
  #rise(at: number, slot: number): void {
    const heap = this.#heap;
    const use = this.#use[slot];
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (this.#use[heap[above]] >= use) break;
      this.#set(at, heap[above]);
      at = above;
    }
    this.#set(at, slot);
  }

  /** Puts `slot` at `at` or below. */
  #sink(at: number, slot: number): void {
    const heap = this.#heap;
    const use = this.#use[slot];
    for (let below = 2 * at + 1; below < this.#size; below = 2 * at + 1) {
      const right = below + 1;
      if (right < this.#size && this.#use[heap[right]] > this.#use[heap[below]]) below = right;
      if (this.#use[heap[below]] <= use) break;
      this.#set(at, heap[below]);
      at = below;
    }
    this.#set(at, slot);
  }

  #set(at: number, slot: number): void {
    this.#heap[at] = slot;
    this.#place[slot] = at;
  }
}
