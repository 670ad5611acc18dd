/**
 * What a partition counts, and what it holds.
 *
 * @module
 */

/**
 * Counts of one partition since it was made. `lookups` = `hits` + `delayedHits` + `misses`, always.
 */
export interface PartitionCounters {
  /** Keys passed to `acquire`. */
  readonly lookups: number;
  /** Lookups whose row was there. */
  readonly hits: number;
  /**
   * Lookups whose row was being read already: for an earlier batch, a prefetch, or the same batch.
   */
  readonly delayedHits: number;
  /** Lookups that found nothing, less those that a claim then found repeated within their batch. */
  readonly misses: number;
  /** Fresh claims that got a cache slot, prefetches included. */
  readonly admissions: number;
  /** Absent keys, prefetches included, that the admission policy kept out of the cache. */
  readonly refusals: number;
  /** Fresh claims that got a scratch slot: refused, or nothing was evictable. */
  readonly scratchClaims: number;
  /** Rows that left because the policy chose them. */
  readonly evictions: number;
  /** Rows, ready or loading, that `delete` and `clear` took out. */
  readonly deletions: number;
  /** Reads that `abandon` ended. */
  readonly failures: number;
  /** Fresh claims for no batch. */
  readonly prefetches: number;
  /** Prefetched rows that were there at their first lookup. */
  readonly prefetchUsed: number;
  /** Prefetched rows that were still being read at their first lookup. */
  readonly prefetchLate: number;
  /** Prefetched rows that left, or failed, before any lookup. */
  readonly prefetchWasted: number;
}

/** The counters while they count. */
export type Tally = { -readonly [Name in keyof PartitionCounters]: PartitionCounters[Name] };

/** All counters at 0. */
export function createTally(): Tally {
  return {
    lookups: 0,
    hits: 0,
    delayedHits: 0,
    misses: 0,
    admissions: 0,
    refusals: 0,
    scratchClaims: 0,
    evictions: 0,
    deletions: 0,
    failures: 0,
    prefetches: 0,
    prefetchUsed: 0,
    prefetchLate: 0,
    prefetchWasted: 0,
  };
}

/** Bytes of one partition's arrays. */
export interface PartitionBytes {
  /** The hash index. */
  readonly indexBytes: number;
  /** The eviction policy's columns. */
  readonly policyBytes: number;
  /** The slots' columns: 15 bytes a cache slot, 11 a scratch slot. */
  readonly columnBytes: number;
}
