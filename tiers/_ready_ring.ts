/**
 * Completions that wait to be polled: a bounded first-in first-out ring of columns.
 *
 * @module
 */

import type { IoCompletions } from "./io.ts";

/** The ring; `head` and `count` index columns whose length is a power of two. */
export interface ReadyRing {
  /** Position of the oldest entry. */
  head: number;
  /** Entries held. */
  count: number;
  /** Tags. */
  readonly user: Float64Array;
  /** Bytes moved, or a negative errno. */
  readonly result: Int32Array;
  /** Service time in ns. */
  readonly latencyNs: Float64Array;
}

/**
 * A ring for at least `capacity` entries. The owner never holds more: it takes no request beyond
 * its depth.
 */
export function createReadyRing(capacity: number): ReadyRing {
  const size = 2 ** Math.ceil(Math.log2(capacity));
  return {
    head: 0,
    count: 0,
    user: new Float64Array(size),
    result: new Int32Array(size),
    latencyNs: new Float64Array(size),
  };
}

/** Appends one entry. */
export function pushReady(ring: ReadyRing, user: number, result: number, latencyNs: number): void {
  const at = (ring.head + ring.count++) & (ring.user.length - 1);
  ring.user[at] = user;
  ring.result[at] = result;
  ring.latencyNs[at] = latencyNs;
}

/** Moves the oldest entries to `completions`, as many as fit there; returns how many. */
export function drainReady(ring: ReadyRing, completions: IoCompletions): number {
  const room = completions.user.length - completions.count;
  const moved = ring.count < room ? ring.count : room;
  const mask = ring.user.length - 1;
  for (let i = 0; i < moved; i++) {
    const from = (ring.head + i) & mask;
    const to = completions.count++;
    completions.user[to] = ring.user[from];
    completions.result[to] = ring.result[from];
    completions.latencyNs[to] = ring.latencyNs[from];
  }
  ring.head = (ring.head + moved) & mask;
  ring.count -= moved;
  return moved;
}
