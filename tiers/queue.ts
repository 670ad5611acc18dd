/**
 * The IO queue: a submission ring and a completion ring over one or several devices, with
 * priorities, deadlines and cancellation. It adds what devices lack and copies nothing but columns.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { ERRNO } from "../base/errors.ts";
import type { Clock } from "./clock.ts";
import type { BlockDevice, Driven } from "./device.ts";
import type { IoCompletions, IoRequests } from "./io.ts";
import { advanceLane, createLane, laneLength, pushLane, removeFromLane } from "./_lane.ts";
import type { Lane } from "./_lane.ts";
import { MAX_DEPTH, MAX_DEVICES } from "./limits.ts";
import {
  answerSlot,
  AT_DEVICE,
  createSlots,
  EXPIRED,
  fillSlots,
  findNearest,
  settle,
  WAITING,
} from "./_queue_slots.ts";
import type { Slots } from "./_queue_slots.ts";
import {
  createLimits,
  limitOf,
  LISTED,
  listSlots,
  release,
  releaseAll,
  stage,
  unlist,
} from "./_queue_limits.ts";
import type { Limits } from "./_queue_limits.ts";
import type { QueueLimits } from "./queue_limits.ts";
import { drainReady } from "./_ready_ring.ts";

/** An io_uring-like queue: fill, submit once a batch, reap. */
export interface IoQueue extends Driven, Disposable {
  /** Most requests it holds: waiting, at a device, and completed but not reaped. */
  readonly depth: number;
  /** Requests accepted by `enqueue` and not yet reaped. */
  readonly inFlight: number;
  /** Gives all devices the memory that requests name by `buffer`; once, before the first submit. */
  attach(memory: Uint8Array): void;
  /**
   * Copies requests `[from, requests.count)` into the submission ring, as many as fit, and returns
   * how many. They wait there until `submit`. A device index that the queue does not have is
   * accepted and completes with -EINVAL.
   */
  enqueue(requests: IoRequests, from: number): number;
  /**
   * Hands what waits to the devices, urgent requests first, in one `submit` call a device; returns
   * how many were taken. What a full device does not take waits for the next call.
   */
  submit(): number;
  /**
   * Appends what has completed to `completions`, in no promised order, and returns how many; never
   * waits. A latency is the wait in the submission ring plus the device's own figure.
   */
  reap(completions: IoCompletions): number;
  /**
   * Asks for the requests tagged `user` to end early: each completes once, with -ECANCELED or as it
   * would have. Its buffer is free only then. An unknown tag is ignored. Looks through all slots.
   */
  cancel(user: number): void;
  /**
   * Blocks the thread until at least `minimum` requests can be reaped where the devices are real,
   * and never for more than they hold; returns at once where they are simulated. Returns how many
   * it waited for. Of several real devices it waits for each in turn. Deadlines are looked at by
   * `step` alone.
   */
  wait(minimum: number): Promise<number> | number;
  /** Most requests that device `device` may have outstanding now: its depth, or a limit. */
  limitOf(device: number): number;
}

/** What {@linkcode createIoQueue} takes. */
export interface IoQueueOptions {
  /** 1 to 64 devices; requests name them by position. The queue owns them and disposes of them. */
  readonly devices: readonly BlockDevice[];
  /** Most requests it holds, 1 to 4,096. */
  readonly depth: number;
  /** The clock of the deadlines. */
  readonly clock: Clock;
  /**
   * What it may have outstanding, and how tables share it; as the devices take it when left out.
   */
  readonly limits?: QueueLimits;
}

/**
 * Makes a queue over `devices`. All is allocated here: about 160 bytes a request of `depth`, and 90
 * more for each device after the first. An IO costs about 40 ns in it, measured over the memory
 * device.
 *
 * A request whose `deadlineNs` has come at a `step` is cancelled: it completes with -ETIMEDOUT, or
 * as it would have when the device was faster. One that still waits is dropped.
 *
 * With `limits`, what is over a limit waits in the queue, and `submit` after a `reap` lets more go;
 * urgent requests go first, and tables of one priority take turns by bytes. That costs 50 bytes a
 * request, 60 a device and table, and another 40 ns an IO.
 *
 * @throws {RangeError} for wrong `devices`, `depth` or `limits`.
 *
 * @example
 * ```ts
 * import { createCompletions, createIoQueue, createMemoryDevice } from "@rowtier/rowtier/tiers";
 * import { createRequests, memoryMedia, VirtualClock } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * const media = memoryMedia(new Uint8Array(4096).fill(7));
 * using queue = createIoQueue({ devices: [createMemoryDevice({ media, clock })], depth: 8, clock
 * }); const memory = new Uint8Array(512); queue.attach(memory);
 *
 * const requests = createRequests(8);
 * requests.offsetBytes[0] = 1024;
 * requests.bytes[0] = 512;
 * requests.user[0] = 42;
 * requests.count = 1;
 * queue.enqueue(requests, 0);
 * queue.submit();
 *
 * const completions = createCompletions(8);
 * queue.wait(1);
 * queue.step(clock.now());
 * queue.reap(completions);
 * if (completions.user[0] !== 42 || completions.result[0] !== 512) throw new Error("unreachable");
 * if (memory[511] !== 7) throw new Error("unreachable");
 * ```
 */
export function createIoQueue(options: IoQueueOptions): IoQueue {
  const what = "Cannot create IoQueue";
  checkInteger(what, "depth", options.depth, 1, MAX_DEPTH);
  checkInteger(what, "devices.length", options.devices.length, 1, MAX_DEVICES);
  if (new Set(options.devices).size < options.devices.length) {
    throw new RangeError(`${what}: devices must be different ones: received one twice`);
  }
  const { devices, depth, clock, limits } = options;
  const depths = devices.map((device) => device.depth);
  const checked = limits === undefined ? null : createLimits(what, limits, depth, depths);
  return new DeviceQueue(devices, depth, clock, checked);
}

class DeviceQueue implements IoQueue {
  readonly depth: number;
  readonly #devices: readonly BlockDevice[];
  readonly #clock: Clock;
  readonly #slots: Slots;
  /** Two a device: the urgent one, then the other. */
  readonly #lanes: readonly Lane[];
  readonly #atDevice: Uint32Array;
  /** With limits, requests wait in its lists, and in a device's urgent lane once chosen. */
  readonly #limits: Limits | null;
  #disposed = false;

  constructor(
    devices: readonly BlockDevice[],
    depth: number,
    clock: Clock,
    limits: Limits | null,
  ) {
    this.depth = depth;
    this.#devices = [...devices];
    this.#clock = clock;
    this.#slots = createSlots(depth);
    this.#lanes = Array.from({ length: 2 * devices.length }, () => createLane(depth));
    this.#atDevice = new Uint32Array(devices.length);
    this.#limits = limits;
  }

  get inFlight(): number {
    return this.depth - this.#slots.freeCount;
  }

  get wakeNs(): number {
    const slots = this.#slots;
    let wakeNs = slots.ready.count > 0 ? this.#clock.now() : Infinity;
    for (const device of this.#devices) wakeNs = Math.min(wakeNs, device.wakeNs);
    if (slots.nearestNs >= wakeNs) return wakeNs;
    if (!slots.nearestExact) findNearest(slots);
    return Math.min(wakeNs, slots.nearestNs);
  }

  step(nowNs: number): number {
    this.#checkOpen("step");
    let moved = 0;
    // First the devices: what completes at its deadline is in time.
    for (const device of this.#devices) moved += device.step(nowNs);
    return nowNs < this.#slots.nearestNs ? moved : moved + this.#expire(nowNs);
  }

  attach(memory: Uint8Array): void {
    this.#checkOpen("attach memory to");
    for (const device of this.#devices) device.attach(memory);
  }

  enqueue(requests: IoRequests, from: number): number {
    this.#checkOpen("enqueue to");
    const end = Math.min(requests.count, from + this.#slots.freeCount);
    if (end <= from) return 0;
    const nowNs = this.#clock.now();
    const limits = this.#limits;
    if (limits === null) fillSlots(this.#slots, this.#lanes, requests, from, end, nowNs);
    else listSlots(limits, this.#slots, requests, from, end, nowNs);
    return end - from;
  }

  submit(): number {
    this.#checkOpen("submit");
    let taken = 0;
    for (let d = 0; d < this.#devices.length; d++) {
      const urgent = this.#lanes[2 * d], background = this.#lanes[2 * d + 1];
      if (this.#limits !== null) {
        stage(this.#limits, this.#slots, d, urgent, this.#atDevice[d] + laneLength(urgent));
      }
      if (laneLength(urgent) + laneLength(background) === 0) continue;
      const count = this.#submitTo(this.#devices[d], urgent, background);
      this.#atDevice[d] += count;
      taken += count;
    }
    return taken;
  }

  reap(completions: IoCompletions): number {
    this.#checkOpen("reap");
    const first = completions.count;
    if (this.#slots.ready.count > 0) drainReady(this.#slots.ready, completions);
    for (let d = 0; d < this.#devices.length; d++) {
      if (this.#atDevice[d] === 0) continue;
      const start = completions.count;
      this.#atDevice[d] -= this.#devices[d].poll(completions);
      if (this.#limits !== null) releaseAll(this.#limits, d, completions, start);
    }
    settle(this.#slots, completions, first);
    return completions.count - first;
  }

  cancel(user: number): void {
    this.#checkOpen("cancel on");
    const { user: users, state, deadlineNs } = this.#slots;
    for (let slot = 0; slot < this.depth; slot++) {
      if (users[slot] !== user) continue;
      if (state[slot] === WAITING) this.#answer(slot, -ERRNO.ECANCELED, this.#clock.now());
      else if (state[slot] === AT_DEVICE) {
        deadlineNs[slot] = Infinity; // it ends by its user's wish, not by its deadline
        this.#slots.nearestExact = false;
        this.#devices[this.#slots.device[slot]].cancel(slot);
      }
    }
  }

  wait(minimum: number): number {
    this.#checkOpen("wait for");
    let reapable = this.#slots.ready.count;
    for (let d = 0; d < this.#devices.length && reapable < minimum; d++) {
      const wanted = Math.min(minimum - reapable, this.#atDevice[d]);
      if (wanted === 0) continue;
      this.#devices[d].wait(wanted);
      if (!this.#devices[d].simulated) reapable += wanted;
    }
    return reapable;
  }

  limitOf(device: number): number {
    checkInteger("Cannot tell a limit of IoQueue", "device", device, 0, this.#devices.length - 1);
    const limits = this.#limits;
    return limits === null ? this.#devices[device].depth : limitOf(limits, device);
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const device of this.#devices) device[Symbol.dispose]();
  }

  #checkOpen(verb: string): void {
    if (this.#disposed) throw new TypeError(`Cannot ${verb} IoQueue: it has been disposed`);
  }

  #submitTo(device: BlockDevice, urgent: Lane, background: Lane): number {
    const nowNs = this.#clock.now();
    const first = laneLength(urgent);
    if (first === 0) return this.#handOver(device, background, nowNs);
    if (laneLength(background) === 0) return this.#handOver(device, urgent, nowNs);
    // One call for both: the second is copied behind the first for the time of the call.
    const { requests, from } = background;
    for (let i = from; i < requests.count; i++) pushLane(urgent, requests, i, requests.user[i]);
    const taken = this.#handOver(device, urgent, nowNs);
    const left = Math.max(0, first - taken);
    urgent.requests.count = urgent.from + left;
    advanceLane(urgent, 0);
    advanceLane(background, Math.max(0, taken - first));
    return taken;
  }

  #handOver(device: BlockDevice, lane: Lane, nowNs: number): number {
    const taken = device.submit(lane.requests, lane.from);
    const { state, waitNs } = this.#slots;
    const tags = lane.requests.user;
    for (let i = lane.from, end = i + taken; i < end; i++) {
      const slot = tags[i];
      state[slot] = AT_DEVICE;
      waitNs[slot] = nowNs - waitNs[slot];
    }
    advanceLane(lane, taken);
    return taken;
  }

  /** Ends a request that waits. */
  #answer(slot: number, result: number, nowNs: number): void {
    const slots = this.#slots;
    const limits = this.#limits;
    if (limits !== null && slots.lane[slot] === LISTED) unlist(limits, slot);
    else {
      removeFromLane(this.#lanes[slots.lane[slot]], slot);
      if (limits !== null) release(limits, slot);
    }
    answerSlot(slots, slot, result, nowNs - slots.waitNs[slot]);
  }

  #expire(nowNs: number): number {
    const slots = this.#slots;
    const { state, deadlineNs } = slots;
    let moved = 0;
    for (let slot = 0; slot < this.depth; slot++) {
      if (!(deadlineNs[slot] <= nowNs)) continue; // so that NaN is never
      if (state[slot] === WAITING) {
        this.#answer(slot, -ERRNO.ETIMEDOUT, nowNs);
        moved++;
      } else if (state[slot] === AT_DEVICE) {
        state[slot] = EXPIRED;
        this.#devices[slots.device[slot]].cancel(slot);
        moved++;
      }
      deadlineNs[slot] = Infinity;
    }
    findNearest(slots);
    return moved;
  }
}
