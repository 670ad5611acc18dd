/**
 * Set-associative LRU and LFU, as in the GPU caches of FBGEMM's table-batched embeddings: a row may
 * be only in the set that its key hashes to.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { moveToNewest } from "./_queues.ts";
import { Sets } from "./_sets.ts";
import { FrequencySketch } from "../admission/frequency_sketch.ts";
import { type EvictionPolicy, NO_SLOT, type Slots } from "../eviction.ts";
import { MAX_PARTITION_SLOTS } from "../limits.ts";

/** What {@linkcode setLru} is made from. */
export interface SetLruOptions {
  /** Most rows of a set, at least 1; 32 by default, as a GPU's warp has lanes. */
  ways?: number;
}

/** What {@linkcode setLfu} is made from. */
export interface SetLfuOptions extends SetLruOptions {
  /**
   * Rows of the table, all keys below it: each gets a counter of its own, as in FBGEMM. Left out by
   * default: then a {@linkcode FrequencySketch} counts.
   */
  rowCount?: number;
}

/**
 * LRU within sets: the victim is the row of the newcomer's set whose last use is longest ago. There
 * are as few sets as `ways` allows, of equal size to within one row, so that all slots are used.
 * Misses come out a little above those of full LRU (32 ways: 0.03 to 0.2 points of hit ratio on
 * four traces, 8 ways: 0.1 to 1). 8 bytes a slot, and 12 a set.
 *
 * A newcomer whose set is held by live batches is not cached, even while other sets have room.
 *
 * @example
 * ```ts
 * import { type EvictionPolicyFactory, RowCache, setLru } from "@rowtier/rowtier/cache";
 *
 * const eviction: EvictionPolicyFactory = (slots) => setLru(slots, { ways: 8 });
 * const cache = new RowCache({ partitions: [{ slotCount: 64, scratchCount: 2, eviction }] });
 * if (cache.contents(0).length !== 0) throw new Error("unreachable");
 * ```
 *
 * @throws {RangeError} when `ways` is out of range.
 */
export function setLru(slots: Slots, options: SetLruOptions = {}): EvictionPolicy {
  return new SetLru(slots, checkWays("Cannot create setLru", options));
}

/**
 * LFU within sets, by the uses of each key whether cached or not: the victim is the row of the
 * newcomer's set with the fewest, the earliest of several, and a newcomer with fewer than that is
 * not cached. So it admits by itself. 8 bytes a slot, 12 a set, and the counts: 4 bytes a row of
 * the table with `rowCount`, exact and never forgotten; else a sketch, 8 to 16 bytes a slot
 * whatever the table, that forgets. An eviction reads the counts of a whole set, which takes about
 * 0.5 us.
 *
 * A newcomer whose set is held by live batches is not cached, even while other sets have room.
 *
 * @example
 * ```ts
 * import { type EvictionPolicyFactory, RowCache, setLfu } from "@rowtier/rowtier/cache";
 *
 * const eviction: EvictionPolicyFactory = (slots) => setLfu(slots, { rowCount: 1000 });
 * const cache = new RowCache({ partitions: [{ slotCount: 64, scratchCount: 2, eviction }] });
 * if (cache.contents(0).length !== 0) throw new Error("unreachable");
 * ```
 *
 * @throws {RangeError} when `ways` or `rowCount` is out of range; and its `onMiss` for a key that
 * is not below `rowCount`.
 */
export function setLfu(slots: Slots, options: SetLfuOptions = {}): EvictionPolicy {
  const what = "Cannot create setLfu";
  const ways = checkWays(what, options);
  const { rowCount } = options;
  if (rowCount !== undefined) checkInteger(what, "rowCount", rowCount, 1, 2 ** 32);
  const uses = rowCount === undefined ? new FrequencySketch(slots.count) : new RowCounts(rowCount);
  return new SetLfu(slots, ways, uses);
}

function checkWays(what: string, { ways = 32 }: SetLruOptions): number {
  return checkInteger(what, "ways", ways, 1, MAX_PARTITION_SLOTS);
}

class SetLru implements EvictionPolicy {
  readonly name = "setlru";
  readonly #slots: Slots;
  readonly #sets: Sets;

  constructor(slots: Slots, ways: number) {
    this.#slots = slots;
    this.#sets = new Sets(slots, ways);
  }

  get bytes(): number {
    return this.#sets.bytes;
  }

  onMiss(_key: number): void {}

  onInsert(slot: number): void {
    this.#sets.add(slot);
  }

  onHit(slot: number): number {
    moveToNewest(this.#sets.links, this.#sets.sentinel(this.#slots.key[slot]), slot);
    return NO_SLOT;
  }

  onRemove(slot: number): void {
    this.#sets.remove(slot);
  }

  victim(key: number): number {
    const { links } = this.#sets;
    const sentinel = this.#sets.sentinel(key);
    let at = links[2 * sentinel];
    while (at !== sentinel && !this.#slots.evictable(at)) at = links[2 * at];
    return at === sentinel ? NO_SLOT : at;
  }

  crowded(key: number): boolean {
    return this.#sets.isFull(key);
  }

  /** Set by set, each newest first: which row leaves next depends on the newcomer. */
  contents(): Uint32Array {
    return this.#sets.list();
  }

  verify(): void {
    this.#sets.verify(this.name);
  }
}

/** Uses of every row of a table. */
class RowCounts {
  readonly #counts: Uint32Array;

  constructor(rowCount: number) {
    this.#counts = new Uint32Array(rowCount);
  }

  get bytes(): number {
    return this.#counts.byteLength;
  }

  record(key: number): void {
    const { length } = this.#counts;
    if (key >= length) checkInteger("Cannot count key", "key", key, 0, length - 1);
    // Where it would start again from 0, it stays.
    this.#counts[key] = Math.min(this.#counts[key] + 1, 2 ** 32 - 1);
  }

  estimate(key: number): number {
    return this.#counts[key];
  }
}

class SetLfu implements EvictionPolicy {
  readonly name = "setlfu";
  readonly #slots: Slots;
  readonly #sets: Sets;
  readonly #uses: FrequencySketch | RowCounts;

  constructor(slots: Slots, ways: number, uses: FrequencySketch | RowCounts) {
    this.#slots = slots;
    this.#sets = new Sets(slots, ways);
    this.#uses = uses;
  }

  get bytes(): number {
    return this.#sets.bytes + this.#uses.bytes;
  }

  onMiss(key: number): void {
    this.#uses.record(key);
  }

  onInsert(slot: number): void {
    this.#sets.add(slot);
  }

  onHit(slot: number): number {
    this.#uses.record(this.#slots.key[slot]);
    return NO_SLOT;
  }

  onRemove(slot: number): void {
    this.#sets.remove(slot);
  }

  victim(key: number): number {
    const { links } = this.#sets;
    const sentinel = this.#sets.sentinel(key);
    let victim = NO_SLOT;
    // No more uses than the newcomer's: whoever has more stays.
    let fewest = this.#uses.estimate(key) + 1;
    for (let at = links[2 * sentinel]; at !== sentinel; at = links[2 * at]) {
      const uses = this.#uses.estimate(this.#slots.key[at]);
      if (uses >= fewest || !this.#slots.evictable(at)) continue;
      fewest = uses;
      victim = at;
    }
    return victim;
  }

  crowded(key: number): boolean {
    return this.#sets.isFull(key);
  }

  heat(slot: number): number {
    return Math.min(255, this.#uses.estimate(this.#slots.key[slot]));
  }

  /** Set by set, each newest first: which row leaves next depends on the newcomer. */
  contents(): Uint32Array {
    return this.#sets.list();
  }

  verify(): void {
    this.#sets.verify(this.name);
  }
}
