/**
 * A device over memory-mapped files: reads are copies out of the page cache, and what is not there
 * is fetched by page faults. The baseline for tables that fit in memory; below that the kernel
 * reads around each fault and evicts by its own lights, which is what this library is there to
 * avoid (section 4.1 of the paper on software-defined memory: mmap was dropped for that).
 *
 * @module
 */

import { DeviceError, ERRNO } from "../base/errors.ts";
import { mapBytes, openLibc, unmapBytes } from "../base/libc_ffi.ts";
import type { Libc, Mapping } from "../base/libc_ffi.ts";
import type { Clock } from "./clock.ts";
import { RealClock } from "./clock.ts";
import { copyBytes, copySide } from "./_copy_sides.ts";
import type { CopySide } from "./_copy_sides.ts";
import type { FilesDevice } from "./file_device.ts";
import {
  answerEarly,
  checkFileOptions,
  closeFiles,
  createFileSpace,
  DO_IT,
  fileAt,
  openFiles,
  WIDENS,
} from "./_file_space.ts";
import type { FileSpace } from "./_file_space.ts";
import type { IoCompletions, IoRequests } from "./io.ts";
import { DEFAULT_DEPTH, SECTOR_BYTES } from "./limits.ts";
import { createReadyRing, drainReady, pushReady } from "./_ready_ring.ts";

/** What {@linkcode createMmapDevice} takes. */
export interface MmapDeviceOptions {
  /** The files, in the order of the linear space; 1 to 4,096 of them. */
  readonly files: readonly string[];
  /** Requests it can hold in flight, 1 to 4,096; 128 when left out. */
  readonly depth?: number;
  /** What latencies are measured with; the machine's monotonic clock when left out. */
  readonly clock?: Clock;
  /** True to take reads of any offset and length. */
  readonly widen?: boolean;
  /**
   * "random", the default, asks the kernel to fetch no more than the page that is missing;
   * "normal" leaves it its read-ahead, which is faster for a whole file and collapses where memory
   * is short.
   */
  readonly advice?: "random" | "normal";
}

const O_CLOEXEC = 0o2000000;
const PROT_READ = 1;
const MAP_SHARED = 1;
const MADV_NORMAL = 0;
const MADV_RANDOM = 1;

/**
 * Maps `files` as one read-only device. `submit` copies and blocks where a page has to be fetched;
 * `poll` hands out what that gave. A read that passes the end of a file is short; writes and
 * discards complete with -EBADF. Needs Linux and FFI, and address space for the files.
 *
 * The files must not be cut while it is open: a page that is gone ends the process by a signal, and
 * no check could come between the look and the copy. For files that others may cut, take
 * `openDevice`.
 *
 * @throws {RangeError} for wrong `files`, `depth` or `advice`.
 * @throws {TypeError} for a path that is empty or holds a NUL.
 * @throws {UnsupportedTargetError} where FFI is not to be had; the message is the reason.
 * @throws {DeviceError} for a file that is missing, not regular, that --allow-read does not cover,
 *   or that cannot be mapped.
 *
 * @example
 * ```ts
 * import { createCompletions, createMmapDevice, createRequests } from "@rowtier/rowtier/tiers";
 * import { UnsupportedTargetError } from "@rowtier/rowtier/tiers";
 *
 * const path = Deno.makeTempFileSync();
 * Deno.writeFileSync(path, new Uint8Array(4096).fill(7));
 * try {
 *   using device = createMmapDevice({ files: [path] });
 *   const memory = new Uint8Array(512);
 *   device.attach(memory);
 *   const requests = createRequests(1);
 *   requests.bytes[0] = 512;
 *   requests.count = 1;
 *   device.submit(requests, 0);
 *   const completions = createCompletions(1);
 *   device.poll(completions);
 *   if (completions.result[0] !== 512 || memory[0] !== 7) throw new Error("unreachable");
 * } catch (error) {
 *   if (!(error instanceof UnsupportedTargetError)) throw error; // no FFI here
 * } finally {
 *   Deno.removeSync(path);
 * }
 * ```
 */
export function createMmapDevice(options: MmapDeviceOptions): FilesDevice {
  const what = "Cannot create mmap device";
  const { files, depth = DEFAULT_DEPTH, advice = "random" } = options;
  checkFileOptions(what, files, depth);
  if (advice !== "random" && advice !== "normal") {
    throw new RangeError(`${what}: advice must be one of random, normal: received ${advice}`);
  }
  const libc = openLibc();
  const opened = openFiles(what, files, false);
  const mappings: (Mapping | null)[] = [];
  try {
    files.forEach((path, i) => mappings.push(mapFile(libc, what, path, opened.sizes[i], advice)));
    const space = createFileSpace(opened.sizes, SECTOR_BYTES);
    return new MmapDevice(libc, mappings, space, depth, options);
  } catch (error) {
    unmapAll(libc, mappings);
    throw error;
  } finally {
    closeFiles(opened);
  }
}

/** Null for an empty file, which cannot be mapped and has nothing to read. */
function mapFile(
  libc: Libc,
  what: string,
  path: string,
  bytes: number,
  advice: "random" | "normal",
): Mapping | null {
  if (bytes === 0) return null;
  const fd = libc.symbols.open(new TextEncoder().encode(path + "\0"), O_CLOEXEC, 0);
  if (fd < 0) throw new DeviceError(`${what}: ${path} cannot be opened`, libc.errno());
  const mapping = mapBytes(libc, bytes, PROT_READ, MAP_SHARED, fd, 0);
  libc.symbols.close(fd); // the mapping keeps the file
  if (typeof mapping === "number") {
    throw new DeviceError(`${what}: ${path} cannot be mapped`, -mapping);
  }
  const wanted = advice === "random" ? MADV_RANDOM : MADV_NORMAL;
  libc.symbols.madvise(mapping.pointer, BigInt(bytes), wanted);
  return mapping;
}

function unmapAll(libc: Libc, mappings: (Mapping | null)[]): void {
  for (const mapping of mappings.splice(0)) if (mapping !== null) unmapBytes(libc, mapping);
}

class MmapDevice implements FilesDevice {
  readonly name = "files mapped";
  readonly simulated = false;
  readonly blockBytes = SECTOR_BYTES;
  readonly blockCount: number;
  readonly depth: number;
  readonly fileOffsets: readonly number[];
  readonly notes: readonly string[] = ["a file that is cut while it is mapped ends the process"];
  readonly #libc: Libc;
  readonly #mappings: (Mapping | null)[];
  readonly #sides: readonly CopySide[];
  readonly #space: FileSpace;
  readonly #clock: Clock;
  readonly #allowed: number;
  readonly #ready;
  #memory: CopySide | null = null;
  #disposed = false;

  constructor(
    libc: Libc,
    mappings: (Mapping | null)[],
    space: FileSpace,
    depth: number,
    options: MmapDeviceOptions,
  ) {
    this.blockCount = space.bytes / SECTOR_BYTES;
    this.depth = depth;
    this.fileOffsets = [...space.starts];
    this.#libc = libc;
    this.#mappings = mappings;
    this.#sides = mappings.map((mapping) =>
      copySide(new Uint8Array(mapping?.buffer ?? new ArrayBuffer(0)))
    );
    this.#space = space;
    this.#clock = options.clock ?? new RealClock();
    this.#allowed = options.widen ? WIDENS : 0;
    this.#ready = createReadyRing(depth);
  }

  get wakeNs(): number {
    return this.#ready.count > 0 ? this.#clock.now() : Infinity;
  }

  step(_nowNs: number): number {
    this.#checkOpen("step");
    return this.#ready.count;
  }

  attach(memory: Uint8Array): void {
    this.#checkOpen("attach memory to");
    if (this.#memory !== null) {
      throw new TypeError("Cannot attach memory: the device must have none: received a second one");
    }
    this.#memory = copySide(memory);
  }

  submit(requests: IoRequests, from: number): number {
    this.#checkOpen("submit to");
    const { op, offsetBytes, bytes, buffer, user } = requests;
    const end = Math.min(requests.count, from + this.depth - this.#ready.count);
    for (let i = from; i < end; i++) {
      const startNs = this.#clock.now();
      const result = this.#read(op[i], offsetBytes[i], bytes[i], buffer[i]);
      pushReady(this.#ready, user[i], result, this.#clock.now() - startNs);
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
    unmapAll(this.#libc, this.#mappings);
    this.#memory = null;
  }

  #checkOpen(verb: string): void {
    if (this.#disposed) throw new TypeError(`Cannot ${verb} mmap device: it has been disposed`);
  }

  #read(op: number, offset: number, bytes: number, buffer: number): number {
    const memoryBytes = this.#memory?.bytes.byteLength ?? 0;
    const allowed = this.#allowed;
    const early = answerEarly(allowed, op, offset, bytes, buffer, SECTOR_BYTES, memoryBytes);
    if (early !== DO_IT) return early;
    const file = fileAt(this.#space, offset, bytes);
    if (file < 0) return -ERRNO.EINVAL;
    const side = this.#sides[file];
    const position = offset - this.#space.starts[file];
    // The last block of a file may be a part of one.
    const got = Math.max(0, Math.min(bytes, side.bytes.length - position));
    copyBytes(side, position, this.#memory!, buffer, got);
    return got;
  }
}
