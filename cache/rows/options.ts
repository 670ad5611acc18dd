/**
 * What a row cache is made from.
 *
 * @module
 */

import type { AdmissionPolicyFactory } from "../admission.ts";
import type { EvictionPolicyFactory } from "../eviction.ts";
import type { LookupObserver } from "../explain/lookup_outcome.ts";
import type { PrefetchOutcome } from "../prefetch_outcome.ts";

/**
 * Told once for every prefetched row how it ended. Called from inside the cache: it may count and
 * note, but must not call the cache.
 */
export type PrefetchListener = (partition: number, key: number, outcome: PrefetchOutcome) => void;

/** What every partition has: a table, or what else shares a row size and an order of eviction. */
export interface CommonPartitionOptions {
  /** Rows it caches: slots 0 to `slotCount` - 1. At least 1. */
  slotCount: number;
  /**
   * Rows beyond the cache, for batches whose rows were refused or found nothing evictable: the
   * slots after the cache's. At least 0; as many as the live batches have distinct keys is always
   * enough.
   */
  scratchCount: number;
  /** Makes the policy that says which row enters; every row by default. */
  admission?: AdmissionPolicyFactory;
  /** Bytes of a row, at least 0, for the counters of bytes; 0 by default. */
  rowBytes?: number;
}

/** One partition of a {@linkcode RowCache}. */
export interface PartitionOptions extends CommonPartitionOptions {
  /** Makes the policy that says which row leaves. */
  eviction: EvictionPolicyFactory;
}

/** Who may watch a row cache. */
export interface WatchOptions {
  /** Learns how prefetched rows end; nobody by default. */
  onPrefetch?: PrefetchListener;
  /** Learns how each lookup ends, and what is deleted; nobody by default. */
  observer?: LookupObserver;
}

/** What a {@linkcode RowCache} is made from. */
export interface RowCacheOptions extends WatchOptions {
  /** At least one. */
  partitions: readonly PartitionOptions[];
}

/** The order of eviction inside a bucket of a {@linkcode CompactRowCache}. */
export type BucketOrder = "lru" | "clock";

/** What a compact partition may be told beside the common options. */
export interface CompactOptions {
  /** Which row of a full bucket leaves; "lru" by default. */
  order?: BucketOrder;
  /**
   * Every key is below it, 1 to 2^32, the default; `acquire`, `claim` and `warm` throw for one that
   * is not. The bucket and 24 bits must tell all keys apart: it may be at most 2^24, or 2^20 times
   * the slots where the power of two at or below that is more.
   */
  keyCount?: number;
  /**
   * Rows that may be loading in cache slots at a time, 16 bytes each; a claim beyond them gets a
   * scratch slot. At least 1; 4096 by default, and never more than there are slots.
   */
  loadingCount?: number;
}

/** One partition of a {@linkcode CompactRowCache}. */
export interface CompactPartitionOptions extends CommonPartitionOptions, CompactOptions {}

/** What a {@linkcode CompactRowCache} is made from. */
export interface CompactRowCacheOptions extends WatchOptions {
  /** At least one. */
  partitions: readonly CompactPartitionOptions[];
}

/** One partition of a {@linkcode DualRowCache}. */
export interface DualPartitionOptions extends PartitionOptions, CompactOptions {
  /** Bytes of a row, at least 0: what the choice goes by. */
  rowBytes: number;
}

/** What a {@linkcode DualRowCache} is made from. */
export interface DualRowCacheOptions extends WatchOptions {
  /** At least one. */
  partitions: readonly DualPartitionOptions[];
  /** Rows of at most so many bytes go to compact partitions; 255 by default, 0 for none. */
  compactRowBytes?: number;
}
