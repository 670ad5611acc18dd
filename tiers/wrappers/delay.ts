/**
 * A device that answers later than another: a slower link, a farther machine, a queue in between.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { createRandom } from "../../base/random.ts";
import type { Random } from "../../base/random.ts";
import type { Clock } from "../clock.ts";
import type { BlockDevice } from "../device.ts";
import { Frame } from "../frame.ts";
import type { Rules } from "../frame.ts";
import { MAX_WRAPPER_NS } from "../limits.ts";

/** What {@linkcode createDelayDevice} takes. */
export interface DelayDeviceOptions {
  /** The device that does the work; the wrapper owns it and disposes of it. */
  readonly device: BlockDevice;
  /** What each request waits on top of the device's own time, in ns, from 0 to 2^50. */
  readonly delayNs: number;
  /** On top of that a uniform wait in [0, this), in ns, from 0 to 2^50; 0 when left out. */
  readonly jitterNs?: number;
  /** The device's clock. */
  readonly clock: Clock;
  /** Of the jitter: a safe integer, 1 when left out. */
  readonly seed?: number;
}

/**
 * Wraps `device` so that each completion, of whatever result, is handed out `delayNs` after it has
 * come. Until then the wrapper owns the request's memory, although the bytes are there. A request
 * that is cancelled is delayed no more.
 *
 * Over a real device `wait` does not wait for what is delayed: only steps bring it out.
 *
 * @throws {RangeError} for a wrong `delayNs`, `jitterNs` or `seed`.
 *
 * @example
 * ```ts
 * import { createCompletions, createDelayDevice, createRequests } from "@rowtier/rowtier/tiers";
 * import { createMemoryDevice, drive, memoryMedia, VirtualClock } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * const inner = createMemoryDevice({ media: memoryMedia(4096), clock });
 * using device = createDelayDevice({ device: inner, delayNs: 5_000, clock });
 * device.attach(new Uint8Array(512));
 * const requests = createRequests(1);
 * requests.bytes[0] = 512;
 * requests.count = 1;
 * device.submit(requests, 0);
 * const completions = createCompletions(1);
 * drive(device, clock, () => device.poll(completions) > 0);
 * if (completions.latencyNs[0] !== 5_000) throw new Error("unreachable");
 * ```
 */
export function createDelayDevice(options: DelayDeviceOptions): BlockDevice {
  const what = "Cannot create delay device";
  const { device, delayNs, jitterNs = 0, clock, seed = 1 } = options;
  checkInteger(what, "delayNs", delayNs, 0, MAX_WRAPPER_NS);
  checkInteger(what, "jitterNs", jitterNs, 0, MAX_WRAPPER_NS);
  const rules = new DelayRules(device.depth, delayNs, jitterNs, createRandom(seed));
  return new Frame(`${device.name} delayed`, device, clock, rules);
}

class DelayRules implements Rules {
  readonly #result: Int32Array;
  readonly #delayNs: number;
  readonly #jitterNs: number;
  readonly #random: Random;

  constructor(depth: number, delayNs: number, jitterNs: number, random: Random) {
    this.#result = new Int32Array(depth);
    this.#delayNs = delayNs;
    this.#jitterNs = jitterNs;
    this.#random = random;
  }

  admit(frame: Frame, slot: number): void {
    frame.forward(slot);
  }

  arrive(frame: Frame, slot: number, result: number): void {
    if (frame.cancelled[slot] === 1) {
      frame.finish(slot, result);
      return;
    }
    const jitterNs = this.#jitterNs === 0 ? 0 : Math.floor(this.#random.unit() * this.#jitterNs);
    this.#result[slot] = result;
    frame.timeNs[slot] += this.#delayNs + jitterNs;
    frame.hold(slot);
  }

  due(frame: Frame, slot: number): void {
    frame.finish(slot, this.#result[slot]);
  }
}
