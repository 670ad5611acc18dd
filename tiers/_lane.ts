/**
 * Requests that wait for one device at one priority, in order: columns that devices take from the
 * front of without another copy.
 *
 * @module
 */

import { createRequests } from "./io.ts";
import type { IoRequests } from "./io.ts";

/** A lane; `[from, requests.count)` waits. The tag of each request is its slot in the queue. */
export interface Lane {
  /** The first request that waits. */
  from: number;
  /** The columns, for as many requests as the queue holds: a lane is never too short. */
  readonly requests: IoRequests;
}

/** An empty lane for up to `capacity` requests. */
export function createLane(capacity: number): Lane {
  return { from: 0, requests: createRequests(capacity) };
}

/** How many wait. */
export function laneLength(lane: Lane): number {
  return lane.requests.count - lane.from;
}

/** Appends request `i` of `source`, tagged `slot`. */
export function pushLane(lane: Lane, source: IoRequests, i: number, slot: number): void {
  const to = lane.requests;
  if (to.count === to.user.length) compact(lane);
  const at = to.count++;
  to.op[at] = source.op[i];
  to.device[at] = source.device[i];
  to.offsetBytes[at] = source.offsetBytes[i];
  to.bytes[at] = source.bytes[i];
  to.buffer[at] = source.buffer[i];
  to.table[at] = source.table[i];
  to.priority[at] = source.priority[i];
  to.deadlineNs[at] = source.deadlineNs[i];
  to.user[at] = slot;
}

/** Takes the first `taken` out. */
export function advanceLane(lane: Lane, taken: number): void {
  lane.from += taken;
  if (lane.from === lane.requests.count) lane.from = lane.requests.count = 0;
}

/** Takes the request tagged `slot` out, wherever it stands. Linear, for what ends early. */
export function removeFromLane(lane: Lane, slot: number): void {
  const requests = lane.requests;
  // Not indexOf() of a subarray(), which makes a view.
  let at = lane.from;
  while (requests.user[at] !== slot) at++;
  shift(requests, at, at + 1);
  requests.count--;
  advanceLane(lane, 0);
}

/** Moves what waits to the front of the columns. */
function compact(lane: Lane): void {
  shift(lane.requests, 0, lane.from);
  lane.requests.count -= lane.from;
  lane.from = 0;
}

function shift(requests: IoRequests, to: number, from: number): void {
  const end = requests.count;
  requests.op.copyWithin(to, from, end);
  requests.device.copyWithin(to, from, end);
  requests.offsetBytes.copyWithin(to, from, end);
  requests.bytes.copyWithin(to, from, end);
  requests.buffer.copyWithin(to, from, end);
  requests.table.copyWithin(to, from, end);
  requests.priority.copyWithin(to, from, end);
  requests.deadlineNs.copyWithin(to, from, end);
  requests.user.copyWithin(to, from, end);
}
