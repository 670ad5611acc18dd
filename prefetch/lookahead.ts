/**
 * Reads ahead what the caller says will come.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import type { PrefetchOutcome } from "../cache/prefetch_outcome.ts";
import { RowWindow } from "./_row_window.ts";
import { MAX_LOOKAHEAD_ROWS } from "./limits.ts";
import type { Prefetcher } from "./prefetcher.ts";

/** What a {@linkcode Lookahead} is made from. */
export interface LookaheadOptions {
  /** Announced rows that wait at most; the newest beyond it are dropped. From 1 to 2^24. */
  capacity: number;
  /**
   * Whether a row needs no read, such as `cache.has`: asked when it is about to be predicted. By
   * default none is, and the cache finds out.
   */
  isCached?: (partition: number, key: number) => boolean;
}

/** What a {@linkcode Lookahead} counted since it was made. */
export interface LookaheadCounters {
  /** Rows passed to `announce`, repeats included. */
  readonly announced: number;
  /** Rows handed out by `predict`. */
  readonly predicted: number;
  /** Announced rows that found the window full. */
  readonly dropped: number;
  /** Predicted rows that were there when they were looked up. */
  readonly used: number;
  /** Predicted rows that were looked up while they were being read. */
  readonly late: number;
  /** Predicted rows that nobody looked up while they were cached. */
  readonly wasted: number;
}

/**
 * A prefetcher for a known future: batches that wait in a queue already name their rows. Announced
 * rows wait in order, each once; `predict` hands them out, and a row that is looked up before
 * leaves the window, as it is too late to read it ahead.
 *
 * Costs 16 to 24 bytes a row of capacity; nothing is allocated after construction but by
 * `counters`.
 *
 * @example
 * ```ts
 * import { Lookahead } from "@rowtier/rowtier/prefetch";
 *
 * const prefetcher = new Lookahead({ capacity: 100 });
 * prefetcher.announce(0, Uint32Array.of(5, 6, 5), 3);
 * const partitions = new Uint32Array(8);
 * const keys = new Uint32Array(8);
 * const predicted = prefetcher.predict(partitions, keys);
 * if (predicted !== 2 || keys[0] !== 5 || keys[1] !== 6) throw new Error("unreachable");
 * ```
 */
export class Lookahead implements Prefetcher {
  /** "lookahead". */
  readonly name: string = "lookahead";
  readonly #window: RowWindow;
  readonly #isCached: (partition: number, key: number) => boolean;
  #announced = 0;
  #predicted = 0;
  #dropped = 0;
  /** By outcome, whose numbers count from 0: USED, LATE, WASTED. */
  readonly #settled = new Float64Array(3);

  /**
   * An empty window.
   *
   * @throws {RangeError} when `capacity` is out of range.
   */
  constructor(options: LookaheadOptions) {
    const { capacity, isCached = () => false } = options;
    checkInteger("Cannot create Lookahead", "capacity", capacity, 1, MAX_LOOKAHEAD_ROWS);
    this.#window = new RowWindow(capacity);
    this.#isCached = isCached;
  }

  /** Rows that wait. */
  get size(): number {
    return this.#window.size;
  }

  /**
   * Predicted rows that somebody looked up, in time or not, in parts of those whose end is known; 0
   * while none is.
   */
  get accuracy(): number {
    const [used, late, wasted] = this.#settled;
    return used + late === 0 ? 0 : (used + late) / (used + late + wasted);
  }

  /** What it counted so far, as a fresh object. */
  counters(): LookaheadCounters {
    const [used, late, wasted] = this.#settled;
    return {
      announced: this.#announced,
      predicted: this.#predicted,
      dropped: this.#dropped,
      used,
      late,
      wasted,
    };
  }

  /**
   * The first `count` of `keys` will be looked up in `partition` soon. Rows that wait already stay
   * in their place; rows beyond the capacity are dropped.
   *
   * @throws {RangeError} when `count` is more than `keys` holds.
   */
  announce(partition: number, keys: Uint32Array, count: number): void {
    checkInteger("Cannot announce", "count", count, 0, keys.length);
    const window = this.#window;
    this.#announced += count;
    for (let i = 0; i < count; i++) {
      if (window.has(partition, keys[i])) continue;
      // The oldest are needed first: what comes last gives way.
      if (window.full) this.#dropped++;
      else window.push(partition, keys[i]);
    }
  }

  /**
   * The first `count` of `keys` were just looked up in `partition`: those that still wait leave.
   *
   * @throws {RangeError} when `count` is more than `keys` holds.
   */
  observe(partition: number, keys: Uint32Array, count: number): void {
    checkInteger("Cannot observe", "count", count, 0, keys.length);
    if (this.#window.size === 0) return;
    for (let i = 0; i < count; i++) this.#window.delete(partition, keys[i]);
  }

  /**
   * Moves the rows announced longest ago to the front of `partitions` and `keys`; returns how many.
   */
  predict(partitions: Uint32Array, keys: Uint32Array): number {
    const room = Math.min(partitions.length, keys.length);
    let count = 0;
    while (count < room && this.#window.shift(partitions, keys, count)) {
      if (!this.#isCached(partitions[count], keys[count])) count++;
    }
    this.#predicted += count;
    return count;
  }

  /** Counts how a predicted row ended. */
  settle(_partition: number, _key: number, outcome: PrefetchOutcome): void {
    this.#settled[outcome]++;
  }

  /** Throws an Error naming the broken invariant, if there is one. */
  verify(): void {
    this.#window.verify();
  }
}

/**
 * A {@linkcode Lookahead}.
 *
 * @throws {RangeError} when `capacity` is out of range.
 *
 * @example
 * ```ts
 * import { lookahead } from "@rowtier/rowtier/prefetch";
 *
 * const cached = new Set([5]);
 * const prefetcher = lookahead({ capacity: 100, isCached: (_, key) => cached.has(key) });
 * prefetcher.announce(0, Uint32Array.of(5, 6), 2);
 * const keys = new Uint32Array(8);
 * if (prefetcher.predict(new Uint32Array(8), keys) !== 1) throw new Error("unreachable");
 * if (keys[0] !== 6) throw new Error("unreachable");
 * ```
 */
export function lookahead(options: LookaheadOptions): Lookahead {
  return new Lookahead(options);
}
