/**
 * Drives of SLC flash made for latency, as profiles of the NAND model. Each figure's source stands
 * beside it, in the words of the other profiles.
 *
 * @module
 */

import type { NandProfile } from "../profile.ts";

/**
 * Samsung 983 ZET 960 GB, Z-NAND. Published: mean 16 us for a random read of 4 KB at depth 1;
 * smaller and larger reads both lose. 750 k reads and 75-170 k writes a second (recalled).
 */
export const zet983: NandProfile = {
  kind: "nand",
  name: "simulated 983 ZET (SLC NAND)",
  blockBytes: 512,
  channels: 16, // assumed
  diesPerChannel: 4, // assumed
  pageBytes: 4096, // below it nothing is gained
  controllerNs: 6_300, // fitted to the mean: what the others leave
  senseNs: 3_000, // recalled; SLC tR in public simulators: 4 to 40 us
  jitterNs: 300, // assumed
  channelNs: 5_120, // 4 KB at 800 MB/s
  busNs: 1_280, // 4 KB at 3.2 GB/s, PCIe 3.0 x4: 781 k reads a second
  programNs: 100_000, // recalled; SLC tPROG in public simulators: 75 to 800 us
  suspendNs: 0, // assumed: tail like 3DXP at depth 1
  bufferPages: 64, // assumed
  eraseNs: 3_800_000, // public simulators
  eraseSuspendNs: 20_000, // assumed: tail like 3DXP at depth 1
  eraseEveryNs: 0, // no tail is published to fit it to
  capacityBytes: 960e9, // recalled
  spareShare: 0.28, // assumed
  // published: 8.5-30 DWPD for this and its sibling SZ985; the lower one, over five years recalled
  endurance: { capacityBytes: 960e9, driveWritesPerDay: 8.5, years: 5 },
};

/**
 * Kioxia FL6 3.2 TB, XL-FLASH. Published: 29 us a read and 8 us a write at depth 1, 1.5 M random
 * reads and 400 k random writes a second, 6.2 / 5.8 GB/s in sequence. The flash alone reads in less
 * than 5 us (recalled); how the rest divides between what reads and writes have in common and what
 * only reads have is fitted.
 */
export const fl6: NandProfile = {
  kind: "nand",
  name: "simulated FL6 (SLC NAND)",
  blockBytes: 512,
  channels: 16, // assumed
  diesPerChannel: 4, // assumed
  pageBytes: 4096,
  controllerNs: 7_340, // fitted to the write: 8 us less the bus
  senseNs: 14_880, // fitted to the read: with its jitter, 29 us less all others
  jitterNs: 1_000, // assumed
  channelNs: 5_120, // 4 KB at 800 MB/s
  busNs: 660, // 4 KB at 6.2 GB/s: 1.5 M reads a second as well
  programNs: 90_000, // fitted to 5.8 GB/s by 64 dies of 8 KB; public simulators: 75 to 800 us
  suspendNs: 0, // assumed
  bufferPages: 64, // assumed
  eraseNs: 3_800_000, // public simulators
  eraseSuspendNs: 20_000, // assumed
  eraseEveryNs: 0, // no tail is published to fit it to
  capacityBytes: 3.2e12, // recalled
  spareShare: 0.25, // fitted to the random writes, in the steady state
  planes: 2, // assumed
  // published: 60 DWPD, over five years recalled
  endurance: { capacityBytes: 3.2e12, driveWritesPerDay: 60, years: 5 },
};
