/**
 * Probing a disk: a short measurement of the user's own, and the profile that follows from it.
 *
 * @module
 */

import { closeSync, fsyncSync, openSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { checkInteger } from "../../base/checks.ts";
import { createRandom } from "../../base/random.ts";
import type { Clock } from "../clock.ts";
import { MAX_DEPTH, SECTOR_BYTES } from "../limits.ts";
import { openDevice } from "../open_device.ts";
import { figureOf, figuresOf } from "./_closed_loop.ts";
import type { LoadSample } from "./_closed_loop.ts";
import { comparePoints, worstOf } from "./_compare.ts";
import type { DeviceLoad, DevicePoint } from "./device_point.ts";
import { fitDevice } from "./fit_device.ts";
import { onDisk, writeAll } from "./measured_profile.ts";
import type { MeasuredProfile } from "./measured_profile.ts";
import {
  measureLoad,
  READ_THROUGH_BYTES,
  READ_THROUGH_DEPTH,
  readThrough,
} from "./_measure_load.ts";
import type { Bench } from "./_measure_load.ts";

/** Operations simulated for each point that the fit did not see. */
const HELD_OUT_OPERATIONS = 60_000;

/** What {@linkcode probeDevice} takes beside the path. */
export interface ProbeDeviceOptions {
  /** Where time is read from: a real clock. */
  readonly clock: Clock;
  /** Requests in flight, 3 to 32 different numbers; 1, 2, 4, 8, 16, 32 and 64 when left out. */
  readonly depths?: readonly number[];
  /** Bytes of a request, 1 to 16 multiples of 512; 512, 4096 and 16384 when left out. */
  readonly sizes?: readonly number[];
  /** How long each load runs each round, in ns, 1e6 to 60e9; 0.2 s when left out. */
  readonly loadNs?: number;
  /** Rounds, of which the median counts, 1 to 99; 3 when left out. */
  readonly rounds?: number;
  /**
   * How much of the file is read, in bytes: 1 MiB and more, at most 64 GiB; 256 MiB when left out,
   * or the file where it is shorter. All of it is read twice first.
   */
  readonly spanBytes?: number;
  /**
   * Allows writing, and where: a folder on the same disk. A file of `spanBytes` is made in it and
   * removed at the end; nothing else is ever written. Left out, nothing is written at all.
   */
  readonly scratchFolder?: string;
  /** Shares of writes to measure there, above 0; 0.3 and 1 when left out. */
  readonly writeShares?: readonly number[];
  /** Which model; left out, the one that fits better. */
  readonly kind?: "3dxp" | "nand";
  /** Profiles that the fit tries for each kind, 40 to 100,000; 300 when left out. */
  readonly trials?: number;
  /** The name of the profile, for people; "probed disk" when left out. */
  readonly name?: string;
  /** Of the places that are read and of the fit; 1 when left out. */
  readonly seed?: number;
  /** Called before each load, with those done and those to do. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Measures the disk under the file at `path` by random reads of part of it, each depth with each
 * size, and fits a profile to half of the points, in the manner of a chessboard; its error is
 * measured at the other half. Needs io_uring with O_DIRECT, as nothing else here keeps a depth.
 *
 * The file is only read. Writes are measured where `scratchFolder` allows it, in a file made there.
 *
 * Blocks the thread: with the defaults about 13 s of reads and 10 s of fitting. Reads the span
 * twice first, as a virtual disk's host is slower by far at what it has not read lately. A drive
 * whose cache is larger than the span is measured in its cache: take a longer one.
 *
 * @throws {RangeError} for wrong options, or a file that is shorter than the largest request.
 * @throws {UnsupportedTargetError} where io_uring is not to be had; the message says why.
 * @throws {DeviceError} for a file that cannot be read, or a disk that fails.
 *
 * @example
 * ```ts
 * import { probeDevice, RealClock, UnsupportedTargetError } from "@rowtier/rowtier/tiers";
 *
 * const path = Deno.makeTempFileSync();
 * Deno.writeFileSync(path, new Uint8Array(2 ** 20));
 * try {
 *   const loads = { depths: [1, 4, 16], sizes: [4096], loadNs: 2e6, rounds: 1, trials: 40 };
 *   const { profile, errorShare } = probeDevice(path, { clock: new RealClock(), ...loads });
 *   console.log(`${profile.name}: ${Math.round(100 * errorShare)} %`);
 * } catch (error) {
 *   if (!(error instanceof UnsupportedTargetError)) throw error;
 *   console.log(error.message);
 * }
 * Deno.removeSync(path);
 * ```
 */
export function probeDevice(path: string, options: ProbeDeviceOptions): MeasuredProfile {
  const what = `Cannot probe ${path}`;
  const plan = planOf(what, options);
  const { clock, scratchFolder, onProgress = () => {} } = options;
  const total = (plan.reads.length + plan.writes.length) * plan.rounds;
  let done = 0;
  const onLoad = (): void => onProgress(done++, total);
  const measured = measureFile({ what, path, writable: false }, plan, clock, onLoad);
  if (scratchFolder !== undefined) {
    const scratch = makeScratch(what, scratchFolder, plan);
    try {
      measured.push(
        ...measureFile({ what, path: scratch, writable: true }, plan, clock, onLoad),
      );
    } finally {
      rmSync(scratch, { force: true });
    }
  }
  onLoad();
  return profileOf(measured, options);
}

/** A load, and whether the fit is kept from it. */
interface PlannedLoad extends DeviceLoad {
  readonly held: boolean;
}

interface Plan {
  readonly reads: readonly PlannedLoad[];
  readonly writes: readonly PlannedLoad[];
  /** The most of any load. */
  readonly depth: number;
  readonly bytes: number;
  readonly loadNs: number;
  readonly rounds: number;
  readonly spanBytes: number;
  readonly seed: number;
}

function planOf(what: string, options: ProbeDeviceOptions): Plan {
  const { depths = [1, 2, 4, 8, 16, 32, 64], sizes = [512, 4096, 16_384] } = options;
  const { loadNs = 200e6, rounds = 3, spanBytes = 2 ** 28, seed = 1 } = options;
  const { scratchFolder, writeShares = [0.3, 1], trials = 300 } = options;
  checkInteger(what, "depths.length", new Set(depths).size, 3, 32);
  checkInteger(what, "sizes.length", new Set(sizes).size, 1, 16);
  for (const depth of depths) checkInteger(what, "each of depths", depth, 1, MAX_DEPTH);
  for (const bytes of sizes) {
    checkInteger(what, "each of sizes in sectors", bytes / SECTOR_BYTES, 1, 2 ** 15);
  }
  checkInteger(what, "loadNs", loadNs, 1e6, 60e9);
  checkInteger(what, "rounds", rounds, 1, 99);
  checkInteger(what, "spanBytes", spanBytes, 2 ** 20, 2 ** 36);
  checkInteger(what, "trials", trials, 40, 100_000);
  checkInteger(what, "seed", seed, -Number.MAX_SAFE_INTEGER);
  for (const share of writeShares) {
    if (share > 0 && share <= 1) continue;
    throw new RangeError(`${what}: each of writeShares must be in (0, 1]: received ${share}`);
  }
  const loads = (writeShare: number): PlannedLoad[] =>
    [...new Set(sizes)].flatMap((bytes, s) =>
      [...new Set(depths)].sort((a, b) => a - b).map((depth, d) => ({
        bytes,
        depth,
        writeShare,
        held: (s + d) % 2 === 1,
      }))
    );
  return {
    reads: loads(0),
    writes: scratchFolder === undefined ? [] : writeShares.flatMap(loads),
    depth: Math.max(...depths, READ_THROUGH_DEPTH),
    bytes: Math.max(...sizes),
    loadNs,
    rounds,
    spanBytes,
    seed,
  };
}

/** A file that is measured. */
interface Target {
  readonly what: string;
  readonly path: string;
  readonly writable: boolean;
}

/** What one load came to. */
interface Measured {
  readonly points: readonly DevicePoint[];
  readonly held: boolean;
  readonly noiseShare: number;
}

function measureFile(target: Target, plan: Plan, clock: Clock, onLoad: () => void): Measured[] {
  const { what, path, writable } = target;
  const { depth, bytes, rounds } = plan;
  using device = openDevice({ files: [path], mode: "io_uring", depth, clock, writable }).device;
  const spanBytes = Math.min(plan.spanBytes, statSync(path).size);
  if (spanBytes < bytes) {
    throw new RangeError(`${what}: the file must hold ${bytes} bytes: received ${spanBytes}`);
  }
  // Page-aligned, as direct IO needs it.
  const pages = Math.ceil(Math.max(depth * bytes, READ_THROUGH_BYTES) / 65_536);
  device.attach(new Uint8Array(new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer));
  const advance = (): void => {
    device.wait(1);
    device.step(clock.now());
  };
  const bench: Bench = { device, clock, advance, spanBytes, what };
  readThrough(bench, 2);
  const loads = writable ? plan.writes : plan.reads;
  const samples: LoadSample[][] = loads.map(() => []);
  // Round by round, so that a disturbance falls on one round of several loads and not on one load.
  for (let round = 0; round < rounds; round++) {
    loads.forEach((load, i) => {
      onLoad();
      samples[i].push(measureLoad(bench, load, plan.loadNs, plan.seed + round));
    });
  }
  return loads.map((load, i) => summarize(load, samples[i]));
}

/** The round of the median IOPS stands for the load. */
function summarize({ held, ...load }: PlannedLoad, rounds: readonly LoadSample[]): Measured {
  const iops = ({ read, write }: LoadSample): number =>
    figureOf(read, "iops") + figureOf(write, "iops");
  const sorted = [...rounds].sort((a, b) => iops(a) - iops(b));
  const median = sorted[sorted.length >> 1];
  const points = (["read", "write"] as const).flatMap((op): DevicePoint[] => {
    const figures = figuresOf(median[op]);
    return Object.keys(figures).length === 0 ? [] : [{ op, ...load, ...figures }];
  });
  return { points, held, noiseShare: iops(sorted[sorted.length - 1]) / iops(sorted[0]) - 1 };
}

/** A new file that cannot be compressed, as some drives do; never one that is there. */
function makeScratch(what: string, folder: string, { spanBytes, seed }: Plan): string {
  const id = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16));
  const path = join(folder, `rowtier_probe_${id.join("")}.scratch`);
  const file = onDisk(what, "making a scratch file", () => openSync(path, "wx"));
  try {
    const random = createRandom(seed);
    const block = Uint32Array.from({ length: 2 ** 18 }, () => random.u32());
    for (let at = 0; at < spanBytes; at += block.byteLength) {
      const bytes = new Uint8Array(block.buffer, 0, Math.min(block.byteLength, spanBytes - at));
      onDisk(what, "writing the scratch file", () => writeAll(file, bytes));
    }
    onDisk(what, "syncing the scratch file", () => fsyncSync(file));
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  return path;
}

function profileOf(measured: readonly Measured[], options: ProbeDeviceOptions): MeasuredProfile {
  const { name = "probed disk", kind, seed = 1, trials = 300 } = options;
  const pointsOf = (held: boolean): DevicePoint[] =>
    measured.filter((each) => each.held === held).flatMap(({ points }) => points);
  const fit = fitDevice(pointsOf(false), {
    name,
    seed,
    trials,
    ...(kind !== undefined && { kind }),
  });
  const heldOut = comparePoints(fit.profile, pointsOf(true), HELD_OUT_OPERATIONS, seed + 1);
  const errorShare = worstOf(heldOut);
  const percent = (100 * errorShare).toFixed(errorShare < 0.1 ? 1 : 0);
  return {
    profile: { ...fit.profile, name: `${name}, simulated, means and IOPS within ${percent} %` },
    errorShare,
    noiseShare: Math.max(...measured.map((each) => each.noiseShare)),
    fitted: fit.points,
    heldOut,
  };
}
