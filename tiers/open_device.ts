/**
 * The ladder from io_uring down to buffered reads: one call that gives the best device to be had
 * here and says which it is and why.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import type { FilesDevice } from "./file_device.ts";
import { openOn, thisPlatform } from "./_open_on.ts";

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
  /** True to write and flush as well; needs --allow-write. Discards only io_uring does. */
  readonly writable?: boolean;
  /** True to take reads of any offset and length: the device widens and trims them. */
  readonly widen?: boolean;
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

/**
 * Opens `files` as one device by the best way there is: io_uring with O_DIRECT (Linux with FFI
 * granted), then synchronous O_DIRECT reads (Linux), then buffered ones (everywhere). It never
 * prompts for a permission: what is not granted is a step down (FFI), or an error that names the
 * flag (reading, writing).
 *
 * @throws {RangeError} for wrong `files`, `depth` or `mode`.
 * @throws {TypeError} for a path that is empty or holds a NUL.
 * @throws {UnsupportedTargetError} when the rung that `mode` names is not to be had; the message
 *   says why.
 * @throws {DeviceError} for a file that is missing, not regular, or that --allow-read (and
 *   --allow-write, where `writable`) does not cover.
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
  return openOn(thisPlatform(), options);
}
