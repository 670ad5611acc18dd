/**
 * The requests that a queue holds, by slot: columns, and the loops over them. Devices know a
 * request by its slot, so that the user's tags can be any integers.
 *
 * @module
 */

import { ERRNO } from "../base/errors.ts";
import type { IoCompletions, IoRequests } from "./io.ts";
import { pushLane } from "./_lane.ts";
import type { Lane } from "./_lane.ts";
import { PRIORITY } from "./priority.ts";
import { createReadyRing, pushReady } from "./_ready_ring.ts";
import type { ReadyRing } from "./_ready_ring.ts";

/** A slot's state where it holds no request. */
const FREE = 0;
/** Its request waits in a lane. */
export const WAITING = 1;
/** Its request has been handed over. */
export const AT_DEVICE = 2;
/** At its device, cancelled there because its deadline has come. */
export const EXPIRED = 3;
/** Answered here: in the queue's own completion ring. */
const ANSWERED = 4;

/** The columns. */
export interface Slots {
  /** The user's tag. */
  readonly user: Float64Array;
  /** Position of its device. */
  readonly device: Uint16Array;
  /** Position of its lane: two a device, the urgent one first. */
  readonly lane: Uint16Array;
  /** When it ends by itself; Infinity for never, and for a free slot. */
  readonly deadlineNs: Float64Array;
  /** When it was enqueued; from `submit` on, how long it had waited. */
  readonly waitNs: Float64Array;
  /** One of the states above. */
  readonly state: Uint8Array;
  /** A stack: the slot that was freed last is in the processor's cache. */
  readonly free: Uint16Array;
  /** Height of that stack. */
  freeCount: number;
  /** No deadline is before this one. */
  nearestNs: number;
  /** False when the request with that deadline may have completed. */
  nearestExact: boolean;
  /** What was answered without a device. */
  readonly ready: ReadyRing;
}

/** Columns for `depth` requests. */
export function createSlots(depth: number): Slots {
  return {
    user: new Float64Array(depth),
    device: new Uint16Array(depth),
    lane: new Uint16Array(depth),
    deadlineNs: new Float64Array(depth).fill(Infinity),
    waitNs: new Float64Array(depth),
    state: new Uint8Array(depth),
    free: Uint16Array.from({ length: depth }, (_, i) => depth - 1 - i),
    freeCount: depth,
    nearestNs: Infinity,
    nearestExact: true,
    ready: createReadyRing(depth),
  };
}

/** Gives requests `[from, end)` a slot and a place in a lane each. */
export function fillSlots(
  slots: Slots,
  lanes: readonly Lane[],
  requests: IoRequests,
  from: number,
  end: number,
  nowNs: number,
): void {
  for (let i = from; i < end; i++) {
    const slot = slots.free[--slots.freeCount];
    const lane = 2 * requests.device[i] + (requests.priority[i] === PRIORITY.URGENT ? 0 : 1);
    slots.user[slot] = requests.user[i];
    if (lane >= lanes.length) {
      answerSlot(slots, slot, -ERRNO.EINVAL, 0);
      continue;
    }
    const deadlineNs = requests.deadlineNs[i];
    if (deadlineNs < slots.nearestNs) slots.nearestNs = deadlineNs;
    slots.deadlineNs[slot] = deadlineNs;
    slots.device[slot] = requests.device[i];
    slots.lane[slot] = lane;
    slots.waitNs[slot] = nowNs;
    slots.state[slot] = WAITING;
    pushLane(lanes[lane], requests, i, slot);
  }
}

/** Ends the request of `slot` here, without its device. */
export function answerSlot(slots: Slots, slot: number, result: number, latencyNs: number): void {
  slots.state[slot] = ANSWERED;
  slots.deadlineNs[slot] = Infinity;
  slots.nearestExact = false;
  slots.waitNs[slot] = 0;
  pushReady(slots.ready, slot, result, latencyNs);
}

/** Gives completions from `first` on their users' tags, and frees their slots. */
export function settle(slots: Slots, completions: IoCompletions, first: number): void {
  const { user, result, latencyNs } = completions;
  const { deadlineNs, waitNs, state, free, nearestNs } = slots;
  let freeCount = slots.freeCount;
  for (let i = first; i < completions.count; i++) {
    const slot = user[i];
    user[i] = slots.user[slot];
    latencyNs[i] += waitNs[slot];
    if (state[slot] === EXPIRED && result[i] === -ERRNO.ECANCELED) result[i] = -ERRNO.ETIMEDOUT;
    if (deadlineNs[slot] === nearestNs) slots.nearestExact = false;
    deadlineNs[slot] = Infinity;
    state[slot] = FREE;
    free[freeCount++] = slot;
  }
  slots.freeCount = freeCount;
}

/**
 * Finds the nearest deadline anew. Stale ones only ever wake too early, so this is not done for
 * each IO.
 */
export function findNearest(slots: Slots): void {
  let nearestNs = Infinity;
  for (let slot = 0; slot < slots.deadlineNs.length; slot++) {
    if (slots.deadlineNs[slot] < nearestNs) nearestNs = slots.deadlineNs[slot];
  }
  slots.nearestNs = nearestNs;
  slots.nearestExact = true;
}
