/**
 * Where a fit begins, and the ways it moves: one family of profiles each.
 *
 * @module
 */

import { MAX_DIES, MAX_UNITS, SECTOR_BYTES } from "../limits.ts";
import type { DeviceProfile, NandProfile, UnitTimes, XpointProfile } from "../profile.ts";
import type { DevicePoint, FigureName } from "./device_point.ts";
import { FIGURE_SHARES } from "./device_point.ts";

/** A profile with one of its parameters, or several that belong together, changed by a factor. */
export type Move<P extends DeviceProfile> = (profile: P, factor: number) => P;

/** What a search needs. */
export interface Family<P extends DeviceProfile> {
  /** Profiles to begin at, from closed forms. */
  readonly starts: readonly P[];
  /** What reads alone decide. */
  readonly readMoves: readonly Move<P>[];
  /** What is left for writes to decide. */
  readonly writeMoves: readonly Move<P>[];
}

/** Where latencies and throughput are read off. */
interface Landmarks {
  /** Mean latency at the least depth and size. */
  readonly idleNs: number;
  /** Time an operation takes of the whole drive where it is busiest, by size. */
  readonly busyNs: ReadonlyMap<number, number>;
  /** The least and the largest size. */
  readonly small: number;
  readonly large: number;
  /** How long the rare waits are at most, and the share of operations that have one. */
  readonly stallNs: number;
  readonly stallShare: number;
  /** p99 above the mean at the least depth. */
  readonly spreadNs: number;
  /** Mean latency of writes over that of reads; 1 where it is not known. */
  readonly writeRatio: number;
}

/** Reads alone, anywhere, with a mean or the IOPS that give it: what closed forms begin from. */
export function readsAlone(points: readonly DevicePoint[]): DevicePoint[] {
  return points.filter((point) =>
    point.op === "read" && point.writeShare === 0 && point.sequential !== true &&
    (point.meanNs ?? point.iops) !== undefined
  );
}

/** Little's law gives a closed loop's mean from its IOPS, and the other way round. */
function meanOf({ depth, iops, meanNs }: DevicePoint): number {
  return meanNs ?? depth * 1e9 / iops!;
}

function iopsOf({ depth, iops, meanNs }: DevicePoint): number {
  return iops ?? depth * 1e9 / meanNs!;
}

function landmarksOf(points: readonly DevicePoint[]): Landmarks {
  const reads = readsAlone(points);
  const idle = [...reads].sort((a, b) => a.depth - b.depth || a.bytes - b.bytes)[0];
  const idleNs = meanOf(idle);
  const busyNs = new Map<number, number>();
  for (const point of reads) {
    const ns = 1e9 / iopsOf(point);
    busyNs.set(point.bytes, Math.min(ns, busyNs.get(point.bytes) ?? Infinity));
  }
  const sizes = [...busyNs.keys()];
  // Rare waits show at the least depth where enough was measured to see them.
  const seen = [...reads].sort((a, b) => a.depth - b.depth).find((point) => tailOf(point));
  const tail = seen === undefined ? undefined : tailOf(seen);
  const waitNs = tail === undefined ? 0 : Math.max(0, tail.ns - meanOf(seen!));
  return {
    idleNs,
    busyNs,
    small: Math.min(...sizes),
    large: Math.max(...sizes),
    // A uniform wait of [0, 2 w) that a share 2 s of the operations have is above w for s of them.
    stallNs: 2 * waitNs,
    stallShare: tail === undefined ? 0 : 2 * (1 - tail.share),
    spreadNs: Math.max(1, (idle.p99Ns ?? 1.1 * idleNs) - idleNs),
    writeRatio: writeRatioOf(points, reads),
  };
}

/** From the load that writes most, the shallowest where several do, and reads of the same load. */
function writeRatioOf(points: readonly DevicePoint[], reads: readonly DevicePoint[]): number {
  const writes = points.filter((point) =>
    point.op === "write" && point.sequential !== true && point.meanNs !== undefined
  ).sort((a, b) => b.writeShare - a.writeShare || a.depth - b.depth);
  for (const { bytes, depth, meanNs } of writes) {
    const read = reads.find((each) => each.bytes === bytes && each.depth === depth);
    if (read !== undefined) return meanNs! / meanOf(read);
  }
  return 1;
}

/** The furthest percentile beyond p99. */
function tailOf(point: DevicePoint): { share: number; ns: number } | undefined {
  const names: readonly FigureName[] = ["p99999Ns", "p9999Ns", "p999Ns"];
  const name = names.find((each) => point[each] !== undefined);
  return name === undefined ? undefined : { share: FIGURE_SHARES[name], ns: point[name]! };
}

const UNITS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256];

/** Bytes that a unit may move at a time: what both generations of 3D XPoint do. */
const GRANULES = [4096, 512];

/** 3D XPoint, which serves any drive whose latency does not depend on where one reads. */
export function xpointFamily(
  name: string,
  points: readonly DevicePoint[],
): Family<XpointProfile> {
  const marks = landmarksOf(points);
  const { idleNs, small, large, busyNs } = marks;
  const smallNs = busyNs.get(small)!, largeNs = busyNs.get(large)!;
  const starts = GRANULES.flatMap((granuleBytes) => {
    const first = Math.ceil(small / granuleBytes), last = Math.ceil(large / granuleBytes);
    // What a granule adds to an operation; all of it where only one size is known.
    const slopeNs = last === first
      ? smallNs / first
      : Math.max(1, (largeNs - smallNs) / (last - first));
    const granuleNs = Math.min(slopeNs, smallNs / first);
    // More units than were ever busy at once cannot be told from the points.
    return UNITS.filter((units) => units === 1 || units * smallNs <= idleNs).map((units) => {
      const delayNs = units * (smallNs - first * granuleNs);
      const times = { delayNs, granuleNs: units * granuleNs, trailingNs: 0 };
      const { writeRatio } = marks;
      const start: XpointProfile = {
        kind: "3dxp",
        name,
        blockBytes: SECTOR_BYTES,
        units,
        granuleBytes,
        pipeNs: Math.max(0, idleNs - units * smallNs),
        read: times,
        write: {
          delayNs: writeRatio * delayNs,
          granuleNs: writeRatio * times.granuleNs,
          trailingNs: 0,
        },
        jitterNs: marks.spreadNs / 4,
        stallShare: marks.stallShare,
        stallNs: marks.stallNs,
      };
      return start;
    });
  });
  return { starts, readMoves: XPOINT_READS, writeMoves: XPOINT_WRITES };
}

/** Where a time begins to grow from nothing, in ns; from less, a search would not arrive. */
const LEAST_NS = 100;

/** A time changed by a factor. */
function scaled(ns: number, factor: number): number {
  return Math.min(1e12, (factor > 1 ? Math.max(ns, LEAST_NS) : ns) * factor);
}

/** A whole number changed by a factor, by at least 1 one way or the other. */
function counted(value: number, factor: number, maximum: number): number {
  const changed = factor > 1
    ? Math.max(value + 1, Math.round(value * factor))
    : Math.min(value - 1, Math.round(value * factor));
  return Math.min(maximum, Math.max(1, changed));
}

const XPOINT_READS: readonly Move<XpointProfile>[] = [
  (profile, factor) => ({ ...profile, pipeNs: scaled(profile.pipeNs, factor) }),
  ({ read, ...profile }, factor) => ({
    ...profile,
    read: { ...read, granuleNs: scaled(read.granuleNs, factor) },
  }),
  ({ read, ...profile }, factor) => ({
    ...profile,
    read: { ...read, delayNs: scaled(read.delayNs, factor) },
  }),
  (profile, factor) => ({ ...profile, jitterNs: scaled(profile.jitterNs, factor) }),
  (profile, factor) => ({ ...profile, units: counted(profile.units, factor, MAX_UNITS) }),
  // More units, each slower by as much, and less outside them: only the bend between idle and busy
  // changes, which no single parameter does.
  ({ read, write, ...profile }, factor) => {
    const units = counted(profile.units, factor, MAX_UNITS);
    const ratio = units / profile.units;
    const moved = (read.delayNs + read.granuleNs) * (ratio - 1);
    return {
      ...profile,
      units,
      read: slowed(read, ratio),
      write: slowed(write, ratio),
      pipeNs: Math.max(0, profile.pipeNs - moved),
    };
  },
];

function slowed({ delayNs, granuleNs, trailingNs }: UnitTimes, ratio: number): UnitTimes {
  return { delayNs: delayNs * ratio, granuleNs: granuleNs * ratio, trailingNs };
}

const XPOINT_WRITES: readonly Move<XpointProfile>[] = [
  ({ write, ...profile }, factor) => ({
    ...profile,
    write: { ...write, granuleNs: scaled(write.granuleNs, factor) },
  }),
  ({ write, ...profile }, factor) => ({
    ...profile,
    write: { ...write, delayNs: scaled(write.delayNs, factor) },
  }),
];

const DIES = [4, 8, 16, 32, 64, 128, 256];

/** A long read is one die's or several dies' work, by the size of the flash's own pages. */
const FLASH_PAGES = [4096, 16_384];

/** NAND: what waits at depth are reads that meet at one die. */
export function nandFamily(name: string, points: readonly DevicePoint[]): Family<NandProfile> {
  const { idleNs, busyNs, small, stallNs, stallShare, spreadNs } = landmarksOf(points);
  const busNs = Math.min(0.9 * busyNs.get(small)!, 0.1 * idleNs);
  const shapes = FLASH_PAGES.flatMap((flashPageBytes) =>
    DIES.map((dies) => ({ flashPageBytes, dies }))
  );
  const starts = shapes.map(({ flashPageBytes, dies }): NandProfile => {
    const channels = Math.min(dies, 16);
    return {
      kind: "nand",
      name,
      blockBytes: SECTOR_BYTES,
      channels,
      diesPerChannel: dies / channels,
      pageBytes: 4096,
      flashPageBytes,
      controllerNs: 0.15 * idleNs,
      senseNs: 0.7 * idleNs,
      jitterNs: spreadNs / 4,
      channelNs: 0.05 * idleNs,
      busNs,
      programNs: 600_000, // MLC tPROG in public simulators; moved where writes were measured
      suspendNs: 100_000, // public simulators
      eraseNs: stallNs,
      eraseEveryNs: stallShare === 0 ? 0 : stallNs / stallShare,
      bufferPages: 64, // assumed
    };
  });
  return { starts, readMoves: NAND_READS, writeMoves: NAND_WRITES };
}

const NAND_READS: readonly Move<NandProfile>[] = [
  (profile, factor) => ({ ...profile, senseNs: scaled(profile.senseNs, factor) }),
  (profile, factor) => ({ ...profile, controllerNs: scaled(profile.controllerNs, factor) }),
  (profile, factor) => ({ ...profile, jitterNs: scaled(profile.jitterNs, factor) }),
  (profile, factor) => ({ ...profile, busNs: scaled(profile.busNs, factor) }),
  (profile, factor) => ({ ...profile, channelNs: scaled(profile.channelNs, factor) }),
  (profile, factor) => ({
    ...profile,
    diesPerChannel: counted(
      profile.diesPerChannel,
      factor,
      Math.floor(MAX_DIES / profile.channels),
    ),
  }),
  // Between the dies, which are kept busy, and the controller, which is not.
  (profile, factor) => {
    const senseNs = Math.min(
      profile.senseNs * factor,
      profile.senseNs + profile.controllerNs,
    );
    const controllerNs = profile.controllerNs + profile.senseNs - senseNs;
    return { ...profile, senseNs, controllerNs };
  },
];

const NAND_WRITES: readonly Move<NandProfile>[] = [
  (profile, factor) => ({ ...profile, programNs: scaled(profile.programNs, factor) }),
];
