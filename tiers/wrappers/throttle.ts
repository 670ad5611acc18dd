/**
 * A device that takes no more than so many operations and bytes a second: what a cloud disk's
 * contract, a shared link, or a co-tenant leaves of a drive.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import type { Clock } from "../clock.ts";
import type { BlockDevice } from "../device.ts";
import { Frame } from "../frame.ts";
import type { Rules } from "../frame.ts";
import { IO_OP } from "../io.ts";

/** What {@linkcode createThrottleDevice} takes; at least one of the two rates. */
export interface ThrottleDeviceOptions {
  /** The device that does the work; the wrapper owns it and disposes of it. */
  readonly device: BlockDevice;
  /** Operations a second, 1 to 10^9; any number of them when left out. */
  readonly operationsPerSecond?: number;
  /** Bytes a second, 1 to 10^12; any number of them when left out. */
  readonly bytesPerSecond?: number;
  /**
   * How far ahead of the rates a rested device may run, in ns of them: 10^7 lets 1,000 operations
   * go at once at 100,000 a second. 0 to 10^12; 0 when left out, which spaces all evenly.
   */
  readonly burstNs?: number;
  /** The device's clock. */
  readonly clock: Clock;
}

/**
 * Wraps `device` with two token buckets, one of operations and one of bytes. A request goes on to
 * the device once both have let it pass; requests pass in the order they are taken. Flushes cost an
 * operation and no bytes.
 *
 * A bucket is kept as the time at which it would be full again (the virtual scheduling form of the
 * generic cell rate algorithm, ITU-T I.371): one addition a request, no refill, and nothing is lost
 * to rounding, as that time keeps its fraction of a ns.
 *
 * Over a real device `wait` does not wait for what is held back: only steps let it go on.
 *
 * @throws {RangeError} for a wrong number.
 * @throws {TypeError} without a rate.
 *
 * @example
 * ```ts
 * import { createCompletions, createMemoryDevice, createRequests } from "@rowtier/rowtier/tiers";
 * import { createThrottleDevice, drive, memoryMedia, VirtualClock } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * const inner = createMemoryDevice({ media: memoryMedia(4096), clock });
 * using device = createThrottleDevice({ device: inner, operationsPerSecond: 1_000, clock });
 * device.attach(new Uint8Array(512));
 * const requests = createRequests(3);
 * requests.bytes.fill(512);
 * requests.count = 3;
 * device.submit(requests, 0);
 * const completions = createCompletions(3);
 * drive(device, clock, () => (device.poll(completions), completions.count === 3));
 * if (clock.now() !== 2_000_000) throw new Error("unreachable"); // 0, 1 and 2 ms
 * ```
 */
export function createThrottleDevice(options: ThrottleDeviceOptions): BlockDevice {
  const what = "Cannot create throttle device";
  const { device, operationsPerSecond, bytesPerSecond, burstNs = 0, clock } = options;
  if (operationsPerSecond === undefined && bytesPerSecond === undefined) {
    throw new TypeError(
      `${what}: one of operationsPerSecond and bytesPerSecond must be given: received neither`,
    );
  }
  const operationNs = costNs(what, "operationsPerSecond", operationsPerSecond, 1e9);
  const byteNs = costNs(what, "bytesPerSecond", bytesPerSecond, 1e12);
  checkInteger(what, "burstNs", burstNs, 0, 1e12);
  const rules = new ThrottleRules(operationNs, byteNs, burstNs);
  return new Frame(`${device.name} throttled`, device, clock, rules);
}

/** What one of them costs in ns; nothing without a rate. */
function costNs(what: string, name: string, rate: number | undefined, maximum: number): number {
  return rate === undefined ? 0 : 1e9 / checkInteger(what, name, rate, 1, maximum);
}

class ThrottleRules implements Rules {
  readonly #operationNs: number;
  readonly #byteNs: number;
  readonly #burstNs: number;
  /**
   * When each bucket is full, the operations' first: later than now by what has been taken out of
   * it. In an array, as a field would be boxed at each change.
   */
  readonly #fullNs = new Float64Array(2);

  constructor(operationNs: number, byteNs: number, burstNs: number) {
    this.#operationNs = operationNs;
    this.#byteNs = byteNs;
    this.#burstNs = burstNs;
  }

  admit(frame: Frame, slot: number): void {
    const nowNs = frame.timeNs[slot];
    const bytes = frame.held.op[slot] === IO_OP.FLUSH ? 0 : frame.held.bytes[slot];
    const operationsNs = Math.max(this.#fullNs[0], nowNs);
    const bytesNs = Math.max(this.#fullNs[1], nowNs);
    this.#fullNs[0] = operationsNs + this.#operationNs;
    this.#fullNs[1] = bytesNs + bytes * this.#byteNs;
    // A cancelled request has still used its turn, as one that a drive has taken does.
    const goNs = Math.ceil(Math.max(operationsNs, bytesNs) - this.#burstNs);
    frame.timeNs[slot] = goNs;
    if (goNs <= nowNs) frame.forward(slot);
    else frame.hold(slot);
  }

  arrive(frame: Frame, slot: number, result: number): void {
    frame.finish(slot, result);
  }

  due(frame: Frame, slot: number): void {
    frame.forward(slot);
  }
}
