/**
 * What was asked of a device and when, as columns: what traces are parsed to, written from, and
 * replayed by.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import type { EventLog } from "../event_log.ts";
import { MAX_TRACE_REQUESTS } from "../limits.ts";

/** Requests in the order of time, column by column; entries from `count` on are unused. */
export interface IoTrace {
  /** How many there are. */
  count: number;
  /** One of `IO_OP`. */
  readonly op: Uint8Array;
  /** When it was submitted, in ns since the first. */
  readonly timeNs: Float64Array;
  /** First byte on the device. */
  readonly offsetBytes: Float64Array;
  /** Bytes to move. */
  readonly bytes: Uint32Array;
}

/** Doubles of an event in a log's bytes. */
const EVENT_DOUBLES = 5;

/**
 * Columns for up to `capacity` requests, 21 bytes each.
 *
 * @throws {RangeError} for a `capacity` that is not an integer from 1 to 2^26.
 */
export function createIoTrace(capacity: number): IoTrace {
  checkInteger("Cannot create IO trace", "capacity", capacity, 1, MAX_TRACE_REQUESTS);
  return {
    count: 0,
    op: new Uint8Array(capacity),
    timeNs: new Float64Array(capacity),
    offsetBytes: new Float64Array(capacity),
    bytes: new Uint32Array(capacity),
  };
}

/**
 * The submissions that a trace device has logged, from the first one's time on.
 *
 * @example
 * ```ts
 * import { createEventLog, traceOf } from "@rowtier/rowtier/tiers";
 *
 * const log = createEventLog(16);
 * log.record(0, 5_000, 1, 8192, 512); // a read, as a trace device records it
 * log.record(-1, 9_000, 1, 512, 4_000); // its completion
 * const trace = traceOf(log);
 * if (trace.count !== 1 || trace.offsetBytes[0] !== 8192) throw new Error("unreachable");
 * ```
 */
export function traceOf(log: EventLog): IoTrace {
  const view = new DataView(log.bytes().buffer);
  const at = (event: number, i: number) => view.getFloat64((event * EVENT_DOUBLES + i) * 8, true);
  let count = 0;
  for (let event = 0; event < log.count; event++) if (at(event, 0) >= 0) count++;
  const trace = createIoTrace(Math.max(1, count));
  for (let event = 0; event < log.count; event++) {
    if (at(event, 0) < 0) continue;
    const i = trace.count++;
    trace.op[i] = at(event, 0);
    trace.timeNs[i] = at(event, 1);
    trace.offsetBytes[i] = at(event, 3);
    trace.bytes[i] = at(event, 4);
  }
  const startNs = trace.timeNs[0];
  for (let i = 0; i < count; i++) trace.timeNs[i] -= startNs;
  return trace;
}
