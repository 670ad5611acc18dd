/**
 * Least frequently used, in constant time (the lists of lists of Ketan Shah, Anirban Mitra, Dhruv
 * Matani: "An O(1) algorithm for implementing the LFU cache eviction scheme", 2010, folded into one
 * list).
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { createLinks, linkOlderThan, listSlots, unlink, verifyList } from "./_slot_list.ts";
import { type EvictionPolicy, NO_SLOT, type Slots } from "../eviction.ts";

/** What {@linkcode lfu} and {@linkcode lfuda} are made from. */
export interface LfuOptions {
  /**
   * Counts go up to here and no further, 1 to 2^30, the default. With 1, every row counts the same
   * and either policy is LRU.
   */
  countLimit?: number;
}

/** The highest count that counts may be limited to. */
export const MAX_COUNT: number = 2 ** 30;

/**
 * The policy that evicts the row with the fewest uses since it came, of several the one whose last
 * use is longest ago. It never forgets: what was hot once stays, see {@linkcode lfuda}. A row's
 * count is lost when it leaves. 24 bytes a slot; every operation takes constant time.
 *
 * `victim` walks past the rows that live batches hold.
 *
 * @example
 * ```ts
 * import { lfu, RowCache } from "@rowtier/rowtier/cache";
 *
 * const cache = new RowCache({ partitions: [{ slotCount: 8, scratchCount: 2, eviction: lfu }] });
 * if (cache.contents(0).length !== 0) throw new Error("unreachable");
 * ```
 *
 * @throws {RangeError} when `countLimit` is out of range.
 */
export function lfu(slots: Slots, options: LfuOptions = {}): EvictionPolicy {
  const { countLimit = MAX_COUNT } = options;
  return new Lfu(slots, checkInteger("Cannot create lfu", "countLimit", countLimit, 1, MAX_COUNT));
}

/**
 * All rows are in one list by count, those of one count by their last use; each stretch of one
 * count is a *run*. A hit moves a row to the young end of the next run, which begins where its own
 * ends.
 */
class Lfu implements EvictionPolicy {
  readonly name = "lfu";
  readonly #slots: Slots;
  readonly #limit: number;
  readonly #links: Int32Array;
  readonly #sentinel: number;
  /** Column: the run that each slot is in. */
  readonly #runOf: Int32Array;
  /** By run: its rows, their count, and the youngest of them; of a spare run, the next spare. */
  readonly #runSize: Int32Array;
  readonly #runCount: Int32Array;
  readonly #runYoungest: Int32Array;
  /** There are as many runs as slots; the first that is not in use. */
  #spare = 0;
  #size = 0;

  constructor(slots: Slots, limit: number) {
    const { count } = slots;
    this.#slots = slots;
    this.#limit = limit;
    this.#links = createLinks(count);
    this.#sentinel = count;
    this.#runOf = new Int32Array(count);
    this.#runSize = new Int32Array(count);
    this.#runCount = new Int32Array(count);
    this.#runYoungest = new Int32Array(count).map((_, run) => run + 1);
  }

  get bytes(): number {
    return this.#links.byteLength + 4 * this.#runOf.byteLength;
  }

  onMiss(_key: number): void {}

  onInsert(slot: number): void {
    this.#size++;
    this.#enter(slot, this.#links[2 * this.#sentinel], 1);
  }

  onHit(slot: number): number {
    const links = this.#links;
    const run = this.#runOf[slot];
    const count = this.#runCount[run];
    const youngest = this.#runYoungest[run];
    if (count === this.#limit) {
      if (youngest !== slot) {
        this.#leave(slot, run);
        this.#join(slot, run);
      }
      return NO_SLOT;
    }
    const above = links[2 * youngest];
    const joins = above !== this.#sentinel && this.#runCount[this.#runOf[above]] === count + 1;
    // Alone with its count: the run takes the new one, and nothing moves. The hottest rows are.
    if (!joins && this.#runSize[run] === 1) this.#runCount[run] = count + 1;
    else {
      this.#leave(slot, run);
      this.#enter(slot, above, count + 1);
    }
    return NO_SLOT;
  }

  onRemove(slot: number): void {
    this.#size--;
    this.#leave(slot, this.#runOf[slot]);
  }

  victim(_key: number): number {
    const links = this.#links;
    const sentinel = this.#sentinel;
    let at = links[2 * sentinel];
    while (at !== sentinel && !this.#slots.evictable(at)) at = links[2 * at];
    return at === sentinel ? NO_SLOT : at;
  }

  heat(slot: number): number {
    return Math.min(255, this.#runCount[this.#runOf[slot]] - 1);
  }

  contents(): Uint32Array {
    return listSlots(this.#links, this.#size);
  }

  verify(): void {
    verifyList(this.name, this.#links, this.#size);
    const ordered = this.contents();
    let rows = 0;
    for (let i = 0; i < ordered.length; i++) {
      const run = this.#runOf[ordered[i]];
      const newerRun = i === 0 ? -1 : this.#runOf[ordered[i - 1]];
      const falls = i === 0 || this.#runCount[run] < this.#runCount[newerRun];
      this.#assert(run === newerRun || falls, `count of run ${run} must be below the one before`);
      this.#assert(run === newerRun || this.#runYoungest[run] === ordered[i], `run ${run} is torn`);
      rows = run === newerRun ? rows + 1 : 1;
      const ends = i + 1 === ordered.length || this.#runOf[ordered[i + 1]] !== run;
      this.#assert(!ends || rows === this.#runSize[run], `run ${run} must have ${rows} rows`);
    }
  }

  #assert(holds: boolean, what: string): void {
    if (!holds) throw new Error(`Broken invariant: lfu: ${what}`);
  }

  /** Puts `slot` right behind a run's oldest row `newer`: into that run if it has this count. */
  #enter(slot: number, newer: number, count: number): void {
    if (newer !== this.#sentinel && this.#runCount[this.#runOf[newer]] === count) {
      this.#join(slot, this.#runOf[newer]);
      return;
    }
    const run = this.#spare;
    this.#spare = this.#runYoungest[run];
    this.#runCount[run] = count;
    this.#runSize[run] = 1;
    this.#runYoungest[run] = slot;
    this.#runOf[slot] = run;
    linkOlderThan(this.#links, slot, newer);
  }

  /** Puts `slot` at the young end of a run that has rows. */
  #join(slot: number, run: number): void {
    linkOlderThan(this.#links, slot, this.#links[2 * this.#runYoungest[run]]);
    this.#runYoungest[run] = slot;
    this.#runOf[slot] = run;
    this.#runSize[run]++;
  }

  /** Takes `slot` out; a run without rows is spare. */
  #leave(slot: number, run: number): void {
    if (--this.#runSize[run] === 0) {
      this.#runYoungest[run] = this.#spare;
      this.#spare = run;
    } else if (this.#runYoungest[run] === slot) {
      this.#runYoungest[run] = this.#links[2 * slot + 1];
    }
    unlink(this.#links, slot);
  }
}
