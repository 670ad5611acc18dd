/**
 * One measured point of a drive: a load, and what came of it. What fio reports, what a probe
 * measures, and what a profile is fitted to.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { MAX_DEPTH, SECTOR_BYTES } from "../limits.ts";

/** What may be known of a load; what is left out was not measured. Latencies are in ns. */
export interface DeviceFigures {
  /** Operations a second, of the point's `op` alone. */
  readonly iops?: number;
  /** Mean latency. */
  readonly meanNs?: number;
  /** Median latency. */
  readonly p50Ns?: number;
  /** What 99 % of the operations stay within. */
  readonly p99Ns?: number;
  /** 99.9 %. */
  readonly p999Ns?: number;
  /** 99.99 %. */
  readonly p9999Ns?: number;
  /** 99.999 %. */
  readonly p99999Ns?: number;
}

/** The name of a figure. */
export type FigureName = keyof DeviceFigures;

/** The load: `depth` requests kept in flight, each as long as the others. */
export interface DeviceLoad {
  /** Bytes of each request, a multiple of 512. */
  readonly bytes: number;
  /** Requests in flight, 1 to 4,096. */
  readonly depth: number;
  /** Share of the requests that write, from 0 to 1. */
  readonly writeShare: number;
  /** One after the other in place, in place of anywhere; false when left out. */
  readonly sequential?: boolean;
}

/** A load, and the figures of its reads or of its writes; a mixed load makes two points. */
export interface DevicePoint extends DeviceLoad, DeviceFigures {
  /** Whose figures they are. */
  readonly op: "read" | "write";
}

/** A figure as it was measured and as the profile gives it. */
export interface FigureFit {
  /** Which figure. */
  readonly name: FigureName;
  /** As measured. */
  readonly measured: number;
  /** As simulated with the profile. */
  readonly simulated: number;
  /** `simulated / measured - 1`: 0.1 is 10 % too much. */
  readonly error: number;
}

/** A point and how well each of its figures is met. */
export interface PointFit {
  /** The point. */
  readonly point: DevicePoint;
  /** Its figures, but for percentiles that the simulated run was too short for. */
  readonly figures: readonly FigureFit[];
}

/** Each figure, and the share of operations that its latency covers; NaN for what is none. */
export const FIGURE_SHARES: Readonly<Record<FigureName, number>> = {
  iops: NaN,
  meanNs: NaN,
  p50Ns: 0.5,
  p99Ns: 0.99,
  p999Ns: 0.999,
  p9999Ns: 0.9999,
  p99999Ns: 0.99999,
};

/** All figures, in order. */
export const FIGURE_NAMES: readonly FigureName[] = Object.keys(FIGURE_SHARES) as FigureName[];

/** Most points of one fit: each is simulated hundreds of times. */
const MAX_POINTS = 1000;

/**
 * Checks points.
 *
 * @throws {RangeError} for no points, too many, or a number that is out of its range.
 * @throws {TypeError} for an unknown `op`.
 */
export function checkPoints(what: string, points: readonly DevicePoint[]): void {
  checkInteger(what, "points.length", points.length, 1, MAX_POINTS);
  points.forEach((point, i) => checkPoint(what, `points[${i}]`, point));
}

/** Checks one point, named `name` in messages; its members may be anything. */
export function checkPoint(
  what: string,
  name: string,
  point: Readonly<Partial<Record<keyof DevicePoint, unknown>>>,
): void {
  const { op } = point;
  const [bytes, depth, writeShare] = [point.bytes, point.depth, point.writeShare].map((value) =>
    typeof value === "number" ? value : NaN
  );
  if (op !== "read" && op !== "write") {
    throw new TypeError(`${what}: ${name}.op must be "read" or "write": received ${op}`);
  }
  checkInteger(what, `${name}.bytes`, bytes, SECTOR_BYTES, 2 ** 30);
  if (bytes % SECTOR_BYTES !== 0) {
    throw new RangeError(
      `${what}: ${name}.bytes must be a multiple of ${SECTOR_BYTES}: received ${bytes}`,
    );
  }
  checkInteger(what, `${name}.depth`, depth, 1, MAX_DEPTH);
  // Where nothing reads there are no figures of reads, and so with writes.
  const fits = op === "read" ? writeShare >= 0 && writeShare < 1 : writeShare > 0;
  if (!fits || !(writeShare <= 1)) {
    throw new RangeError(
      `${what}: ${name}.writeShare must be from 0 to 1 and leave ${op}s: received ${writeShare}`,
    );
  }
  let figures = 0;
  for (const figure of FIGURE_NAMES) {
    const value = point[figure];
    if (value === undefined) continue;
    figures++;
    if (!(typeof value === "number" && value > 0 && value < Infinity)) {
      throw new RangeError(`${what}: ${name}.${figure} must be above 0: received ${value}`);
    }
  }
  if (figures === 0) {
    throw new RangeError(`${what}: ${name} must have a figure: received none`);
  }
}
