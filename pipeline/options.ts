/**
 * What a pipeline is made from, and what it says of itself.
 *
 * @module
 */

import type {
  AdmissionPolicyFactory,
  EvictionPolicyFactory,
  PartitionCounters,
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
  /** First byte of the file on its device. */
  offsetBytes: number;
  /** Which of the queue's devices; the first by default. */
  device?: number;
  /** Rows its cache holds, at least 1. */
  cacheRows: number;
  /** Which row leaves; least recently used by default. */
  eviction?: EvictionPolicyFactory;
  /** Which row may enter; all by default. */
  admission?: AdmissionPolicyFactory;
  /** How a bag becomes a vector; "sum" by default. "max" takes no weights. */
  pooling?: Exclude<Pooling, "none">;
  /** Whether each key has a weight; false by default. */
  weighted?: boolean;
}

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
  /** Hash indexes. */
  readonly indexBytes: number;
  /** The policies' columns. */
  readonly policyBytes: number;
  /** The slots' columns. */
  readonly columnBytes: number;
  /** The blocks' checksums. */
  readonly checksumBytes: number;
  /** Batches in flight and the loader's lists. */
  readonly ticketBytes: number;
  /** All of them. */
  readonly totalBytes: number;
}

/** What a pipeline did so far: the cache's counters by table, and the loader's. */
export interface PipelineCounters {
  /** By table. */
  readonly tables: readonly PartitionCounters[];
  /** Reads, over all tables. */
  readonly loader: Readonly<LoaderCounters>;
}
