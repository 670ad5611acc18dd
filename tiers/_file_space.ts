/**
 * Several files as one linear space of blocks: what all devices over files share.
 *
 * @module
 */

import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";
import { checkInteger } from "../base/checks.ts";
import { DeviceError, ERRNO, errnoOf, UnsupportedTargetError } from "../base/errors.ts";
import { IO_OP } from "./io.ts";
import { MAX_DEPTH, MAX_FILES, SECTOR_BYTES } from "./limits.ts";

/**
 * Each file starts at a multiple of this, whatever its size, so that the granule may change under a
 * table.
 */
export const FILE_ALIGN_BYTES: number = 2 ** 20;

/** Open files and their sizes, by position. */
export interface OpenFiles {
  /** Descriptors of `node:fs`. */
  readonly fds: number[];
  /** Sizes in bytes when opened. */
  readonly sizes: number[];
}

/** Where each file lies in the space. */
export interface FileSpace {
  /** First byte of each file; ascending. */
  readonly starts: Float64Array;
  /** One past the last byte of each, its size rounded up to a block. */
  readonly ends: Float64Array;
  /** Bytes of the whole space. */
  readonly bytes: number;
}

/** Throws unless `files` and `depth` can make a device. */
export function checkFileOptions(what: string, files: readonly string[], depth: number): void {
  if (!Array.isArray(files) || files.length === 0 || files.length > MAX_FILES) {
    const received = Array.isArray(files) ? `${files.length} files` : typeof files;
    throw new RangeError(
      `${what}: files must be an array of 1 to ${MAX_FILES} paths: received ${received}`,
    );
  }
  for (const path of files) {
    // A NUL would cut the path where the C library reads it.
    if (typeof path !== "string" || path === "" || path.includes("\0")) {
      throw new TypeError(
        `${what}: each file must be a non-empty path without NUL: received ${JSON.stringify(path)}`,
      );
    }
  }
  checkInteger(what, "depth", depth, 1, MAX_DEPTH);
}

/**
 * Opens `files` for reading, or writing as well, with O_DIRECT where `direct`.
 *
 * @throws {UnsupportedTargetError} where O_DIRECT is not to be had.
 * @throws {DeviceError} for a file that is missing, refused or not a regular file.
 */
export function openFiles(
  what: string,
  files: readonly string[],
  direct: boolean,
  writable = false,
): OpenFiles {
  const opened: OpenFiles = { fds: [], sizes: [] };
  try {
    for (const path of files) {
      const fd = openFile(what, path, direct, writable);
      opened.fds.push(fd);
      opened.sizes.push(fstatSync(fd).size);
    }
  } catch (error) {
    closeFiles(opened);
    throw error;
  }
  return opened;
}

/** Closes them all. */
export function closeFiles(opened: OpenFiles): void {
  for (const fd of opened.fds) closeSync(fd);
  opened.fds.length = 0;
}

function openFile(what: string, path: string, direct: boolean, writable: boolean): number {
  checkGranted(what, path, writable);
  if (direct && !constants.O_DIRECT) throw new UnsupportedTargetError(NO_DIRECT_SYSTEM);
  try {
    // Looked at first: opening a pipe would block, and a folder refuses O_DIRECT as a file system
    // without it does.
    if (!statSync(path).isFile()) {
      throw new DeviceError(`${what}: ${path} must be a regular file`, ERRNO.EINVAL);
    }
    const access = writable ? constants.O_RDWR : constants.O_RDONLY;
    return openSync(path, access | (direct ? constants.O_DIRECT : 0));
  } catch (error) {
    if (error instanceof DeviceError) throw error;
    // Some paths need more than --allow-read; the runtime's own message names the flag.
    if ((error as Error).name === "NotCapable") {
      throw new DeviceError(`${what}: ${(error as Error).message}`, ERRNO.EACCES);
    }
    const errno = errnoOf(error);
    if (direct && errno === ERRNO.EINVAL) {
      throw new UnsupportedTargetError(`the file system of ${path} has no O_DIRECT`);
    }
    const why = errno === ERRNO.ENOENT ? "does not exist" : "cannot be opened";
    throw new DeviceError(`${what}: ${path} ${why}`, errno);
  }
}

/** Why direct reads are not to be had where `node:fs` has no flag for them: macOS and Windows. */
export const NO_DIRECT_SYSTEM = "the operating system has no O_DIRECT";

/** Deno would prompt on its own; a library asks nobody, so it looks first. */
function checkGranted(what: string, path: string, writable: boolean): void {
  if (!("Deno" in globalThis)) return;
  const needs = writable ? ["read", "write"] as const : ["read"] as const;
  for (const name of needs) {
    if (Deno.permissions.querySync({ name, path }).state === "granted") continue;
    const verb = name === "read" ? "reading" : "writing";
    throw new DeviceError(
      `${what}: ${verb} ${path} is not granted (--allow-${name} grants it)`,
      ERRNO.EACCES,
    );
  }
}

/**
 * The granule that direct reads of an open file take, by trial: 512 or 4096.
 *
 * @throws {UnsupportedTargetError} when neither is taken.
 */
export function trialGranule(path: string, fd: number): number {
  for (const granule of [SECTOR_BYTES, 4096]) {
    try {
      readSync(fd, alignedScratch(), 0, granule, 0);
      return granule;
    } catch (error) {
      if (errnoOf(error) !== ERRNO.EINVAL) {
        throw new DeviceError(`Cannot open device: reading ${path} failed`, errnoOf(error));
      }
    }
  }
  throw new UnsupportedTargetError(`the file system of ${path} refuses direct reads`);
}

let scratch: Uint8Array | undefined;

/**
 * 1 MiB that starts on a page, one a thread: synchronous reads never overlap, and each
 * WebAssembly.Memory reserves gigabytes of addresses, too many for one a device. ArrayBuffers start
 * 16 bytes into a page.
 */
export function alignedScratch(): Uint8Array {
  scratch ??= new Uint8Array(new WebAssembly.Memory({ initial: 16, maximum: 16 }).buffer);
  return scratch;
}

/**
 * Lays files of these sizes one after the other, each start rounded up to {@linkcode
 * FILE_ALIGN_BYTES}.
 */
export function createFileSpace(sizes: readonly number[], blockBytes: number): FileSpace {
  const starts = new Float64Array(sizes.length);
  const ends = new Float64Array(sizes.length);
  let end = 0;
  for (let i = 0; i < sizes.length; i++) {
    starts[i] = roundUp(end, FILE_ALIGN_BYTES);
    ends[i] = end = starts[i] + roundUp(sizes[i], blockBytes);
  }
  return { starts, ends, bytes: end };
}

function roundUp(value: number, granule: number): number {
  return Math.ceil(value / granule) * granule;
}

/**
 * The file that holds all of `[offsetBytes, offsetBytes + bytes)`, or -1. Binary search for the
 * last start at or before the offset: an empty file shares its start with the next one, which is
 * then the one found.
 */
export function fileAt(space: FileSpace, offsetBytes: number, bytes: number): number {
  let low = 0;
  let high = space.starts.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (space.starts[middle] <= offsetBytes) low = middle;
    else high = middle;
  }
  // Negative and NaN offsets fail both comparisons.
  return offsetBytes >= space.starts[low] && offsetBytes + bytes <= space.ends[low] ? low : -1;
}

/** What {@linkcode answerEarly} says of a request that the system is to be asked for. */
export const DO_IT = 1;

/** Bits of what a device allows: writes, discards and real flushes. */
export const WRITES = 1;

/** Likewise: reads that do not lie on blocks. */
export const WIDENS = 2;

/**
 * What a request completes with that needs no system: a negative errno, or 0 for a flush where
 * nothing is ever written; {@linkcode DO_IT} for one that the memory, the granule and `allowed`
 * permit.
 */
export function answerEarly(
  allowed: number,
  op: number,
  offsetBytes: number,
  bytes: number,
  buffer: number,
  blockBytes: number,
  memoryBytes: number,
): number {
  const writes = (allowed & WRITES) !== 0;
  if (op === IO_OP.FLUSH) return writes ? DO_IT : 0;
  if (op > IO_OP.DISCARD) return -ERRNO.EINVAL;
  // As write(2) answers on a descriptor that was opened for reading.
  if (op !== IO_OP.READ && !writes) return -ERRNO.EBADF;
  const unit = op === IO_OP.READ && (allowed & WIDENS) !== 0 ? 1 : blockBytes;
  const fits = bytes !== 0 && offsetBytes % unit === 0 && bytes % unit === 0 &&
    (op === IO_OP.DISCARD || buffer + bytes <= memoryBytes);
  return fits ? DO_IT : -ERRNO.EINVAL;
}
