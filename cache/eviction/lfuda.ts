/**
 * LFU with dynamic aging (Arlitt, Cherkasova, Dilley, Friedrich, Jin: "Evaluating Content
 * Management Techniques for Web Proxy Caches", 2000).
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { createQueues, pushNewest } from "./_queues.ts";
import { unlink } from "./_slot_list.ts";
import { type EvictionPolicy, NO_SLOT, type Slots } from "../eviction.ts";
import { type LfuOptions, MAX_COUNT } from "./lfu.ts";

/**
 * The policy that evicts the row of lowest priority, of several the one whose last use is longest
 * ago. At each use a row's priority becomes its count of uses plus the age of the cache, which is
 * the priority of the last victim: so what was hot once falls behind in the end. 16 bytes a slot.
 *
 * `victim` walks past the rows that live batches hold, and finds them first when it is asked again.
 *
 * @example
 * ```ts
 * import { lfuda, RowCache } from "@rowtier/rowtier/cache";
 *
 * const cache = new RowCache({ partitions: [{ slotCount: 8, scratchCount: 2, eviction: lfuda }] });
 * if (cache.contents(0).length !== 0) throw new Error("unreachable");
 * ```
 *
 * @throws {RangeError} when `countLimit` is out of range.
 */
export function lfuda(slots: Slots, options: LfuOptions = {}): EvictionPolicy {
  const { countLimit = MAX_COUNT } = options;
  const what = "Cannot create lfuda";
  return new Lfuda(slots, checkInteger(what, "countLimit", countLimit, 1, MAX_COUNT));
}

/** Bucket 0, and one for each bit of a priority. */
const BUCKETS = 33;

/**
 * A radix heap: as no priority is ever given that is not above the age, a row's bucket is the
 * highest bit in which its priority differs from the age. Rows of one priority share a bucket, in
 * the order of their last use. When the age rises, only the lowest bucket with rows has to be
 * distributed over those below it, and each row moves down a few times at most between two uses: a
 * use is constant time, where a binary heap takes its logarithm and cannot break ties.
 *
 * Bucket 0 is what the age has reached, by priority: the victims, and before them the rows that
 * were in use when their turn came. Priorities are 32 bits and wrap round; counts end at 2^30, so
 * that the highest is always less than 2^31 above the age.
 */
class Lfuda implements EvictionPolicy {
  readonly name = "lfuda";
  readonly #slots: Slots;
  readonly #limit: number;
  /** The buckets, as lists from the row used last to the one used first. */
  readonly #links: Int32Array;
  readonly #count: Int32Array;
  readonly #priority: Int32Array;
  #age = 0;

  constructor(slots: Slots, limit: number) {
    this.#slots = slots;
    this.#limit = limit;
    this.#links = createQueues(slots.count, BUCKETS);
    this.#count = new Int32Array(slots.count);
    this.#priority = new Int32Array(slots.count);
  }

  get bytes(): number {
    return this.#links.byteLength + this.#count.byteLength + this.#priority.byteLength;
  }

  onMiss(_key: number): void {}

  onInsert(slot: number): void {
    this.#count[slot] = 1;
    this.#rank(slot, 1);
  }

  onHit(slot: number): number {
    const count = this.#count[slot];
    unlink(this.#links, slot);
    if (count !== this.#limit) {
      this.#count[slot] = count + 1;
      this.#rank(slot, count + 1);
    } else this.#rank(slot, count);
    return NO_SLOT;
  }

  onRemove(slot: number): void {
    unlink(this.#links, slot);
  }

  /** Raises the age to the victim's priority, whether it leaves or is kept in the end. */
  victim(_key: number): number {
    const links = this.#links;
    const reached = this.#count.length;
    let isFound = false;
    for (let last = reached;;) {
      for (let at = links[2 * last]; at !== reached; at = links[2 * at]) {
        if (this.#slots.evictable(at)) return at;
        last = at;
      }
      // The age must not overtake every row, in use or not: what comes next would rank below them.
      if (!isFound && !this.#isAnyEvictable()) return NO_SLOT;
      isFound = true;
      this.#advance();
    }
  }

  heat(slot: number): number {
    return Math.min(255, this.#count[slot] - 1);
  }

  contents(): Uint32Array {
    const slots: number[] = [];
    for (let sentinel = this.#count.length; 2 * sentinel < this.#links.length; sentinel++) {
      for (const slot of this.#bucket(sentinel)) slots.push(slot);
    }
    // Sorting is stable: one priority's rows stay in the order of their use.
    return Uint32Array.from(slots.sort((a, b) => this.#distance(a) - this.#distance(b)).reverse());
  }

  verify(): void {
    const { length } = this.#count;
    for (let sentinel = length; 2 * sentinel < this.#links.length; sentinel++) {
      const slots = this.#bucket(sentinel);
      slots.forEach((slot, i) => {
        const bucket = this.#bucketOf(this.#priority[slot]);
        this.#assert(bucket === sentinel - length, slot, `must be in bucket ${bucket}`);
        const falls = i > 0 && this.#distance(slot) < this.#distance(slots[i - 1]);
        this.#assert(bucket > 0 || !falls, slot, "must rank no lower than the one before it");
        const count = this.#count[slot];
        this.#assert(count >= 1 && count <= this.#limit, slot, `must not count ${count} uses`);
      });
    }
  }

  #assert(holds: boolean, slot: number, what: string): void {
    if (!holds) throw new Error(`Broken invariant: lfuda: slot ${slot} ${what}`);
  }

  /** How far a row's priority is above the age. */
  #distance(slot: number): number {
    return (this.#priority[slot] - this.#age) | 0;
  }

  /** The slots of a bucket from the one used first. */
  #bucket(sentinel: number): number[] {
    const links = this.#links;
    const slots: number[] = [];
    for (let at = links[2 * sentinel]; at !== sentinel; at = links[2 * at]) {
      this.#assert(links[2 * links[2 * at] + 1] === at, at, "must be linked from both sides");
      this.#assert(slots.length < this.#count.length, at, "must be linked once");
      slots.push(at);
    }
    return slots;
  }

  #bucketOf(priority: number): number {
    return ((priority - this.#age) | 0) <= 0 ? 0 : 32 - Math.clz32(priority ^ this.#age);
  }

  /** Gives a row that is in no bucket its priority and its place. */
  #rank(slot: number, count: number): void {
    const priority = (this.#age + count) | 0;
    this.#priority[slot] = priority;
    // Above the age, so never in bucket 0.
    const bucket = 32 - Math.clz32(priority ^ this.#age);
    pushNewest(this.#links, this.#count.length + bucket, slot);
  }

  /** Whether a bucket above 0 has a row that may go; mostly the first that it looks at. */
  #isAnyEvictable(): boolean {
    const links = this.#links;
    for (let sentinel = this.#count.length + 1; 2 * sentinel < links.length; sentinel++) {
      for (let at = links[2 * sentinel]; at !== sentinel; at = links[2 * at]) {
        if (this.#slots.evictable(at)) return true;
      }
    }
    return false;
  }

  /** Raises the age to the lowest priority above it; there must be one. */
  #advance(): void {
    const links = this.#links;
    const { length } = this.#count;
    let sentinel = length + 1;
    while (links[2 * sentinel] === sentinel) sentinel++;
    let nearest = 2 ** 31;
    for (let at = links[2 * sentinel]; at !== sentinel; at = links[2 * at]) {
      nearest = Math.min(nearest, this.#distance(at));
    }
    this.#age = (this.#age + nearest) | 0;
    let at = links[2 * sentinel];
    links[2 * sentinel] = links[2 * sentinel + 1] = sentinel;
    // From the row used first, so that each bucket gets its rows in the order of their use.
    while (at !== sentinel) {
      const next = links[2 * at];
      pushNewest(links, length + this.#bucketOf(this.#priority[at]), at);
      at = next;
    }
  }
}
