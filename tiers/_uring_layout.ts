/**
 * What the kernel and we share: the rings of an io_uring, and the words of their entries
 * (linux/io_uring.h).
 *
 * @module
 */

import type { Libc, Mapping } from "../base/libc_ffi.ts";

/** Operations, the low byte of word 0 of an entry. */
export const OP: {
  readonly FSYNC: 3;
  readonly READ_FIXED: 4;
  readonly WRITE_FIXED: 5;
  readonly ASYNC_CANCEL: 14;
  readonly FALLOCATE: 17;
  readonly READ: 22;
  readonly WRITE: 23;
} = {
  FSYNC: 3,
  READ_FIXED: 4,
  WRITE_FIXED: 5,
  ASYNC_CANCEL: 14,
  FALLOCATE: 17,
  READ: 22,
  WRITE: 23,
};

/** A flag above the operation: the file is named by its position among the registered ones. */
export const FIXED_FILE: number = 1 << 8;

/** Likewise: the next entry waits for this one, and is cancelled when it fails or is short. */
export const LINK_NEXT: number = 1 << 10;

/** The flag of FSYNC that makes it fdatasync(2). */
export const FDATASYNC = 1;

/** The mode of FALLOCATE that makes a hole: KEEP_SIZE and PUNCH_HOLE. */
export const DISCARD_MODE = 3;

/** The word of an entry with the low half of its address. */
export const ADDRESS_WORD = 4;

/** The word of an entry with its tag. */
export const TAG_WORD = 8;

/** One registered buffer holds at most this; longer memory takes several (io_uring_register(2)). */
export const FIXED_BUFFER_BYTES: number = 2 ** 30;

/** 32-bit words of a submission entry. */
export const SQE_WORDS = 16;

/** 32-bit words of a completion entry: tag low, tag high, result, flags. */
export const CQE_WORDS = 4;

/**
 * The rings of one io_uring: columns in memory that the kernel shares, and where its counters stand
 * in them.
 */
export interface Ring {
  /** The C library it is driven through. */
  readonly libc: Libc;
  /** Its descriptor. */
  readonly fd: number;
  /** True when completions may wait for an `enter`, and a flag tells so. */
  readonly flagged: boolean;
  /** True when completions appear only inside `enter`. */
  readonly deferred: boolean;
  /** True when a thread of the kernel takes entries. */
  readonly threaded: boolean;
  /** True when completions must be polled from the disk by `enter`. */
  readonly polled: boolean;
  /** True when `enter` takes a time limit (Linux 5.11). */
  readonly timed: boolean;
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
  /** Completions that found the ring full; the kernel keeps them and counts. */
  readonly cqOverflowAt: number;
  /** Entries written, published or not yet; equal to the published tail outside of a submit. */
  sqTail: number;
  /** What to unmap; empty once it has been. */
  readonly mappings: Mapping[];
}
