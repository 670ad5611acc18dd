/**
 * A device that fails on purpose: a wrapper that makes chosen reads of another device fail, come
 * short, come late, come wrong, or not come at all. Which ones follows from rules and a seed, so
 * that a run can be repeated.
 *
 * @module
 */

import { ERRNO } from "../base/errors.ts";
import type { Clock } from "./clock.ts";
import type { BlockDevice } from "./device.ts";
import { createEventHeap, firstDueNs, popEvent, pushEvent, removeEvent } from "./_event_heap.ts";
import type { EventHeap } from "./_event_heap.ts";
import { checkFaults, FaultRules } from "./fault.ts";
import type { Fault } from "./fault.ts";
import { createCompletions } from "./io.ts";
import type { IoCompletions, IoRequests } from "./io.ts";
import { advanceLane, createLane, laneLength, pushLane, removeFromLane } from "./_lane.ts";
import type { Lane } from "./_lane.ts";
import { createReadyRing, drainReady, pushReady } from "./_ready_ring.ts";
import type { ReadyRing } from "./_ready_ring.ts";
import { checkNotAttached, NO_MEMORY } from "./_transfer.ts";

/** What {@linkcode createFaultDevice} takes. */
export interface FaultDeviceOptions {
  /** The device that does the work; the wrapper owns it and disposes of it. */
  readonly device: BlockDevice;
  /** At most 256 rules; the first that meets a read decides what happens to it. */
  readonly faults: readonly Fault[];
  /** The device's clock: late completions are timed by it. */
  readonly clock: Clock;
  /**
   * Of the rules that go by `share`, and of the byte that is corrupted: a safe integer, 1 when left
   * out.
   */
  readonly seed?: number;
}

/**
 * Wraps `device` so that reads fail by `faults`. Reads are numbered from 0 in the order they are
 * submitted; writes and flushes pass untouched.
 *
 * @throws {RangeError} for a rule with a wrong number, or a wrong `seed`.
 * @throws {TypeError} for a rule of unknown kind, or one without exactly one of `at` and `share`.
 *
 * @example
 * ```ts
 * import {
 *   createCompletions,
 *   createFaultDevice,
 *   createMemoryDevice,
 *   createRequests,
 *   ERRNO,
 *   memoryMedia,
 *   VirtualClock,
 * } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * using device = createFaultDevice({
 *   device: createMemoryDevice({ media: memoryMedia(4096), clock }),
 *   faults: [{ kind: "error", at: 1, errno: ERRNO.EIO }],
 *   clock,
 * });
 * device.attach(new Uint8Array(512));
 * const requests = createRequests(2);
 * requests.bytes.fill(512);
 * requests.user.set([10, 11]);
 * requests.count = 2;
 * device.submit(requests, 0);
 * const completions = createCompletions(2);
 * device.poll(completions);
 * const failed = completions.user.indexOf(11);
 * if (completions.result[failed] !== -ERRNO.EIO) throw new Error("unreachable");
 * ```
 */
export function createFaultDevice(options: FaultDeviceOptions): BlockDevice {
  const { device, faults, clock, seed = 1 } = options;
  checkFaults("Cannot create fault device", faults);
  return new FaultDevice(device, new FaultRules(faults, seed), clock);
}

/** Where the request of a slot is. */
const FREE = 0;
const LANE = 1;
const INNER = 2;
const LATE = 3;
const LOST = 4;
const READY = 5;

class FaultDevice implements BlockDevice {
  readonly name: string;
  readonly simulated: boolean;
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly depth: number;
  readonly #device: BlockDevice;
  readonly #rules: FaultRules;
  readonly #clock: Clock;
  /** The device knows requests by slot; what a slot's fault is, is looked up when it completes. */
  readonly #user: Float64Array;
  readonly #state: Uint8Array;
  readonly #bytes: Uint32Array;
  readonly #buffer: Uint32Array;
  readonly #submitNs: Float64Array;
  readonly #result: Int32Array;
  readonly #fault: (Fault | null)[];
  /** What a short read must leave as it was. */
  readonly #tail: (Uint8Array | null)[];
  readonly #free: Uint16Array;
  #freeCount: number;
  readonly #lane: Lane;
  readonly #late: EventHeap;
  readonly #ready: ReadyRing;
  readonly #polled: IoCompletions;
  #inner = 0;
  #sequence = 0;
  #memory: Uint8Array = NO_MEMORY;

  constructor(device: BlockDevice, rules: FaultRules, clock: Clock) {
    const depth = device.depth;
    this.name = `${device.name} with faults`;
    this.simulated = device.simulated;
    this.blockBytes = device.blockBytes;
    this.blockCount = device.blockCount;
    this.depth = depth;
    this.#device = device;
    this.#rules = rules;
    this.#clock = clock;
    this.#user = new Float64Array(depth);
    this.#state = new Uint8Array(depth);
    this.#bytes = new Uint32Array(depth);
    this.#buffer = new Uint32Array(depth);
    this.#submitNs = new Float64Array(depth);
    this.#result = new Int32Array(depth);
    this.#fault = new Array(depth).fill(null);
    this.#tail = new Array(depth).fill(null);
    this.#free = Uint16Array.from({ length: depth }, (_, i) => depth - 1 - i);
    this.#freeCount = depth;
    this.#lane = createLane(depth);
    this.#late = createEventHeap(depth);
    this.#ready = createReadyRing(depth);
    this.#polled = createCompletions(depth);
  }

  get wakeNs(): number {
    if (this.#ready.count > 0) return this.#clock.now();
    return Math.min(this.#device.wakeNs, firstDueNs(this.#late));
  }

  step(nowNs: number): number {
    return this.#device.step(nowNs) + this.#pump(nowNs);
  }

  attach(memory: Uint8Array): void {
    checkNotAttached(this.#memory === NO_MEMORY ? null : this.#memory);
    this.#device.attach(memory);
    this.#memory = memory;
  }

  submit(requests: IoRequests, from: number): number {
    const nowNs = this.#clock.now();
    const end = Math.min(requests.count, from + this.#freeCount);
    for (let i = from; i < end; i++) this.#take(requests, i, nowNs);
    this.#forward();
    return Math.max(0, end - from);
  }

  poll(completions: IoCompletions): number {
    this.#pump(this.#clock.now());
    const first = completions.count;
    drainReady(this.#ready, completions);
    for (let i = first; i < completions.count; i++) {
      const slot = completions.user[i];
      completions.user[i] = this.#user[slot];
      this.#state[slot] = FREE;
      this.#free[this.#freeCount++] = slot;
    }
    return completions.count - first;
  }

  cancel(user: number): void {
    for (let slot = 0; slot < this.depth; slot++) {
      if (this.#user[slot] !== user) continue;
      const state = this.#state[slot];
      if (state === INNER) this.#device.cancel(slot);
      if (state === LANE) removeFromLane(this.#lane, slot);
      if (state === LATE) removeEvent(this.#late, slot);
      if (state === LANE || state === LATE || state === LOST) {
        this.#finish(slot, -ERRNO.ECANCELED, this.#clock.now());
      }
    }
  }

  wait(minimum: number): void {
    this.#pump(this.#clock.now());
    // What is late or lost is not waited for: nothing here can make it come.
    const wanted = Math.min(minimum - this.#ready.count, this.#inner);
    if (wanted > 0) this.#device.wait(wanted);
  }

  [Symbol.dispose](): void {
    this.#device[Symbol.dispose]();
  }

  #take(requests: IoRequests, i: number, nowNs: number): void {
    const slot = this.#free[--this.#freeCount];
    this.#user[slot] = requests.user[i];
    this.#bytes[slot] = requests.bytes[i];
    this.#buffer[slot] = requests.buffer[i];
    this.#submitNs[slot] = nowNs;
    this.#tail[slot] = null;
    const fault = this.#rules.next(requests.op[i]);
    this.#fault[slot] = fault;
    if (fault?.kind === "error") return this.#finish(slot, -fault.errno, nowNs);
    if (fault?.kind === "lost") {
      this.#state[slot] = LOST;
      return;
    }
    if (fault?.kind === "short") {
      const from = this.#buffer[slot] + partOf(this.#bytes[slot]);
      this.#tail[slot] = this.#memory.slice(from, this.#buffer[slot] + this.#bytes[slot]);
    }
    this.#state[slot] = LANE;
    pushLane(this.#lane, requests, i, slot);
  }

  /** Passes on what the device takes: all but when it still holds slots for what was cancelled. */
  #forward(): void {
    const lane = this.#lane;
    if (laneLength(lane) === 0) return;
    const taken = this.#device.submit(lane.requests, lane.from);
    for (let i = lane.from; i < lane.from + taken; i++) this.#state[lane.requests.user[i]] = INNER;
    this.#inner += taken;
    advanceLane(lane, taken);
  }

  #pump(nowNs: number): number {
    this.#forward();
    this.#polled.count = 0;
    const count = this.#device.poll(this.#polled);
    this.#inner -= count;
    for (let i = 0; i < count; i++) this.#arrive(i, nowNs);
    let moved = count;
    for (; firstDueNs(this.#late) <= nowNs; moved++) {
      const slot = popEvent(this.#late);
      this.#finish(slot, this.#result[slot], nowNs);
    }
    return moved;
  }

  #arrive(i: number, nowNs: number): void {
    const slot = this.#polled.user[i];
    const result = this.#polled.result[i];
    const fault = this.#fault[slot];
    if (result <= 0 || fault === null) {
      this.#state[slot] = READY;
      pushReady(this.#ready, slot, result, this.#polled.latencyNs[i]);
    } else if (fault.kind === "late") {
      this.#state[slot] = LATE;
      this.#result[slot] = result;
      pushEvent(this.#late, slot, nowNs + fault.delayNs, this.#sequence++);
    } else {
      const spoilt = fault.kind === "short"
        ? this.#shorten(slot, result)
        : this.#corrupt(slot, result);
      this.#finish(slot, spoilt, nowNs);
    }
  }

  /** Puts back what lay behind the part that is said to have come. */
  #shorten(slot: number, result: number): number {
    const part = Math.min(result, partOf(this.#bytes[slot]));
    this.#memory.set(this.#tail[slot]!, this.#buffer[slot] + partOf(this.#bytes[slot]));
    this.#tail[slot] = null;
    return part;
  }

  #corrupt(slot: number, result: number): number {
    const at = this.#buffer[slot] + this.#rules.random.below(result);
    this.#memory[at] ^= 1 + this.#rules.random.below(255);
    return result;
  }

  #finish(slot: number, result: number, nowNs: number): void {
    this.#state[slot] = READY;
    pushReady(this.#ready, slot, result, nowNs - this.#submitNs[slot]);
  }
}

/** What a short read brings: about half, and not a whole block of most sizes. */
function partOf(bytes: number): number {
  return Math.floor(bytes / 2);
}
