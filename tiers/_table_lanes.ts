/**
 * What waits in a queue with limits: a list a device, priority and table, served in turn. Lists run
 * through the queue's slots, so that all of them together take one request's columns a slot.
 *
 * @module
 */

import { createRequests } from "./io.ts";
import type { IoRequests } from "./io.ts";

/** No slot, no list. */
export const NONE = -1;

/** A table may owe so many turns at most: one huge request must not shut it out for long. */
const MAX_DEBT_TURNS = 64;

/** The lists; `lane` is a device's priority, as in the queue; `list = lane * tables + table`. */
export interface TableLanes {
  /** Tables told apart. */
  readonly tables: number;
  /** The requests by slot. */
  readonly held: IoRequests;
  /** The lane of a slot's request. */
  readonly lane: Uint16Array;
  /** The slots before and after, by slot. */
  readonly before: Int32Array;
  /** See `before`. */
  readonly after: Int32Array;
  /** First and last slot, by list. */
  readonly head: Int32Array;
  /** See `head`. */
  readonly tail: Int32Array;
  /** Bytes that a list may still send in this turn, by list; below 0 when it owes. */
  readonly balanceBytes: Float64Array;
  /** The list whose turn is after this one's, by list: a ring a lane. */
  readonly turn: Int32Array;
  /** Whether a list is in its ring. */
  readonly inRing: Uint8Array;
  /** The list whose turn it was last, by lane; the ring's entry. */
  readonly last: Int32Array;
  /** Lists in the ring, by lane; some may have become empty. */
  readonly ring: Uint32Array;
  /** Requests that wait, by lane. */
  readonly waiting: Uint32Array;
  /** How often nothing waited, by lane: what was owed before is forgotten then. */
  readonly lulls: Float64Array;
  /** Of its lane when a list's balance was last reset, by list. */
  readonly lullsSeen: Float64Array;
  /** Requests handed to a device and not come back, by table. */
  readonly outstanding: Uint32Array;
}

/** Empty lists for `depth` requests of `tables` tables in `lanes` lanes. */
export function createTableLanes(depth: number, lanes: number, tables: number): TableLanes {
  const lists = lanes * tables;
  return {
    tables,
    held: createRequests(depth),
    lane: new Uint16Array(depth),
    before: new Int32Array(depth),
    after: new Int32Array(depth),
    head: new Int32Array(lists).fill(NONE),
    tail: new Int32Array(lists).fill(NONE),
    balanceBytes: new Float64Array(lists),
    turn: new Int32Array(lists),
    inRing: new Uint8Array(lists),
    last: new Int32Array(lanes).fill(NONE),
    ring: new Uint32Array(lanes),
    waiting: new Uint32Array(lanes),
    lulls: new Float64Array(lanes),
    lullsSeen: new Float64Array(lists),
    outstanding: new Uint32Array(tables),
  };
}

/** Puts the request of `slot`, whose columns are in `held`, behind the others of its table. */
export function pushSlot(lists: TableLanes, lane: number, slot: number): void {
  const { head, tail, before, after } = lists;
  const list = lane * lists.tables + lists.held.table[slot];
  if (lists.lullsSeen[list] !== lists.lulls[lane]) {
    lists.lullsSeen[list] = lists.lulls[lane];
    lists.balanceBytes[list] = 0;
  }
  lists.lane[slot] = lane;
  before[slot] = tail[list];
  after[slot] = NONE;
  if (tail[list] === NONE) head[list] = slot;
  else after[tail[list]] = slot;
  tail[list] = slot;
  lists.waiting[lane]++;
  if (lists.inRing[list] === 0) joinRing(lists, lane, list);
}

/** Takes the request of `slot` out, wherever it stands. */
export function removeSlot(lists: TableLanes, slot: number): void {
  const { head, tail, before, after } = lists;
  const list = lists.lane[slot] * lists.tables + lists.held.table[slot];
  if (before[slot] === NONE) head[list] = after[slot];
  else after[before[slot]] = after[slot];
  if (after[slot] === NONE) tail[list] = before[slot];
  else before[after[slot]] = before[slot];
  const lane = lists.lane[slot];
  if (--lists.waiting[lane] === 0) lists.lulls[lane]++;
}

/**
 * Takes the next request of `lane` out whose table is below its limit, and counts it outstanding;
 * its slot, or NONE. Tables take turns of `quantumBytes` (surplus round robin: a list is served
 * while its balance is above 0 and may overdraw it by its last request; Adiseshu, Parulkar,
 * Varghese, 1996).
 */
export function takeSlot(
  lists: TableLanes,
  lane: number,
  tableLimit: number,
  quantumBytes: number,
): number {
  const { last, ring, turn, head, balanceBytes, outstanding, tables } = lists;
  // In a row: so many lists that must wait mean that all must.
  for (let blocked = 0; ring[lane] > 0 && blocked < ring[lane];) {
    const list = turn[last[lane]];
    const slot = head[list];
    if (slot === NONE) {
      leaveRing(lists, lane, list);
    } else if (outstanding[list % tables] >= tableLimit) {
      blocked++;
      last[lane] = list;
    } else if (balanceBytes[list] <= 0 && ring[lane] > 1) {
      blocked = 0;
      balanceBytes[list] += quantumBytes;
      last[lane] = list;
    } else {
      // Alone it owes nobody.
      const leftBytes = ring[lane] > 1 ? balanceBytes[list] - lists.held.bytes[slot] : 0;
      balanceBytes[list] = Math.max(leftBytes, -MAX_DEBT_TURNS * quantumBytes);
      outstanding[list % tables]++;
      removeSlot(lists, slot);
      return slot;
    }
  }
  return NONE;
}

/** A new list comes behind all others, with a turn's worth: it has not been served yet. */
function joinRing(lists: TableLanes, lane: number, list: number): void {
  const { last, turn } = lists;
  if (last[lane] === NONE) turn[list] = list;
  else {
    turn[list] = turn[last[lane]];
    turn[last[lane]] = list;
  }
  last[lane] = list;
  lists.ring[lane]++;
  lists.inRing[list] = 1;
}

/** Takes the first list out; what it owes stays owed, so that leaving does not pay. */
function leaveRing(lists: TableLanes, lane: number, list: number): void {
  const { last, turn } = lists;
  if (turn[list] === list) last[lane] = NONE;
  else turn[last[lane]] = turn[list];
  lists.ring[lane]--;
  lists.inRing[list] = 0;
  if (lists.balanceBytes[list] > 0) lists.balanceBytes[list] = 0;
}
