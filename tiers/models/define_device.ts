/**
 * Profiles of a user's own.
 *
 * @module
 */

import { checkProfile } from "../profile.ts";
import type { CommonProfile, DeviceProfile } from "../profile.ts";
import { PROFILES } from "../profiles.ts";

/** The profiles of one kind. */
export type ProfileOf<Kind extends DeviceProfile["kind"]> = Extract<DeviceProfile, { kind: Kind }>;

/** What {@linkcode defineDevice} takes: kind, name, and what differs from the kind's defaults. */
export type DeviceDefinition<Kind extends DeviceProfile["kind"]> =
  & Partial<ProfileOf<Kind>>
  & {
    /** Which model. */
    readonly kind: Kind;
    /** What it is, for people. */
    readonly name: string;
  };

type Fields<Profile> = Readonly<Record<keyof Profile, true>>;

const COMMON: Fields<CommonProfile> = {
  name: true,
  blockBytes: true,
  power: true,
  thermal: true,
  subBlock: true,
  endurance: true,
};

/** Names of all fields of each kind, so that a misspelt one is not silently without effect. */
const FIELDS: { readonly [Kind in DeviceProfile["kind"]]: Fields<ProfileOf<Kind>> } = {
  "3dxp": {
    ...COMMON,
    kind: true,
    units: true,
    granuleBytes: true,
    chunkBytes: true,
    pipeNs: true,
    read: true,
    write: true,
    jitterNs: true,
    stallShare: true,
    stallNs: true,
  },
  "memory": {
    ...COMMON,
    kind: true,
    granuleBytes: true,
    randomNs: true,
    sequentialNs: true,
    readBytesPerSecond: true,
    writeBytesPerSecond: true,
  },
  "nand": {
    ...COMMON,
    kind: true,
    channels: true,
    diesPerChannel: true,
    pageBytes: true,
    controllerNs: true,
    senseNs: true,
    jitterNs: true,
    channelNs: true,
    busNs: true,
    programNs: true,
    suspendNs: true,
    eraseNs: true,
    eraseEveryNs: true,
    bufferPages: true,
    capacityBytes: true,
    spareShare: true,
    flashPageBytes: true,
    planes: true,
    pagesPerBlock: true,
    collection: true,
    wearSpread: true,
    eraseSuspendNs: true,
    retryShare: true,
    retryNs: true,
    disturbReads: true,
    slcPrograms: true,
    slcProgramNs: true,
  },
};

/** The published drive that stands for a kind. */
const DEFAULTS: { readonly [Kind in DeviceProfile["kind"]]: ProfileOf<Kind> } = {
  "3dxp": withoutOwn(PROFILES.p4800x),
  "memory": withoutOwn(PROFILES.dram),
  "nand": withoutOwn(PROFILES.p3700),
};

/** Without what is true of one drive only. */
function withoutOwn<Profile extends CommonProfile>(profile: Profile): Profile {
  const copy = { ...profile };
  for (const field of ["power", "thermal", "subBlock", "endurance"]) {
    Reflect.deleteProperty(copy, field);
  }
  return copy;
}

/**
 * Makes a profile of a user's own: what is left out is that of the P4800X for "3dxp", of the P3700
 * for "nand", of DRAM for "memory". Power, temperature, reads of less than a block, and endurance
 * are of one drive only and never filled in. The name is led by "simulated", so that no figure is
 * taken for a measured one.
 *
 * @throws {RangeError} for a number out of its range.
 * @throws {TypeError} for an unknown kind or field, or an empty name.
 *
 * @example
 * ```ts
 * import {
 *   createSimulatedDevice,
 *   defineDevice,
 *   memoryMedia,
 *   VirtualClock,
 * } from "@rowtier/rowtier/tiers";
 *
 * const profile = defineDevice({
 *   kind: "3dxp",
 *   name: "a drive of 14 channels",
 *   units: 14,
 *   power: { idleWatts: 5, activeWatts: 1, readNanojoules: 1.5, writeNanojoules: 4 },
 * });
 * const clock = new VirtualClock();
 * using device = createSimulatedDevice({ profile, media: memoryMedia(2 ** 20), clock });
 * if (device.name !== "simulated a drive of 14 channels") throw new Error("unreachable");
 * clock.advanceTo(1e9);
 * if (device.counters().meanWatts !== 5) throw new Error("unreachable");
 * ```
 */
export function defineDevice<Kind extends DeviceProfile["kind"]>(
  definition: DeviceDefinition<Kind>,
): ProfileOf<Kind> {
  const what = "Cannot define device";
  const { kind, name } = definition;
  const fields: Record<string, true> | undefined = Object.hasOwn(FIELDS, kind)
    ? FIELDS[kind]
    : undefined;
  if (fields === undefined) {
    const kinds = Object.keys(FIELDS).join(", ");
    throw new TypeError(`${what}: kind must be one of ${kinds}: received ${kind}`);
  }
  if (typeof name !== "string" || name.trim() === "") {
    throw new TypeError(`${what}: name must be a text that is not empty: received ${name}`);
  }
  const unknown = Object.keys(definition).find((field) => !Object.hasOwn(fields, field));
  if (unknown !== undefined) {
    const known = Object.keys(fields).join(", ");
    throw new TypeError(`${what}: fields must be among ${known}: received ${unknown}`);
  }
  const full = name.startsWith("simulated ") ? name : `simulated ${name}`;
  const profile: ProfileOf<Kind> = Object.assign({}, DEFAULTS[kind], definition, { name: full });
  checkProfile(what, profile);
  return profile;
}
