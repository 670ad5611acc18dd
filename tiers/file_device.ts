/**
 * A device over ordinary files by synchronous reads of `node:fs`: the lower steps of the ladder. It
 * needs no FFI, and without `direct` no particular system either.
 *
 * @module
 */

import { fdatasyncSync, readSync, writeSync } from "node:fs";
import { ERRNO, errnoOf } from "../base/errors.ts";
import type { Clock } from "./clock.ts";
import { RealClock } from "./clock.ts";
import type { BlockDevice } from "./device.ts";
import {
  alignedScratch,
  answerEarly,
  checkFileOptions,
  closeFiles,
  createFileSpace,
  DO_IT,
  fileAt,
  openFiles,
  trialGranule,
  WIDENS,
  WRITES,
} from "./_file_space.ts";
import type { FileSpace, OpenFiles } from "./_file_space.ts";
import { IO_OP } from "./io.ts";
import type { IoCompletions, IoRequests } from "./io.ts";
import { DEFAULT_DEPTH, SECTOR_BYTES } from "./limits.ts";
import { createReadyRing, drainReady, pushReady } from "./_ready_ring.ts";

/** What {@linkcode createFileDevice} takes. */
export interface FileDeviceOptions {
  /** The files, in the order of the linear space; 1 to 4,096 of them. */
  readonly files: readonly string[];
  /** True to pass by the page cache (O_DIRECT), where the system and the file system can. */
  readonly direct: boolean;
  /** Requests it can hold in flight, 1 to 4,096; 128 when left out. */
  readonly depth?: number;
  /** What latencies are measured with; the machine's monotonic clock when left out. */
  readonly clock?: Clock;
  /** True to write and flush as well; needs --allow-write. */
  readonly writable?: boolean;
  /**
   * True to take reads of any offset and length; those that do not lie on blocks are widened to
   * whole blocks and trimmed.
   */
  readonly widen?: boolean;
}

/** A device over one or several files. */
export interface FilesDevice extends BlockDevice {
  /**
   * First byte of each file in the device's linear space, by position; each a multiple of 1 MiB.
   */
  readonly fileOffsets: readonly number[];
  /** What it does without, one sentence each: empty when all is as fast as it can be. */
  readonly notes: readonly string[];
}

/**
 * Opens `files` as one device. `submit` does what is asked, one system call each, and blocks;
 * `poll` hands out what that gave. A read that passes the end of a file is short. Unless
 * `writable`, writes and discards complete with -EBADF; where it is, a discard completes with
 * -EOPNOTSUPP (95), as `node:fs` has no call for it, and a write to the last block lengthens a file
 * to whole blocks.
 *
 * Costs per read, measured on a virtual disk: 100 us and more with O_DIRECT, 4 us from the page
 * cache.
 *
 * @throws {RangeError} for wrong `files` or `depth`.
 * @throws {TypeError} for a path that is empty or holds a NUL.
 * @throws {UnsupportedTargetError} when `direct` is not to be had here; the message is the reason.
 * @throws {DeviceError} for a file that is missing, not regular, or that --allow-read (and
 *   --allow-write, where `writable`) does not cover.
 *
 * @example
 * ```ts
 * import { createCompletions, createFileDevice, createRequests } from "@rowtier/rowtier/tiers";
 *
 * const path = Deno.makeTempFileSync();
 * Deno.writeFileSync(path, new Uint8Array(4096).fill(7));
 * {
 *   using device = createFileDevice({ files: [path], direct: false });
 *   const memory = new Uint8Array(512);
 *   device.attach(memory);
 *   const requests = createRequests(1);
 *   requests.offsetBytes[0] = 1024;
 *   requests.bytes[0] = 512;
 *   requests.count = 1;
 *   device.submit(requests, 0);
 *   const completions = createCompletions(1);
 *   device.poll(completions);
 *   if (completions.result[0] !== 512 || memory[0] !== 7) throw new Error("unreachable");
 * }
 * Deno.removeSync(path);
 * ```
 */
export function createFileDevice(options: FileDeviceOptions): FilesDevice {
  const what = "Cannot create file device";
  const depth = options.depth ?? DEFAULT_DEPTH;
  checkFileOptions(what, options.files, depth);
  const { direct, writable = false } = options;
  const opened = openFiles(what, options.files, direct, writable);
  try {
    let blockBytes = SECTOR_BYTES;
    if (direct) {
      options.files.forEach((path, i) => {
        blockBytes = Math.max(blockBytes, trialGranule(path, opened.fds[i]));
      });
    }
    const space = createFileSpace(opened.sizes, blockBytes);
    return new FileDevice(opened, space, blockBytes, depth, options);
  } catch (error) {
    closeFiles(opened);
    throw error;
  }
}

class FileDevice implements FilesDevice {
  readonly name: string;
  readonly simulated = false;
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly depth: number;
  readonly fileOffsets: readonly number[];
  readonly notes: readonly string[] = [];
  readonly #opened: OpenFiles;
  readonly #space: FileSpace;
  readonly #clock: Clock;
  readonly #direct: boolean;
  readonly #allowed: number;
  /** By file: 1 once a write went to it, so that a flush has it to sync. */
  readonly #written: Uint8Array;
  readonly #ready;
  #memory: Uint8Array | null = null;
  #bounced = false;
  #disposed = false;

  constructor(
    opened: OpenFiles,
    space: FileSpace,
    blockBytes: number,
    depth: number,
    options: FileDeviceOptions,
  ) {
    this.name = options.direct ? "files O_DIRECT" : "files buffered";
    this.blockBytes = blockBytes;
    this.blockCount = space.bytes / blockBytes;
    this.depth = depth;
    this.fileOffsets = [...space.starts];
    this.#opened = opened;
    this.#space = space;
    this.#clock = options.clock ?? new RealClock();
    this.#direct = options.direct;
    this.#allowed = (options.writable ? WRITES : 0) | (options.widen ? WIDENS : 0);
    this.#written = new Uint8Array(opened.fds.length);
    this.#ready = createReadyRing(depth);
  }

  get wakeNs(): number {
    return this.#ready.count > 0 ? this.#clock.now() : Infinity;
  }

  step(_nowNs: number): number {
    return this.#ready.count;
  }

  attach(memory: Uint8Array): void {
    this.#checkOpen("attach memory to");
    if (this.#memory !== null) {
      throw new TypeError("Cannot attach memory: the device must have none: received a second one");
    }
    this.#memory = memory;
  }

  submit(requests: IoRequests, from: number): number {
    this.#checkOpen("submit to");
    const room = this.depth - this.#ready.count;
    const end = Math.min(requests.count, from + room);
    for (let i = from; i < end; i++) {
      const startNs = this.#clock.now();
      const result = this.#perform(
        requests.op[i],
        requests.offsetBytes[i],
        requests.bytes[i],
        requests.buffer[i],
      );
      pushReady(this.#ready, requests.user[i], result, this.#clock.now() - startNs);
    }
    return Math.max(0, end - from);
  }

  poll(completions: IoCompletions): number {
    this.#checkOpen("poll");
    return drainReady(this.#ready, completions);
  }

  /** All requests have ended when `submit` returns: there is nothing left to cancel. */
  cancel(_user: number): void {
    this.#checkOpen("cancel on");
  }

  wait(_minimum: number): void {
    this.#checkOpen("wait for");
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    closeFiles(this.#opened);
    this.#memory = null;
  }

  #checkOpen(verb: string): void {
    if (this.#disposed) throw new TypeError(`Cannot ${verb} file device: it has been disposed`);
  }

  #perform(op: number, offsetBytes: number, bytes: number, buffer: number): number {
    const { blockBytes } = this;
    const memoryBytes = this.#memory?.byteLength ?? 0;
    const allowed = this.#allowed;
    const early = answerEarly(allowed, op, offsetBytes, bytes, buffer, blockBytes, memoryBytes);
    if (early !== DO_IT) return early;
    if (op === IO_OP.FLUSH) return this.#flush();
    const file = fileAt(this.#space, offsetBytes, bytes);
    if (file < 0) return -ERRNO.EINVAL;
    if (op === IO_OP.DISCARD) return -EOPNOTSUPP;
    const writes = op === IO_OP.WRITE;
    if (writes) this.#written[file] = 1;
    const fd = this.#opened.fds[file];
    return this.#move(writes, fd, offsetBytes - this.#space.starts[file], bytes, buffer);
  }

  #move(writes: boolean, fd: number, position: number, bytes: number, buffer: number): number {
    const { blockBytes } = this;
    const memory = this.#memory!;
    const onBlocks = position % blockBytes === 0 && bytes % blockBytes === 0;
    if (!this.#bounced && (onBlocks || !this.#direct)) {
      const once = writes ? writeOnce : readOnce;
      const result = once(fd, memory, buffer, bytes, position);
      // Offset and size are multiples of the granule, so what a direct call refuses is the address.
      // Where `buffer` is aligned, the memory itself is not, and all its calls would be refused.
      if (result !== -ERRNO.EINVAL || !this.#direct) return result;
      this.#bounced = buffer % blockBytes === 0;
    }
    return writes
      ? writeBounced(fd, memory, buffer, bytes, position)
      : readBounced(fd, memory, buffer, bytes, position, blockBytes);
  }

  #flush(): number {
    let result = 0;
    for (let file = 0; file < this.#written.length; file++) {
      if (this.#written[file] === 0) continue;
      try {
        fdatasyncSync(this.#opened.fds[file]);
      } catch (error) {
        result = -errnoOf(error);
      }
    }
    return result;
  }
}

/** Operation not supported, as a file system answers that cannot punch holes. */
const EOPNOTSUPP = 95;

function readOnce(
  fd: number,
  memory: Uint8Array,
  buffer: number,
  bytes: number,
  position: number,
): number {
  try {
    return readSync(fd, memory, buffer, bytes, position);
  } catch (error) {
    return -errnoOf(error);
  }
}

function writeOnce(
  fd: number,
  memory: Uint8Array,
  buffer: number,
  bytes: number,
  position: number,
): number {
  try {
    return writeSync(fd, memory, buffer, bytes, position);
  } catch (error) {
    return -errnoOf(error);
  }
}

/**
 * Reads by way of aligned memory, whole blocks and a piece at a time; stops at the end of the file.
 */
function readBounced(
  fd: number,
  memory: Uint8Array,
  buffer: number,
  bytes: number,
  position: number,
  blockBytes: number,
): number {
  const scratch = alignedScratch();
  let done = 0;
  while (done < bytes) {
    const skipped = (position + done) % blockBytes;
    const wanted = Math.ceil((skipped + bytes - done) / blockBytes) * blockBytes;
    const piece = Math.min(wanted, scratch.length);
    const got = readOnce(fd, scratch, 0, piece, position + done - skipped);
    if (got < 0) return done > 0 ? done : got;
    const useful = Math.min(Math.max(0, got - skipped), bytes - done);
    memory.set(scratch.subarray(skipped, skipped + useful), buffer + done);
    done += useful;
    if (got < piece) break;
  }
  return done;
}

/** Writes whole blocks by way of aligned memory, a piece at a time; stops where the system does. */
function writeBounced(
  fd: number,
  memory: Uint8Array,
  buffer: number,
  bytes: number,
  position: number,
): number {
  const scratch = alignedScratch();
  let done = 0;
  while (done < bytes) {
    const piece = Math.min(bytes - done, scratch.length);
    scratch.set(memory.subarray(buffer + done, buffer + done + piece));
    const got = writeOnce(fd, scratch, 0, piece, position + done);
    if (got < 0) return done > 0 ? done : got;
    done += got;
    if (got < piece) break;
  }
  return done;
}
