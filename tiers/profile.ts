/**
 * What a simulated drive is made from: the parameters of its timing model. Three families, after
 * what the media does: 3D XPoint serves any block as fast as any other, NAND is an array of dies
 * that collide, memory is a latency and a link.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { MAX_DIES, MAX_MEDIA_BYTES, MAX_STRIPE_PAGES, MAX_UNITS } from "./limits.ts";
import type { Collection } from "./models/ftl.ts";
import type { PowerProfile } from "./models/power.ts";
import type { ThermalProfile } from "./models/throttle.ts";

/** What reads of less than a block save; see `subBlockReads` of the simulated device. */
export interface SubBlockProfile {
  /** The granule of such reads, in bytes; divides `blockBytes`. */
  readonly bytes: number;
  /** Latency saved for each byte of the blocks that does not cross the bus, in ns. */
  readonly savedNs: number;
}

/** How much a drive may be written. */
export interface EnduranceProfile {
  /** Its capacity in bytes. */
  readonly capacityBytes: number;
  /** DWPD: capacities written a day, every day of the years below. */
  readonly driveWritesPerDay: number;
  /** For how many years. */
  readonly years: number;
}

/** What profiles of all kinds have. */
export interface CommonProfile {
  /** What it is, for people. */
  readonly name: string;
  /** The granule of offsets and sizes, in bytes; a power of two. */
  readonly blockBytes: number;
  /** What it draws; left out where nothing is known. */
  readonly power?: PowerProfile;
  /** Throttles when it is hot; needs `power`. Left out: it never does. */
  readonly thermal?: ThermalProfile;
  /** Reads of less than a block; left out where the drive has none. */
  readonly subBlock?: SubBlockProfile;
  /** How much it may be written; left out where nothing is known. */
  readonly endurance?: EnduranceProfile;
}

/** What one operation costs a unit of a 3D XPoint drive. */
export interface UnitTimes {
  /** Once an operation, in ns. */
  readonly delayNs: number;
  /** For each granule, in ns. */
  readonly granuleNs: number;
  /** How long the unit stays busy after it has answered, in ns. */
  readonly trailingNs: number;
}

/**
 * A 3D XPoint drive: `units` equal servers with costs in the form of NVMeVirt's simple model (FAST
 * '23).
 */
export interface XpointProfile extends CommonProfile {
  /** Which model. */
  readonly kind: "3dxp";
  /** Servers. */
  readonly units: number;
  /** What a unit moves at a time, in bytes: a smaller read costs as much. */
  readonly granuleBytes: number;
  /**
   * Two requests in one aligned piece of this many bytes are served one after the other, a multiple
   * of `granuleBytes`; left out where the drive has no such rule.
   */
  readonly chunkBytes?: number;
  /** Part of the latency that keeps no unit busy: host, bus, controller; in ns. */
  readonly pipeNs: number;
  /** Costs of a read. */
  readonly read: UnitTimes;
  /** Costs of a write. */
  readonly write: UnitTimes;
  /** Mean of what comes on top of each operation, exponentially distributed, in ns; 0 for none. */
  readonly jitterNs: number;
  /** Share of the operations that wait long, from 0 to 1. */
  readonly stallShare: number;
  /** Such a wait is uniform in [0, this), in ns. */
  readonly stallNs: number;
}

/** A NAND drive: channels, and dies that serve one page at a time. */
export interface NandProfile extends CommonProfile {
  /** Which model. */
  readonly kind: "nand";
  /** Channels: each carries one page at a time. */
  readonly channels: number;
  /**
   * Dies behind each channel. Page `p` lies on channel `p % channels`, and there on the dies in
   * turn.
   */
  readonly diesPerChannel: number;
  /** What a die reads at a time, in bytes. */
  readonly pageBytes: number;
  /** Controller and host, once an operation, in ns. */
  readonly controllerNs: number;
  /** tR: from the cells to the die's register, in ns. */
  readonly senseNs: number;
  /** Mean of what comes on top of each tR, exponentially distributed, in ns; 0 for none. */
  readonly jitterNs: number;
  /** A page over its channel, in ns. */
  readonly channelNs: number;
  /** A page over the drive's bus to the host, in ns. */
  readonly busNs: number;
  /** tPROG of a page, in ns. */
  readonly programNs: number;
  /** Until a read interrupts a program on its die, in ns. */
  readonly suspendNs: number;
  /** tBERS: how long an erase keeps its die, in ns; reads that come meanwhile wait for its end. */
  readonly eraseNs: number;
  /** Mean time between the erases of one die in ns, exponentially distributed; 0 for none. */
  readonly eraseEveryNs: number;
  /**
   * Pages that a die's share of the write buffer holds: so many writes are answered before
   * programming.
   */
  readonly bufferPages: number;
  /** What the host sees, in bytes; what the media have where that is more, or this is left out. */
  readonly capacityBytes?: number;
  /** Flash beyond that, as a share of it, from 0 to 100; 0.07 when left out. */
  readonly spareShare?: number;
  /**
   * A physical page of the flash in bytes, a multiple of `pageBytes`, of which so many share it;
   * `pageBytes` when left out.
   */
  readonly flashPageBytes?: number;
  /** Planes of a die: one program takes a physical page of each. 1 when left out. */
  readonly planes?: number;
  /** Physical pages of a block, 2 to 65,536; 256 when left out. */
  readonly pagesPerBlock?: number;
  /** How blocks to collect are chosen; "greedy" when left out. See {@linkcode FtlOptions}. */
  readonly collection?: Collection;
  /** Erases between the most and least worn block until data are moved; 0 or left out: never. */
  readonly wearSpread?: number;
  /** Until a read interrupts an erase, in ns; left out, reads wait for its end. */
  readonly eraseSuspendNs?: number;
  /** Share of the reads that are tried again, from 0 to 1; 0 when left out. */
  readonly retryShare?: number;
  /** What a second try costs the die, in ns; `senseNs` when left out. */
  readonly retryNs?: number;
  /** Reads of a block until its pages are moved, against read disturb; 0 or left out: never. */
  readonly disturbReads?: number;
  /** Programs that a die makes in SLC mode before it must fold them; 0 or left out: none. */
  readonly slcPrograms?: number;
  /** tPROG in SLC mode, in ns; `programNs` when left out. */
  readonly slcProgramNs?: number;
}

/** Memory addressed like a device: two latencies and a link. */
export interface MemoryProfile extends CommonProfile {
  /** Which model. */
  readonly kind: "memory";
  /** What the media moves at a time, in bytes: a smaller access costs as much of its bandwidth. */
  readonly granuleBytes: number;
  /** Latency of an access that goes elsewhere than the one before, in ns. */
  readonly randomNs: number;
  /** Latency of an access in the same granule as the one before or the next one, in ns. */
  readonly sequentialNs: number;
  /** What it reads at most, in bytes a second; 1 or more. */
  readonly readBytesPerSecond: number;
  /** What it writes at most, in bytes a second; 1 or more. */
  readonly writeBytesPerSecond: number;
}

/** The parameters of a simulated drive. */
export type DeviceProfile = XpointProfile | NandProfile | MemoryProfile;

/** What the media of a profile moves at a time, in bytes. */
export function mediaGranuleBytes(profile: DeviceProfile): number {
  return profile.kind === "nand" ? profile.pageBytes : profile.granuleBytes;
}

/**
 * Checks a profile.
 *
 * @throws {RangeError} for the first number that is out of its range.
 * @throws {TypeError} for an unknown `kind`, or `thermal` without `power`.
 */
export function checkProfile(what: string, profile: DeviceProfile): void {
  const { kind, blockBytes } = profile;
  if (kind !== "3dxp" && kind !== "nand" && kind !== "memory") {
    throw new TypeError(
      `${what}: profile.kind must be "3dxp", "nand" or "memory": received ${kind}`,
    );
  }
  checkInteger(what, "profile.blockBytes", blockBytes, 1, 2 ** 20);
  if ((blockBytes & (blockBytes - 1)) !== 0) {
    throw new RangeError(
      `${what}: profile.blockBytes must be a power of two: received ${blockBytes}`,
    );
  }
  if (kind === "3dxp") checkXpoint(what, profile);
  else if (kind === "nand") checkNand(what, profile);
  else checkMemory(what, profile);
  checkCommon(what, profile);
}

function checkCommon(what: string, profile: CommonProfile): void {
  const { power, thermal, subBlock, endurance, blockBytes } = profile;
  if (power !== undefined) checkPositive(what, "profile.power", power, 0);
  if (thermal !== undefined) checkThermal(what, thermal, power !== undefined);
  if (subBlock !== undefined) {
    checkInteger(what, "profile.subBlock.bytes", subBlock.bytes, 1, blockBytes);
    if (blockBytes % subBlock.bytes !== 0) {
      throw new RangeError(
        `${what}: profile.subBlock.bytes must divide ${blockBytes}: received ${subBlock.bytes}`,
      );
    }
    checkTimes(what, "profile.subBlock", { savedNs: subBlock.savedNs });
  }
  if (endurance !== undefined) {
    const { capacityBytes, ...rates } = endurance;
    checkInteger(what, "profile.endurance.capacityBytes", capacityBytes, 1, MAX_MEDIA_BYTES);
    checkPositive(what, "profile.endurance", rates, Number.MIN_VALUE);
  }
}

function checkThermal(what: string, thermal: ThermalProfile, hasPower: boolean): void {
  if (!hasPower) {
    throw new TypeError(`${what}: profile.thermal must come with profile.power: received it alone`);
  }
  const { ambientCelsius, throttleCelsius, resumeCelsius, ...rates } = thermal;
  // 1e-3 K/W or J/K is a time constant of a microsecond, far below any drive's.
  checkPositive(what, "profile.thermal", rates, 1e-3);
  checkAtLeast(what, "profile.thermal.throttledBytesPerSecond", rates.throttledBytesPerSecond, 1);
  checkAtLeast(what, "profile.thermal.ambientCelsius", ambientCelsius, -273.15);
  checkAtLeast(what, "profile.thermal.resumeCelsius", resumeCelsius, ambientCelsius);
  checkAtLeast(what, "profile.thermal.throttleCelsius", throttleCelsius, resumeCelsius);
}

function checkXpoint(what: string, profile: XpointProfile): void {
  const { units, granuleBytes, chunkBytes, pipeNs, jitterNs, stallShare, stallNs } = profile;
  checkInteger(what, "profile.units", units, 1, MAX_UNITS);
  checkInteger(what, "profile.granuleBytes", granuleBytes, 1, 2 ** 30);
  if (chunkBytes !== undefined) {
    checkInteger(what, "profile.chunkBytes", chunkBytes, granuleBytes, 2 ** 30);
    if (chunkBytes % granuleBytes !== 0) {
      throw new RangeError(
        `${what}: profile.chunkBytes must be a multiple of ${granuleBytes}: received ${chunkBytes}`,
      );
    }
  }
  checkTimes(what, "profile", { pipeNs, jitterNs, stallNs });
  checkTimes(what, "profile.read", profile.read);
  checkTimes(what, "profile.write", profile.write);
  if (!(stallShare >= 0 && stallShare <= 1)) {
    throw new RangeError(`${what}: profile.stallShare must be from 0 to 1: received ${stallShare}`);
  }
}

function checkMemory(what: string, profile: MemoryProfile): void {
  const { granuleBytes, randomNs, sequentialNs } = profile;
  checkInteger(what, "profile.granuleBytes", granuleBytes, 1, 2 ** 30);
  checkTimes(what, "profile", { randomNs, sequentialNs });
  const { readBytesPerSecond, writeBytesPerSecond } = profile;
  checkPositive(what, "profile", { readBytesPerSecond, writeBytesPerSecond }, 1);
}

function checkNand(what: string, profile: NandProfile): void {
  const { channels, diesPerChannel, pageBytes, bufferPages } = profile;
  checkInteger(what, "profile.channels", channels, 1, MAX_DIES);
  checkInteger(what, "profile.diesPerChannel", diesPerChannel, 1, Math.floor(MAX_DIES / channels));
  checkInteger(what, "profile.pageBytes", pageBytes, 1, 2 ** 30);
  checkInteger(what, "profile.bufferPages", bufferPages, 0, 2 ** 20);
  const { controllerNs, senseNs, jitterNs, channelNs, busNs } = profile;
  checkTimes(what, "profile", { controllerNs, senseNs, jitterNs, channelNs, busNs });
  const { programNs, suspendNs, eraseNs, eraseEveryNs } = profile;
  checkTimes(what, "profile", { programNs, suspendNs, eraseNs, eraseEveryNs });
  checkFlash(what, profile);
}

/** Shortest time from one erase of a die to its next. */
const MIN_ERASE_CYCLE_NS = 1000;

function checkFlash(what: string, profile: NandProfile): void {
  const { pageBytes, flashPageBytes = pageBytes, capacityBytes = 1, spareShare = 0 } = profile;
  const { planes = 1, pagesPerBlock = 256, wearSpread = 0, disturbReads = 0 } = profile;
  const { slcPrograms = 0, retryShare = 0, collection = "greedy" } = profile;
  checkInteger(what, "profile.capacityBytes", capacityBytes, 1, MAX_MEDIA_BYTES);
  checkInteger(what, "profile.flashPageBytes", flashPageBytes, pageBytes, 2 ** 30);
  if (flashPageBytes % pageBytes !== 0) {
    throw new RangeError(
      `${what}: profile.flashPageBytes must be a multiple of ${pageBytes}: ` +
        `received ${flashPageBytes}`,
    );
  }
  checkInteger(what, "profile.planes", planes, 1, 64);
  checkInteger(what, "profile.pagesPerBlock", pagesPerBlock, 2, 65_536);
  const { channels, diesPerChannel } = profile;
  const rowPages = flashPageBytes / pageBytes * planes * channels * diesPerChannel;
  if (rowPages * pagesPerBlock > MAX_STRIPE_PAGES) {
    throw new RangeError(
      `${what}: profile.pagesPerBlock must be at most ${MAX_STRIPE_PAGES / rowPages} ` +
        `with so many dies: received ${pagesPerBlock}`,
    );
  }
  checkInteger(what, "profile.wearSpread", wearSpread, 0, 2 ** 31);
  checkInteger(what, "profile.disturbReads", disturbReads, 0, 2 ** 31);
  checkInteger(what, "profile.slcPrograms", slcPrograms, 0, 2 ** 31);
  checkShare(what, "profile.spareShare", spareShare, 100);
  checkShare(what, "profile.retryShare", retryShare, 1);
  if (collection !== "greedy" && collection !== "cost-benefit") {
    throw new TypeError(
      `${what}: profile.collection must be "greedy" or "cost-benefit": received ${collection}`,
    );
  }
  const { eraseNs, eraseEveryNs, eraseSuspendNs = 0, retryNs = 0, slcProgramNs = 0 } = profile;
  // Each erase is a step of the simulation, whether a read meets it or not.
  if (eraseEveryNs > 0 && eraseNs + eraseEveryNs < MIN_ERASE_CYCLE_NS) {
    throw new RangeError(
      `${what}: profile.eraseEveryNs must be 0, or at least ${MIN_ERASE_CYCLE_NS} with eraseNs: ` +
        `received ${eraseEveryNs}`,
    );
  }
  checkTimes(what, "profile", { eraseSuspendNs, retryNs, slcProgramNs });
}

function checkShare(what: string, name: string, share: number, maximum: number): void {
  if (share >= 0 && share <= maximum) return;
  throw new RangeError(`${what}: ${name} must be from 0 to ${maximum}: received ${share}`);
}

/** Times are finite and below a day, so that virtual time stays in whole ns below 2^53. */
const MAX_TIME_NS = 86_400e9;

function checkTimes(what: string, owner: string, times: object): void {
  for (const [name, value] of Object.entries(times) as [string, number][]) {
    if (!(value >= 0 && value < MAX_TIME_NS)) {
      throw new RangeError(
        `${what}: ${owner}.${name} must be from 0 to below ${MAX_TIME_NS}: received ${value}`,
      );
    }
  }
}

function checkPositive(what: string, owner: string, rates: object, minimum: number): void {
  for (const [name, value] of Object.entries(rates) as [string, number][]) {
    checkAtLeast(what, `${owner}.${name}`, value, minimum);
  }
}

function checkAtLeast(what: string, name: string, value: number, minimum: number): void {
  if (value >= minimum && value < Infinity) return;
  throw new RangeError(
    `${what}: ${name} must be finite and at least ${minimum}: received ${value}`,
  );
}
