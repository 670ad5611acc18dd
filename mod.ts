/**
 * Software-defined memory for embedding rows: tables far larger than DRAM on fast storage, the hot
 * rows in a small cache, lookups pooled and decoded on the way.
 *
 * Everything here is also in its room: `/kernels` knows bytes, `/cache` order, `/tiers` time,
 * `/prefetch` the future, and `/pipeline` is where they meet. Start with `buildTable` and
 * `openPipeline`.
 *
 * @example Write a table and look two bags up
 * ```ts
 * import { buildTable, openPipeline } from "@rowtier/rowtier";
 *
 * const path = await Deno.makeTempFile({ suffix: ".rows" });
 * const rows = [Float32Array.of(1, 2), Float32Array.of(3, 4), Float32Array.of(5, 6)];
 * await buildTable(path, rows, { dim: 2 });
 *
 * using opened = openPipeline({ tables: [{ path, cacheShare: 0.5 }], maxBatchKeys: 64 });
 * const keys = Uint32Array.of(0, 2, 1), offsets = Uint32Array.of(0, 2, 3);
 * const vectors = await opened.pipeline.lookup({ parts: [{ table: 0, keys, offsets }] });
 * if (Math.abs(vectors[0] - 6) > 0.01) throw new Error("unreachable"); // row 0 + row 2
 * await Deno.remove(path);
 * ```
 *
 * @module
 */

export {
  type AdmissionPolicy,
  type AdmissionPolicyFactory,
  admitAlways,
  type Claim,
  createClaim,
  EVICTION_POLICIES,
  type EvictionPolicy,
  type EvictionPolicyFactory,
  KeyIndex,
  lru,
  MAX_BATCH_WINDOW,
  MAX_PARTITION_SLOTS,
  MAX_PARTITIONS,
  NO_BATCH,
  NO_SLOT,
  type PartitionBytes,
  type PartitionCounters,
  type PartitionOptions,
  PREFETCH,
  type PrefetchListener,
  type PrefetchOutcome,
  REMOVAL,
  type RemovalCause,
  RowCache,
  type RowCacheOptions,
  sieve,
  SLOT_STATE,
  type Slots,
} from "./cache/mod.ts";
export {
  type BagBatch,
  createKernel,
  type CreateKernelOptions,
  f32,
  fma32,
  type Kernel,
  type KernelSpec,
  type KernelTarget,
  MAX_DIM,
  type Pooling,
  q8,
  ROW_FORMATS,
  type RowFormat,
  rowFormat,
  UnsupportedTargetError,
} from "./kernels/mod.ts";
export {
  bagCount,
  type BatchPart,
  buildTable,
  type BuildTableOptions,
  COST,
  type Costs,
  createCosts,
  type KeyBatch,
  keyCount,
  type LoaderCounters,
  NO_TICKET,
  type OpenedPipeline,
  openPipeline,
  type OpenPipelineOptions,
  type OpenPipelineTable,
  openTable,
  Pipeline,
  type PipelineCounters,
  type PipelineMemory,
  type PipelineOptions,
  type PipelineTable,
  readTable,
  type StageCosts,
  type Table,
  TableFileError,
  type TableHeader,
  tableRows,
  TICKET_STATE,
  verifyTable,
} from "./pipeline/mod.ts";
export {
  Lookahead,
  lookahead,
  type LookaheadCounters,
  type LookaheadOptions,
  MAX_LOOKAHEAD_ROWS,
  none,
  type Prefetcher,
} from "./prefetch/mod.ts";
export {
  type BlockDevice,
  type Clock,
  createCompletions,
  createEventLog,
  createFaultDevice,
  createFileDevice,
  createIoQueue,
  createMemoryDevice,
  createRequests,
  createSimulatedDevice,
  createTraceDevice,
  createUringDevice,
  DeviceError,
  type DeviceProfile,
  type DeviceRung,
  drive,
  type Driven,
  ERRNO,
  type EventLog,
  type Fault,
  type FaultDeviceOptions,
  type FileDeviceOptions,
  type FileMedia,
  fileMedia,
  type FilesDevice,
  IO_OP,
  type IoCompletions,
  type IoQueue,
  type IoQueueOptions,
  type IoRequests,
  type Media,
  type MemoryDeviceOptions,
  memoryMedia,
  openDevice,
  type OpenDeviceOptions,
  type OpenedDevice,
  PRIORITY,
  PROFILES,
  RealClock,
  type SimulatedDeviceOptions,
  type TraceDeviceOptions,
  type UringDeviceOptions,
  VirtualClock,
} from "./tiers/mod.ts";
