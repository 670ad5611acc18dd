/**
 * What the tests of stripes, mirrors, and hosts share: known content, and a loop that runs a batch.
 *
 * @module
 */

import { assert } from "@std/assert";
import { createRandom } from "../../base/random.ts";
import type { VirtualClock } from "../../tiers/clock.ts";
import type { BlockDevice } from "../../tiers/device.ts";
import { createCompletions, createRequests } from "../../tiers/io.ts";
import type { CaseWorld } from "./device_cases.ts";

/** Pseudo-random bytes. */
export function randomBytes(count: number, seed = 5): Uint8Array<ArrayBuffer> {
  const random = createRandom(seed);
  return Uint8Array.from({ length: count }, () => random.u32());
}

/** A world for the conformance cases: time moves to where the device wakes. */
export function virtualWorld(
  device: BlockDevice,
  content: Uint8Array,
  clock: VirtualClock,
): CaseWorld {
  const advance = () => {
    if (device.wakeNs < Infinity) clock.advanceTo(device.wakeNs);
    device.step(clock.now());
  };
  return { device, content, advance };
}

/** One request of a batch. */
export interface Ask {
  readonly op?: number;
  readonly offsetBytes?: number;
  readonly bytes?: number;
  readonly buffer?: number;
}

/** What came of one, in the order they were asked. */
export interface Answer {
  readonly result: number;
  readonly latencyNs: number;
}

/** Runs a batch to its end; each is tagged with its position and must complete exactly once. */
export function runBatch(
  device: BlockDevice,
  clock: VirtualClock,
  asks: readonly Ask[],
  meanwhile: () => void = () => {},
): Answer[] {
  const requests = createRequests(Math.max(1, asks.length));
  asks.forEach(({ op = 0, offsetBytes = 0, bytes = 0, buffer = 0 }, i) => {
    requests.op[i] = op;
    requests.offsetBytes[i] = offsetBytes;
    requests.bytes[i] = bytes;
    requests.buffer[i] = buffer;
    requests.user[i] = i;
  });
  requests.count = asks.length;
  const answers: Answer[] = new Array(asks.length);
  const completions = createCompletions(7);
  let from = 0, done = 0;
  for (let turns = 0; done < asks.length; turns++) {
    assert(turns < 100_000, `${done} of ${asks.length} completed`);
    from += device.submit(requests, from);
    meanwhile();
    completions.count = 0;
    done += device.poll(completions);
    for (let i = 0; i < completions.count; i++) {
      const tag = completions.user[i];
      assert(answers[tag] === undefined, `${tag} completed twice`);
      answers[tag] = { result: completions.result[i], latencyNs: completions.latencyNs[i] };
    }
    if (done === asks.length) break;
    if (device.wakeNs === Infinity && from < asks.length) continue; // idle, and there is room
    assert(device.wakeNs < Infinity, `nothing will happen, ${done} of ${asks.length} completed`);
    clock.advanceTo(device.wakeNs);
    device.step(clock.now());
  }
  completions.count = 0;
  device.step(clock.now());
  assert(device.poll(completions) === 0, "more completed than was asked for");
  return answers;
}
