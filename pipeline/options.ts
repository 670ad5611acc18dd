/**
 * What a pipeline is made from, and what it says of itself.
 *
 * @module
 */

import type {
  AdmissionPolicyFactory,
  EvictionPolicyFactory,
  MissExplainerOptions,
  PartitionCounters,
  PooledCacheOptions,
  PooledCounters,
} from "../cache/mod.ts";
import type { Pooling } from "../kernels/mod.ts";
import type { Prefetcher } from "../prefetch/mod.ts";
import type { Clock, IoQueue } from "../tiers/mod.ts";
import type { LoaderCounters } from "./_loader.ts";
import type { Costs } from "./costs.ts";
import type { Table } from "./table_file.ts";

/** A table as the pipeline serves it. */
export interface PipelineTable {
  /** The opened file. */
  table: Table;
  /** Its name in `explain` and `metrics`, unlike any other's; "table 3" for table 3 by default. */
  name?: string;
  /** First byte of the file on its device. */
  offsetBytes: number;
  /** Which of the queue's devices; the first by default. */
  device?: number;
  /** Rows its cache holds, at least 1. */
  cacheRows: number;
  /**
   * Which row leaves. By default what fits is found out while it runs (`adaptive`); below 512 rows,
   * where that takes more memory than it is worth, the least recently used. Not for a table that is
   * kept compactly.
   */
  eviction?: EvictionPolicyFactory;
  /** Which row may enter; all by default. */
  admission?: AdmissionPolicyFactory;
  /**
   * Bytes of rows that may enter its cache in a day, for a cache on memory that wears out; above 0,
   * unlimited by default. Given out in windows of about a second, of what `admission` lets in. What
   * is not used up is lost, and rows of a warm-up are not counted.
   */
  writeBytesPerDay?: number;
  /** How a bag becomes a vector; "sum" by default. "max" takes no weights. */
  pooling?: Exclude<Pooling, "none">;
  /** Whether each key has a weight; false by default. */
  weighted?: boolean;
}

/** How misses are explained: how many keys are sampled, and which. */
export type ExplainOptions = Omit<MissExplainerOptions, "tables">;

/** Budget, shortest bag and policy of the pooled bags. */
export type PooledOptions = Omit<PooledCacheOptions, "tables">;

/** What a pipeline is made from. It owns none of these: who made the queue disposes of it. */
export interface PipelineOptions {
  /** One partition of the cache each. */
  tables: readonly PipelineTable[];
  /** Where rows are read; for this pipeline alone. */
  queue: IoQueue;
  /** The queue's clock. */
  clock: Clock;
  /** Keys of one batch at most; 4096 by default. */
  maxBatchKeys?: number;
  /** Bags, and parts, of one batch at most; as many as keys by default. */
  maxBatchBags?: number;
  /** Batches in flight at most; 4 by default. */
  maxBatches?: number;
  /** Reads rows before they are asked for; none by default. */
  prefetcher?: Prefetcher;
  /**
   * Tables whose rows have at most so many bytes are kept compactly, 5 bytes a row beside the row's
   * own and CLOCK in buckets of 16, instead of 42 to 64 bytes with an index and an eviction policy;
   * unless a table has too few cache slots for its rows. 0 by default: none.
   *
   * For the same slots an adaptive cache misses least: 0.92 times what a compact one does. For the
   * same bytes that is so from rows of about 72 bytes on: 0.98 times with rows of 108 bytes, 1.08
   * times with 24 (geometric means over real and made-up traces at 1, 3 and 10 % of the rows).
   */
  compactRowBytes?: number;
  /**
   * Keeps pooled bags: one that comes again, with the same keys in any order and the same weights,
   * is answered without its rows. None are kept by default; whether it pays, `counters().pooled`
   * tells. An answer may differ in its last bits where the order of the keys does. Each batch in
   * flight has room for the bags that may be found in it, `maxBatchKeys` / `minimumLength` of them.
   */
  pooledCache?: PooledOptions;
  /** Finds out why lookups miss, for `explain`, at about 10 ns a lookup; false by default. */
  explain?: boolean | ExplainOptions;
  /** Takes CPU time in a simulated world; by default it is free. */
  costs?: Costs;
  /** ns after which a read is cancelled and its row given up; 10 s by default. */
  readTimeoutNs?: number;
}

/** Bytes that a pipeline holds, from the real sizes of its arrays. */
export interface PipelineMemory {
  /** Rows in cache slots. */
  readonly cacheBytes: number;
  /** Rows in scratch slots. */
  readonly scratchBytes: number;
  /** Bounce buffers. */
  readonly bounceBytes: number;
  /** Hash indexes; of tables kept compactly, those of their scratch rows. */
  readonly indexBytes: number;
  /** The eviction policies' columns. */
  readonly policyBytes: number;
  /** The slots' columns. */
  readonly columnBytes: number;
  /** The blocks' checksums. */
  readonly checksumBytes: number;
  /** Batches in flight and the loader's lists. */
  readonly ticketBytes: number;
  /** Samples of lookups, where misses are explained. */
  readonly explainerBytes: number;
  /** Pooled bags, where they are kept. */
  readonly pooledBytes: number;
  /** All of them. */
  readonly totalBytes: number;
}

/** What a pipeline did so far: the cache's counters by table, and the loader's. */
export interface PipelineCounters {
  /** By table. */
  readonly tables: readonly PartitionCounters[];
  /** By table, of its pooled bags; empty where none are kept. */
  readonly pooled: readonly PooledCounters[];
  /** Reads, over all tables. */
  readonly loader: Readonly<LoaderCounters>;
}
