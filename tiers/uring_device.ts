/**
 * A device over ordinary files through an io_uring of our own and O_DIRECT: the top step of the
 * ladder.
 *
 * @module
 */

import { DeviceError, errnoName, UnsupportedTargetError } from "../base/errors.ts";
import { addressOf, directGranule, openDirect } from "../base/libc_ffi.ts";
import type { Libc } from "../base/libc_ffi.ts";
import type { Clock } from "./clock.ts";
import { RealClock } from "./clock.ts";
import type { FilesDevice } from "./file_device.ts";
import {
  checkFileOptions,
  closeFiles,
  createFileSpace,
  openFiles,
  trialGranule,
} from "./_file_space.ts";
import type { FileSpace } from "./_file_space.ts";
import type { IoCompletions, IoRequests } from "./io.ts";
import { DEFAULT_DEPTH, SECTOR_BYTES } from "./limits.ts";
import { drainReady } from "./_ready_ring.ts";
import {
  closeRing,
  openRing,
  readyEntries,
  registerFiles,
  registerMemory,
  unsubmitted,
} from "./uring_ffi.ts";
import type { Ring } from "./uring_ffi.ts";
import {
  cancelReads,
  createSlots,
  drain,
  pump,
  pushOut,
  reapEntries,
  takeRequests,
  waitEntries,
} from "./_uring_slots.ts";
import type { Slots } from "./_uring_slots.ts";

/** What {@linkcode createUringDevice} takes. */
export interface UringDeviceOptions {
  /** The files, in the order of the linear space; 1 to 4,096 of them. */
  readonly files: readonly string[];
  /** Requests it can hold in flight, 1 to 4,096; 128 when left out. */
  readonly depth?: number;
  /** What latencies are measured with; the machine's monotonic clock when left out. */
  readonly clock?: Clock;
}

/**
 * Opens `files` as one read-only device over an io_uring. `submit` makes one system call a batch,
 * `poll` reads shared memory (and makes a call only where the kernel holds completions back),
 * `wait` blocks in the kernel: the cheapest way to wait, 2.9 us of CPU a read measured, where busy
 * polling took 13.
 *
 * A read that passes the end of a file is short; writes complete with -EBADF. Memory that is
 * attached must start at a multiple of `blockBytes`, as a `WebAssembly.Memory` does, and stays
 * referenced until the device is disposed. `cancel` looks through all slots. Holds about 250 bytes
 * a request of `depth`.
 *
 * @throws {RangeError} for wrong `files` or `depth`.
 * @throws {TypeError} for a path that is empty or holds a NUL.
 * @throws {UnsupportedTargetError} where a ring or O_DIRECT is not to be had; the message is the
 *   reason.
 * @throws {DeviceError} for a file that is missing, not regular, or that --allow-read does not
 *   cover.
 *
 * @example
 * ```ts
 * import { createCompletions, createRequests, createUringDevice } from "@rowtier/rowtier/tiers";
 * import { UnsupportedTargetError } from "@rowtier/rowtier/tiers";
 *
 * const path = Deno.makeTempFileSync();
 * Deno.writeFileSync(path, new Uint8Array(8192).fill(7));
 * try {
 *   using device = createUringDevice({ files: [path], depth: 8 });
 *   const memory = new Uint8Array(new WebAssembly.Memory({ initial: 1 }).buffer);
 *   device.attach(memory);
 *   const requests = createRequests(1);
 *   requests.bytes[0] = 4096;
 *   requests.count = 1;
 *   device.submit(requests, 0);
 *   device.wait(1);
 *   const completions = createCompletions(8);
 *   device.poll(completions);
 *   if (completions.result[0] !== 4096 || memory[0] !== 7) throw new Error("unreachable");
 * } catch (error) {
 *   if (!(error instanceof UnsupportedTargetError)) throw error; // no io_uring here
 * } finally {
 *   Deno.removeSync(path);
 * }
 * ```
 */
export function createUringDevice(options: UringDeviceOptions): FilesDevice {
  const what = "Cannot create io_uring device";
  const depth = options.depth ?? DEFAULT_DEPTH;
  checkFileOptions(what, options.files, depth);
  // Two entries a slot, one to read and one to cancel, so that neither ring can ever be full.
  const entries = 2 ** Math.ceil(Math.log2(2 * depth));
  const opened = openFiles(what, options.files, true);
  const fds: number[] = [];
  let ring: Ring | undefined;
  try {
    ring = openRing(entries);
    let blockBytes = SECTOR_BYTES;
    for (let i = 0; i < options.files.length; i++) {
      const fd = openAgain(ring.libc, what, options.files[i]);
      fds.push(fd);
      blockBytes = Math.max(blockBytes, granule(ring.libc, options.files[i], fd, opened.fds[i]));
    }
    const space = createFileSpace(opened.sizes, blockBytes);
    return new UringDevice(ring, fds, space, blockBytes, depth, options.clock ?? new RealClock());
  } catch (error) {
    if (ring !== undefined) {
      for (const fd of fds) ring.libc.symbols.close(fd);
      closeRing(ring);
    }
    throw error;
  } finally {
    closeFiles(opened);
  }
}

/**
 * `node:fs` checked permission, existence and kind and gave the size; but what it calls a
 * descriptor is the runtime's own number on some versions, so that the ring gets one from open(2).
 */
function openAgain(libc: Libc, what: string, path: string): number {
  const fd = openDirect(libc, path);
  if (fd < 0) throw new DeviceError(`${what}: ${path} cannot be opened`, -fd);
  return fd;
}

/**
 * What the system says is better than a trial: some file systems take an unaligned read and buffer
 * it.
 */
function granule(libc: Libc, path: string, fd: number, trialFd: number): number {
  const told = directGranule(libc, fd);
  if (told < 0) throw new UnsupportedTargetError(`the file system of ${path} has no O_DIRECT`);
  return told > 0 ? told : trialGranule(path, trialFd);
}

/**
 * Slots, and so memory, that some ring may still write to. A device dropped without being disposed
 * must not let its memory be collected under a read in flight: it leaks instead, as its descriptors
 * do.
 */
const ATTACHED: Set<Slots> = new Set();

class UringDevice implements FilesDevice {
  readonly name = "io_uring O_DIRECT";
  readonly simulated = false;
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly depth: number;
  readonly fileOffsets: readonly number[];
  readonly notes: string[] = [];
  readonly #fds: readonly number[];
  readonly #slots: Slots;
  readonly #clock: Clock;
  #disposed = false;

  constructor(
    ring: Ring,
    fds: readonly number[],
    space: FileSpace,
    blockBytes: number,
    depth: number,
    clock: Clock,
  ) {
    this.blockBytes = blockBytes;
    this.blockCount = space.bytes / blockBytes;
    this.depth = depth;
    this.fileOffsets = [...space.starts];
    this.#fds = fds;
    this.#clock = clock;
    const errno = registerFiles(ring, fds);
    if (errno < 0) this.notes.push(`files are not registered: ${errnoName(-errno)}`);
    if (!ring.deferred) {
      this.notes.push("completions interrupt: the kernel is older than Linux 6.1");
    }
    this.#slots = createSlots(ring, fds, space, blockBytes, depth, errno === 0);
  }

  get wakeNs(): number {
    const { reading, ready } = this.#slots;
    return reading + ready.count > 0 ? this.#clock.now() : Infinity;
  }

  step(_nowNs: number): number {
    this.#checkOpen("step");
    pump(this.#slots);
    return this.#slots.ready.count + readyEntries(this.#slots.ring);
  }

  attach(memory: Uint8Array): void {
    this.#checkOpen("attach memory to");
    const slots = this.#slots;
    if (slots.memory !== null) {
      throw new TypeError("Cannot attach memory: the device must have none: received a second one");
    }
    const address = addressOf(memory);
    if (address % this.blockBytes !== 0) {
      throw new RangeError(
        `Cannot attach memory: its address must be a multiple of ${this.blockBytes}, ` +
          `as a WebAssembly.Memory's is: received one ${address % this.blockBytes} bytes beyond`,
      );
    }
    const errno = registerMemory(slots.ring, memory);
    if (errno < 0) this.notes.push(`memory is not registered: ${errnoName(-errno)}`);
    slots.fixed = errno === 0;
    slots.address = address;
    slots.memory = memory;
    ATTACHED.add(slots);
  }

  submit(requests: IoRequests, from: number): number {
    this.#checkOpen("submit to");
    const slots = this.#slots;
    const taken = takeRequests(slots, requests, from, this.#clock.now());
    if (unsubmitted(slots.ring) > 0) pushOut(slots.ring);
    return taken;
  }

  poll(completions: IoCompletions): number {
    this.#checkOpen("poll");
    const slots = this.#slots;
    pump(slots);
    const early = drainReady(slots.ready, completions);
    if (readyEntries(slots.ring) === 0) return early;
    return early + reapEntries(slots, completions, this.#clock.now());
  }

  cancel(user: number): void {
    this.#checkOpen("cancel on");
    cancelReads(this.#slots, user);
    pushOut(this.#slots.ring);
  }

  wait(minimum: number): void {
    this.#checkOpen("wait for");
    const slots = this.#slots;
    const wanted = Math.min(minimum - slots.ready.count, slots.reading);
    // A completed cancellation lies in the ring like a read: count all of them as lying in the way.
    if (wanted > 0) waitEntries(slots, wanted + slots.cancelling);
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    drain(this.#slots);
    closeRing(this.#slots.ring);
    for (const fd of this.#fds) this.#slots.ring.libc.symbols.close(fd);
    ATTACHED.delete(this.#slots);
    this.#slots.memory = null;
  }

  #checkOpen(verb: string): void {
    if (this.#disposed) throw new TypeError(`Cannot ${verb} io_uring device: it has been disposed`);
  }
}
