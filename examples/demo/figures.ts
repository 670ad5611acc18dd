/**
 * From runs to figures.
 *
 * @module
 */

import type { KeyBatch, StageCosts, Table } from "@rowtier/rowtier/pipeline";
import type { DeviceTimes, RunFigures } from "./results.ts";
import { quantile, serve, type ServeTimes } from "./serve.ts";
import { memoryWorld, type World, type WorldOptions } from "./worlds.ts";

/** Figures of the served job in `world`. */
export function runFigures(
  world: World,
  table: Table,
  keys: Uint32Array,
  times: ServeTimes,
): RunFigures {
  const { tables: [cache], loader } = world.pipeline.counters();
  return {
    device: labelOf(world),
    lookups: cache.lookups,
    hitRatio: cache.hits / cache.lookups,
    delayedHits: cache.delayedHits,
    uniqueRows: uniqueRows(keys, table.rowCount),
    reads: loader.reads,
    readAmplification: loader.reads === 0 ? 0 : loader.readBytes / (loader.rows * table.rowBytes),
    iops: loader.reads / times.seconds,
    p50BatchNs: quantile(times.batchNs, 0.5),
    p99BatchNs: quantile(times.batchNs, 0.99),
    seconds: times.seconds,
    dramBytes: world.pipeline.memory().totalBytes,
    tableBytes: table.fileBytes,
  };
}

/** The times of one device, for the comparison. */
export function timesOf(
  world: World,
  times: ServeTimes,
  name: string = labelOf(world),
): DeviceTimes {
  return {
    name,
    simulated: world.simulated,
    p50BatchNs: quantile(times.batchNs, 0.5),
    p99BatchNs: quantile(times.batchNs, 0.99),
    seconds: times.seconds,
    iops: world.pipeline.counters().loader.reads / times.seconds,
  };
}

/** Rows that are looked up at all. */
function uniqueRows(keys: Uint32Array, rowCount: number): number {
  const seen = new Uint8Array(rowCount);
  for (let i = 0; i < keys.length; i++) seen[keys[i]] = 1;
  return seen.reduce((sum, one) => sum + one, 0);
}

/** The job with every row in DRAM: the second pass, when all rows are there. */
export async function serveFromDram(
  options: WorldOptions,
  batches: readonly KeyBatch[],
  output: Float32Array,
): Promise<{ times: ServeTimes; device: DeviceTimes }> {
  const { table } = options;
  using world = memoryWorld({ ...options, cacheRows: table.rowCount });
  await serve(world.pipeline, world.clock, batches, table.dim, output);
  const before = world.pipeline.counters().loader.reads;
  const times = await serve(world.pipeline, world.clock, batches, table.dim, output);
  if (world.pipeline.counters().loader.reads !== before) {
    throw new Error("the job with all rows in DRAM read some");
  }
  return { times, device: { ...timesOf(world, times, "all rows in DRAM"), iops: 0 } };
}

/**
 * What the CPU spends: a lookup and a pooled row from the job in DRAM, a read from the job over a
 * drive that answers at once.
 */
export async function measureCosts(
  options: WorldOptions,
  batches: readonly KeyBatch[],
  dram: ServeTimes,
  output: Float32Array,
): Promise<StageCosts> {
  const { table } = options;
  using world = memoryWorld(options);
  const times = await serve(world.pipeline, world.clock, batches, table.dim, output);
  const { tables: [cache], loader } = world.pipeline.counters();
  return {
    lookupNs: dram.stageNs / cache.lookups,
    readNs: Math.max(0, times.seconds - dram.seconds) * 1e9 / Math.max(1, loader.reads),
    poolNs: dram.poolNs / cache.lookups,
  };
}

function labelOf({ device, simulated }: World): string {
  return simulated && !device.includes("simulated") ? `simulated ${device}` : device;
}
