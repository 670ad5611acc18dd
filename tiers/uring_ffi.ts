/**
 * An io_uring in TypeScript: setting it up, typed arrays over the rings that the kernel shares, and
 * what is registered with it (io_uring(7), io_uring_setup(2), io_uring_register(2)).
 *
 * @module
 */

import { constants } from "node:fs";
import { DeviceError, ERRNO, errnoName, UnsupportedTargetError } from "../base/errors.ts";
import { addressOf, mapBytes, openLibc, unmapBytes } from "../base/libc_ffi.ts";
import type { Libc, Mapping } from "../base/libc_ffi.ts";
import { ringCalls } from "./_uring_calls_ffi.ts";
import { CQE_WORDS, FIXED_BUFFER_BYTES, SQE_WORDS } from "./_uring_layout.ts";
import type { Ring } from "./_uring_layout.ts";

const SETUP_CALL = 425;
const REGISTER_CALL = 427;

const SETUP_IOPOLL = 1 << 0;
const SETUP_SQPOLL = 1 << 1;
const SETUP_CQSIZE = 1 << 3;
const SETUP_SUBMIT_ALL = 1 << 7;
const SETUP_COOP_TASKRUN = 1 << 8;
const SETUP_TASKRUN_FLAG = 1 << 9;
const SETUP_SINGLE_ISSUER = 1 << 12;
const SETUP_DEFER_TASKRUN = 1 << 13;
const FEAT_SINGLE_MMAP = 1 << 0;
const FEAT_EXT_ARG = 1 << 8;
const REGISTER_BUFFERS = 0;
const UNREGISTER_BUFFERS = 1;
const REGISTER_FILES = 2;
const UNREGISTER_FILES = 3;
const REGISTER_EVENTFD = 4;

const O_CLOEXEC = 0o2000000;
const MMAP_SQES = 0x10000000;
const PROT_READ_WRITE = 3;
const MAP_SHARED_POPULATE = 0x8001;

/**
 * How long the kernel's submitting thread looks for entries before it sleeps and has to be woken.
 */
const THREAD_IDLE_MS = 50;

/** What a ring is set up as. */
export interface RingOptions {
  /** A thread of the kernel takes entries (SQPOLL): submitting is no system call. */
  readonly threaded?: boolean;
  /** Completions are polled from the disk, without interrupts (IOPOLL). */
  readonly polled?: boolean;
}

/**
 * Flags to set a ring up with, best first; a kernel answers -EINVAL for one that it does not know.
 * Completions that wait for our own `enter` (Linux 6.1) cost no interrupt of the running code: in
 * batches of 32 a no-op took 150 ns so, and 735 ns one at a time. Linux 5.19 only spares the
 * interrupt.
 *
 * NO_SQARRAY (6.6) is left out: slots own their entries, so that they are submitted in any order.
 */
const FLAG_STEPS: readonly number[] = [
  SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN | SETUP_TASKRUN_FLAG | SETUP_SUBMIT_ALL,
  SETUP_COOP_TASKRUN | SETUP_TASKRUN_FLAG | SETUP_SUBMIT_ALL,
  SETUP_SUBMIT_ALL,
  0,
];

/** With a submitting thread there is no task of ours to run completions in. */
const THREADED_STEPS: readonly number[] = [
  SETUP_SINGLE_ISSUER | SETUP_SUBMIT_ALL,
  SETUP_SUBMIT_ALL,
  0,
];

/** Why a ring cannot be set up, by the error of io_uring_setup(2); "" for one that may pass. */
export function setupRefusal(errno: number): string {
  if (errno === ERRNO.ENOSYS) return "this kernel has no io_uring";
  if (errno === ERRNO.EPERM) return "io_uring is forbidden here (a seccomp filter or a sysctl)";
  if (errno === ERRNO.ENOMEM) return "no memory may be locked for a ring";
  if (errno === ERRNO.EINVAL) return "this kernel's io_uring is too old";
  return "";
}

/**
 * Sets a ring up with room for `entries` submissions and twice as many completions, by the first
 * flags that the kernel takes.
 *
 * @throws {UnsupportedTargetError} where none is to be had; the message is the reason alone.
 * @throws {DeviceError} for a want of descriptors.
 */
export function openRing(
  entries: number,
  options: RingOptions = {},
  libc: Libc = openLibc(),
): Ring {
  const { threaded = false, polled = false } = options;
  const base = SETUP_CQSIZE | (threaded ? SETUP_SQPOLL : 0) | (polled ? SETUP_IOPOLL : 0);
  const params = new Uint8Array(120);
  const words = new Uint32Array(params.buffer);
  let errno = 0;
  for (const flags of threaded ? THREADED_STEPS : FLAG_STEPS) {
    words.fill(0);
    words[1] = 2 * entries;
    words[2] = flags | base;
    words[4] = threaded ? THREAD_IDLE_MS : 0;
    const fd = libc.symbols.ringSetup(SETUP_CALL, entries, params);
    if (fd >= 0) return mapRing(libc, fd, words);
    errno = libc.errno();
    if (errno !== ERRNO.EINVAL) break;
  }
  const refusal = setupRefusal(errno);
  if (refusal !== "") throw new UnsupportedTargetError(refusal);
  throw new DeviceError("Cannot open io_uring: setting it up failed", errno);
}

/**
 * Maps what io_uring_setup(2) described in `params`: offsets of the submission ring at 10, of the
 * other at 20.
 */
function mapRing(libc: Libc, fd: number, params: Uint32Array): Ring {
  const sqEntries = params[0];
  const cqEntries = params[1];
  const mappings: Mapping[] = [];
  const map = (bytes: number, offset: number): Mapping => {
    const mapping = mapBytes(libc, bytes, PROT_READ_WRITE, MAP_SHARED_POPULATE, fd, offset);
    if (typeof mapping !== "number") return mappings[mappings.push(mapping) - 1];
    for (const made of mappings) unmapBytes(libc, made);
    libc.symbols.close(fd);
    throw new UnsupportedTargetError(`the rings cannot be mapped (${errnoName(-mapping)})`);
  };
  if ((params[5] & FEAT_SINGLE_MMAP) === 0) {
    libc.symbols.close(fd);
    throw new UnsupportedTargetError("this kernel's io_uring is too old");
  }
  const sqBytes = params[16] + 4 * sqEntries;
  const cqBytes = params[25] + 4 * CQE_WORDS * cqEntries;
  const rings = map(Math.max(sqBytes, cqBytes), 0);
  const sqes = map(4 * SQE_WORDS * sqEntries, MMAP_SQES);
  const words = new Uint32Array(rings.buffer, 0, rings.buffer.byteLength >>> 2);
  return {
    libc,
    fd,
    flagged: (params[2] & SETUP_TASKRUN_FLAG) !== 0,
    deferred: (params[2] & SETUP_DEFER_TASKRUN) !== 0,
    threaded: (params[2] & SETUP_SQPOLL) !== 0,
    polled: (params[2] & SETUP_IOPOLL) !== 0,
    timed: (params[5] & FEAT_EXT_ARG) !== 0,
    sqes: new Uint32Array(sqes.buffer),
    sqArray: new Uint32Array(rings.buffer, params[16], sqEntries),
    sqMask: sqEntries - 1,
    cqes: new Int32Array(rings.buffer, params[25], CQE_WORDS * cqEntries),
    cqMask: cqEntries - 1,
    words,
    sqHeadAt: params[10] >>> 2,
    sqTailAt: params[11] >>> 2,
    sqFlagsAt: params[14] >>> 2,
    cqHeadAt: params[20] >>> 2,
    cqTailAt: params[21] >>> 2,
    cqOverflowAt: params[24] >>> 2,
    sqTail: words[params[11] >>> 2],
    mappings,
  };
}

/** Registers descriptors, so that an IO needs no look-up of the file; 0, or a negative errno. */
export function registerFiles(ring: Ring, fds: readonly number[]): number {
  const argument = new Uint8Array(Int32Array.from(fds).buffer);
  return register(ring, REGISTER_FILES, argument, fds.length);
}

/**
 * Registers `memory` as buffers of at most {@linkcode FIXED_BUFFER_BYTES}, so that an IO need not
 * pin its pages; 0, or a negative errno (-ENOMEM where the limit on locked memory is lower).
 */
export function registerMemory(ring: Ring, memory: Uint8Array): number {
  const count = Math.ceil(memory.byteLength / FIXED_BUFFER_BYTES);
  const vectors = new BigUint64Array(2 * count);
  const address = addressOf(memory);
  for (let i = 0; i < count; i++) {
    const start = i * FIXED_BUFFER_BYTES;
    vectors[2 * i] = BigInt(address + start);
    vectors[2 * i + 1] = BigInt(Math.min(FIXED_BUFFER_BYTES, memory.byteLength - start));
  }
  return register(ring, REGISTER_BUFFERS, new Uint8Array(vectors.buffer), count);
}

/**
 * Lets the kernel count completions up on the eventfd(2) `fd`, those it holds back for an `enter`
 * too; 0, or a negative errno.
 */
export function registerEvent(ring: Ring, fd: number): number {
  return register(ring, REGISTER_EVENTFD, new Uint8Array(Int32Array.of(fd).buffer), 1);
}

function register(
  ring: Ring,
  opcode: number,
  argument: Uint8Array<ArrayBuffer>,
  count: number,
): number {
  const result = ring.libc.symbols.ringRegister(REGISTER_CALL, ring.fd, opcode, argument, count);
  return result < 0 ? -ring.libc.errno() : 0;
}

/** open(2) for reading and writing by O_DIRECT; a descriptor, or a negative errno. */
export function openWritable(libc: Libc, path: string): number {
  const flags = constants.O_RDWR | constants.O_DIRECT | O_CLOEXEC;
  const fd = libc.symbols.open(new TextEncoder().encode(path + "\0"), flags, 0);
  return fd < 0 ? -libc.errno() : fd;
}

/**
 * Gives the rings back to the system. Nothing may be in flight. The kernel lets go of a closed ring
 * some time later: taken back before, files and memory are free at once, and so is the room of a
 * file that was removed meanwhile.
 */
export function closeRing(ring: Ring): void {
  const { unregister } = ringCalls();
  unregister(REGISTER_CALL, ring.fd, UNREGISTER_BUFFERS, null, 0);
  unregister(REGISTER_CALL, ring.fd, UNREGISTER_FILES, null, 0);
  for (const mapping of ring.mappings.splice(0)) unmapBytes(ring.libc, mapping);
  ring.libc.symbols.close(ring.fd);
}
