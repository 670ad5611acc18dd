/**
 * What a shared row cache is made from, what workers get of it, and what it counts.
 *
 * @module
 */

import type { PartitionCounters } from "../rows/counters.ts";
import type { BucketOrder } from "../rows/options.ts";

/** One partition of a {@linkcode SharedRowCache}. */
export interface SharedPartitionOptions {
  /** Rows it caches: slots 0 to `slotCount` - 1. At least 1. */
  slotCount: number;
  /**
   * Parts with a lock each, a power of two up to 1024 and `slotCount`. A key belongs to one part,
   * and can be in its slots alone. By default as many parts of 512 slots or more as there are, 32
   * at most: a few workers then seldom meet, and a part has room for what several batches pin
   * there. Fewer parts suit small batches, which take most of the locks for a key or two.
   */
  shardCount?: number;
  /**
   * Which row of a full shard leaves. "clock", the default, spares rows used since its hand last
   * came by, and writes nothing that the pin does not write anyway; "lru" is the least recently
   * used, for 8 bytes a slot.
   */
  order?: BucketOrder;
  /** Bytes of a row, 0 to 2^31 - 1, for the counters of bytes; 0 by default. */
  rowBytes?: number;
}

/** Where a shared row cache is to lie. */
export interface SharedRegion {
  /** Shared memory: by itself, or that of a `WebAssembly.Memory` made with `shared: true`. */
  buffer: SharedArrayBuffer;
  /** Where the cache begins, a multiple of 64; it takes {@linkcode SharedRowCache.bytesFor}. */
  byteOffset: number;
}

/** What a {@linkcode SharedRowCache} is made from. */
export interface SharedRowCacheOptions {
  /** At least one. */
  partitions: readonly SharedPartitionOptions[];
  /** Memory to use, what it holds is overwritten; a `SharedArrayBuffer` of its own by default. */
  region?: SharedRegion;
  /**
   * Milliseconds, 1 to 2^31 - 1, after which a lock that nobody gives up is an error; 5000 by
   * default. Locks are held for microseconds, or for as long as the system stops a thread.
   */
  lockTimeoutMs?: number;
}

/** What is posted to a worker, which gives it to {@linkcode SharedRowCache.attach}. */
export interface SharedRowCacheHandle {
  /** The memory that holds the cache. */
  readonly buffer: SharedArrayBuffer;
  /** Where the cache begins. */
  readonly byteOffset: number;
  /** How many bytes it takes. */
  readonly byteLength: number;
}

/**
 * Counts of one partition of a {@linkcode SharedRowCache}, of all workers together. It has no
 * admission policy, no scratch slots and no prefetches: those counts are 0.
 */
export interface SharedPartitionCounters extends PartitionCounters {
  /** Claims that got no slot, as every slot of their shard was pinned or loading. */
  readonly unplaced: number;
}
