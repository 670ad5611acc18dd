/**
 * The frame of a wrapper: a device over a device that keeps each request it took in a slot, and
 * asks a set of rules three questions about it: when it is taken, when the inner device has
 * answered, and when a time that the rules asked for has come. What wrappers share stands here
 * once: depth, cancellation, exactly one completion a request, and times that do not hang on who
 * steps late.
 *
 * @module
 */

import { ERRNO } from "../base/errors.ts";
import type { Clock } from "./clock.ts";
import { copyRequest } from "./_copy_request.ts";
import type { BlockDevice } from "./device.ts";
import { createEventHeap, firstDueNs, popEvent, pushEvent, removeEvent } from "./_event_heap.ts";
import type { EventHeap } from "./_event_heap.ts";
import { createCompletions, createRequests } from "./io.ts";
import type { IoCompletions, IoRequests } from "./io.ts";
import { advanceLane, createLane, laneLength, pushLane, removeFromLane } from "./_lane.ts";
import type { Lane } from "./_lane.ts";
import { createReadyRing, drainReady, pushReady } from "./_ready_ring.ts";
import type { ReadyRing } from "./_ready_ring.ts";
import { checkNotAttached, NO_MEMORY } from "./_transfer.ts";

/**
 * What a wrapper does with a request. Each call must end in one of the frame's verbs: `forward`,
 * `hold`, `park` or `finish`. When it is called for is in `frame.timeNs[slot]`, which is also where
 * the verbs find their times: as an argument of a call that is not inlined, a time would be boxed.
 */
export interface Rules {
  /** Request `slot` has been taken; its columns are in `frame.held`. */
  admit(frame: Frame, slot: number): void;
  /** The inner device has completed it with `result`. */
  arrive(frame: Frame, slot: number, result: number): void;
  /** The time that it was held for has come; left out by rules that never hold. */
  due?(frame: Frame, slot: number): void;
  /** The caller has cancelled it while the inner device did not have it; the frame ends it. */
  dropped?(frame: Frame, slot: number): void;
}

/** The request of a slot is nowhere. */
const FREE = 0;
/** In the lane to the inner device. */
const LANE = 1;
/** At the inner device. */
const INNER = 2;
/** Waiting for its time. */
const HELD = 3;
/** Waiting for nothing but its cancellation. */
const PARKED = 4;
/** Completed here, to be polled. */
const READY = 5;

/**
 * A device over `device` that behaves by `rules`. All is allocated here, some 160 bytes a request.
 * Through one, with rules that do nothing, a request takes 60 to 100 ns more.
 */
export class Frame implements BlockDevice {
  readonly name: string;
  readonly simulated: boolean;
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly depth: number;
  /**
   * The requests by slot, as they were taken; `user` is the caller's tag. Rules may change them.
   */
  readonly held: IoRequests;
  /** By slot, the time of what happens: of the taking, the completion, the end of the hold. */
  readonly timeNs: Float64Array;
  /** 1 where the caller has cancelled the request of a slot. */
  readonly cancelled: Uint8Array;
  /** What is attached: rules may look at a request's bytes while the frame owns it. */
  memory: Uint8Array = NO_MEMORY;
  readonly #device: BlockDevice;
  readonly #rules: Rules;
  readonly #clock: Clock;
  readonly #state: Uint8Array;
  /** When each request was taken, by slot. */
  readonly submitNs: Float64Array;
  /** When the inner device took it. */
  readonly #innerNs: Float64Array;
  readonly #free: Uint16Array;
  #freeCount: number;
  readonly #lane: Lane;
  readonly #timers: EventHeap;
  readonly #ready: ReadyRing;
  readonly #polled: IoCompletions;
  /** The time of the call at work; an array, as an argument or a field would be boxed. */
  readonly #now = new Float64Array(1);
  #inner = 0;
  #sequence = 0;
  #disposed = false;

  constructor(name: string, device: BlockDevice, clock: Clock, rules: Rules) {
    const depth = device.depth;
    this.name = name;
    this.simulated = device.simulated;
    this.blockBytes = device.blockBytes;
    this.blockCount = device.blockCount;
    this.depth = depth;
    this.held = createRequests(depth);
    this.timeNs = new Float64Array(depth);
    this.cancelled = new Uint8Array(depth);
    this.#device = device;
    this.#rules = rules;
    this.#clock = clock;
    this.#state = new Uint8Array(depth);
    this.submitNs = new Float64Array(depth);
    this.#innerNs = new Float64Array(depth);
    this.#free = Uint16Array.from({ length: depth }, (_, i) => depth - 1 - i);
    this.#freeCount = depth;
    this.#lane = createLane(depth);
    this.#timers = createEventHeap(depth);
    this.#ready = createReadyRing(depth);
    this.#polled = createCompletions(depth);
  }

  /** Requests taken and not yet polled. */
  get inFlight(): number {
    return this.depth - this.#freeCount;
  }

  get wakeNs(): number {
    if (this.#ready.count > 0) return this.#clock.now();
    const dueNs = firstDueNs(this.#timers);
    const innerNs = this.#device.wakeNs;
    return dueNs < innerNs ? dueNs : innerNs;
  }

  step(nowNs: number): number {
    this.#checkOpen("step");
    this.#now[0] = nowNs;
    return this.#device.step(nowNs) + this.#pump();
  }

  attach(memory: Uint8Array): void {
    this.#checkOpen("attach memory to");
    checkNotAttached(this.memory === NO_MEMORY ? null : this.memory);
    this.#device.attach(memory);
    this.memory = memory;
  }

  // Takes as many as it has slots for: the inner device's refusal is waited out in the lane.
  submit(requests: IoRequests, from: number): number {
    this.#checkOpen("submit to");
    this.#now[0] = this.#clock.now();
    const end = Math.min(requests.count, from + this.#freeCount);
    for (let i = from; i < end; i++) {
      const slot = this.#free[--this.#freeCount];
      copyRequest(this.held, slot, requests, i);
      this.cancelled[slot] = 0;
      this.submitNs[slot] = this.timeNs[slot] = this.#now[0];
      this.#rules.admit(this, slot);
    }
    this.#submitLane();
    return end > from ? end - from : 0;
  }

  poll(completions: IoCompletions): number {
    this.#checkOpen("poll");
    this.#now[0] = this.#clock.now();
    this.#pump();
    const first = completions.count;
    drainReady(this.#ready, completions);
    for (let i = first; i < completions.count; i++) {
      const slot = completions.user[i];
      completions.user[i] = this.held.user[slot];
      this.#state[slot] = FREE;
      this.#free[this.#freeCount++] = slot;
    }
    return completions.count - first;
  }

  // Linear, as users are any numbers and cancelling is rare.
  cancel(user: number): void {
    this.#checkOpen("cancel on");
    const { user: users } = this.held;
    for (let slot = 0; slot < this.depth; slot++) {
      if (users[slot] === user && this.#state[slot] !== FREE) this.#cancelSlot(slot);
    }
  }

  wait(minimum: number): void {
    this.#checkOpen("wait for");
    this.#now[0] = this.#clock.now();
    this.#pump();
    // What is held or parked is not waited for: the inner device cannot make it come.
    const wanted = Math.min(minimum - this.#ready.count, this.#inner);
    if (wanted > 0) this.#device.wait(wanted);
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#device[Symbol.dispose]();
  }

  /** Sends the request of `slot`, as `held` has it now, to the inner device. */
  forward(slot: number): void {
    this.#state[slot] = LANE;
    pushLane(this.#lane, this.held, slot, slot);
  }

  /** Keeps it until `timeNs[slot]`. */
  hold(slot: number): void {
    this.#state[slot] = HELD;
    pushEvent(this.#timers, slot, this.timeNs[slot], this.#sequence++);
  }

  /** Keeps it until it is cancelled. */
  park(slot: number): void {
    this.#state[slot] = PARKED;
  }

  /** Completes it with `result`, as of `timeNs[slot]`; from then on its memory is the caller's. */
  finish(slot: number, result: number): void {
    this.#state[slot] = READY;
    const latencyNs = this.timeNs[slot] - this.submitNs[slot];
    pushReady(this.#ready, slot, result, latencyNs > 0 ? latencyNs : 0);
  }

  #checkOpen(verb: string): void {
    if (this.#disposed) throw new TypeError(`Cannot ${verb} ${this.name}: it has been disposed`);
  }

  #cancelSlot(slot: number): void {
    this.cancelled[slot] = 1;
    const state = this.#state[slot];
    if (state === INNER) this.#device.cancel(slot);
    if (state === LANE) removeFromLane(this.#lane, slot);
    if (state === HELD) removeEvent(this.#timers, slot);
    if (state === LANE || state === HELD || state === PARKED) {
      this.#rules.dropped?.(this, slot);
      this.timeNs[slot] = this.#clock.now();
      this.finish(slot, -ERRNO.ECANCELED);
    }
  }

  /** Passes on what the device takes: all but when it still holds slots for what was cancelled. */
  #submitLane(): void {
    const lane = this.#lane;
    if (laneLength(lane) === 0) return;
    const taken = this.#device.submit(lane.requests, lane.from);
    for (let i = lane.from; i < lane.from + taken; i++) {
      const slot = lane.requests.user[i];
      this.#state[slot] = INNER;
      this.#innerNs[slot] = this.#now[0];
    }
    this.#inner += taken;
    advanceLane(lane, taken);
  }

  #pump(): number {
    const nowNs = this.#now[0];
    const polled = this.#polled;
    polled.count = 0;
    const count = this.#device.poll(polled);
    this.#inner -= count;
    for (let i = 0; i < count; i++) {
      const slot = polled.user[i];
      // The device's own figure, so that who polls late gets the same times; but never the future.
      const endNs = this.#innerNs[slot] + polled.latencyNs[i];
      this.timeNs[slot] = endNs < nowNs ? endNs : nowNs;
      this.#rules.arrive(this, slot, polled.result[i]);
    }
    // After the arrivals, which may be held until a time that has passed by now.
    let moved = count;
    for (; firstDueNs(this.#timers) <= nowNs; moved++) {
      const slot = popEvent(this.#timers);
      this.timeNs[slot] = this.#timers.dueNs[slot];
      this.#rules.due?.(this, slot);
    }
    this.#submitLane();
    return moved;
  }
}
