/**
 * A profile that was measured: with its error at points it was not fitted to, as a file that is
 * always whole.
 *
 * @module
 */

import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { DeviceError, errnoOf } from "../../base/errors.ts";
import { checkProfile } from "../profile.ts";
import type { DeviceProfile } from "../profile.ts";
import { checkPoint, FIGURE_NAMES } from "./device_point.ts";
import type { PointFit } from "./device_point.ts";

/** A profile fitted to some of the measured points, and how it does at the others. */
export interface MeasuredProfile {
  /** The profile. Its name says the error, so that whatever prints the name prints it. */
  readonly profile: DeviceProfile;
  /**
   * The largest relative error of any mean latency and any IOPS at the points that the fit did not
   * see, as a share: 0.1 is 10 %. What is simulated with the profile can be as far off.
   */
  readonly errorShare: number;
  /**
   * How far the IOPS of one load differed from round to round at most, as a share: the drive's own
   * restlessness, below which no error can be expected.
   */
  readonly noiseShare: number;
  /** The points it was fitted to. */
  readonly fitted: readonly PointFit[];
  /** The points that the fit did not see. */
  readonly heldOut: readonly PointFit[];
}

const FORMAT = "rowtier device profile";
const VERSION = 1;

/**
 * Writes `measured` as JSON to `path`: aside, synced, renamed, the folder synced; whatever goes
 * wrong, an existing file is left as it was. Needs --allow-write and --allow-read.
 *
 * @throws {DeviceError} when the disk fails.
 *
 * @example
 * ```ts
 * import { loadProfile, PROFILES, saveProfile } from "@rowtier/rowtier/tiers";
 *
 * const path = Deno.makeTempFileSync();
 * const rest = { errorShare: 0.08, noiseShare: 0.02, fitted: [], heldOut: [] };
 * saveProfile(path, { profile: PROFILES.p5800x, ...rest });
 * if (loadProfile(path).errorShare !== 0.08) throw new Error("unreachable");
 * Deno.removeSync(path);
 * ```
 */
export function saveProfile(path: string, measured: MeasuredProfile): void {
  const what = `Cannot save profile ${path}`;
  const text = JSON.stringify({ format: FORMAT, version: VERSION, ...measured }, null, 2);
  const id = Array.from(crypto.getRandomValues(new Uint8Array(4)), (byte) => byte.toString(16));
  // Beside it: a rename is atomic within one file system only.
  const aside = `${path}.${id.join("")}.partial`;
  try {
    const file = onDisk(what, "creating", () => openSync(aside, "wx"));
    try {
      onDisk(what, "writing", () => writeAll(file, new TextEncoder().encode(`${text}\n`)));
      onDisk(what, "syncing", () => fsyncSync(file));
    } finally {
      closeSync(file);
    }
    onDisk(what, "renaming", () => renameSync(aside, path));
  } catch (error) {
    rmSync(aside, { force: true });
    throw error;
  }
  syncFolder(dirname(path));
}

/** Writes all of `bytes`: a system call may take only part of them. */
export function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
}

/** Names what cannot be done, and the step, when the disk fails. */
export function onDisk<T>(what: string, step: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    // A refused permission names its own flag.
    if ((error as { code?: unknown }).code === undefined) throw error;
    throw new DeviceError(`${what}: ${step} failed`, errnoOf(error));
  }
}

/** Makes a rename durable, where a folder can be opened and synced (not on Windows). */
function syncFolder(path: string): void {
  try {
    const folder = openSync(path, "r");
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch {
    // Nothing can be done; the file itself is whole.
  }
}

/**
 * Reads what {@linkcode saveProfile} wrote, and checks all of it.
 *
 * @throws {DeviceError} when the file cannot be read.
 * @throws {SyntaxError} for text that is not JSON.
 * @throws {TypeError} for another file, another version, or a member of the wrong type.
 * @throws {RangeError} for a number that is out of its range.
 *
 * @example
 * ```ts
 * import { loadProfile } from "@rowtier/rowtier/tiers";
 *
 * const path = Deno.makeTempFileSync();
 * Deno.writeTextFileSync(path, '{"format": "another"}');
 * let message = "";
 * try {
 *   loadProfile(path);
 * } catch (error) {
 *   message = (error as Error).message;
 * }
 * if (!message.includes("format must be")) throw new Error("unreachable");
 * Deno.removeSync(path);
 * ```
 */
export function loadProfile(path: string): MeasuredProfile {
  const what = `Cannot load profile ${path}`;
  const read: unknown = JSON.parse(onDisk(what, "reading", () => readFileSync(path, "utf8")));
  const { format, version, ...measured } = objectOf(what, "the file", read);
  if (format !== FORMAT) {
    throw new TypeError(`${what}: format must be "${FORMAT}": received ${JSON.stringify(format)}`);
  }
  if (version !== VERSION) {
    throw new TypeError(`${what}: version must be ${VERSION}: received ${version}`);
  }
  const { profile, errorShare, noiseShare, fitted, heldOut } = measured;
  return {
    profile: profileOf(what, profile),
    errorShare: numberOf(what, "errorShare", errorShare),
    noiseShare: numberOf(what, "noiseShare", noiseShare),
    fitted: fitsOf(what, "fitted", fitted),
    heldOut: fitsOf(what, "heldOut", heldOut),
  };
}

type Unknowns = Readonly<Record<string, unknown>>;

function objectOf(what: string, name: string, value: unknown): Unknowns {
  if (typeof value === "object" && value !== null) return value as Unknowns;
  throw new TypeError(`${what}: ${name} must be an object: received ${typeof value}`);
}

function numberOf(what: string, name: string, value: unknown, minimum = 0): number {
  if (typeof value === "number" && value >= minimum && value < Infinity) return value;
  throw new RangeError(`${what}: ${name} must be a number from ${minimum} on: received ${value}`);
}

function profileOf(what: string, value: unknown): DeviceProfile {
  const { name, kind, read, write } = objectOf(what, "profile", value);
  if (typeof name !== "string") {
    throw new TypeError(`${what}: profile.name must be a string: received ${typeof name}`);
  }
  if (kind === "3dxp") {
    for (const [op, times] of Object.entries({ read, write })) {
      const { delayNs, granuleNs, trailingNs } = objectOf(what, `profile.${op}`, times);
      numberOf(what, `profile.${op}.delayNs`, delayNs);
      numberOf(what, `profile.${op}.granuleNs`, granuleNs);
      numberOf(what, `profile.${op}.trailingNs`, trailingNs);
    }
  }
  checkNoNull(what, "profile", value);
  const profile = value as DeviceProfile;
  checkProfile(what, profile);
  return profile;
}

/** JSON makes null of NaN and Infinity, and null compares like 0. */
function checkNoNull(what: string, name: string, value: unknown): void {
  if (value === null) throw new RangeError(`${what}: ${name} must be a number: received null`);
  if (typeof value !== "object") return;
  for (const [key, member] of Object.entries(value as object)) {
    checkNoNull(what, `${name}.${key}`, member);
  }
}

function fitsOf(what: string, name: string, value: unknown): readonly PointFit[] {
  if (!Array.isArray(value)) {
    throw new TypeError(`${what}: ${name} must be an array: received ${typeof value}`);
  }
  value.forEach((each: unknown, i) => {
    const fit = `${name}[${i}]`;
    const { point, figures } = objectOf(what, fit, each);
    checkPoint(what, `${fit}.point`, objectOf(what, `${fit}.point`, point));
    if (!Array.isArray(figures)) {
      throw new TypeError(`${what}: ${fit}.figures must be an array: received ${typeof figures}`);
    }
    figures.forEach((figure: unknown, f) => checkFigure(what, `${fit}.figures[${f}]`, figure));
  });
  return value as readonly PointFit[];
}

function checkFigure(what: string, at: string, value: unknown): void {
  const { name, measured, simulated, error } = objectOf(what, at, value);
  if (!FIGURE_NAMES.some((each) => each === name)) {
    throw new RangeError(`${what}: ${at}.name must be that of a figure: received ${name}`);
  }
  numberOf(what, `${at}.measured`, measured);
  numberOf(what, `${at}.simulated`, simulated);
  numberOf(what, `${at}.error`, error, -1);
}
