/**
 * Fitting a profile to measured points: the other way round from simulating.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { exp } from "../../base/math.ts";
import type { DeviceProfile } from "../profile.ts";
import { comparePoints, lossOf, worstOf } from "./_compare.ts";
import { checkPoints } from "./device_point.ts";
import type { DevicePoint, PointFit } from "./device_point.ts";
import { nandFamily, readsAlone, xpointFamily } from "./_moves.ts";
import type { Family, Move } from "./_moves.ts";

/** What {@linkcode fitDevice} takes beside the points. */
export interface FitDeviceOptions {
  /** Which model; left out, both are fitted and the better one is kept. */
  readonly kind?: "3dxp" | "nand";
  /** The name of the profile, for people; "fitted device" when left out. */
  readonly name?: string;
  /** Of the simulated runs, a safe integer; 1 when left out. */
  readonly seed?: number;
  /** Profiles tried at most for each kind, 40 to 100,000; 300 when left out. */
  readonly trials?: number;
  /** Operations simulated for a point and trial, 100 to 1,000,000; 3,000 when left out. */
  readonly operations?: number;
}

/** A fitted profile, and how good it is at the points it was fitted to. */
export interface DeviceFit {
  /** The profile. What the points say nothing of is a copy of what they say, or assumed. */
  readonly profile: DeviceProfile;
  /** Each point, each figure: measured, simulated, error. */
  readonly points: readonly PointFit[];
  /**
   * The largest relative error of any mean latency and any IOPS of them, as a share: 0.1 is 10 %.
   * Percentiles are in `points`.
   */
  readonly errorShare: number;
  /** Profiles that were tried. */
  readonly trials: number;
}

/**
 * Fits the free parameters of a profile to `points`, which come from fio
 * ({@linkcode pointsFromFio}), from a probe, or from a data sheet. Closed forms give profiles to
 * begin at (capacity from the IOPS at depth, latency from the least depth, rare waits from the
 * furthest percentile there); the best two then move by a pattern search (Hooke and Jeeves, 1961)
 * over the logarithms of their parameters, first those that reads alone decide, then those of
 * writes, until the weighted mean of |ln(simulated / measured)| gets no better. The errors are then
 * simulated afresh, 20 times as long.
 *
 * The same points and seed give the same profile. Takes one to two milliseconds a point and trial.
 * Fitted to reads alone, a 3D XPoint profile writes as it reads, and a NAND one has assumed program
 * times: measure writes to simulate them.
 *
 * @throws {RangeError} for wrong points or options, or points without reads alone.
 * @throws {TypeError} for an unknown `kind` or `op`.
 *
 * @example
 * ```ts
 * import { fitDevice } from "@rowtier/rowtier/tiers";
 *
 * const load = { op: "read", bytes: 4096, writeShare: 0 } as const;
 * const { profile, errorShare } = fitDevice([
 *   { ...load, depth: 1, meanNs: 10_000, p99Ns: 12_000 },
 *   { ...load, depth: 64, iops: 400_000 },
 * ], { kind: "3dxp", name: "my drive", trials: 40, operations: 500 });
 * if (profile.name !== "my drive" || errorShare > 0.3) throw new Error("unreachable");
 * ```
 */
export function fitDevice(
  points: readonly DevicePoint[],
  options: FitDeviceOptions = {},
): DeviceFit {
  const what = "Cannot fit device";
  const { kind, name = "fitted device", seed = 1, trials = 300, operations = 3000 } = options;
  checkPoints(what, points);
  if (kind !== undefined && kind !== "3dxp" && kind !== "nand") {
    throw new TypeError(`${what}: kind must be "3dxp" or "nand": received ${kind}`);
  }
  checkInteger(what, "seed", seed, -Number.MAX_SAFE_INTEGER);
  checkInteger(what, "trials", trials, 40, 100_000);
  checkInteger(what, "operations", operations, 100, 1_000_000);
  if (readsAlone(points).length === 0) {
    throw new RangeError(
      `${what}: points must hold random reads alone with a mean or IOPS: received none`,
    );
  }
  const run: Run = { points, operations, seed, trials };
  const found: Found<DeviceProfile>[] = [];
  if (kind !== "nand") found.push(search(xpointFamily(name, points), run));
  if (kind !== "3dxp") found.push(search(nandFamily(name, points), run));
  // Judged by longer runs with other random numbers than those that the search has seen.
  const ends = found.map(({ profile }) => {
    const fits = comparePoints(profile, points, 20 * operations, seed + 1);
    return { profile, fits, loss: lossOf(fits) };
  });
  const best = ends.reduce((a, b) => b.loss < a.loss ? b : a);
  return {
    profile: best.profile,
    points: best.fits,
    errorShare: worstOf(best.fits),
    trials: found.reduce((sum, each) => sum + each.trials, 0),
  };
}

interface Found<P> {
  readonly profile: P;
  readonly loss: number;
  readonly trials: number;
}

/** Changes of a parameter's logarithm, from coarse to fine: x 1.65 down to x 1.016. */
const STEPS = [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625];

/** Part of the trials that reads get where writes were measured too. */
const READ_PART = 2 / 3;

/** How many of the starts are followed. */
const FOLLOWED = 2;

/** What a search works on. */
interface Run {
  readonly points: readonly DevicePoint[];
  readonly operations: number;
  readonly seed: number;
  readonly trials: number;
}

/**
 * Reads alone first, then the writes' own parameters with those of reads kept. Tried: all at once;
 * on a virtual disk whose reads are three times as slow beside writes, which no model here knows,
 * the reads alone came out three times too slow as well.
 */
function search<P extends DeviceProfile>(family: Family<P>, run: Run): Found<P> {
  const { points, operations, seed, trials } = run;
  const alone = points.filter(({ writeShare }) => writeShare === 0);
  const scoreOf = (some: readonly DevicePoint[]) => (profile: P): number =>
    lossOf(comparePoints(profile, some, operations, seed));
  const score = scoreOf(alone);
  const starts = family.starts.map((profile) => ({ profile, loss: score(profile), trials: 0 }))
    .sort((a, b) => a.loss - b.loss)
    .slice(0, FOLLOWED);
  const most = points.length === alone.length ? trials : Math.floor(READ_PART * trials);
  const each = Math.max(0, Math.floor((most - family.starts.length) / starts.length));
  const ends = starts.map((start) => descend(start, family.readMoves, score, each));
  const best = ends.reduce((a, b) => b.loss < a.loss ? b : a);
  const tried = ends.reduce((sum, end) => sum + end.trials, family.starts.length);
  if (points.length === alone.length) return { ...best, trials: tried };
  const scoreAll = scoreOf(points);
  const start = { ...best, loss: scoreAll(best.profile) };
  const end = descend(start, family.writeMoves, scoreAll, Math.max(0, trials - tried));
  return { ...end, trials: tried + end.trials };
}

function descend<P extends DeviceProfile>(
  start: Found<P>,
  moves: readonly Move<P>[],
  score: (profile: P) => number,
  trials: number,
): Found<P> {
  let { profile, loss } = start;
  let tried = 0;
  for (const step of STEPS) {
    for (let better = true; better;) {
      better = false;
      for (const move of moves) {
        for (const factor of [exp(step), exp(-step)]) {
          if (tried === trials) return { profile, loss, trials: tried };
          tried++;
          const next = move(profile, factor);
          const nextLoss = score(next);
          if (!(nextLoss < loss)) continue;
          profile = next;
          loss = nextLoss;
          better = true;
          break;
        }
      }
    }
  }
  return { profile, loss, trials: tried };
}
