/**
 * Makes what a pipeline consists of: all the memory that it will ever use.
 *
 * @module
 */

import type { AnyRowCache, MissExplainer } from "../cache/mod.ts";
import { createKernel, type Kernel } from "../kernels/mod.ts";
import type { Prefetcher } from "../prefetch/mod.ts";
import { type Arena, createArena } from "./_arena.ts";
import { checkOptions } from "./_checked_options.ts";
import { Loader } from "./_loader.ts";
import { PooledBags } from "./_pooled_bags.ts";
import { createExplainer, createTableCache } from "./_table_cache.ts";
import { TicketRecord } from "./_tickets.ts";
import { WarmUp } from "./_warm_up.ts";
import { WriteWindows } from "./_write_windows.ts";
import type { BatchBounds } from "./batch.ts";
import { READ_AHEAD_ROWS } from "./limits.ts";
import type { PipelineOptions, PipelineTable } from "./options.ts";

/** The parts of a pipeline. */
export interface Assembly {
  /** By table. */
  readonly names: readonly string[];
  readonly bounds: BatchBounds;
  readonly arena: Arena;
  readonly cache: AnyRowCache;
  readonly loader: Loader;
  readonly warmUp: WarmUp;
  readonly writes: WriteWindows;
  readonly explainer: MissExplainer | undefined;
  readonly pooledBags: PooledBags | undefined;
  /** By table. */
  readonly kernels: readonly Kernel[];
  readonly tickets: readonly TicketRecord[];
}

/** Makes them; throws a RangeError when an option is out of its bounds. */
export function assemble(options: PipelineOptions, prefetcher: Prefetcher): Assembly {
  const { tables, queue } = options;
  const checked = checkOptions("Cannot create Pipeline", options);
  const { maxBatches, maxKeys, maxBags, names, compactRowBytes } = checked;
  // Every distinct key of every batch in flight may need a scratch slot of its own: with fewer, the
  // last batch could wait for slots that only its user can free.
  const scratchRows = tables.map(({ table }) => Math.min(maxKeys, table.rowCount) * maxBatches);
  const blockBytes = Math.max(...tables.map(({ table }) => table.blockBytes));
  const arena = createArena(
    queue.depth * blockBytes,
    tables.map(({ table, cacheRows }, t) => ({ table, cacheRows, scratchRows: scratchRows[t] })),
  );
  const rowStrides = arena.places.map(({ rowStride }) => rowStride);
  const writes = new WriteWindows(options.clock.now());
  const explainer = createExplainer(options, names, rowStrides);
  const dims = tables.map(({ table }) => table.dim);
  const pooledBags = options.pooledCache && new PooledBags(options.pooledCache, dims, maxKeys);
  const cache = createTableCache({
    tables,
    scratchRows,
    admissions: tables.map((table, t) => writes.limit(table, rowStrides[t])),
    compactRowBytes,
    onPrefetch: (partition, key, outcome) => prefetcher.settle(partition, key, outcome),
    ...(explainer && { observer: explainer }),
  });
  const loader = new Loader({
    queue,
    cache,
    arena,
    tables: tables.map(({ table, device = 0, offsetBytes }) => ({ table, device, offsetBytes })),
    bounceBytes: blockBytes,
    depth: queue.depth,
    capacity: maxKeys * maxBatches + READ_AHEAD_ROWS,
    readTimeoutNs: options.readTimeoutNs ?? 10e9,
  });
  queue.attach(arena.bounce);
  const weighted = tables.some((table) => table.weighted === true);
  const maxFoundFloats = pooledBags?.maxFloats(maxKeys) ?? 0;
  return {
    names,
    bounds: { maxKeys, maxBags },
    arena,
    cache,
    loader,
    warmUp: new WarmUp(cache, loader),
    writes,
    explainer,
    pooledBags,
    kernels: tables.map((table) => kernelOf(table, arena)),
    tickets: Array.from(
      { length: maxBatches },
      () => new TicketRecord({ maxKeys, maxBags, weighted, dims, maxFoundFloats }),
    ),
  };
}

function kernelOf(
  { table: { format, dim }, pooling = "sum", weighted = false }: PipelineTable,
  { memory }: Arena,
): Kernel {
  const weighting = weighted ? "sample" : "none";
  return createKernel({ format, dim, pooling, weighting }, { memory });
}
