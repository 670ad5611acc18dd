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
  /** Fresh claims that got a cache slot, prefetches and rows of a warm-up included. */
  readonly admissions: number;
  /** Absent keys, prefetches included, that the admission policy kept out of the cache. */
  readonly refusals: number;
  /**
   * Fresh claims that got a scratch slot: refused, nothing was evictable, or the partition was
   * switched off.
   */
  readonly scratchClaims: number;
  /**
   * Rows that left because the policy chose them, for a newcomer or by a hit. Rows that left at all
   * = `evictions` + `deletions` + `failures`.
   */
  readonly evictions: number;
  /** Of the `evictions`, those that a hit pushed out; the others made room for a newcomer. */
  readonly pushedOut: number;
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
  /** Bytes of a row, as the partition's options say: the unit of the next three. */
  readonly rowBytes: number;
  /** `rowBytes` of every lookup; the rest of it, beside hits and misses, are delayed hits. */
  readonly lookupBytes: number;
  /** `rowBytes` of every hit. */
  readonly hitBytes: number;
  /** `rowBytes` of every miss: bytes of rows, not those of the blocks that a drive reads. */
  readonly missBytes: number;
}

/** What follows from the other counters at read-out, so that it costs the lookups nothing. */
type DerivedCounter = "rowBytes" | "lookupBytes" | "hitBytes" | "missBytes";

/** The counters while they count. */
export type Tally = {
  -readonly [Name in Exclude<keyof PartitionCounters, DerivedCounter>]: PartitionCounters[Name];
};

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
    pushedOut: 0,
    deletions: 0,
    failures: 0,
    prefetches: 0,
    prefetchUsed: 0,
    prefetchLate: 0,
    prefetchWasted: 0,
  };
}

/** The counters of a partition whose rows have `rowBytes` each. */
export function readTally(tally: Tally, rowBytes: number): PartitionCounters {
  return {
    ...tally,
    rowBytes,
    lookupBytes: rowBytes * tally.lookups,
    hitBytes: rowBytes * tally.hits,
    missBytes: rowBytes * tally.misses,
  };
}

/** Bytes of one partition's arrays. */
export interface PartitionBytes {
  /** The hash index; of a compact partition, that of its scratch rows. */
  readonly indexBytes: number;
  /** The eviction policy's columns; 0 for a compact partition, whose order is in its columns. */
  readonly policyBytes: number;
  /** The slots' columns, cache and scratch, and the claims in flight of a compact partition. */
  readonly columnBytes: number;
}
