/**
 * The loop of the virtual world.
 *
 * @module
 */

import type { VirtualClock } from "./clock.ts";
import type { Driven } from "./device.ts";
import { MAX_IDLE_STEPS } from "./limits.ts";

/**
 * Moves `clock` to `driven.wakeNs` and steps, until `done` says so. `done` is called before each
 * step: it is where completions are reaped and new requests are made.
 *
 * @throws {Error} when nothing will ever happen, or when nothing but idle steps happens at one
 * time: `done` then leaves something due that it should have reaped.
 *
 * @example
 * ```ts
 * import {
 *   createCompletions,
 *   createRequests,
 *   createSimulatedDevice,
 *   drive,
 *   memoryMedia,
 *   PROFILES,
 *   VirtualClock,
 * } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * const media = memoryMedia(65_536);
 * using device = createSimulatedDevice({ profile: PROFILES.p3700, media, clock });
 * device.attach(new Uint8Array(4096));
 * const requests = createRequests(1);
 * requests.bytes[0] = 4096;
 * requests.count = 1;
 * device.submit(requests, 0);
 * const completions = createCompletions(1);
 * drive(device, clock, () => device.poll(completions) > 0);
 * if (clock.now() !== completions.latencyNs[0]) throw new Error("unreachable");
 * ```
 */
export function drive(driven: Driven, clock: VirtualClock, done: () => boolean): void {
  let idleSteps = 0;
  while (!done()) {
    const beforeNs = clock.now();
    const wakeNs = driven.wakeNs;
    if (wakeNs === Infinity) {
      throw new Error(`Cannot drive: nothing will ever happen after ${beforeNs} ns`);
    }
    clock.advanceTo(wakeNs);
    driven.step(clock.now());
    idleSteps = clock.now() > beforeNs ? 0 : idleSteps + 1;
    if (idleSteps > MAX_IDLE_STEPS) {
      throw new Error(`Cannot drive: time stands at ${beforeNs} ns, done() leaves something due`);
    }
  }
}
