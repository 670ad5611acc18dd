/**
 * Published NAND drives as profiles. Each figure's source stands beside it; "recalled" marks what
 * was written down from memory of a data sheet, "fitted" what was chosen so that the simulated
 * drive meets the published points, "assumed" what is merely usual. At depth 16 only mean and IOPS
 * were fitted; the percentiles there are what the model says by itself.
 *
 * @module
 */

import type { NandProfile } from "../profile.ts";

/**
 * Intel P3700 800 GB, MLC NAND. Published (reviews with percentiles, 4 KB random reads): mean 77.9
 * us, median 76, p99 96, p99.999 2768 at depth 1; 167.2 k IOPS, mean 93.9, p99 163, p99.999 2320 at
 * depth 16.
 */
export const p3700: NandProfile = {
  kind: "nand",
  name: "simulated P3700 (MLC NAND)",
  blockBytes: 512,
  channels: 15, // fitted to the wait at depth 16 with the next: 36 dies give 177 k IOPS, 30 171 k
  diesPerChannel: 2,
  pageBytes: 4096,
  controllerNs: 9_000, // fitted
  senseNs: 57_000, // MLC tR in public simulators: 36 to 75 us
  jitterNs: 5_100, // fitted: both p99 - median and mean - median follow from it
  channelNs: 5_120, // 4 KB at 800 MB/s
  busNs: 1_280, // 4 KB at 3.2 GB/s, PCIe 3.0 x4
  programNs: 600_000, // MLC tPROG in public simulators: 185 to 750 us
  suspendNs: 100_000, // public simulators
  bufferPages: 64, // assumed
  eraseNs: 3_200_000, // fitted to p99.999; MLC tBERS in public simulators: 3.8 ms
  eraseEveryNs: 53e9, // fitted to p99.999: one in 17,000 reads lands in an erase, somewhere in it
  capacityBytes: 800e9, // published
  endurance: { capacityBytes: 800e9, driveWritesPerDay: 17, years: 5 }, // recalled
  spareShare: 0.28, // assumed: usual for drives that are rated for 10 drive writes a day and more
  flashPageBytes: 16_384, // assumed
  planes: 2, // assumed; with 600 us, 1.5 GB/s of programs
};

/**
 * Micron 9100 MAX 2.4 TB, MLC NAND. Published (as for the P3700): mean 107.7 us, median 104, p99
 * 117, p99.999 306 at depth 1; 135.7 k IOPS, mean 116.2, p99 205, p99.999 1560 at depth 16.
 */
export const micron9100: NandProfile = {
  kind: "nand",
  name: "simulated Micron 9100 MAX (MLC NAND)",
  blockBytes: 512,
  channels: 8, // fitted to the wait at depth 16 with the next: 128 dies give 142 k IOPS, 64 136 k
  diesPerChannel: 8,
  pageBytes: 4096,
  controllerNs: 18_500, // fitted
  senseNs: 79_000, // fitted; MLC tR in public simulators: 36 to 75 us
  jitterNs: 3_000, // fitted to p99 - median
  channelNs: 5_120, // 4 KB at 800 MB/s
  busNs: 1_280, // 4 KB at 3.2 GB/s, PCIe 3.0 x4
  programNs: 600_000, // MLC tPROG in public simulators: 185 to 750 us
  suspendNs: 100_000, // public simulators
  bufferPages: 64, // assumed
  eraseNs: 3_800_000, // MLC tBERS in public simulators
  eraseSuspendNs: 200_000, // fitted to p99.999: 99 % of the reads are 200 us faster
  eraseEveryNs: 80e9, // fitted: more than 1 in 100,000 reads meets an erase, fewer than 1 in 10,000
  capacityBytes: 2.4e12, // published
  spareShare: 0.33, // recalled: 3.2 TB of the same flash, sold as 2.4
  flashPageBytes: 16_384, // assumed
  planes: 2, // assumed
};

/**
 * The class of TLC drives of 2018 (Intel P4510 8 TB, Samsung 983 DCT). Published: 85 to 95 us mean
 * at depth 1; p99.99 2.5 times the mean at depth 1 (P4510 8 TB); 465-640 k reads and 80-140 k
 * steady random writes a second (recalled).
 */
export const p4510: NandProfile = {
  kind: "nand",
  name: "simulated TLC drive (P4510 class)",
  blockBytes: 512,
  channels: 12, // recalled
  diesPerChannel: 12, // assumed: enough for the reads below
  pageBytes: 4096,
  controllerNs: 13_500, // fitted
  senseNs: 66_000, // TLC tR in public simulators: 40 to 106 us; 90 us at depth 1
  jitterNs: 3_500, // assumed: percentiles near the median are not published
  channelNs: 5_120, // 4 KB at 800 MB/s
  busNs: 1_560, // fitted to the 640 k reads a second that are recalled
  programNs: 1_700_000, // fitted to them, 130 k writes; TLC tPROG in simulators: 560 to 5700 us
  suspendNs: 100_000, // public simulators
  bufferPages: 64, // assumed
  eraseNs: 3_000_000, // TLC tBERS in public simulators: 2000 to 3800 us
  eraseSuspendNs: 135_000, // fitted to p99.99: 2.5 times the mean
  eraseEveryNs: 12e9, // fitted: 1 in 4,000 reads meets an erase
  capacityBytes: 8e12, // published
  power: {
    idleWatts: 5, // recalled
    activeWatts: 0, // not known apart from the two below
    readNanojoules: 2.7, // recalled: 10-14 W active; 12 - 5 W over 2.6 GB/s
    writeNanojoules: 2.3, // the same over 3.1 GB/s, recalled
  },
  endurance: { capacityBytes: 8e12, driveWritesPerDay: 1, years: 5 }, // published: 1 DWPD
  spareShare: 0.15, // assumed
  flashPageBytes: 16_384, // assumed
  planes: 2, // assumed
};
