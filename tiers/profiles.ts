/**
 * Published drives as profiles. Each figure's source stands beside it; "recalled" marks what was
 * written down from memory of a data sheet, "fitted" what was chosen so that the simulated drive
 * meets the published points.
 *
 * @module
 */

import type { NandProfile, XpointProfile } from "./profile.ts";

/**
 * Intel Optane P4800X, 3D XPoint. Published (reviews with percentiles, 4 KB random reads): 8.9 us
 * mean at depth 1 with p99 10 and p99.999 37, 584.8 k IOPS at depth 16; sequential 2400 / 2000
 * MB/s; less than 4 KB gains nothing.
 */
const p4800x: XpointProfile = {
  kind: "3dxp",
  name: "simulated Optane P4800X",
  blockBytes: 512,
  units: 7, // its channels
  granuleBytes: 4096,
  pipeNs: 0, // how the 8.9 us divide is not published; all of it is put on the channel
  // 7 / 584.8 k = 11.97 us a channel, jitter included
  read: { delayNs: 0, granuleNs: 8660, trailingNs: 3070 },
  write: { delayNs: 0, granuleNs: 8660, trailingNs: 5436 }, // 7 x 4096 B / 2000 MB/s = 14.34 us
  jitterNs: 240, // fitted to p99 - mean
  stallShare: 3.3e-5, // fitted: 1e-5 of the reads are beyond 37 us
  stallNs: 40_000, // fitted
};

/**
 * Intel Optane P5800X, second generation. Published: below 6 us at depth 1, 1.5 M IOPS of 4 KB and
 * 5 M of 512 B, 7.2 / 6.5 GB/s, p99.999 below 25 us at depth 1 (recalled). One link serves 129 ns +
 * bytes / 7.2 GB/s each.
 */
const p5800x: XpointProfile = {
  kind: "3dxp",
  name: "simulated Optane P5800X",
  blockBytes: 512,
  units: 1,
  granuleBytes: 512,
  pipeNs: 4700, // fitted: 5.5 us at depth 1
  // 512 B / 7.2 GB/s; with jitter, 129 ns an operation
  read: { delayNs: 29, granuleNs: 71.11, trailingNs: 0 },
  write: { delayNs: 29, granuleNs: 78.77, trailingNs: 0 }, // 512 B / 6.5 GB/s
  jitterNs: 100, // assumed: percentiles near the median are not published
  stallShare: 2.7e-5, // fitted: 1e-5 of the reads are beyond 24 us
  stallNs: 30_000, // fitted
};

/**
 * Intel P3700 800 GB, MLC NAND. Published (as for the P4800X): mean 77.9 us, median 76, p99 96,
 * p99.999 2768 at depth 1; 167.2 k IOPS, mean 93.9, p99 163, p99.999 2320 at depth 16.
 */
const p3700: NandProfile = {
  kind: "nand",
  name: "simulated P3700 (MLC NAND)",
  blockBytes: 512,
  channels: 18, // recalled
  diesPerChannel: 2, // fitted to the wait at depth 16: 36 dies give 177 k IOPS, p99 190 us
  pageBytes: 4096,
  controllerNs: 9_000, // fitted
  senseNs: 57_000, // MLC tR in public simulators: 36 to 75 us
  jitterNs: 5_100, // fitted: both p99 - median and mean - median follow from it
  channelNs: 5_120, // 4 KB at 800 MB/s
  busNs: 1_280, // 4 KB at 3.2 GB/s, PCIe 3.0 x4
  programNs: 600_000, // MLC tPROG in public simulators: 185 to 750 us
  suspendNs: 100_000, // public simulators
  bufferPages: 64, // assumed
  eraseNs: 3_800_000, // MLC tBERS in public simulators
  // fitted to p99.999: one in 29,000 reads lands behind an erase, somewhere in it
  eraseEveryNs: 112e9,
};

/**
 * The drives that come with the library. A user's own profile is an object of the same shape.
 *
 * @example A drive of one's own
 * ```ts
 * import {
 *   createSimulatedDevice,
 *   memoryMedia,
 *   PROFILES,
 *   VirtualClock,
 * } from "@rowtier/rowtier/tiers";
 *
 * const profile = { ...PROFILES.p3700, name: "twice the dies", diesPerChannel: 4 };
 * const clock = new VirtualClock();
 * using device = createSimulatedDevice({ profile, media: memoryMedia(2 ** 20), clock });
 * if (device.name !== "twice the dies") throw new Error("unreachable");
 * ```
 */
export const PROFILES: {
  /** Intel Optane P4800X: 3D XPoint, first generation. */
  readonly p4800x: XpointProfile;
  /** Intel Optane P5800X: 3D XPoint, second generation; gains from reads of 512 bytes. */
  readonly p5800x: XpointProfile;
  /** Intel P3700 800 GB: MLC NAND. */
  readonly p3700: NandProfile;
} = { p4800x, p5800x, p3700 };
