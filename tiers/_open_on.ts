/**
 * The ladder for a platform that is given: what {@linkcode openDevice} does on this one, and what
 * tests make it do as if on another.
 *
 * @module
 */

import { constants } from "node:fs";
import { UnsupportedTargetError } from "../base/errors.ts";
import { currentPlatform, libcRefusal } from "../base/libc_ffi.ts";
import type { FfiPlatform } from "../base/libc_ffi.ts";
import { createFileDevice } from "./file_device.ts";
import type { FilesDevice } from "./file_device.ts";
import { NO_DIRECT_SYSTEM } from "./_file_space.ts";
import { descend } from "./_ladder.ts";
import type { Rung } from "./_ladder.ts";
import type { DeviceRung, OpenDeviceOptions, OpenedDevice } from "./open_device.ts";
import { createUringDevice } from "./uring_device.ts";

/** What decides between the rungs before a file is touched. */
export interface LadderPlatform extends FfiPlatform {
  /** Whether `node:fs` has O_DIRECT: on Linux, not on macOS, whose F_NOCACHE is a call after. */
  readonly hasDirect: boolean;
}

/** The rungs, best first. */
export const RUNGS: readonly DeviceRung[] = ["io_uring", "direct", "buffered"];

/** The platform that this process runs on; asks for no permission. */
export function thisPlatform(): LadderPlatform {
  return { ...currentPlatform(), hasDirect: Boolean(constants.O_DIRECT) };
}

/** Why `rung` is not to be had on `platform`, whatever the file; "" where it may be. */
export function rungRefusal(rung: DeviceRung, platform: LadderPlatform): string {
  if (rung === "io_uring") return libcRefusal(platform);
  if (rung === "direct") return platform.hasDirect ? "" : NO_DIRECT_SYSTEM;
  return "";
}

/** Opens `options.files` by the best rung that `platform` has, or by the one asked for. */
export function openOn(platform: LadderPlatform, options: OpenDeviceOptions): OpenedDevice {
  const what = "Cannot open device";
  const mode = options.mode ?? "auto";
  if (mode !== "auto" && !RUNGS.includes(mode)) {
    throw new RangeError(
      `${what}: mode must be one of auto, ${RUNGS.join(", ")}: received ${mode}`,
    );
  }
  const names = mode === "auto" ? RUNGS : [mode];
  const rungs = names.map((name) => rungOf(name, platform, options));
  const { value, position, why } = descend(what, rungs);
  return { device: value, fileOffsets: value.fileOffsets, rung: names[position], why };
}

function rungOf(
  name: DeviceRung,
  platform: LadderPlatform,
  options: OpenDeviceOptions,
): Rung<FilesDevice> {
  const open = (): FilesDevice => {
    const refusal = rungRefusal(name, platform);
    if (refusal !== "") throw new UnsupportedTargetError(refusal);
    return name === "io_uring"
      ? createUringDevice(options)
      : createFileDevice({ ...options, direct: name === "direct" });
  };
  return { name, open };
}
