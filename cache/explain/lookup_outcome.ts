/**
 * How lookups end, for those who watch a cache.
 *
 * @module
 */

/** How a lookup ended. */
export const LOOKUP: {
  /** The row was there. */
  readonly HIT: 0;
  /** Absent; it was given a place in the cache. */
  readonly MISS: 1;
  /** Absent, and kept out: admission refused it, or no place was to be had. */
  readonly REFUSED: 2;
  /** The row was being read already, for another lookup. */
  readonly DELAYED: 3;
  /** The row was being read already, for a prefetch that began too late. */
  readonly LATE: 4;
} = { HIT: 0, MISS: 1, REFUSED: 2, DELAYED: 3, LATE: 4 };

/** One of {@linkcode LOOKUP}. */
export type LookupOutcome = 0 | 1 | 2 | 3 | 4;

/**
 * Watches a cache. It is called from inside it, once for each lookup when its outcome is known, and
 * must not call it.
 */
export interface LookupObserver {
  /** A lookup of `key` (u32) in `partition` ended so. */
  observe(partition: number, key: number, outcome: LookupOutcome): void;
  /** The row of `key` was deleted: whoever looks it up next cannot find it. */
  forget(partition: number, key: number): void;
  /** All rows of `partition` were deleted. */
  forgetAll(partition: number): void;
}
