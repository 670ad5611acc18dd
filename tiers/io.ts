/**
 * Requests and completions as columns: what devices and queues exchange. A batch of IOs is a
 * handful of typed arrays filled from 0 to `count`, so that no object is made per IO.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";

/** What a request does; the values of {@linkcode IoRequests.op}. */
export const IO_OP: {
  /** Reads `bytes` from the device into memory. */
  readonly READ: 0;
  /** Writes `bytes` from memory to the device. */
  readonly WRITE: 1;
  /** Makes all completed writes durable; `bytes` and `buffer` are ignored. */
  readonly FLUSH: 2;
  /**
   * Says that `bytes` of the device hold nothing of worth any more (TRIM; a hole in a file, which
   * reads as zeros); `buffer` is ignored. Completes with `bytes`.
   */
  readonly DISCARD: 3;
} = { READ: 0, WRITE: 1, FLUSH: 2, DISCARD: 3 };

/** A batch of requests, column by column; entries from `count` on are unused. */
export interface IoRequests {
  /** How many requests are filled in. */
  count: number;
  /** One of {@linkcode IO_OP}. */
  readonly op: Uint8Array;
  /** Which of the queue's devices, by its position there; a device itself ignores this column. */
  readonly device: Uint16Array;
  /** First byte on the device; a multiple of its `blockBytes`. */
  readonly offsetBytes: Float64Array;
  /** Bytes to move; a multiple of the device's `blockBytes`. */
  readonly bytes: Uint32Array;
  /** First byte in the memory attached to the device. */
  readonly buffer: Uint32Array;
  /** The table it is for: what per-table limits and counters go by. */
  readonly table: Uint16Array;
  /** 0 is the most urgent. */
  readonly priority: Uint8Array;
  /** Absolute time in ns after which the queue cancels it; Infinity for never. */
  readonly deadlineNs: Float64Array;
  /** The caller's tag, an integer, returned in the completion; unique among what is in flight. */
  readonly user: Float64Array;
}

/** A batch of completions, column by column; entries from `count` on are unused. */
export interface IoCompletions {
  /** How many completions are filled in; pollers append and never exceed the columns' length. */
  count: number;
  /** The tag of the request. */
  readonly user: Float64Array;
  /** Bytes moved, or a negative errno. */
  readonly result: Int32Array;
  /** Time from submission to completion in ns, on the clock of who filled it in. */
  readonly latencyNs: Float64Array;
}

/** Columns for up to `capacity` requests; `deadlineNs` starts as Infinity, all else as 0. */
export function createRequests(capacity: number): IoRequests {
  checkInteger("Cannot create requests", "capacity", capacity, 1, 2 ** 24);
  return {
    count: 0,
    op: new Uint8Array(capacity),
    device: new Uint16Array(capacity),
    offsetBytes: new Float64Array(capacity),
    bytes: new Uint32Array(capacity),
    buffer: new Uint32Array(capacity),
    table: new Uint16Array(capacity),
    priority: new Uint8Array(capacity),
    deadlineNs: new Float64Array(capacity).fill(Infinity),
    user: new Float64Array(capacity),
  };
}

/** Columns for up to `capacity` completions. */
export function createCompletions(capacity: number): IoCompletions {
  checkInteger("Cannot create completions", "capacity", capacity, 1, 2 ** 24);
  return {
    count: 0,
    user: new Float64Array(capacity),
    result: new Int32Array(capacity),
    latencyNs: new Float64Array(capacity),
  };
}
