/**
 * A device over ordinary files by synchronous reads of `node:fs`: the lower steps of the ladder. It
 * needs no FFI, and without `direct` no particular system either.
 *
 * @module
 */

import { readSync } from "node:fs";
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
  fileAt,
  openFiles,
  READ_IT,
  trialGranule,
} from "./_file_space.ts";
import type { FileSpace, OpenFiles } from "./_file_space.ts";
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
 * Opens `files` as one read-only device. `submit` makes the reads, one system call each, and
 * blocks; `poll` hands out what they gave. A read that passes the end of a file is short; writes
 * complete with -EBADF.
 *
 * Costs per read, measured on a virtual disk: 100 us and more with O_DIRECT, 4 us from the page
 * cache.
 *
 * @throws {RangeError} for wrong `files` or `depth`.
 * @throws {TypeError} for a path that is empty or holds a NUL.
 * @throws {UnsupportedTargetError} when `direct` is not to be had here; the message is the reason.
 * @throws {DeviceError} for a file that is missing, not regular, or that --allow-read does not
 *   cover.
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
  const opened = openFiles(what, options.files, options.direct);
  try {
    let blockBytes = SECTOR_BYTES;
    if (options.direct) {
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
      const result = this.#read(
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

  #read(op: number, offsetBytes: number, bytes: number, buffer: number): number {
    const memoryBytes = this.#memory?.byteLength ?? 0;
    const early = answerEarly(op, offsetBytes, bytes, buffer, this.blockBytes, memoryBytes);
    if (early !== READ_IT) return early;
    const file = fileAt(this.#space, offsetBytes, bytes);
    if (file < 0) return -ERRNO.EINVAL;
    const fd = this.#opened.fds[file];
    const position = offsetBytes - this.#space.starts[file];
    const memory = this.#memory!;
    if (!this.#bounced) {
      const result = readOnce(fd, memory, buffer, bytes, position);
      // Offset and size are multiples of the granule, so what a direct read refuses is the address.
      // Where `buffer` is aligned, the memory itself is not, and all its reads would be refused.
      if (result !== -ERRNO.EINVAL || !this.#direct) return result;
      this.#bounced = buffer % this.blockBytes === 0;
    }
    return readBounced(fd, memory, buffer, bytes, position);
  }
}

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

/** Reads by way of aligned memory, a piece at a time; stops at the end of the file. */
function readBounced(
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
    const got = readOnce(fd, scratch, 0, piece, position + done);
    if (got < 0) return done > 0 ? done : got;
    memory.set(scratch.subarray(0, got), buffer + done);
    done += got;
    if (got < piece) break;
  }
  return done;
}
