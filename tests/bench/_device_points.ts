/**
 * Published points of drives, and what has to be met: every single figure that was read in a review
 * or a data sheet. Ranges, and what is known from memory only, are not here.
 *
 * @module
 */

import type { PROFILES } from "../../tiers/profiles.ts";

/** A load at a constant depth. */
export interface DeviceLoad {
  /** What is done. */
  readonly op: "read" | "write";
  /** In which order. */
  readonly order: "random" | "sequential";
  /** Of each operation. */
  readonly bytes: number;
  /** In flight. */
  readonly depth: number;
  /**
   * False: on a drive that was written over at random until it collects for every write, at a
   * thousandth of its capacity, as the share of spare flash is all that counts there.
   */
  readonly fresh: boolean;
}

/** What a load is measured by; latencies in us. */
export type Metric =
  | "mean"
  | "median"
  | "p99"
  | "p99.99/mean"
  | "p99.999"
  | "IOPS"
  | "MB/s";

/** One published figure. */
export interface DevicePoint extends DeviceLoad {
  /** Of which drive: a key of `PROFILES`. */
  readonly drive: keyof typeof PROFILES;
  /** By what. */
  readonly metric: Metric;
  /** The figure. */
  readonly published: number;
  /** Held out of every fit: printed, not judged. */
  readonly heldOut: boolean;
}

/** How far the model may be off: the deeper in the tail, the fewer reads stand behind a figure. */
export const TOLERANCE: Readonly<Record<Metric, number>> = {
  "mean": 0.05,
  "median": 0.05,
  "IOPS": 0.05,
  "MB/s": 0.05,
  "p99": 0.15,
  "p99.99/mean": 0.2,
  "p99.999": 0.3,
};

const ONE: DeviceLoad = { op: "read", order: "random", bytes: 4096, depth: 1, fresh: true };
const SIXTEEN: DeviceLoad = { ...ONE, depth: 16 };
/** Deep enough to fill any of them: where a rate is published without its depth. */
const FULL: DeviceLoad = { ...ONE, depth: 256 };
const STREAM: DeviceLoad = { ...ONE, order: "sequential", bytes: 131_072, depth: 32 };
const LINES: DeviceLoad = { ...ONE, order: "sequential", bytes: 256, depth: 64 };

type Figures = Partial<Record<Metric, number>>;

function points(
  drive: DevicePoint["drive"],
  load: DeviceLoad,
  figures: Figures,
  heldOut = false,
): DevicePoint[] {
  return (Object.entries(figures) as [Metric, number][]).map(([metric, published]) => ({
    drive,
    ...load,
    metric,
    published,
    heldOut,
  }));
}

/** All of them, by drive. */
export const POINTS: readonly DevicePoint[] = [
  points("p4800x", ONE, {
    "mean": 8.9,
    "median": 9,
    "IOPS": 108_300,
    "p99": 10,
    "p99.999": 37,
  }),
  points("p4800x", SIXTEEN, { "IOPS": 584_800, "mean": 25.5 }),
  points("p4800x", SIXTEEN, { "median": 25, "p99": 41, "p99.999": 81 }, true),
  points("p4800x", STREAM, { "MB/s": 2400 }),
  points("p4800x", { ...STREAM, op: "write" }, { "MB/s": 2000 }),
  points("p5800x", FULL, { "IOPS": 1_500_000 }),
  points("p5800x", { ...FULL, bytes: 512 }, { "IOPS": 5_000_000 }),
  points("p5800x", STREAM, { "MB/s": 7200 }),
  points("p5800x", { ...STREAM, op: "write" }, { "MB/s": 6500 }),
  points("optanePmm", { ...ONE, bytes: 64 }, { "mean": 0.305 }),
  points("optanePmm", { ...ONE, bytes: 64, order: "sequential" }, { "mean": 0.169 }),
  points("optanePmm", LINES, { "MB/s": 39_400 }),
  points("optanePmm", { ...LINES, op: "write" }, { "MB/s": 13_900 }),
  points("zet983", ONE, { "mean": 16 }),
  points("fl6", ONE, { "mean": 29 }),
  points("fl6", { ...ONE, op: "write" }, { "mean": 8 }),
  points("fl6", FULL, { "IOPS": 1_500_000 }),
  points("fl6", { ...FULL, op: "write", fresh: false }, { "IOPS": 400_000 }),
  points("fl6", STREAM, { "MB/s": 6200 }),
  points("fl6", { ...STREAM, op: "write" }, { "MB/s": 5800 }),
  points("p3700", ONE, {
    "mean": 77.9,
    "median": 76,
    "IOPS": 12_800,
    "p99": 96,
    "p99.999": 2768,
  }),
  points("p3700", SIXTEEN, { "IOPS": 167_200, "mean": 93.9 }),
  points("p3700", SIXTEEN, { "p99": 163, "p99.999": 2320 }, true),
  points("micron9100", ONE, {
    "mean": 107.7,
    "median": 104,
    "IOPS": 9200,
    "p99": 117,
    "p99.999": 306,
  }),
  points("micron9100", SIXTEEN, { "IOPS": 135_700, "mean": 116.2 }),
  points("micron9100", SIXTEEN, { "p99": 205, "p99.999": 1560 }, true),
  points("p4510", ONE, { "p99.99/mean": 2.5 }),
].flat();
