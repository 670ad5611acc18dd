/**
 * What the pipeline's tests run on: two tables of different row size, and the worlds that serve
 * them.
 *
 * @module
 */

import { join } from "@std/path";
import { createRandom, type Random } from "../../base/random.ts";
import { createKernel, f32, type Kernel, q8 } from "../../kernels/mod.ts";
import {
  type BatchPart,
  buildTable,
  type KeyBatch,
  keyCount,
  openTable,
  Pipeline,
  type PipelineOptions,
  type PipelineTable,
  readTable,
  type Table,
  TICKET_STATE,
} from "../../pipeline/mod.ts";
import {
  type BlockDevice,
  type Clock,
  createIoQueue,
  createMemoryDevice,
  createSimulatedDevice,
  type DeviceProfile,
  type IoQueue,
  type Media,
  memoryMedia,
  openDevice,
  PROFILES,
  RealClock,
  VirtualClock,
} from "../../tiers/mod.ts";

/** The two tables, and the kernels over their rows in memory: the truth. */
export interface Tables {
  readonly tables: readonly Table[];
  /** Pools `part` from memory. */
  truth(part: BatchPart): Float32Array;
}

/** Reads in flight: fewer than a batch can need. */
const DEPTH = 8;
const DIMS = [24, 33];
const ROWS = [300, 200];

/**
 * Builds both tables, 8-bit with mean pooling and fp32 with weighted sums, in a folder that goes
 * when the test file ends.
 */
export async function buildTables(rowCounts: readonly number[] = ROWS): Promise<Tables> {
  const folder = await Deno.makeTempDir({ prefix: "rowtier-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  const random = createRandom(7);
  const tables: Table[] = [];
  for (const [t, format] of [q8, f32].entries()) {
    const path = join(folder, `table${t}.rows`);
    const row = () => Float32Array.from({ length: DIMS[t] }, () => random.unit() * 2 - 1);
    await buildTable(path, Array.from({ length: rowCounts[t] }, row), { dim: DIMS[t], format });
    tables.push(openTable(path));
  }
  const arenas = tables.map((table) => {
    const arena = new Uint8Array(table.rowCount * table.rowBytes);
    readTable(table, arena);
    return arena;
  });
  const kernels: Kernel[] = tables.map(({ format, dim }, t) =>
    createKernel({
      format,
      dim,
      pooling: SERVED[t].pooling,
      weighting: SERVED[t].weighted ? "sample" : "none",
    }, { target: "scalar" })
  );
  const truth = (part: BatchPart): Float32Array => {
    const { rowBytes, rowCount, dim } = tables[part.table];
    const output = new Float32Array((part.offsets.length - 1) * dim);
    kernels[part.table].pool({
      bagCount: part.offsets.length - 1,
      offsets: part.offsets,
      slots: Int32Array.from(part.keys),
      slotCount: keyCount(part),
      arena: arenas[part.table],
      rowStride: rowBytes,
      rowCount,
      ...(part.weights && { weights: part.weights }),
    }, output);
    return output;
  };
  return { tables, truth };
}

/** How the two tables are pooled. */
export const SERVED = [
  { pooling: "mean", weighted: false },
  { pooling: "sum", weighted: true },
] as const;

/** A place to run a pipeline. */
export interface World extends Disposable {
  readonly queue: IoQueue;
  readonly clock: Clock;
  /** First byte of each table. */
  readonly offsets: readonly number[];
}

/** What holds both files one after the other, and where each starts. */
function bothFiles({ tables }: Tables): { media: Media; offsets: number[] } {
  const offsets: number[] = [];
  let end = 0;
  for (const { fileBytes } of tables) {
    offsets.push(end);
    end += Math.ceil(fileBytes / 4096) * 4096;
  }
  const bytes = new Uint8Array(end);
  tables.forEach(({ path }, t) => bytes.set(Deno.readFileSync(path), offsets[t]));
  return { media: memoryMedia(bytes), offsets };
}

/** A drive in virtual time that holds both files; `wrap` puts a fault device or a log around it. */
export function virtualWorld(
  tables: Tables,
  wrap: (device: BlockDevice, clock: VirtualClock) => BlockDevice = (device) => device,
  { seed = 1, profile = PROFILES.p5800x }: { seed?: number; profile?: DeviceProfile } = {},
): World {
  const clock = new VirtualClock();
  const { media, offsets } = bothFiles(tables);
  const device = createSimulatedDevice({ profile, media, clock, seed });
  const queue = createIoQueue({ devices: [wrap(device, clock)], depth: DEPTH, clock });
  return { queue, clock, offsets, [Symbol.dispose]: () => queue[Symbol.dispose]() };
}

/** A drive that answers at once. */
export function memoryWorld(tables: Tables): World {
  const clock = new VirtualClock();
  const { media, offsets } = bothFiles(tables);
  const queue = createIoQueue({
    devices: [createMemoryDevice({ media, clock })],
    depth: DEPTH,
    clock,
  });
  return { queue, clock, offsets, [Symbol.dispose]: () => queue[Symbol.dispose]() };
}

/** The real files, read in the fastest way that is to be had. */
export function realWorld({ tables }: Tables): World {
  const clock = new RealClock();
  const { device, fileOffsets } = openDevice({ files: tables.map(({ path }) => path) });
  const queue = createIoQueue({ devices: [device], depth: DEPTH, clock });
  return { queue, clock, offsets: fileOffsets, [Symbol.dispose]: () => queue[Symbol.dispose]() };
}

/** A pipeline over both tables in `world`, by LRU unless it says otherwise: they are small. */
export function pipelineIn(
  world: World,
  { tables }: Tables,
  options: Partial<PipelineOptions> = {},
  cacheRows: readonly number[] = [12, 5],
  everyTable: Partial<PipelineTable> = {},
): Pipeline {
  return new Pipeline({
    queue: world.queue,
    clock: world.clock,
    maxBatchKeys: 64,
    maxBatches: 3,
    ...options,
    tables: tables.map((table, t) => ({
      table,
      offsetBytes: world.offsets[t],
      cacheRows: cacheRows[t],
      ...everyTable,
      ...SERVED[t],
    })),
  });
}

/**
 * A batch of up to 60 keys over both tables, in one to three parts, with empty bags and repeats.
 */
export function randomBatch(random: Random): KeyBatch {
  const parts: BatchPart[] = [];
  for (let p = 1 + random.below(3); p > 0; p--) {
    const table = random.below(2);
    const lengths = Array.from({ length: random.below(4) }, () => random.below(6));
    const offsets = Uint32Array.of(0, ...lengths);
    for (let b = 1; b < offsets.length; b++) offsets[b] += offsets[b - 1];
    const count = offsets[offsets.length - 1];
    // Squared: some keys are much hotter than others.
    const key = () => Math.floor(random.unit() ** 2 * ROWS[table]);
    const keys = Uint32Array.from({ length: count }, key);
    const weights = Float32Array.from({ length: count }, () => random.unit() * 4 - 2);
    parts.push({ table, keys, offsets, ...(SERVED[table].weighted && { weights }) });
  }
  return { parts };
}

/** All parts' vectors, one after the other. */
export function truthOf({ truth }: Tables, batch: KeyBatch): Float32Array {
  const outputs = batch.parts.map(truth);
  const all = new Float32Array(outputs.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const output of outputs) {
    all.set(output, at);
    at += output.length;
  }
  return all;
}

/** Bit for bit, with NaN equal to NaN. */
export function bits(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

/** Idles until `ticket` is ready. */
export async function untilReady(pipeline: Pipeline, ticket: number): Promise<void> {
  while (pipeline.state(ticket) !== TICKET_STATE.READY) await pipeline.idle();
}
