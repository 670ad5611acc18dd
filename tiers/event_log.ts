/**
 * A log of what a device is asked and what it answers, in bytes: two runs are the same when their
 * logs are.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import type { Clock } from "./clock.ts";
import type { BlockDevice } from "./device.ts";
import type { IoCompletions, IoRequests } from "./io.ts";
import { MAX_LOG_EVENTS } from "./limits.ts";

/** Bytes of an event: five little-endian doubles. */
const EVENT_BYTES = 40;

/** First number of a completion; that of a submission is its operation, from 0 on. */
const COMPLETION = -1;

/** Events in a buffer of fixed size, so that recording allocates nothing. */
export interface EventLog {
  /** Events recorded. */
  readonly count: number;
  /** Events that found no room. */
  readonly dropped: number;
  /**
   * A copy of the log, 40 bytes an event, as little-endian doubles: submissions are (op, time in
   * ns, tag, offset in bytes, bytes), completions are (-1, time in ns, tag, result, latency in ns).
   */
  bytes(): Uint8Array;
  /** Appends one event; drops it when there is no room. */
  record(kind: number, timeNs: number, user: number, a: number, b: number): void;
}

/**
 * Makes a log for up to `capacity` events, 40 bytes each, allocated here.
 *
 * @throws {RangeError} for a wrong `capacity`.
 *
 * @example
 * ```ts
 * import { createEventLog, createMemoryDevice, createTraceDevice } from "@rowtier/rowtier/tiers";
 * import { createRequests, memoryMedia, VirtualClock } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * const log = createEventLog(16);
 * const inner = createMemoryDevice({ media: memoryMedia(4096), clock });
 * using device = createTraceDevice({ device: inner, log, clock });
 * const requests = createRequests(1);
 * requests.count = 1;
 * device.submit(requests, 0);
 * if (log.count !== 1) throw new Error("unreachable");
 * ```
 */
export function createEventLog(capacity: number): EventLog {
  checkInteger("Cannot create event log", "capacity", capacity, 1, MAX_LOG_EVENTS);
  return new BoundedLog(capacity);
}

/** What {@linkcode createTraceDevice} takes. */
export interface TraceDeviceOptions {
  /** The device to listen to; the wrapper owns it and disposes of it. */
  readonly device: BlockDevice;
  /** Where events go; several devices may share one. */
  readonly log: EventLog;
  /** Of the events' times. */
  readonly clock: Clock;
}

/**
 * Wraps `device` so that each request it takes and each completion it hands out is recorded.
 *
 * @example
 * ```ts
 * import { createEventLog, createMemoryDevice, createTraceDevice } from "@rowtier/rowtier/tiers";
 * import { createCompletions, createRequests } from "@rowtier/rowtier/tiers";
 * import { memoryMedia, VirtualClock } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * const log = createEventLog(16);
 * const inner = createMemoryDevice({ media: memoryMedia(4096), clock });
 * using device = createTraceDevice({ device: inner, log, clock });
 * const requests = createRequests(1);
 * requests.user[0] = 42;
 * requests.count = 1;
 * device.submit(requests, 0);
 * device.poll(createCompletions(1));
 * const numbers = new DataView(log.bytes().buffer);
 * if (numbers.getFloat64(40, true) !== -1) throw new Error("unreachable"); // a completion
 * if (numbers.getFloat64(56, true) !== 42) throw new Error("unreachable"); // its tag
 * ```
 */
export function createTraceDevice(options: TraceDeviceOptions): BlockDevice {
  return new TraceDevice(options.device, options.log, options.clock);
}

class BoundedLog implements EventLog {
  count = 0;
  dropped = 0;
  readonly #capacity: number;
  readonly #view: DataView<ArrayBuffer>;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#view = new DataView(new ArrayBuffer(capacity * EVENT_BYTES));
  }

  bytes(): Uint8Array {
    return new Uint8Array(this.#view.buffer.slice(0, this.count * EVENT_BYTES));
  }

  record(kind: number, timeNs: number, user: number, a: number, b: number): void {
    if (this.count === this.#capacity) {
      this.dropped++;
      return;
    }
    const at = this.count++ * EVENT_BYTES;
    this.#view.setFloat64(at, kind, true);
    this.#view.setFloat64(at + 8, timeNs, true);
    this.#view.setFloat64(at + 16, user, true);
    this.#view.setFloat64(at + 24, a, true);
    this.#view.setFloat64(at + 32, b, true);
  }
}

class TraceDevice implements BlockDevice {
  readonly #device: BlockDevice;
  readonly #log: EventLog;
  readonly #clock: Clock;

  constructor(device: BlockDevice, log: EventLog, clock: Clock) {
    this.#device = device;
    this.#log = log;
    this.#clock = clock;
  }

  get name(): string {
    return this.#device.name;
  }

  get simulated(): boolean {
    return this.#device.simulated;
  }

  get blockBytes(): number {
    return this.#device.blockBytes;
  }

  get blockCount(): number {
    return this.#device.blockCount;
  }

  get depth(): number {
    return this.#device.depth;
  }

  get wakeNs(): number {
    return this.#device.wakeNs;
  }

  step(nowNs: number): number {
    return this.#device.step(nowNs);
  }

  attach(memory: Uint8Array): void {
    this.#device.attach(memory);
  }

  submit(requests: IoRequests, from: number): number {
    const taken = this.#device.submit(requests, from);
    const nowNs = this.#clock.now();
    const { op, user, offsetBytes, bytes } = requests;
    for (let i = from; i < from + taken; i++) {
      this.#log.record(op[i], nowNs, user[i], offsetBytes[i], bytes[i]);
    }
    return taken;
  }

  poll(completions: IoCompletions): number {
    const first = completions.count;
    const count = this.#device.poll(completions);
    const nowNs = this.#clock.now();
    const { user, result, latencyNs } = completions;
    for (let i = first; i < first + count; i++) {
      this.#log.record(COMPLETION, nowNs, user[i], result[i], latencyNs[i]);
    }
    return count;
  }

  cancel(user: number): void {
    this.#device.cancel(user);
  }

  wait(minimum: number): void {
    this.#device.wait(minimum);
  }

  [Symbol.dispose](): void {
    this.#device[Symbol.dispose]();
  }
}
