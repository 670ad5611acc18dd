/**
 * What a pooled cache is made from, what it is asked with, and what it counts.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import type { EvictionPolicyFactory } from "../eviction.ts";
import { HASH_WORDS } from "./_bag_hash.ts";

/** One table whose pooled outputs are cached. */
export interface PooledTableOptions {
  /** Floats of its pooled output. At least 1. */
  dim: number;
  /** Its version at first, u32; 0 by default. */
  version?: number;
}

/** What a {@linkcode PooledCache} is made from. */
export interface PooledCacheOptions {
  /** At least one; requests name them by their place here. */
  tables: readonly PooledTableOptions[];
  /**
   * The budget of everything that grows with entries, policy and index included. Each table adds
   * about as many entries as any other to the slab of its dim.
   */
  bytes: number;
  /**
   * Bags of fewer keys skip the cache; 8 by default. An entry takes the memory of 4 rows of int8 or
   * 8 of int4, and so must save more row reads than those rows would. Whether the hash pays at all
   * (6 ns a key, 18 with weights, on every lookup for hits of a few per cent) is for
   * {@linkcode PooledCounters} to tell.
   */
  minimumLength?: number;
  /** Makes the policy of each slab, whose keys are 31 bits of the hash; LRU by default. */
  eviction?: EvictionPolicyFactory;
  /** Seeds the hash; any safe integer, 0 by default. */
  seed?: number;
}

/** Bags of one table; a pipeline's batch part is one. */
export interface Bags {
  /** The row keys of all bags, one after the other, u32. */
  readonly keys: Uint32Array;
  /** Bags + 1 entries, never decreasing: bag b is keys [offsets[b], offsets[b + 1]). */
  readonly offsets: Uint32Array;
  /** fp32, one for each key; left out when rows are not weighted. */
  readonly weights?: Float32Array;
}

/** How the lookup of a bag ended. */
export const BAG_OUTCOME: {
  /** Not there: worth storing once it is pooled. */
  readonly MISS: 0;
  /** Its pooled output was written. */
  readonly HIT: 1;
  /** Shorter than the cache's `minimumLength`: neither looked up nor stored. */
  readonly SHORT: 2;
} = { MISS: 0, HIT: 1, SHORT: 2 };

/**
 * What lookups leave behind for the stores after them, so that a bag is hashed once. Made for a
 * number of bags, and used again for the next batch.
 */
export interface BagTickets {
  /** Bag b's hash: words 4 b to 4 b + 3. */
  readonly hash: Int32Array;
  /** One of {@linkcode BAG_OUTCOME} a bag. */
  readonly outcome: Uint8Array;
}

/**
 * Tickets for up to `bagCount` bags, 17 bytes each; all say SHORT until a lookup writes them.
 *
 * @throws {RangeError} when `bagCount` is below 1.
 */
export function createBagTickets(bagCount: number): BagTickets {
  checkInteger("Cannot create BagTickets", "bagCount", bagCount, 1);
  return {
    hash: new Int32Array(HASH_WORDS * bagCount),
    outcome: new Uint8Array(bagCount).fill(BAG_OUTCOME.SHORT),
  };
}

/** Counts of one table since the cache was made. `lookups` = `hits` + `misses` + `tooShort`. */
export interface PooledCounters {
  /** Bags looked up. */
  readonly lookups: number;
  /** Bags whose pooled output was there. */
  readonly hits: number;
  /** Bags that were hashed and not found. */
  readonly misses: number;
  /** Bags shorter than `minimumLength`. */
  readonly tooShort: number;
  /** Keys of the bags in `hits`: row lookups saved. */
  readonly keysSaved: number;
  /** Keys of the bags in `hits` and `misses`: keys hashed. */
  readonly keysHashed: number;
  /** Outputs that were given a slot. */
  readonly stores: number;
  /** Stores that found their bag there already, or no slot to be had. */
  readonly storesSkipped: number;
  /** Outputs that left because the policy chose them, or because 32 bits of two hashes met. */
  readonly evictions: number;
  /** Outputs that left because their table got another version. */
  readonly invalidations: number;
  /** Outputs held now. */
  readonly entries: number;
  /** Bytes of the floats held now. */
  readonly bytes: number;
}

/** Bytes of a pooled cache's arrays. */
export interface PooledBytes {
  /** The slabs of floats. */
  readonly rowBytes: number;
  /** The slots' columns: 26 bytes each. */
  readonly columnBytes: number;
  /** The hash indexes. */
  readonly indexBytes: number;
  /** The eviction policies' columns. */
  readonly policyBytes: number;
}
