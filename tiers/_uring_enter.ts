/**
 * Counters of an io_uring and io_uring_enter(2): entries out, completions in.
 *
 * Memory order: the kernel reads entries after it sees the tail, so the tail is stored last and by
 * `Atomics`; we read completions after the tail, and give them back by storing the head, both by
 * `Atomics`.
 *
 * @module
 */

import { ERRNO } from "../base/errors.ts";
import { addressOf } from "../base/libc_ffi.ts";
import { alignedScratch } from "./_file_space.ts";
import { ringCalls } from "./_uring_calls_ffi.ts";
import { CQE_WORDS, OP, SQE_WORDS } from "./_uring_layout.ts";
import type { Ring } from "./_uring_layout.ts";

const ENTER_CALL = 426;
const SQ_NEED_WAKEUP = 1 << 0;
const SQ_CQ_OVERFLOW = 1 << 1;
const SQ_TASKRUN = 1 << 2;
const ENTER_GETEVENTS = 1 << 0;
const ENTER_SQ_WAKEUP = 1 << 1;
const ENTER_EXT_ARG = 1 << 3;

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
  const wanted = ring.flagged ? SQ_TASKRUN | SQ_CQ_OVERFLOW : SQ_CQ_OVERFLOW;
  return (Atomics.load(ring.words, ring.sqFlagsAt) & wanted) !== 0;
}

/**
 * One io_uring_enter(2): publishes and submits what was pushed, and waits until `minComplete`
 * completions are ready; the caller must have that many in flight, or it never returns. 0, or the
 * negative errno. Where a thread of the kernel submits and there is nothing to wait for, it makes
 * no call unless that thread sleeps.
 *
 * -EINTR, -EAGAIN and -EBUSY leave entries in the ring: they go with the next call.
 */
export function enterRing(ring: Ring, minComplete: number): number {
  const flags = publish(ring, minComplete);
  if (flags < 0) return 0;
  const { ringEnter } = ring.libc.symbols;
  const result = ringEnter(ENTER_CALL, ring.fd, unsubmitted(ring), minComplete, flags, null, 0);
  return result < 0 ? -ring.libc.errno() : 0;
}

/**
 * Publishes the tail, and gives the flags of the call that has to follow: -1 where none has. The
 * tail is stored before the flags are read, both in one order for all threads, as else the kernel's
 * thread could go to sleep in between and never see it.
 */
function publish(ring: Ring, minComplete: number): number {
  Atomics.store(ring.words, ring.sqTailAt, ring.sqTail);
  const events = minComplete > 0 || ring.deferred || ring.polled || hasDeferred(ring);
  const flags = events ? ENTER_GETEVENTS : 0;
  if (!ring.threaded) return flags;
  const sleeps = (Atomics.load(ring.words, ring.sqFlagsAt) & SQ_NEED_WAKEUP) !== 0;
  return sleeps ? flags | ENTER_SQ_WAKEUP : (events ? flags : -1);
}

// struct io_uring_getevents_arg, with the time limit that it points to behind it: no signal mask,
// its size, no shortest wait, address of the limit; then seconds and ns.
const limit = new BigUint64Array(5);
const limitBytes = new Uint8Array(limit.buffer);

/**
 * {@linkcode enterRing} that waits no longer than `limitNs`: -ETIME (62) when it did. Needs
 * {@linkcode Ring.timed}.
 */
export function enterRingFor(ring: Ring, minComplete: number, limitNs: number): number {
  limit[2] = BigInt(addressOf(limitBytes) + 24);
  limit[3] = BigInt(Math.floor(limitNs / 1e9));
  limit[4] = BigInt(Math.floor(limitNs % 1e9));
  const flags = Math.max(0, publish(ring, minComplete)) | ENTER_GETEVENTS | ENTER_EXT_ARG;
  const { enter } = ringCalls();
  const submits = unsubmitted(ring);
  const result = enter(ENTER_CALL, ring.fd, submits, minComplete, flags, limitBytes, 24n);
  return result < 0 ? -ring.libc.errno() : 0;
}

/**
 * Whether the disk under `fd` lets completions be polled, by one read of `bytes` on the ring, still
 * unused: where it does not, that fails with EOPNOTSUPP (95).
 */
export function canPoll(ring: Ring, fd: number, bytes: number): boolean {
  const address = addressOf(alignedScratch());
  ring.sqes.fill(0, 0, SQE_WORDS);
  ring.sqes.set([OP.READ, fd, 0, 0, address, address / 2 ** 32, bytes]);
  pushEntry(ring, 0);
  while (readyEntries(ring) === 0) {
    const result = enterRing(ring, 1);
    if (result < 0 && result !== -ERRNO.EINTR) return false;
  }
  const head = ring.words[ring.cqHeadAt];
  const result = ring.cqes[(head & ring.cqMask) * CQE_WORDS + 2];
  Atomics.store(ring.words, ring.cqHeadAt, head + 1);
  return result >= 0;
}
