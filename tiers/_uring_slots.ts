/**
 * The loops of the io_uring device: requests to submission entries, completion entries to
 * completions. Free functions over columns; the device is their owner.
 *
 * A request in flight is a slot, and each slot has two submission entries of its own: entry `slot`
 * reads, entry `depth + slot` cancels that read. So an entry is never overwritten before the kernel
 * took it, most of its words are written once, and with room for both kinds neither ring can fill
 * up or overflow.
 *
 * @module
 */

import { DeviceError, ERRNO } from "../base/errors.ts";
import { answerEarly, fileAt, READ_IT } from "./_file_space.ts";
import type { FileSpace } from "./_file_space.ts";
import { createCompletions } from "./io.ts";
import type { IoCompletions, IoRequests } from "./io.ts";
import { createReadyRing, pushReady } from "./_ready_ring.ts";
import type { ReadyRing } from "./_ready_ring.ts";
import {
  CQE_WORDS,
  enterRing,
  FIXED_BUFFER_BYTES,
  hasDeferred,
  pushEntry,
  readyEntries,
  SQE_WORDS,
  unsubmitted,
} from "./uring_ffi.ts";
import type { Ring } from "./uring_ffi.ts";

// Word 0 of an entry: the opcode, then the flags.
const OP_READ_FIXED = 4;
const OP_ASYNC_CANCEL = 14;
const OP_READ = 22;
const FIXED_FILE = 1 << 8;

// Words of an entry: 0 opcode and flags, 1 file, 2-3 offset, 4-5 address, 6 length, 8-9 tag, 10
// buffer index.
const TAG_WORD = 8;
const BUFFER_WORD = 10;

/** Bits of a slot's state; it is free when none is set. */
const READING = 1;
const CANCELLING = 2;

/** The columns; memory is named by address, and `fixed` says that it is registered. */
export interface Slots {
  /** Number of slots. */
  readonly depth: number;
  /** The granule of the device. */
  readonly blockBytes: number;
  /** Where the files lie. */
  readonly space: FileSpace;
  /** The rings. */
  readonly ring: Ring;
  /** Requests that were answered without reading. */
  readonly ready: ReadyRing;
  /** Flags of a read: whether files are registered. */
  readonly flags: number;
  /** What a read names each file by: its position when registered, else its descriptor. */
  readonly files: Int32Array;
  /** The request's tag, by slot. */
  readonly user: Float64Array;
  /** When it was submitted, by slot. */
  readonly submitNs: Float64Array;
  /** READING, CANCELLING or both, by slot. */
  readonly state: Uint8Array;
  /** Free slots, a stack; the last freed is the first used, as its lines are in cache. */
  readonly free: Uint16Array;
  /** Height of that stack. */
  freeCount: number;
  /** Reads in flight, those in the completion ring included. */
  reading: number;
  /** Cancellations in flight, likewise. */
  cancelling: number;
  /** The attached memory: the reference keeps it alive under the reads. */
  memory: Uint8Array | null;
  /** The address of its first byte. */
  address: number;
  /** True when it is registered. */
  fixed: boolean;
}

/** Columns for `depth` slots, with the constant words of all entries written. */
export function createSlots(
  ring: Ring,
  fds: readonly number[],
  space: FileSpace,
  blockBytes: number,
  depth: number,
  registered: boolean,
): Slots {
  for (let slot = 0; slot < depth; slot++) {
    ring.sqes[slot * SQE_WORDS + TAG_WORD] = slot;
    const cancel = (depth + slot) * SQE_WORDS;
    ring.sqes[cancel] = OP_ASYNC_CANCEL;
    ring.sqes[cancel + 4] = slot; // the tag to look for stands where a read has its address
    ring.sqes[cancel + TAG_WORD] = depth + slot;
  }
  return {
    depth,
    blockBytes,
    space,
    ring,
    ready: createReadyRing(depth),
    flags: registered ? FIXED_FILE : 0,
    files: Int32Array.from(fds, (fd, position) => registered ? position : fd),
    user: new Float64Array(depth),
    submitNs: new Float64Array(depth),
    state: new Uint8Array(depth),
    free: Uint16Array.from({ length: depth }, (_, i) => depth - 1 - i),
    freeCount: depth,
    reading: 0,
    cancelling: 0,
    memory: null,
    address: 0,
    fixed: false,
  };
}

/**
 * Writes entries for `requests` from position `from` on while there is room; returns how many it
 * took.
 */
export function takeRequests(
  slots: Slots,
  requests: IoRequests,
  from: number,
  nowNs: number,
): number {
  const { op, offsetBytes, bytes, buffer, user } = requests;
  const { blockBytes, space, ready } = slots;
  const memoryBytes = slots.memory === null ? 0 : slots.memory.byteLength;
  // What was answered early counts against the depth, so that the ready ring cannot overflow.
  const room = slots.freeCount - ready.count;
  const end = Math.min(requests.count, from + room);
  for (let i = from; i < end; i++) {
    const offset = offsetBytes[i];
    const length = bytes[i];
    let early = answerEarly(op[i], offset, length, buffer[i], blockBytes, memoryBytes);
    let file = 0;
    if (early === READ_IT) {
      file = fileAt(space, offset, length);
      if (file < 0) early = -ERRNO.EINVAL;
    }
    if (early !== READ_IT) {
      pushReady(ready, user[i], early, 0);
      continue;
    }
    const slot = slots.free[--slots.freeCount];
    slots.user[slot] = user[i];
    slots.submitNs[slot] = nowNs;
    slots.state[slot] = READING;
    slots.reading++;
    writeRead(slots, slot, file, offset - space.starts[file], buffer[i], length);
    pushEntry(slots.ring, slot);
  }
  return end > from ? end - from : 0;
}

function writeRead(
  slots: Slots,
  slot: number,
  file: number,
  position: number,
  buffer: number,
  bytes: number,
): void {
  const sqes = slots.ring.sqes;
  const at = slot * SQE_WORDS;
  const address = slots.address + buffer;
  const chunk = (buffer / FIXED_BUFFER_BYTES) >>> 0;
  // A read over the seam of two registered buffers belongs to neither.
  const fixed = slots.fixed && ((buffer + bytes - 1) / FIXED_BUFFER_BYTES) >>> 0 === chunk;
  sqes[at] = slots.flags | (fixed ? OP_READ_FIXED : OP_READ);
  sqes[at + 1] = slots.files[file];
  sqes[at + 2] = position;
  sqes[at + 3] = position / 2 ** 32;
  sqes[at + 4] = address;
  sqes[at + 5] = address / 2 ** 32;
  sqes[at + 6] = bytes;
  sqes[at + BUFFER_WORD] = fixed ? chunk : 0;
}

/** Appends what the completion ring holds while `completions` has room; returns how many. */
export function reapEntries(slots: Slots, completions: IoCompletions, nowNs: number): number {
  const { words, cqes, cqMask, cqHeadAt, cqTailAt } = slots.ring;
  const { depth, user, submitNs, state } = slots;
  const first = completions.count;
  const room = completions.user.length;
  const tail = Atomics.load(words, cqTailAt);
  let head = words[cqHeadAt];
  let to = first;
  for (; head !== tail; head = (head + 1) >>> 0) {
    const at = (head & cqMask) * CQE_WORDS;
    const tag = cqes[at];
    if (tag >= depth) {
      slots.cancelling--;
      release(slots, tag - depth, CANCELLING);
      continue;
    }
    if (to === room) break;
    const result = cqes[at + 2];
    completions.user[to] = user[tag];
    // A read that was under way on a worker ends by a signal when it is cancelled.
    completions.result[to] = result === -ERRNO.EINTR && (state[tag] & CANCELLING) !== 0
      ? -ERRNO.ECANCELED
      : result;
    completions.latencyNs[to++] = nowNs - submitNs[tag];
    slots.reading--;
    release(slots, tag, READING);
  }
  // After the last entry was read: the kernel may overwrite them from now on.
  Atomics.store(words, cqHeadAt, head);
  completions.count = to;
  return to - first;
}

/**
 * A slot is used again only when its cancellation has ended too, so that none hits a later read.
 */
function release(slots: Slots, slot: number, bit: number): void {
  const left = slots.state[slot] & ~bit;
  slots.state[slot] = left;
  if (left === 0) slots.free[slots.freeCount++] = slot;
}

/** Pushes the cancellation of each read tagged `user` that has none yet. */
export function cancelReads(slots: Slots, user: number): void {
  for (let slot = 0; slot < slots.depth; slot++) {
    if (slots.state[slot] === READING && slots.user[slot] === user) cancelSlot(slots, slot);
  }
}

function cancelSlot(slots: Slots, slot: number): void {
  slots.state[slot] |= CANCELLING;
  slots.cancelling++;
  pushEntry(slots.ring, slots.depth + slot);
}

/**
 * Hands what was pushed to the kernel. What it has no memory for now stays, and goes with a later
 * call.
 */
export function pushOut(ring: Ring): void {
  // A kernel without SUBMIT_ALL stops behind an entry that it refuses: each turn takes one at
  // least.
  while (unsubmitted(ring) > 0) {
    const result = enterRing(ring, 0);
    if (result < 0 && !passes(result)) throw new DeviceError("Cannot submit to io_uring", -result);
    if (result === -ERRNO.EAGAIN || result === -ERRNO.EBUSY) return;
  }
}

/** True for errors of io_uring_enter(2) that the next call need not have. */
function passes(result: number): boolean {
  return result === -ERRNO.EINTR || result === -ERRNO.EAGAIN || result === -ERRNO.EBUSY;
}

/**
 * Lets completions appear that need a call to: entries left over, or task work that the kernel
 * deferred.
 */
export function pump(slots: Slots): void {
  const ring = slots.ring;
  if (unsubmitted(ring) > 0) pushOut(ring);
  else if (hasDeferred(ring) && readyEntries(ring) === 0) enterRing(ring, 0);
}

/**
 * Blocks until the completion ring holds `wanted` entries. They must be in flight: the kernel does
 * not wait when it could not take all that was pushed, but else it does for ever.
 */
export function waitEntries(slots: Slots, wanted: number): void {
  while (readyEntries(slots.ring) < wanted) {
    const result = enterRing(slots.ring, wanted);
    if (result < 0 && !passes(result)) throw new DeviceError("Cannot wait for io_uring", -result);
  }
}

/**
 * Cancels all reads and takes all completions: afterwards the kernel writes to the memory no more.
 */
export function drain(slots: Slots): void {
  for (let slot = 0; slot < slots.depth; slot++) {
    if (slots.state[slot] === READING) cancelSlot(slots, slot);
  }
  const discarded = createCompletions(slots.depth);
  while (slots.reading + slots.cancelling > 0) {
    waitEntries(slots, slots.reading + slots.cancelling);
    discarded.count = 0;
    reapEntries(slots, discarded, 0);
  }
}
