/**
 * Tables on slow storage, served: table files, the loader that brings rows to the cache, and the
 * pipeline where kernels, cache, tiers and prefetch meet.
 *
 * @example Write a table and look two bags up
 * ```ts
 * import { buildTable, openPipeline } from "@rowtier/rowtier/pipeline";
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

export { bagCount, type BatchPart, type KeyBatch, keyCount } from "./batch.ts";
export { buildTable, type BuildTableOptions } from "./build_table.ts";
export { COST, type Costs, createCosts, type StageCosts } from "./costs.ts";
export {
  type OpenedPipeline,
  openPipeline,
  type OpenPipelineOptions,
  type OpenPipelineTable,
} from "./open_pipeline.ts";
export type { LoaderCounters } from "./_loader.ts";
export type {
  ExplainOptions,
  PipelineCounters,
  PipelineMemory,
  PipelineOptions,
  PipelineTable,
  PooledOptions,
} from "./options.ts";
export { Pipeline } from "./pipeline.ts";
export {
  openTable,
  type OpenTableOptions,
  readTable,
  type Table,
  tableRows,
  verifyTable,
} from "./table_file.ts";
export { TableFileError, type TableHeader } from "./table_header.ts";
export { NO_TICKET, TICKET_STATE } from "./ticket_state.ts";
