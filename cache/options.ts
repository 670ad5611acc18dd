/**
 * What a row cache is made from.
 *
 * @module
 */

import type { AdmissionPolicyFactory } from "./admission.ts";
import type { EvictionPolicyFactory } from "./eviction.ts";
import type { PrefetchOutcome } from "./prefetch_outcome.ts";

/**
 * Told once for every prefetched row how it ended. Called from inside the cache: it may count and
 * note, but must not call the cache.
 */
export type PrefetchListener = (partition: number, key: number, outcome: PrefetchOutcome) => void;

/** One partition: a table, or what else shares a row size and an order of eviction. */
export interface PartitionOptions {
  /** Rows it caches: slots 0 to `slotCount` - 1. At least 1. */
  slotCount: number;
  /**
   * Rows beyond the cache, for batches whose rows were refused or found nothing evictable: the
   * slots after the cache's. At least 0; as many as the live batches have distinct keys is always
   * enough.
   */
  scratchCount: number;
  /** Makes the policy that says which row leaves. */
  eviction: EvictionPolicyFactory;
  /** Makes the policy that says which row enters; every row by default. */
  admission?: AdmissionPolicyFactory;
}

/** What a {@linkcode RowCache} is made from. */
export interface RowCacheOptions {
  /** At least one. */
  partitions: readonly PartitionOptions[];
  /** Learns how prefetched rows end; nobody by default. */
  onPrefetch?: PrefetchListener;
}
