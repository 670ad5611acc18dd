/**
 * Order: which rows stay in memory. Eviction and admission policies, the caches that they steer,
 * and what compares them: traces, replay, miss-ratio curves. The caches know no bytes of rows, no
 * files and no time; only the readers and writers of traces touch files.
 *
 * @example
 * ```ts
 * import { createClaim, RowCache, sieve } from "@rowtier/rowtier/cache";
 *
 * const cache = new RowCache({ partitions: [{ slotCount: 9, scratchCount: 8, eviction: sieve }] });
 * const claim = createClaim();
 * const slots = new Int32Array(1);
 * for (const key of [5, 6, 5]) {
 *   const batch = cache.begin();
 *   if (cache.acquire(0, Uint32Array.of(key), 1, batch, slots) === 1) {
 *     const slot = cache.claim(0, key, batch, claim);
 *     cache.fill(0, slot, claim.generation); // once the row is in that slot
 *   }
 *   cache.retire(batch);
 * }
 * if (cache.counters(0).hits !== 1) throw new Error("unreachable");
 * ```
 *
 * @module
 */

export { type AdmissionPolicy, type AdmissionPolicyFactory, admitAlways } from "./admission.ts";
export { ADMISSION_CASES, type ConformanceCase, EVICTION_CASES } from "./conformance.ts";
export {
  type EvictionPolicy,
  type EvictionPolicyFactory,
  NO_SLOT,
  REMOVAL,
  type RemovalCause,
  type Slots,
} from "./eviction.ts";
export { MAX_BATCH_WINDOW, MAX_PARTITION_SLOTS, MAX_PARTITIONS } from "./limits.ts";
export { PREFETCH, type PrefetchOutcome } from "./prefetch_outcome.ts";
export { FrequencySketch } from "./admission/frequency_sketch.ts";
export { ADMISSION_POLICIES } from "./admission/policies.ts";
export { probabilistic, type ProbabilisticOptions } from "./admission/probabilistic.ts";
export { secondAccess, type SecondAccessOptions } from "./admission/second_access.ts";
export { tinyLfu } from "./admission/tiny_lfu.ts";
export { WriteBudget, writeBudget, type WriteBudgetOptions } from "./admission/write_budget.ts";
export { adaptive, type AdaptiveOptions, type AdaptivePolicy } from "./eviction/adaptive.ts";
export { arc } from "./eviction/arc.ts";
export { belady, type BeladyOptions } from "./eviction/belady.ts";
export { clock, type ClockOptions } from "./eviction/clock.ts";
export { fifo } from "./eviction/fifo.ts";
export { lfu, type LfuOptions } from "./eviction/lfu.ts";
export { lfuda } from "./eviction/lfuda.ts";
export { lirs, type LirsOptions } from "./eviction/lirs.ts";
export { lru } from "./eviction/lru.ts";
export { EVICTION_POLICIES } from "./eviction/policies.ts";
export { random, type RandomOptions } from "./eviction/random.ts";
export { s3fifo, type S3FifoOptions } from "./eviction/s3_fifo.ts";
export {
  setLfu,
  type SetLfuOptions,
  setLru,
  type SetLruOptions,
} from "./eviction/set_associative.ts";
export { sieve } from "./eviction/sieve.ts";
export { slru, type SlruOptions } from "./eviction/slru.ts";
export { twoq, type TwoQOptions } from "./eviction/two_q.ts";
export { wtinylfu, type WTinyLfuOptions } from "./eviction/w_tiny_lfu.ts";
export {
  type CapacityNeed,
  DISPLAY,
  type Display,
  type MissExplanation,
  type TableExplanation,
  type WaitClasses,
  type WaitShare,
} from "./explain/explanation.ts";
export { LOOKUP, type LookupObserver, type LookupOutcome } from "./explain/lookup_outcome.ts";
export {
  type ExplainedTable,
  MissExplainer,
  type MissExplainerOptions,
} from "./explain/miss_explainer.ts";
export { PooledCache } from "./pooled/pooled_cache.ts";
export {
  BAG_OUTCOME,
  type Bags,
  type BagTickets,
  createBagTickets,
  type PooledBytes,
  type PooledCacheOptions,
  type PooledCounters,
  type PooledTableOptions,
} from "./pooled/pooled_options.ts";
export {
  ByteStackDistances,
  type ByteStackDistancesOptions,
} from "./replay/byte_stack_distances.ts";
export { MissRatioCurve, type MissRatioCurveOptions } from "./replay/curve.ts";
export { MiniSimulation, type MiniSimulationOptions } from "./replay/mini_simulation.ts";
export { modelledCurve, type ModelledCurveOptions } from "./replay/modelled_curve.ts";
export { replay } from "./replay/replay.ts";
export type {
  ReplayChoice,
  ReplayFactory,
  ReplayModule,
  ReplayOptions,
  ReplayProgress,
  ReplayResult,
  ReplayResults,
} from "./replay/replay_options.ts";
export { Shards, type ShardsOptions } from "./replay/shards.ts";
export {
  type SizeClasses,
  sizeClasses,
  type SizeClassesOptions,
  sizeClassOf,
} from "./replay/size_classes.ts";
export { type BudgetPart, type BudgetSplit, splitBudget } from "./replay/split_budget.ts";
export { lruCurve, StackDistances, type StackDistancesOptions } from "./replay/stack_distances.ts";
export { AnyRowCache } from "./rows/any_row_cache.ts";
export { type Claim, createClaim, NO_BATCH } from "./rows/claim.ts";
export { CompactRowCache } from "./rows/compact_row_cache.ts";
export type { PartitionBytes, PartitionCounters } from "./rows/counters.ts";
export { DualRowCache } from "./rows/dual_row_cache.ts";
export { KeyCache, type KeyCacheCounters, type KeyCacheOptions } from "./rows/key_cache.ts";
export { KeyIndex } from "./rows/key_index.ts";
export {
  type CacheMetric,
  hitRatio,
  missByteRatio,
  missRatio,
  sumCounters,
  toOpenTelemetry,
  toPrometheus,
} from "./rows/metrics.ts";
export type {
  BucketOrder,
  CommonPartitionOptions,
  CompactOptions,
  CompactPartitionOptions,
  CompactRowCacheOptions,
  DualPartitionOptions,
  DualRowCacheOptions,
  PartitionOptions,
  PrefetchListener,
  RowCacheOptions,
  WatchOptions,
} from "./rows/options.ts";
export { RowCache } from "./rows/row_cache.ts";
export type { RowOrder } from "./rows/row_order.ts";
export { SLOT_STATE, SLOT_STATE_MASK } from "./rows/slot_state.ts";
export type {
  SharedPartitionCounters,
  SharedPartitionOptions,
  SharedRegion,
  SharedRowCacheHandle,
  SharedRowCacheOptions,
} from "./shared/shared_options.ts";
export { SharedRowCache } from "./shared/shared_row_cache.ts";
export { createDrift, type DriftOptions } from "./traces/drift.ts";
export { dense, KeyNumbering } from "./traces/key_numbering.ts";
export { generate, type KeySource } from "./traces/key_source.ts";
export {
  interleave,
  metaLike,
  type MetaLikeOptions,
  type MetaLikeTable,
} from "./traces/meta_like.ts";
export { META_REUSE, type ReuseStatistics } from "./traces/meta_reuse.ts";
export { type ArrivalSource, createPoisson, type PoissonOptions } from "./traces/poisson.ts";
export {
  readTrace,
  readTraceChunks,
  type ReadTraceOptions,
  type TraceChunk,
  type TraceInput,
} from "./traces/read_trace.ts";
export { createLoop, createScan, type LoopOptions, type ScanOptions } from "./traces/scan.ts";
export type { Trace } from "./traces/trace.ts";
export { TraceError } from "./traces/trace_error.ts";
export type { CsvOptions, TraceCompression, TraceFormat } from "./traces/trace_format.ts";
export { createUniform, type UniformOptions } from "./traces/uniform.ts";
export { writeTrace } from "./traces/write_trace.ts";
export { createZipf, type ZipfOptions } from "./traces/zipf.ts";
