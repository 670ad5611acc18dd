/**
 * What the parsers of trace texts share: lines, numbers, and a trace that grows.
 *
 * @module
 */

import { MAX_TRACE_REQUESTS } from "../limits.ts";
import { createIoTrace } from "./io_trace.ts";
import type { IoTrace } from "./io_trace.ts";

/** Longest piece of a bad line that a message shows. */
const SHOWN = 60;

/** Throws for line `number`, which must be `expected`. */
export function refuseLine(what: string, number: number, expected: string, line: string): never {
  const shown = line.length > SHOWN ? `${line.slice(0, SHOWN)}...` : line;
  throw new TypeError(`${what}: line ${number} must be ${expected}: received "${shown}"`);
}

/** A whole number from 0 to `maximum` as its decimal digits say, or NaN. */
export function wholeNumber(digits: string, maximum: number): number {
  if (!/^\d{1,16}$/.test(digits)) return NaN;
  const value = Number(digits);
  return value <= maximum ? value : NaN;
}

/** Collects requests whose number is not known beforehand. */
export class TraceBuilder {
  #trace: IoTrace = createIoTrace(1024);

  /** Appends one request. */
  push(op: number, timeNs: number, offsetBytes: number, bytes: number): void {
    if (this.#trace.count === this.#trace.op.length) this.#resize(2 * this.#trace.count);
    const trace = this.#trace;
    const i = trace.count++;
    trace.op[i] = op;
    trace.timeNs[i] = timeNs;
    trace.offsetBytes[i] = offsetBytes;
    trace.bytes[i] = bytes;
  }

  /** The trace, in the order of time and from its first request on; requests of one time stay. */
  finish(): IoTrace {
    this.#resize(Math.max(1, this.#trace.count));
    const { count, timeNs } = this.#trace;
    let sorted = true;
    for (let i = 1; i < count && sorted; i++) sorted = timeNs[i - 1] <= timeNs[i];
    // Processors write their events in turn, so that blkparse's order is nearly that of time.
    if (!sorted) this.#sort();
    const trace = this.#trace;
    const startNs = trace.timeNs[0];
    for (let i = 0; i < count; i++) trace.timeNs[i] -= startNs;
    return trace;
  }

  #sort(): void {
    const from = this.#trace;
    const order = Uint32Array.from({ length: from.count }, (_, i) => i);
    order.sort((a, b) => from.timeNs[a] - from.timeNs[b] || a - b);
    const to = createIoTrace(from.count);
    for (const i of order) {
      const at = to.count++;
      to.op[at] = from.op[i];
      to.timeNs[at] = from.timeNs[i];
      to.offsetBytes[at] = from.offsetBytes[i];
      to.bytes[at] = from.bytes[i];
    }
    this.#trace = to;
  }

  #resize(capacity: number): void {
    const from = this.#trace;
    const to = createIoTrace(Math.min(capacity, MAX_TRACE_REQUESTS + 1));
    const end = Math.min(from.count, capacity);
    to.op.set(from.op.subarray(0, end));
    to.timeNs.set(from.timeNs.subarray(0, end));
    to.offsetBytes.set(from.offsetBytes.subarray(0, end));
    to.bytes.set(from.bytes.subarray(0, end));
    to.count = from.count;
    this.#trace = to;
  }
}
