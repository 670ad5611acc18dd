/**
 * Where the demo's table is served from: the real file, memory, or a simulated drive in virtual
 * time.
 *
 * @module
 */

import { EVICTION_POLICIES } from "@rowtier/rowtier/cache";
import {
  createCosts,
  openPipeline,
  Pipeline,
  type StageCosts,
  type Table,
} from "@rowtier/rowtier/pipeline";
import {
  type BlockDevice,
  type Clock,
  createIoQueue,
  createMemoryDevice,
  createSimulatedDevice,
  type DeviceRung,
  fileMedia,
  memoryMedia,
  PROFILES,
  RealClock,
  VirtualClock,
} from "@rowtier/rowtier/tiers";

/** Reads in flight, everywhere. */
export const DEPTH = 128;

/** The simulated drives, by the name of their option. */
const SIMULATED = { nand: PROFILES.p3700, "3dxp": PROFILES.p5800x } as const;

/** Their names. */
export const DRIVES = ["nand", "3dxp"] as const;

/** What a pipeline of the demo is made from. */
export interface WorldOptions {
  readonly table: Table;
  /** Rows in the cache. */
  readonly cacheRows: number;
  /** A name of `EVICTION_POLICIES`. */
  readonly policy: string;
  readonly maxBatchKeys: number;
}

/** A pipeline and the clock it runs by. */
export interface World extends Disposable {
  readonly pipeline: Pipeline;
  readonly clock: Clock;
  /** What the rows come from, for people. */
  readonly device: string;
  /** True when its times are virtual. */
  readonly simulated: boolean;
  /** Why a faster way is not used; empty when there is none. */
  readonly why: string;
}

/** Batches in flight: enough for their misses to fill the queue at 2 % of the rows. */
const MAX_BATCHES = 4;

/** The table's file on the real disk. */
export function realWorld(options: WorldOptions, mode: "auto" | DeviceRung): World {
  const { table, cacheRows, policy, maxBatchKeys } = options;
  const opened = openPipeline({
    mode,
    depth: DEPTH,
    maxBatchKeys,
    maxBatches: MAX_BATCHES,
    tables: [{
      path: table.path,
      cacheShare: cacheRows / table.rowCount,
      eviction: EVICTION_POLICIES[policy],
    }],
  });
  return {
    ...opened,
    clock: new RealClock(),
    // Buffered reads come from memory once the kernel holds the file: no figure of the disk.
    device: `real disk, ${opened.rung === "buffered" ? "buffered by the page cache" : opened.rung}`,
    simulated: false,
    [Symbol.dispose]: () => opened[Symbol.dispose](),
  };
}

/** A drive that answers at once, in real time: what is left is the CPU's share of a read. */
export function memoryWorld(options: WorldOptions): World {
  const clock = new RealClock();
  const media = memoryMedia(Deno.readFileSync(options.table.path));
  return worldOver(options, createMemoryDevice({ media, clock, depth: DEPTH }), clock);
}

/** A simulated drive in virtual time; measured CPU costs are charged to it. */
export function simulatedWorld(
  options: WorldOptions,
  drive: keyof typeof SIMULATED,
  costs: StageCosts,
): World {
  const clock = new VirtualClock();
  const media = fileMedia(options.table.path);
  const profile = SIMULATED[drive];
  const device = createSimulatedDevice({ profile, media, clock, depth: DEPTH, seed: 1 });
  const world = worldOver(options, device, clock, costs);
  const close = (): void => {
    world[Symbol.dispose]();
    media[Symbol.dispose]();
  };
  return { ...world, [Symbol.dispose]: close };
}

function worldOver(
  { table, cacheRows, policy, maxBatchKeys }: WorldOptions,
  device: BlockDevice,
  clock: Clock,
  costs?: StageCosts,
): World {
  const queue = createIoQueue({ devices: [device], depth: DEPTH, clock });
  const eviction = EVICTION_POLICIES[policy];
  const pipeline = new Pipeline({
    queue,
    clock,
    maxBatchKeys,
    maxBatches: MAX_BATCHES,
    tables: [{ table, offsetBytes: 0, cacheRows, eviction }],
    ...(costs && clock instanceof VirtualClock && { costs: createCosts(clock, costs) }),
  });
  return {
    pipeline,
    clock,
    device: device.name,
    simulated: device.simulated,
    why: "",
    [Symbol.dispose]: () => {
      pipeline[Symbol.dispose]();
      queue[Symbol.dispose]();
    },
  };
}
