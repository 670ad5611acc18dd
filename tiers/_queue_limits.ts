/**
 * The limits of a queue: what it holds back, in what order, and how many it lets go.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { ERRNO } from "../base/errors.ts";
import { createAdaptiveLimit, observe, windowFor } from "./_adaptive_limit.ts";
import type { AdaptiveLimit, AdaptiveRules } from "./_adaptive_limit.ts";
import { copyRequest } from "./_copy_request.ts";
import type { IoCompletions, IoRequests } from "./io.ts";
import { pushLane } from "./_lane.ts";
import type { Lane } from "./_lane.ts";
import { MAX_DEPTH, MAX_TABLES, MAX_WRAPPER_NS } from "./limits.ts";
import { PRIORITY } from "./priority.ts";
import type { AdaptiveLimitOptions, QueueLimits } from "./queue_limits.ts";
import { answerSlot, WAITING } from "./_queue_slots.ts";
import type { Slots } from "./_queue_slots.ts";
import { createTableLanes, NONE, pushSlot, removeSlot, takeSlot } from "./_table_lanes.ts";
import type { TableLanes } from "./_table_lanes.ts";

/** In place of a lane, where a request is still in its table's list. */
export const LISTED = 0xffff;

/** The limits at work. */
export interface Limits {
  /** What waits. */
  readonly lists: TableLanes;
  /** Most at each device: the fixed limit. */
  readonly device: Uint16Array;
  /** Most of a table. */
  readonly table: number;
  /** A table's turn. */
  readonly quantumBytes: number;
  /** By device; none when the limits are fixed. */
  readonly adaptive: readonly AdaptiveLimit[];
  /** Of the adaptive limits, by device. */
  readonly rules: readonly AdaptiveRules[];
}

/** Checks `options` and sets them up for devices of `depths`. */
export function createLimits(
  what: string,
  options: QueueLimits,
  depth: number,
  depths: readonly number[],
): Limits {
  const { device = MAX_DEPTH, table = MAX_DEPTH, tables = 1, quantumBytes = 4096 } = options;
  checkInteger(what, "limits.device", device, 1, MAX_DEPTH);
  checkInteger(what, "limits.table", table, 1, MAX_DEPTH);
  checkInteger(what, "limits.tables", tables, 1, MAX_TABLES);
  checkInteger(what, "limits.quantumBytes", quantumBytes, 1, 2 ** 30);
  // A limit above a device's depth would stage what the device cannot take, ahead of what is
  // urgent and comes later.
  const most = Uint16Array.from(depths, (own) => Math.min(device, own));
  const { adaptive } = options;
  const rules = adaptive === undefined
    ? []
    : Array.from(most, (maximum) => createRules(what, adaptive, maximum));
  return {
    lists: createTableLanes(depth, 2 * depths.length, tables),
    device: most,
    table,
    quantumBytes,
    adaptive: rules.map(createAdaptiveLimit),
    rules,
  };
}

function createRules(
  what: string,
  { targetNs, lateShare = 0.01, minimum = 1 }: AdaptiveLimitOptions,
  maximum: number,
): AdaptiveRules {
  checkInteger(what, "limits.adaptive.targetNs", targetNs, 1, MAX_WRAPPER_NS);
  checkInteger(what, "limits.adaptive.minimum", minimum, 1, maximum);
  if (!(lateShare >= 0 && lateShare <= 1)) {
    throw new RangeError(
      `${what}: limits.adaptive.lateShare must be from 0 to 1: received ${lateShare}`,
    );
  }
  return { targetNs, lateShare, window: windowFor(lateShare), minimum, maximum };
}

/** Most requests that device `d` may have outstanding now. */
export function limitOf(limits: Limits, d: number): number {
  return limits.adaptive.length === 0 ? limits.device[d] : limits.adaptive[d].limit;
}

/** Gives requests `[from, end)` a slot and a place in their tables' lists each. */
export function listSlots(
  limits: Limits,
  slots: Slots,
  requests: IoRequests,
  from: number,
  end: number,
  nowNs: number,
): void {
  const { lists } = limits;
  for (let i = from; i < end; i++) {
    const slot = slots.free[--slots.freeCount];
    const lane = 2 * requests.device[i] + (requests.priority[i] === PRIORITY.URGENT ? 0 : 1);
    slots.user[slot] = requests.user[i];
    if (lane >= lists.last.length || requests.table[i] >= lists.tables) {
      answerSlot(slots, slot, -ERRNO.EINVAL, 0);
      continue;
    }
    const deadlineNs = requests.deadlineNs[i];
    if (deadlineNs < slots.nearestNs) slots.nearestNs = deadlineNs;
    slots.deadlineNs[slot] = deadlineNs;
    slots.device[slot] = requests.device[i];
    // Not in the lane that `slots` means: there it would be offered to the device at once.
    slots.lane[slot] = LISTED;
    slots.waitNs[slot] = nowNs;
    slots.state[slot] = WAITING;
    copyRequest(lists.held, slot, requests, i);
    pushSlot(lists, lane, slot);
  }
}

/**
 * Moves what device `d` may have now from the lists to `lane`, urgent requests first, while it and
 * the lane have fewer than the limit.
 */
export function stage(
  limits: Limits,
  slots: Slots,
  d: number,
  lane: Lane,
  outstanding: number,
): void {
  const { lists, table, quantumBytes } = limits;
  const most = limitOf(limits, d);
  let room = most - outstanding;
  for (let of = 2 * d; of < 2 * d + 2; of++) {
    for (; room > 0 && lists.waiting[of] > 0; room--) {
      const slot = takeSlot(lists, of, table, quantumBytes);
      if (slot === NONE) break;
      slots.lane[slot] = 2 * d;
      pushLane(lane, lists.held, slot, slot);
    }
  }
  if (room <= 0 && limits.adaptive.length > 0) limits.adaptive[d].reached = true;
}

/** Takes a request that ends early out of its list. */
export function unlist(limits: Limits, slot: number): void {
  removeSlot(limits.lists, slot);
}

/** A request is no longer outstanding. */
export function release(limits: Limits, slot: number): void {
  limits.lists.outstanding[limits.lists.held.table[slot]]--;
}

/** Notes what device `d` has completed, from `first` on; `user` still holds slots. */
export function releaseAll(
  limits: Limits,
  d: number,
  completions: IoCompletions,
  first: number,
): void {
  const { user, result, latencyNs } = completions;
  const adapts = limits.adaptive.length > 0;
  for (let i = first; i < completions.count; i++) {
    release(limits, user[i]);
    // What failed says nothing of how loaded the device is.
    if (adapts && result[i] >= 0) observe(limits.adaptive[d], limits.rules[d], latencyNs[i]);
  }
}
