/**
 * The two reads or writes that a request of a mirror may become: its legs, one a device.
 *
 * @module
 */

import { copyRequest } from "./_copy_request.ts";
import type { BlockDevice } from "./device.ts";
import { createCompletions, createRequests } from "./io.ts";
import type { IoCompletions, IoRequests } from "./io.ts";
import { advanceLane, createLane, laneLength, pushLane, removeFromLane } from "./_lane.ts";
import type { Lane } from "./_lane.ts";

/** A leg that has not begun. */
const IDLE = 0;
/** In the lane to its device. */
const WAITING = 1;
/** At its device. */
const INNER = 2;
/** Completed. */
const DONE = 3;

/** The legs of up to `slots` requests, by leg and slot. */
export class Legs {
  /** What was asked for, by slot. */
  readonly held: IoRequests;
  /** When a leg went to its device, by leg and slot. */
  readonly startNs: readonly Float64Array[];
  /** Legs at each device. */
  readonly inner: Uint32Array = new Uint32Array(2);
  /** What was polled last. */
  readonly polled: IoCompletions;
  readonly #state: readonly Uint8Array[];
  readonly #result: readonly Int32Array[];
  readonly #lanes: readonly Lane[];

  constructor(slots: number) {
    this.held = createRequests(slots);
    this.polled = createCompletions(slots);
    this.startNs = [new Float64Array(slots), new Float64Array(slots)];
    this.#state = [new Uint8Array(slots), new Uint8Array(slots)];
    this.#result = [new Int32Array(slots), new Int32Array(slots)];
    this.#lanes = [createLane(slots), createLane(slots)];
  }

  /** Keeps request `i` in `slot`, without legs. */
  take(slot: number, requests: IoRequests, i: number): void {
    copyRequest(this.held, slot, requests, i);
    this.#state[0][slot] = this.#state[1][slot] = IDLE;
  }

  /** Legs that wait for a full device. */
  waiting(leg: number): number {
    return laneLength(this.#lanes[leg]);
  }

  /** Whether it has begun and not ended. */
  isBusy(leg: number, slot: number): boolean {
    const state = this.#state[leg][slot];
    return state === WAITING || state === INNER;
  }

  /** Whether it has ever begun. */
  hasRun(leg: number, slot: number): boolean {
    return this.#state[leg][slot] !== IDLE;
  }

  /** Sends the request of `slot` to the device of `leg`, with its memory at `place`. */
  start(leg: number, slot: number, place: number): void {
    const lane = this.#lanes[leg];
    pushLane(lane, this.held, slot, slot);
    lane.requests.buffer[lane.requests.count - 1] = place;
    this.#state[leg][slot] = WAITING;
  }

  /** Hands over what the device takes. */
  submit(leg: number, device: BlockDevice, nowNs: number): void {
    const lane = this.#lanes[leg];
    if (laneLength(lane) === 0) return;
    const taken = device.submit(lane.requests, lane.from);
    for (let i = lane.from; i < lane.from + taken; i++) {
      const slot = lane.requests.user[i];
      this.#state[leg][slot] = INNER;
      this.startNs[leg][slot] = nowNs;
    }
    this.inner[leg] += taken;
    advanceLane(lane, taken);
  }

  /** Polls the device of `leg`; how many have come is in `polled`. */
  poll(leg: number, device: BlockDevice): number {
    if (this.inner[leg] === 0) return 0;
    this.polled.count = 0;
    const count = device.poll(this.polled);
    this.inner[leg] -= count;
    return count;
  }

  /** Ends a leg that waits in its lane; false where it does not. */
  drop(leg: number, slot: number, result: number): boolean {
    if (this.#state[leg][slot] !== WAITING) return false;
    removeFromLane(this.#lanes[leg], slot);
    this.finish(leg, slot, result);
    return true;
  }

  /** Notes how a leg has ended. */
  finish(leg: number, slot: number, result: number): void {
    this.#state[leg][slot] = DONE;
    this.#result[leg][slot] = result;
  }

  /**
   * What a request with ended legs gave: the error of leg `first`, or of the other, or the least.
   */
  worst(slot: number, first: number): number {
    const own = this.#result[first][slot];
    if (own < 0 || this.#state[1 - first][slot] !== DONE) return own;
    return Math.min(own, this.#result[1 - first][slot]);
  }
}
