/**
 * The loops of the io_uring device: requests to submission entries, completion entries to
 * completions. Free functions over columns; the device is their owner.
 *
 * A request in flight is a slot, and each slot has submission entries of its own: entry `slot`
 * does it, entry `depth + slot` cancels it, and where writes are durable entry `2 * depth + slot`
 * syncs behind it. So an entry is never overwritten before the kernel took it, most of its words
 * are written once, and with room for all kinds neither ring can fill up or overflow.
 *
 * @module
 */

import { ERRNO } from "../base/errors.ts";
import { answerEarly, DO_IT, fileAt } from "./_file_space.ts";
import { createCompletions, IO_OP } from "./io.ts";
import type { IoCompletions, IoRequests } from "./io.ts";
import { pushReady } from "./_ready_ring.ts";
import { CQE_WORDS, LINK_NEXT, SQE_WORDS } from "./_uring_layout.ts";
import { pushEntry } from "./_uring_enter.ts";
import { CANCELLING, KIND, MOVING, SYNCING } from "./_uring_columns.ts";
import type { Slots } from "./_uring_columns.ts";
import { writeDiscard, writeMove, writeSync } from "./_uring_entries.ts";
import { PENDING, startFlush, startWide, takeStage } from "./_uring_stages.ts";
import { waitEntries } from "./_uring_wait.ts";

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
  const { blockBytes, space, ready, allowed } = slots;
  const memoryBytes = slots.memory === null ? 0 : slots.memory.byteLength;
  // What was answered early counts against the depth, so that the ready ring cannot overflow.
  const room = slots.freeCount - ready.count;
  const end = Math.min(requests.count, from + room);
  for (let i = from; i < end; i++) {
    const offset = offsetBytes[i];
    const length = bytes[i];
    const kind = op[i];
    let early = answerEarly(allowed, kind, offset, length, buffer[i], blockBytes, memoryBytes);
    let file = 0;
    if (early === DO_IT && kind !== IO_OP.FLUSH) {
      file = fileAt(space, offset, length);
      if (file < 0) early = -ERRNO.EINVAL;
    }
    if (early === DO_IT && kind === IO_OP.FLUSH && !slots.written.includes(1)) early = 0;
    if (early !== DO_IT) {
      pushReady(ready, user[i], early, 0);
      continue;
    }
    const slot = slots.free[--slots.freeCount];
    slots.user[slot] = user[i];
    slots.submitNs[slot] = nowNs;
    slots.state[slot] = MOVING;
    slots.moving++;
    start(slots, slot, kind, file, offset - space.starts[file], buffer[i], length);
  }
  return end > from ? end - from : 0;
}

/** Writes and pushes the first entry of a request. */
function start(
  slots: Slots,
  slot: number,
  op: number,
  file: number,
  position: number,
  buffer: number,
  bytes: number,
): void {
  const last = slots.blockBytes - 1;
  slots.kind[slot] = KIND.PLAIN;
  // Reads first: they are nearly all there is, and the plain one pays for no more than this test.
  if (op === IO_OP.READ) {
    // Memory that is not aligned is as good as a read that is not; blocks are powers of two.
    if (slots.bounce === null || ((position | bytes | buffer) & last) === 0) {
      writeMove(slots, slot, true, file, position, buffer, bytes);
      pushEntry(slots.ring, slot);
      return;
    }
    slots.kind[slot] = KIND.WIDE;
    slots.staged++;
    startWide(slots, slot, file, position, buffer, bytes);
  } else if (op === IO_OP.WRITE) {
    // When it begins, not when it ends: a flush that is submitted after its completion was polled
    // must find it, and one that comes earlier only syncs a file more.
    slots.written[file] = 1;
    startWrite(slots, slot, file, position, buffer, bytes);
  } else if (op === IO_OP.DISCARD) {
    slots.written[file] = 1;
    slots.kind[slot] = KIND.DISCARD;
    slots.left[slot] = bytes;
    writeDiscard(slots, slot, file, position, bytes);
    pushEntry(slots.ring, slot);
  } else {
    slots.kind[slot] = KIND.FLUSH;
    slots.staged++;
    startFlush(slots, slot);
  }
}

/**
 * A write, and behind it, linked, the sync that makes it durable. In one batch, so that no call of
 * ours lies between the two; a write flag of its own (RWF_DSYNC) would do the same on file systems
 * that know it.
 */
function startWrite(
  slots: Slots,
  slot: number,
  file: number,
  position: number,
  buffer: number,
  bytes: number,
): void {
  writeMove(slots, slot, false, file, position, buffer, bytes);
  pushEntry(slots.ring, slot);
  if (!slots.durable) return;
  const { ring, depth } = slots;
  slots.kind[slot] = KIND.DURABLE;
  slots.state[slot] |= SYNCING;
  slots.extra++;
  slots.left[slot] = bytes;
  slots.target[slot] = 0; // the errno of the sync
  ring.sqes[slot * SQE_WORDS] |= LINK_NEXT;
  writeSync(slots, 2 * depth + slot, file);
  pushEntry(ring, 2 * depth + slot);
}

/** Appends what the completion ring holds while `completions` has room; returns how many. */
export function reapEntries(slots: Slots, completions: IoCompletions, nowNs: number): number {
  const { words, cqes, cqMask, cqHeadAt, cqTailAt } = slots.ring;
  const { depth, user, submitNs, kind, state } = slots;
  const first = completions.count;
  const room = completions.user.length;
  const tail = Atomics.load(words, cqTailAt);
  let head = words[cqHeadAt];
  let to = first;
  for (; head !== tail && to < room; head = (head + 1) >>> 0) {
    const at = (head & cqMask) * CQE_WORDS;
    const tag = cqes[at];
    let result = cqes[at + 2];
    let slot = tag;
    // Plain requests, one entry each, are settled here without a call.
    if (tag >= depth || kind[tag] !== KIND.PLAIN) {
      result = takeEntry(slots, tag, result);
      if (result === PENDING) continue;
      slot = tag % depth;
    } else {
      // A read that was under way on a worker ends by a signal when it is cancelled.
      if (result === -ERRNO.EINTR && (state[slot] & CANCELLING) !== 0) result = -ERRNO.ECANCELED;
      release(slots, slot, MOVING);
    }
    completions.user[to] = user[slot];
    completions.result[to] = result;
    completions.latencyNs[to++] = nowNs - submitNs[slot];
    slots.moving--;
  }
  // After the last entry was read: the kernel may overwrite them from now on.
  Atomics.store(words, cqHeadAt, head);
  completions.count = to;
  return to - first;
}

/** Moves all that the completion ring holds to the ready ring, which has room for all slots. */
export function settleEntries(slots: Slots, nowNs: number, passing: IoCompletions): void {
  for (;;) {
    passing.count = 0;
    if (reapEntries(slots, passing, nowNs) === 0) return;
    for (let i = 0; i < passing.count; i++) {
      pushReady(slots.ready, passing.user[i], passing.result[i], passing.latencyNs[i]);
    }
  }
}

/**
 * Takes an entry that is not a plain one's: the request's result, or PENDING. Tags name the slot
 * and, by the multiple of `depth` added, which of its entries ended.
 */
function takeEntry(slots: Slots, tag: number, result: number): number {
  const { depth, kind, state } = slots;
  const slot = tag % depth;
  if (tag >= depth && tag < 2 * depth) {
    slots.extra--;
    release(slots, slot, CANCELLING);
    return PENDING;
  }
  if (kind[slot] === KIND.DURABLE) return takeDurable(slots, slot, tag >= depth, result);
  if (kind[slot] === KIND.DISCARD) {
    release(slots, slot, MOVING);
    return result < 0 ? result : slots.left[slot];
  }
  const ended = takeStage(slots, slot, result, (state[slot] & CANCELLING) !== 0);
  if (ended === PENDING) return PENDING;
  slots.staged--;
  release(slots, slot, MOVING);
  return ended;
}

/** Both entries of a durable write end, in an order that nothing promises. */
function takeDurable(slots: Slots, slot: number, isSync: boolean, result: number): number {
  const { state } = slots;
  // The write's own result is what counts; a failed sync has the last word over a good one.
  if (!isSync) slots.done[slot] = result;
  else if (result < 0) slots.target[slot] = -result;
  const own = isSync ? SYNCING : MOVING;
  if ((state[slot] & (MOVING | SYNCING)) !== own) {
    state[slot] &= ~own;
    slots.extra--;
    return PENDING;
  }
  release(slots, slot, own);
  const moved = slots.done[slot];
  if (moved < 0) return moved;
  // A write that was cut short breaks the link: its sync never ran, and no byte is vouched for.
  if (moved !== slots.left[slot]) return -ERRNO.EIO;
  return slots.target[slot] === 0 ? moved : -slots.target[slot];
}

/**
 * A slot is used again only when its cancellation has ended too, so that none hits a later request.
 */
function release(slots: Slots, slot: number, bit: number): void {
  const left = slots.state[slot] & ~bit;
  slots.state[slot] = left;
  if (left === 0) slots.free[slots.freeCount++] = slot;
}

/** Pushes the cancellation of each request tagged `user` that has none yet. */
export function cancelRequests(slots: Slots, user: number): void {
  for (let slot = 0; slot < slots.depth; slot++) {
    if (isCancellable(slots.state[slot]) && slots.user[slot] === user) cancelSlot(slots, slot);
  }
}

/** A second cancellation would need an entry of its own, and could hit the slot's next request. */
function isCancellable(state: number): boolean {
  return (state & MOVING) !== 0 && (state & CANCELLING) === 0;
}

function cancelSlot(slots: Slots, slot: number): void {
  slots.state[slot] |= CANCELLING;
  slots.extra++;
  pushEntry(slots.ring, slots.depth + slot);
}

/**
 * Cancels all requests and takes all completions: afterwards the kernel writes to the memory no
 * more.
 */
export function drain(slots: Slots): void {
  for (let slot = 0; slot < slots.depth; slot++) {
    if (isCancellable(slots.state[slot])) cancelSlot(slots, slot);
  }
  const discarded = createCompletions(slots.depth);
  while (slots.moving + slots.extra > 0) {
    waitEntries(slots, 1);
    discarded.count = 0;
    reapEntries(slots, discarded, 0);
  }
}
