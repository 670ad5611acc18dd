/**
 * A device over ordinary files through an io_uring of our own and O_DIRECT: the top step of the
 * ladder.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { DeviceError, errnoName, UnsupportedTargetError } from "../base/errors.ts";
import { addressOf, directGranule, openDirect } from "../base/libc_ffi.ts";
import type { Libc } from "../base/libc_ffi.ts";
import type { Clock } from "./clock.ts";
import { RealClock } from "./clock.ts";
import { copySide } from "./_copy_sides.ts";
import type { FilesDevice } from "./file_device.ts";
import {
  checkFileOptions,
  closeFiles,
  createFileSpace,
  openFiles,
  trialGranule,
  WIDENS,
  WRITES,
} from "./_file_space.ts";
import { createCompletions } from "./io.ts";
import type { IoCompletions, IoRequests } from "./io.ts";
import { DEFAULT_DEPTH, SECTOR_BYTES } from "./limits.ts";
import { drainReady } from "./_ready_ring.ts";
import { canPoll, readyEntries, unsubmitted } from "./_uring_enter.ts";
import { closeRing, openRing, openWritable, registerFiles, registerMemory } from "./uring_ffi.ts";
import type { Ring } from "./_uring_layout.ts";
import { createSlots } from "./_uring_columns.ts";
import type { Slots, SlotsOptions } from "./_uring_columns.ts";
import { closeRingEvent, createRingEvent, nextEvent } from "./_uring_event.ts";
import type { RingEvent } from "./_uring_event.ts";
import { cancelRequests, drain, reapEntries, settleEntries, takeRequests } from "./_uring_slots.ts";
import { pump, pushOut, spinEntries, waitEntries, waitEntriesFor } from "./_uring_wait.ts";

/** What {@linkcode createUringDevice} takes. */
export interface UringDeviceOptions {
  /** The files, in the order of the linear space; 1 to 4,096 of them. */
  readonly files: readonly string[];
  /** Requests it can hold in flight, 1 to 4,096; 128 when left out. */
  readonly depth?: number;
  /** What latencies are measured with; the machine's monotonic clock when left out. */
  readonly clock?: Clock;
  /** True to write, flush and discard as well; needs --allow-write. */
  readonly writable?: boolean;
  /**
   * True to make each write durable before it completes, by an fdatasync(2) linked behind it; needs
   * `writable`. A write that is cut short then completes with -EIO.
   */
  readonly durable?: boolean;
  /**
   * True to take reads of any offset and length, into any place: those that do not lie on blocks
   * are widened to whole blocks, read to memory of the device and trimmed. Holds 8 KiB more a
   * request of `depth`.
   */
  readonly widen?: boolean;
  /**
   * "block", the default, sleeps in the kernel while waiting; "poll" looks at shared memory until
   * completions are there, and keeps a processor busy for it.
   */
  readonly waiting?: "block" | "poll";
  /**
   * "call", the default, submits by a system call a batch; "thread" leaves that to a thread of the
   * kernel (SQPOLL), which keeps a processor busy while there is work. On two processors it was no
   * faster and took four times the processor time.
   */
  readonly submission?: "call" | "thread";
  /**
   * True to poll the disk for completions in place of interrupts (IOPOLL); disks without queues for
   * it are refused, and so is `writable`, as such a ring neither syncs nor discards.
   */
  readonly polled?: boolean;
}

/** A device over an io_uring, with its further ways to wait. */
export interface UringDevice extends FilesDevice {
  /**
   * As `wait`, but no longer than `limitNs`, at least 0 and at most 2^53 - 1; returns how many
   * completions can be polled.
   */
  waitFor(minimum: number, limitNs: number): number;
  /**
   * Resolves when at least `minimum` completions can be polled, or all that are in flight; to how
   * many. It leaves the thread to others: a thread of the runtime waits, at 60 to 120 us a time,
   * where `wait` takes what the disk takes. One at a time: a second one throws a TypeError.
   * Disposing of the device ends it with 0.
   */
  whenReady(minimum: number): Promise<number>;
}

/**
 * Opens `files` as one device over an io_uring. `submit` makes one system call a batch,
 * `poll` reads shared memory (and makes a call only where the kernel holds completions back),
 * `wait` blocks in the kernel: the cheapest way to wait, 2.5 us of CPU a read measured, where
 * `whenReady` took 4.6 and polling 9.9.
 *
 * A read that passes the end of a file is short. Unless `writable`, writes and discards complete
 * with -EBADF; where it is, a write to the last block lengthens a file to whole blocks, and a flush
 * syncs all files that were written to. Memory that is attached must start at a multiple of
 * `blockBytes`, as a `WebAssembly.Memory` does, and stays referenced until the device is disposed.
 * `cancel` looks through all slots. Holds about 300 bytes a request of `depth`.
 *
 * @throws {RangeError} for wrong options, or such that exclude each other.
 * @throws {TypeError} for a path that is empty or holds a NUL.
 * @throws {UnsupportedTargetError} where a ring or O_DIRECT is not to be had; the message is the
 *   reason.
 * @throws {DeviceError} for a file that is missing, not regular, or that --allow-read (and
 *   --allow-write, where `writable`) does not cover.
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
export function createUringDevice(options: UringDeviceOptions): UringDevice {
  const what = "Cannot create io_uring device";
  const depth = options.depth ?? DEFAULT_DEPTH;
  checkFileOptions(what, options.files, depth);
  checkModes(what, options);
  const { writable = false, durable = false } = options;
  // An entry a slot for each thing it may do at once, so that neither ring can ever be full.
  const entries = 2 ** Math.ceil(Math.log2((durable ? 3 : 2) * depth));
  const opened = openFiles(what, options.files, true, writable);
  const fds: number[] = [];
  let ring: Ring | undefined;
  try {
    ring = openRing(entries, {
      threaded: options.submission === "thread",
      polled: options.polled === true,
    });
    let blockBytes = SECTOR_BYTES;
    for (let i = 0; i < options.files.length; i++) {
      const fd = openAgain(ring.libc, what, options.files[i], writable);
      fds.push(fd);
      blockBytes = Math.max(blockBytes, granule(ring.libc, options.files[i], fd, opened.fds[i]));
    }
    if (ring.polled) checkPolls(ring, options.files, fds, blockBytes);
    const space = createFileSpace(opened.sizes, blockBytes);
    const allowed = (writable ? WRITES : 0) | (options.widen ? WIDENS : 0);
    const registered = registerFiles(ring, fds);
    const slots = { fds, space, blockBytes, depth, registered: registered === 0, allowed, durable };
    return new FilesOverRing(ring, slots, options, notesOn(ring, registered));
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

function checkModes(what: string, options: UringDeviceOptions): void {
  const { waiting = "block", submission = "call", writable = false } = options;
  if (waiting !== "block" && waiting !== "poll") {
    throw new RangeError(`${what}: waiting must be one of block, poll: received ${waiting}`);
  }
  if (submission !== "call" && submission !== "thread") {
    throw new RangeError(`${what}: submission must be one of call, thread: received ${submission}`);
  }
  if (options.durable && !writable) {
    throw new RangeError(`${what}: writable must be true where durable is: received ${writable}`);
  }
  if (options.polled && writable) {
    throw new RangeError(`${what}: writable must be false where polled is true: received true`);
  }
}

function notesOn(ring: Ring, registered: number): string[] {
  const notes: string[] = [];
  if (registered < 0) notes.push(`files are not registered: ${errnoName(-registered)}`);
  if (!ring.deferred && !ring.threaded) {
    notes.push("completions interrupt: the kernel is older than Linux 6.1");
  }
  return notes;
}

function checkPolls(ring: Ring, files: readonly string[], fds: number[], bytes: number): void {
  const refused = fds.findIndex((fd) => !canPoll(ring, fd, bytes));
  if (refused < 0) return;
  throw new UnsupportedTargetError(`the disk of ${files[refused]} has no queues to poll`);
}

/**
 * `node:fs` checked permission, existence and kind and gave the size; but what it calls a
 * descriptor is the runtime's own number on some versions, so that the ring gets one from open(2).
 */
function openAgain(libc: Libc, what: string, path: string, writable: boolean): number {
  const fd = writable ? openWritable(libc, path) : openDirect(libc, path);
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

class FilesOverRing implements UringDevice {
  readonly name = "io_uring O_DIRECT";
  readonly simulated = false;
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly depth: number;
  readonly fileOffsets: readonly number[];
  readonly notes: string[];
  readonly #fds: readonly number[];
  readonly #slots: Slots;
  readonly #clock: Clock;
  readonly #spins: boolean;
  /** What passes from the completion ring to the ready ring. */
  readonly #passing: IoCompletions;
  #event: RingEvent | null = null;
  #disposed = false;

  constructor(ring: Ring, slots: SlotsOptions, options: UringDeviceOptions, notes: string[]) {
    this.blockBytes = slots.blockBytes;
    this.blockCount = slots.space.bytes / slots.blockBytes;
    this.depth = slots.depth;
    this.fileOffsets = [...slots.space.starts];
    this.notes = notes;
    this.#fds = slots.fds;
    this.#clock = options.clock ?? new RealClock();
    this.#spins = options.waiting === "poll";
    this.#passing = createCompletions(slots.depth);
    this.#slots = createSlots(ring, slots);
  }

  get wakeNs(): number {
    const { moving, ready } = this.#slots;
    return moving + ready.count > 0 ? this.#clock.now() : Infinity;
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
    slots.side = copySide(memory);
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
    const count = reapEntries(slots, completions, this.#clock.now());
    if (unsubmitted(slots.ring) > 0) pushOut(slots.ring); // next entries of staged requests
    return early + count;
  }

  cancel(user: number): void {
    this.#checkOpen("cancel on");
    cancelRequests(this.#slots, user);
    pushOut(this.#slots.ring);
  }

  wait(minimum: number): void {
    this.#checkOpen("wait for");
    const slots = this.#slots;
    const wait = this.#spins ? spinEntries : waitEntries;
    if (slots.staged === 0) {
      const wanted = Math.min(minimum - slots.ready.count, slots.moving);
      // What completes no request lies in the ring like what does: count all of it in the way.
      if (wanted > 0) wait(slots, wanted + slots.extra);
      return;
    }
    // Some entries only lead to the next one: take what comes until enough requests have ended.
    while (slots.ready.count < minimum && slots.moving > 0) {
      wait(slots, 1);
      settleEntries(slots, this.#clock.now(), this.#passing);
    }
  }

  waitFor(minimum: number, limitNs: number): number {
    this.#checkOpen("wait for");
    checkInteger("Cannot wait for io_uring device", "limitNs", limitNs, 0);
    const slots = this.#slots;
    const endNs = this.#clock.now() + limitNs;
    for (let leftNs = limitNs;;) {
      pump(slots);
      settleEntries(slots, this.#clock.now(), this.#passing);
      const wanted = Math.min(minimum - slots.ready.count, slots.moving);
      if (wanted <= 0 || leftNs <= 0) return slots.ready.count;
      const isOver = waitEntriesFor(slots, slots.staged > 0 ? 1 : wanted + slots.extra, leftNs);
      leftNs = isOver ? 0 : endNs - this.#clock.now();
    }
  }

  async whenReady(minimum: number): Promise<number> {
    this.#checkOpen("wait for");
    const slots = this.#slots;
    this.#event ??= createRingEvent(slots.ring);
    const event = this.#event;
    if (event.isReading) {
      throw new TypeError("Cannot wait for io_uring device: one wait at a time: received a second");
    }
    for (;;) {
      pump(slots);
      settleEntries(slots, this.#clock.now(), this.#passing);
      pushOut(slots.ring);
      if (slots.ready.count >= minimum || slots.moving === 0) return slots.ready.count;
      await nextEvent(slots.ring, event);
      if (this.#disposed) return 0;
    }
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    const { ring } = this.#slots;
    drain(this.#slots);
    if (this.#event !== null) closeRingEvent(ring, this.#event);
    closeRing(ring);
    for (const fd of this.#fds) ring.libc.symbols.close(fd);
    ATTACHED.delete(this.#slots);
    this.#slots.memory = this.#slots.side = null;
  }

  #checkOpen(verb: string): void {
    if (this.#disposed) throw new TypeError(`Cannot ${verb} io_uring device: it has been disposed`);
  }
}
