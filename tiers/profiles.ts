/**
 * Published drives as profiles. Each figure's source stands beside it; "recalled" marks what was
 * written down from memory of a data sheet, "fitted" what was chosen so that the simulated drive
 * meets the published points.
 *
 * @module
 */

import { micron9100, p3700, p4510 } from "./models/nand_profiles.ts";
import { fl6, zet983 } from "./models/slc_profiles.ts";
import type { MemoryProfile, NandProfile, SubBlockProfile, XpointProfile } from "./profile.ts";

/**
 * Reads by NVMe's bit bucket go down to 4 bytes; the SDM paper (arXiv 2110.11489) gives 3-5 % lower
 * latency where 128 of 512 bytes are read, on drives it does not tell apart. 4 % is taken here.
 */
function bitBucket(latencyNs: number): SubBlockProfile {
  return { bytes: 4, savedNs: 0.04 * latencyNs / (512 - 128) };
}

/**
 * Intel Optane P4800X, 3D XPoint. Published (reviews with percentiles, 4 KB random reads): mean 8.9
 * us and 108.3 k IOPS at depth 1, median 9, p99 10, p99.999 37; mean 25.5 us and 584.8 k IOPS at
 * depth 16; sequential 2400 / 2000 MB/s; less than 4 KB gains nothing. One in flight at 8.9 us is
 * 112.4 k IOPS, 16 at 25.5 us are 627 k: mean and IOPS differ by the time that the reviewer's host
 * took, which is not part of the drive. The model lies between the two.
 */
const p4800x: XpointProfile = {
  kind: "3dxp",
  name: "simulated Optane P4800X",
  blockBytes: 512,
  units: 7, // its channels
  granuleBytes: 4096, // "never below 4 KB": unwritten contract
  chunkBytes: 4096, // "no two requests in the same 4 KB chunk at once": unwritten contract
  pipeNs: 0, // how the 8.9 us divide is not published; all of it is put on the channel
  read: { delayNs: 0, granuleNs: 8800, trailingNs: 2610 }, // fitted: 7 / 11.61 us = 603 k IOPS
  write: { delayNs: 0, granuleNs: 8800, trailingNs: 5536 }, // 7 x 4096 B / 2000 MB/s = 14.34 us
  jitterNs: 200, // fitted to p99 - mean
  stallShare: 3.3e-5, // fitted: 1e-5 of the reads are beyond 37 us
  stallNs: 40_000, // fitted
  power: {
    idleWatts: 5.5, // published: 5-6
    activeWatts: 0, // not published apart from the two below
    readNanojoules: 1.46, // published: 8-10 W reading; 9 - 5.5 W over 2.4 GB/s
    writeNanojoules: 4.25, // published: 13-15 W writing; 14 - 5.5 W over 2.0 GB/s
  },
  subBlock: bitBucket(8900),
  // published: 30 DWPD; 375 GB and five years, recalled
  endurance: { capacityBytes: 375e9, driveWritesPerDay: 30, years: 5 },
};

/**
 * Intel Optane P5800X, second generation. Published: below 6 us at depth 1, 1.5 M IOPS of 4 KB and
 * 5 M of 512 B (3.3 times as many), 7.2 / 6.5 GB/s, p99.999 below 25 us at depth 1 (recalled). One
 * link serves each operation in a fixed time and one for its bytes; two numbers for three figures,
 * so each is met within 3 %.
 */
const p5800x: XpointProfile = {
  kind: "3dxp",
  name: "simulated Optane P5800X",
  blockBytes: 512,
  units: 1, // its link
  granuleBytes: 512,
  pipeNs: 4700, // fitted: 5.5 us at depth 1
  // fitted: 512 B at 7.4 GB/s; with jitter, 132 ns an operation
  read: { delayNs: 32, granuleNs: 69.19, trailingNs: 0 },
  write: { delayNs: 32, granuleNs: 78.77, trailingNs: 0 }, // 512 B / 6.5 GB/s
  jitterNs: 100, // assumed: percentiles near the median are not published
  stallShare: 2.7e-5, // fitted: 1e-5 of the reads are beyond 24 us
  stallNs: 30_000, // fitted
  power: {
    idleWatts: 4, // recalled: 3-5
    activeWatts: 0, // not published apart from the two below
    readNanojoules: 1.67, // recalled: 14-18 W active; 16 - 4 W over 7.2 GB/s
    writeNanojoules: 1.85, // the same over 6.5 GB/s
  },
  subBlock: bitBucket(5500),
  // published: 100 DWPD; 800 GB and five years, recalled
  endurance: { capacityBytes: 800e9, driveWritesPerDay: 100, years: 5 },
};

/**
 * Six DIMMs of Optane DC PMM, interleaved. Published: 305 ns random, 169 ns sequential, 39.4 / 13.9
 * GB/s, a media granule of 256 B. Addressed by the processor, a line at a time.
 */
const optanePmm: MemoryProfile = {
  kind: "memory",
  name: "simulated Optane PMM, 6 DIMMs",
  blockBytes: 64, // a line of the processor
  granuleBytes: 256, // published
  randomNs: 305, // published
  sequentialNs: 169, // published
  readBytesPerSecond: 39.4e9, // published
  writeBytesPerSecond: 13.9e9, // published
};

/** DRAM of a server beside those DIMMs. Published: 81-101 ns. */
const dram: MemoryProfile = {
  kind: "memory",
  name: "simulated DRAM, 6 channels",
  blockBytes: 64,
  granuleBytes: 64, // a line: banks and rows are not modelled
  randomNs: 101, // published, the upper end
  sequentialNs: 81, // published, the lower end
  readBytesPerSecond: 110e9, // assumed: 6 channels of DDR4-2666 give 128 GB/s at most
  writeBytesPerSecond: 80e9, // assumed
};

/** DRAM behind CXL. Nothing of it is published here: all figures are recalled or assumed. */
const cxlDram: MemoryProfile = {
  kind: "memory",
  name: "simulated CXL memory (recalled)",
  blockBytes: 64,
  granuleBytes: 64,
  randomNs: 250, // recalled: 170-250 ns
  sequentialNs: 200, // assumed
  readBytesPerSecond: 26e9, // recalled: 8 lanes of PCIe 5.0, 32 GB/s less the protocol
  writeBytesPerSecond: 26e9, // assumed
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
  /** Six DIMMs of Optane DC PMM: 3D XPoint, addressed by lines of 64 bytes. */
  readonly optanePmm: MemoryProfile;
  /** DRAM: latency and bandwidth. */
  readonly dram: MemoryProfile;
  /** DRAM behind CXL; recalled, not calibrated. */
  readonly cxlDram: MemoryProfile;
  /** Intel P3700 800 GB: MLC NAND. */
  readonly p3700: NandProfile;
  /** Micron 9100 MAX 2.4 TB: MLC NAND. */
  readonly micron9100: NandProfile;
  /** TLC NAND of the class of Intel's P4510 8 TB; but for two figures recalled. */
  readonly p4510: NandProfile;
  /** Samsung 983 ZET: SLC NAND of low latency. */
  readonly zet983: NandProfile;
  /** Kioxia FL6: SLC NAND of low latency. */
  readonly fl6: NandProfile;
} = { p4800x, p5800x, optanePmm, dram, cxlDram, p3700, micron9100, p4510, zet983, fl6 };
