/**
 * A simulated drive: the timing model of a profile over media, in virtual time.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { ERRNO } from "../base/errors.ts";
import type { Clock } from "./clock.ts";
import type { BlockDevice } from "./device.ts";
import { createEventHeap, firstDueNs, popEvent, pushEvent, removeEvent } from "./_event_heap.ts";
import type { EventHeap } from "./_event_heap.ts";
import type { IoCompletions, IoRequests } from "./io.ts";
import { DEFAULT_DEPTH, MAX_DEPTH } from "./limits.ts";
import type { Media } from "./media.ts";
import { NandModel } from "./_nand_model.ts";
import { checkProfile } from "./profile.ts";
import type { DeviceProfile } from "./profile.ts";
import { createReadyRing, drainReady, pushReady } from "./_ready_ring.ts";
import type { ReadyRing } from "./_ready_ring.ts";
import type { Timing } from "./_timing.ts";
import {
  blocksOf,
  checkNotAttached,
  isWellFormed,
  NO_MEMORY,
  REFUSED,
  transfer,
} from "./_transfer.ts";
import { XpointModel } from "./_xpoint_model.ts";

/** What {@linkcode createSimulatedDevice} takes. */
export interface SimulatedDeviceOptions {
  /** Which drive: one of {@linkcode PROFILES}, or a profile of one's own. */
  readonly profile: DeviceProfile;
  /** What it holds; disposed of by its owner, not by the device. */
  readonly media: Media;
  /** The virtual clock that the whole run shares. */
  readonly clock: Clock;
  /** Of what varies in service times, a safe integer; 1 when left out. */
  readonly seed?: number;
  /** Requests it can hold in flight, 1 to 4,096; 128 when left out. */
  readonly depth?: number;
}

/**
 * Makes a simulated drive. When a request is submitted its time of completion is drawn from the
 * model; `step` moves the bytes of what is due and `poll` hands it out. The same seed and the same
 * calls give the same run, bit for bit. Writes change the media when they complete.
 *
 * Holds about 90 bytes a request of `depth`; an IO takes about 0.25 us of CPU, the copy not
 * counted.
 *
 * @throws {RangeError} for a wrong `depth` or `seed`, or a number of the profile that is out of its
 * range.
 * @throws {TypeError} for an unknown kind of profile.
 *
 * @example
 * ```ts
 * import {
 *   createCompletions,
 *   createRequests,
 *   createSimulatedDevice,
 *   memoryMedia,
 *   PROFILES,
 *   VirtualClock,
 * } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * const media = memoryMedia(new Uint8Array(65_536).fill(7));
 * using device = createSimulatedDevice({ profile: PROFILES.p5800x, media, clock });
 * device.attach(new Uint8Array(4096));
 * const requests = createRequests(1);
 * requests.bytes[0] = 4096;
 * requests.count = 1;
 * device.submit(requests, 0);
 *
 * clock.advanceTo(device.wakeNs);
 * device.step(clock.now());
 * const completions = createCompletions(1);
 * device.poll(completions);
 * if (!(completions.latencyNs[0] > 5_000)) throw new Error("unreachable"); // 5.5 us on average
 * ```
 */
export function createSimulatedDevice(options: SimulatedDeviceOptions): BlockDevice {
  const what = "Cannot create simulated device";
  const { profile, media, clock, seed = 1, depth = DEFAULT_DEPTH } = options;
  checkInteger(what, "depth", depth, 1, MAX_DEPTH);
  checkInteger(what, "seed", seed, -Number.MAX_SAFE_INTEGER);
  checkProfile(what, profile);
  const timing = profile.kind === "nand"
    ? new NandModel(profile, seed)
    : new XpointModel(profile, seed);
  return new SimulatedDevice(profile, media, clock, depth, timing);
}

/** Requests in flight, by slot; the heap's events are slots. */
interface Flying {
  readonly op: Uint8Array;
  readonly offsetBytes: Float64Array;
  readonly bytes: Uint32Array;
  readonly buffer: Uint32Array;
  readonly user: Float64Array;
  readonly submitNs: Float64Array;
  readonly free: Uint16Array;
  freeCount: number;
}

class SimulatedDevice implements BlockDevice {
  readonly name: string;
  readonly simulated = true;
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly depth: number;
  readonly #media: Media;
  readonly #clock: Clock;
  readonly #timing: Timing;
  readonly #flying: Flying;
  readonly #heap: EventHeap;
  readonly #ready: ReadyRing;
  #sequence = 0;
  #memory: Uint8Array = NO_MEMORY;
  #disposed = false;

  constructor(
    { name, blockBytes }: DeviceProfile,
    media: Media,
    clock: Clock,
    depth: number,
    timing: Timing,
  ) {
    this.name = name;
    this.blockBytes = blockBytes;
    this.blockCount = blocksOf(media.bytes, blockBytes);
    this.depth = depth;
    this.#media = media;
    this.#clock = clock;
    this.#timing = timing;
    this.#flying = createFlying(depth);
    this.#heap = createEventHeap(depth);
    this.#ready = createReadyRing(depth);
  }

  get wakeNs(): number {
    return this.#ready.count > 0 ? this.#clock.now() : firstDueNs(this.#heap);
  }

  step(nowNs: number): number {
    this.#checkOpen("step");
    const heap = this.#heap, flying = this.#flying;
    let moved = 0;
    for (; firstDueNs(heap) <= nowNs; moved++) {
      const slot = popEvent(heap);
      const { op, offsetBytes, bytes, buffer, submitNs } = flying;
      const result = transfer(
        this.#media,
        this.#memory,
        op[slot],
        offsetBytes[slot],
        bytes[slot],
        buffer[slot],
      );
      // The time it was due, not the time of this step: who steps late reads no longer latency.
      this.#complete(slot, result, heap.dueNs[slot] - submitNs[slot]);
    }
    return moved;
  }

  attach(memory: Uint8Array): void {
    this.#checkOpen("attach memory to");
    checkNotAttached(this.#memory === NO_MEMORY ? null : this.#memory);
    this.#memory = memory;
  }

  submit(requests: IoRequests, from: number): number {
    this.#checkOpen("submit to");
    const nowNs = this.#clock.now();
    const room = this.#flying.freeCount - this.#ready.count;
    const end = Math.min(requests.count, from + room);
    for (let i = from; i < end; i++) this.#take(requests, i, nowNs);
    return Math.max(0, end - from);
  }

  poll(completions: IoCompletions): number {
    this.#checkOpen("poll");
    return drainReady(this.#ready, completions);
  }

  cancel(user: number): void {
    this.#checkOpen("cancel on");
    const { count, order } = this.#heap;
    for (let i = 0; i < count; i++) {
      const slot = order[i];
      if (this.#flying.user[slot] !== user) continue;
      removeEvent(this.#heap, slot);
      const latencyNs = this.#clock.now() - this.#flying.submitNs[slot];
      this.#complete(slot, -ERRNO.ECANCELED, latencyNs);
      return;
    }
  }

  wait(_minimum: number): void {
    this.#checkOpen("wait for");
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#memory = NO_MEMORY;
  }

  #checkOpen(verb: string): void {
    if (this.#disposed) {
      throw new TypeError(`Cannot ${verb} simulated device: it has been disposed`);
    }
  }

  #take(requests: IoRequests, i: number, nowNs: number): void {
    const op = requests.op[i], offset = requests.offsetBytes[i];
    const bytes = requests.bytes[i], buffer = requests.buffer[i];
    const { blockBytes, blockCount } = this;
    const memoryBytes = this.#memory.length;
    if (
      !isWellFormed(op, offset, bytes, buffer, blockBytes, blockBytes * blockCount, memoryBytes)
    ) {
      pushReady(this.#ready, requests.user[i], REFUSED, 0);
      return;
    }
    const flying = this.#flying;
    const slot = flying.free[--flying.freeCount];
    flying.op[slot] = op;
    flying.offsetBytes[slot] = offset;
    flying.bytes[slot] = bytes;
    flying.buffer[slot] = buffer;
    flying.user[slot] = requests.user[i];
    flying.submitNs[slot] = nowNs;
    const dueNs = this.#timing.dueNs(op, offset, bytes, nowNs);
    pushEvent(this.#heap, slot, dueNs, this.#sequence++);
  }

  #complete(slot: number, result: number, latencyNs: number): void {
    const flying = this.#flying;
    flying.free[flying.freeCount++] = slot;
    pushReady(this.#ready, flying.user[slot], result, latencyNs);
  }
}

function createFlying(depth: number): Flying {
  return {
    op: new Uint8Array(depth),
    offsetBytes: new Float64Array(depth),
    bytes: new Uint32Array(depth),
    buffer: new Uint32Array(depth),
    user: new Float64Array(depth),
    submitNs: new Float64Array(depth),
    free: Uint16Array.from({ length: depth }, (_, i) => depth - 1 - i),
    freeCount: depth,
  };
}
