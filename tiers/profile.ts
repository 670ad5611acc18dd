/**
 * What a simulated drive is made from: the parameters of its timing model. Two families, after what
 * the media does: 3D XPoint serves any block as fast as any other, NAND is an array of dies that
 * collide.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { MAX_DIES, MAX_UNITS } from "./limits.ts";

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
export interface XpointProfile {
  /** Which model. */
  readonly kind: "3dxp";
  /** What it is, for people. */
  readonly name: string;
  /** The granule of offsets and sizes, in bytes; a power of two. */
  readonly blockBytes: number;
  /** Servers. */
  readonly units: number;
  /** What a unit moves at a time, in bytes: a smaller read costs as much. */
  readonly granuleBytes: number;
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
export interface NandProfile {
  /** Which model. */
  readonly kind: "nand";
  /** What it is, for people. */
  readonly name: string;
  /** The granule of offsets and sizes, in bytes; a power of two. */
  readonly blockBytes: number;
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
}

/** The parameters of a simulated drive. */
export type DeviceProfile = XpointProfile | NandProfile;

/**
 * Checks a profile.
 *
 * @throws {RangeError} for the first number that is out of its range.
 * @throws {TypeError} for an unknown `kind`.
 */
export function checkProfile(what: string, profile: DeviceProfile): void {
  const { kind, blockBytes } = profile;
  if (kind !== "3dxp" && kind !== "nand") {
    throw new TypeError(`${what}: profile.kind must be "3dxp" or "nand": received ${kind}`);
  }
  checkInteger(what, "profile.blockBytes", blockBytes, 1, 2 ** 20);
  if (kind === "3dxp") checkXpoint(what, profile);
  else checkNand(what, profile);
}

function checkXpoint(what: string, profile: XpointProfile): void {
  const { units, granuleBytes, pipeNs, jitterNs, stallShare, stallNs } = profile;
  checkInteger(what, "profile.units", units, 1, MAX_UNITS);
  checkInteger(what, "profile.granuleBytes", granuleBytes, 1, 2 ** 30);
  checkTimes(what, "profile", { pipeNs, jitterNs, stallNs });
  checkTimes(what, "profile.read", profile.read);
  checkTimes(what, "profile.write", profile.write);
  if (!(stallShare >= 0 && stallShare <= 1)) {
    throw new RangeError(`${what}: profile.stallShare must be from 0 to 1: received ${stallShare}`);
  }
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
