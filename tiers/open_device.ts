/**
 * The ladder from io_uring down to buffered reads: one call that gives the best device to be had
 * here and says which it is and why.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import { createFileDevice } from "./file_device.ts";
import type { FilesDevice } from "./file_device.ts";
import { createUringDevice } from "./uring_device.ts";
import { descend } from "./_ladder.ts";
import type { Rung } from "./_ladder.ts";

/** The steps of the ladder, best first. */
export type DeviceRung = "io_uring" | "direct" | "buffered";

/** What {@linkcode openDevice} takes. */
export interface OpenDeviceOptions {
  /** The files, in the order of the linear space; 1 to 4,096 of them. */
  readonly files: readonly string[];
  /** "auto", the default, goes down the ladder; a rung's name takes that one or throws. */
  readonly mode?: "auto" | DeviceRung;
  /** Requests it can hold in flight, 1 to 4,096; 128 when left out. */
  readonly depth?: number;
  /** What latencies are measured with; the machine's monotonic clock when left out. */
  readonly clock?: Clock;
}

/** What {@linkcode openDevice} gives. Disposing of the device closes all. */
export interface OpenedDevice {
  /** The device. */
  readonly device: FilesDevice;
  /**
   * First byte of each file in the device's linear space, by position; each a multiple of 1 MiB.
   */
  readonly fileOffsets: readonly number[];
  /** The step that was taken. */
  readonly rung: DeviceRung;
  /** One line that says why no better step was taken; empty for the first, or the one asked for. */
  readonly why: string;
}

const RUNGS: readonly DeviceRung[] = ["io_uring", "direct", "buffered"];

/**
 * Opens `files` as one read-only device by the best way there is: io_uring with O_DIRECT, then
 * synchronous O_DIRECT reads, then buffered ones. It never prompts for a permission: what is not
 * granted is a step down (FFI), or an error that names the flag (reading).
 *
 * @throws {RangeError} for wrong `files`, `depth` or `mode`.
 * @throws {TypeError} for a path that is empty or holds a NUL.
 * @throws {UnsupportedTargetError} when the rung that `mode` names is not to be had; the message
 *   says why.
 * @throws {DeviceError} for a file that is missing, not regular, or that --allow-read does not
 *   cover.
 *
 * @example
 * ```ts
 * import { openDevice } from "@rowtier/rowtier/tiers";
 *
 * const path = Deno.makeTempFileSync();
 * Deno.writeFileSync(path, new Uint8Array(1024));
 * const { device, rung, why } = openDevice({ files: [path] });
 * console.log(why === "" ? rung : `${rung} (${why})`);
 * device[Symbol.dispose]();
 * Deno.removeSync(path);
 * ```
 */
export function openDevice(options: OpenDeviceOptions): OpenedDevice {
  const what = "Cannot open device";
  const mode = options.mode ?? "auto";
  if (mode !== "auto" && !RUNGS.includes(mode)) {
    throw new RangeError(
      `${what}: mode must be one of auto, ${RUNGS.join(", ")}: received ${mode}`,
    );
  }
  const names = mode === "auto" ? RUNGS : [mode];
  const { value, position, why } = descend(what, names.map((name) => rungOf(name, options)));
  return { device: value, fileOffsets: value.fileOffsets, rung: names[position], why };
}

function rungOf(name: DeviceRung, options: OpenDeviceOptions): Rung<FilesDevice> {
  const open = name === "io_uring"
    ? () => createUringDevice(options)
    : () => createFileDevice({ ...options, direct: name === "direct" });
  return { name, open };
}
