/**
 * An io_uring in TypeScript: the three system calls and typed arrays over the rings the kernel
 * shares (io_uring(7), io_uring_setup(2), linux/io_uring.h). It knows entries and counters, nothing
 * of files' spaces.
 *
 * Memory order: the kernel reads entries after it sees the tail, so the tail is stored last and by
 * `Atomics`; we read completions after the tail, and give them back by storing the head, both by
 * `Atomics`.
 *
 * @module
 */

import { DeviceError, ERRNO, errnoName, UnsupportedTargetError } from "../base/errors.ts";
import { addressOf, mapBytes, openLibc, unmapBytes } from "../base/libc_ffi.ts";
import type { Libc, Mapping } from "../base/libc_ffi.ts";

const SETUP_CALL = 425;
const ENTER_CALL = 426;
const REGISTER_CALL = 427;

const SETUP_SUBMIT_ALL = 1 << 7;
const SETUP_TASKRUN_FLAG = 1 << 9;
const SETUP_SINGLE_ISSUER = 1 << 12;
const SETUP_DEFER_TASKRUN = 1 << 13;
const SETUP_CQSIZE = 1 << 3;
const FEAT_SINGLE_MMAP = 1;
const SQ_TASKRUN = 1 << 2;
const ENTER_GETEVENTS = 1;
const REGISTER_BUFFERS = 0;
const REGISTER_FILES = 2;

const MMAP_SQES = 0x10000000;
const PROT_READ_WRITE = 3;
const MAP_SHARED_POPULATE = 0x8001;

/** One registered buffer holds at most this; longer memory takes several (io_uring_register(2)). */
export const FIXED_BUFFER_BYTES: number = 2 ** 30;

/** 32-bit words of a submission entry. */
export const SQE_WORDS = 16;

/** 32-bit words of a completion entry: tag low, tag high, result, flags. */
export const CQE_WORDS = 4;

/**
 * Flags to set a ring up with, best first. Completions that wait for our own `enter` (Linux 6.1)
 * cost no interrupt of the running code: in batches of 32 a no-op took 150 ns so, and 735 ns one at
 * a time.
 */
const FLAG_STEPS: readonly number[] = [
  SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN | SETUP_TASKRUN_FLAG | SETUP_SUBMIT_ALL,
  0,
];

/**
 * The rings of one io_uring: columns in memory that the kernel shares, and where its counters stand
 * in them.
 */
export interface Ring {
  /** The C library it is driven through. */
  readonly libc: Libc;
  /** Its descriptor. */
  readonly fd: number;
  /** True when completions appear only inside `enter`. */
  readonly deferred: boolean;
  /** Submission entries, {@linkcode SQE_WORDS} words each; ours until published. */
  readonly sqes: Uint32Array;
  /** Positions of entries in submission order, indexed by tail & mask. */
  readonly sqArray: Uint32Array;
  /** Submission entries less one. */
  readonly sqMask: number;
  /** Completion entries, {@linkcode CQE_WORDS} words each. */
  readonly cqes: Int32Array;
  /** Completion entries less one. */
  readonly cqMask: number;
  /** All counters of the rings; the positions of each follow. */
  readonly words: Uint32Array;
  /** Entries the kernel has taken; it writes. */
  readonly sqHeadAt: number;
  /** Entries published; we write. */
  readonly sqTailAt: number;
  /** Flags; the kernel writes. */
  readonly sqFlagsAt: number;
  /** Completions taken; we write. */
  readonly cqHeadAt: number;
  /** Completions made; the kernel writes. */
  readonly cqTailAt: number;
  /** Entries written, published or not yet; equal to the published tail outside of a submit. */
  sqTail: number;
  /** What to unmap; empty once it has been. */
  readonly mappings: Mapping[];
}

/** Why a ring cannot be set up, by the error of io_uring_setup(2); "" for one that may pass. */
export function setupRefusal(errno: number): string {
  if (errno === ERRNO.ENOSYS) return "this kernel has no io_uring";
  if (errno === ERRNO.EPERM) return "io_uring is forbidden here (a seccomp filter or a sysctl)";
  if (errno === ERRNO.ENOMEM) return "no memory may be locked for a ring";
  if (errno === ERRNO.EINVAL) return "this kernel's io_uring is too old";
  return "";
}

/**
 * Sets a ring up with room for `entries` submissions and twice as many completions.
 *
 * @throws {UnsupportedTargetError} where none is to be had; the message is the reason alone.
 * @throws {DeviceError} for a want of descriptors.
 */
export function openRing(entries: number): Ring {
  const libc = openLibc();
  const params = new Uint8Array(120);
  const words = new Uint32Array(params.buffer);
  let errno = 0;
  for (const flags of FLAG_STEPS) {
    words.fill(0);
    words[1] = 2 * entries;
    words[2] = flags | SETUP_CQSIZE;
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
    deferred: (params[2] & SETUP_DEFER_TASKRUN) !== 0,
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

function register(
  ring: Ring,
  opcode: number,
  argument: Uint8Array<ArrayBuffer>,
  count: number,
): number {
  const result = ring.libc.symbols.ringRegister(REGISTER_CALL, ring.fd, opcode, argument, count);
  return result < 0 ? -ring.libc.errno() : 0;
}

/** Appends the entry at position `index` to what the next {@linkcode enterRing} publishes. */
export function pushEntry(ring: Ring, index: number): void {
  ring.sqArray[ring.sqTail & ring.sqMask] = index;
  ring.sqTail = (ring.sqTail + 1) >>> 0;
}

/** Entries pushed that the kernel has not taken. */
export function unsubmitted(ring: Ring): number {
  return (ring.sqTail - Atomics.load(ring.words, ring.sqHeadAt)) >>> 0;
}

/** Completions that can be read now. */
export function readyEntries(ring: Ring): number {
  return (Atomics.load(ring.words, ring.cqTailAt) - ring.words[ring.cqHeadAt]) >>> 0;
}

/** True when the kernel holds completions back until the next {@linkcode enterRing}. */
export function hasDeferred(ring: Ring): boolean {
  return ring.deferred && (Atomics.load(ring.words, ring.sqFlagsAt) & SQ_TASKRUN) !== 0;
}

/**
 * One io_uring_enter(2): publishes and submits what was pushed, and waits until `minComplete`
 * completions are ready; the caller must have that many in flight, or it never returns. 0, or the
 * negative errno.
 *
 * -EINTR, -EAGAIN and -EBUSY leave entries in the ring: they go with the next call.
 */
export function enterRing(ring: Ring, minComplete: number): number {
  Atomics.store(ring.words, ring.sqTailAt, ring.sqTail);
  const flags = minComplete > 0 || ring.deferred ? ENTER_GETEVENTS : 0;
  const { ringEnter } = ring.libc.symbols;
  const result = ringEnter(ENTER_CALL, ring.fd, unsubmitted(ring), minComplete, flags, null, 0);
  return result < 0 ? -ring.libc.errno() : 0;
}

/** Gives the rings back to the system. Nothing may be in flight. */
export function closeRing(ring: Ring): void {
  for (const mapping of ring.mappings.splice(0)) unmapBytes(ring.libc, mapping);
  ring.libc.symbols.close(ring.fd);
}
