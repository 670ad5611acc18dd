/**
 * The host around a simulated drive: what its processor spends on an IO, by interrupt or by
 * polling, and what its bus lets through. All in virtual time, over any simulated device.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { ERRNO } from "../base/errors.ts";
import type { Clock } from "./clock.ts";
import { copyRequest } from "./_copy_request.ts";
import type { BlockDevice } from "./device.ts";
import { createEventHeap, firstDueNs, popEvent, pushEvent, removeEvent } from "./_event_heap.ts";
import type { EventHeap } from "./_event_heap.ts";
import { createCompletions, createRequests, IO_OP } from "./io.ts";
import type { IoCompletions, IoRequests } from "./io.ts";
import { advanceLane, createLane, laneLength, pushLane, removeFromLane } from "./_lane.ts";
import type { Lane } from "./_lane.ts";
import { MAX_DEPTH } from "./limits.ts";
import { createReadyRing, drainReady, pushReady } from "./_ready_ring.ts";
import type { ReadyRing } from "./_ready_ring.ts";
import { checkNotAttached, isWellFormed, NO_MEMORY, REFUSED } from "./_transfer.ts";

/** How a host learns of a completion by interrupt. */
export interface InterruptCompletion {
  /** Which way. */
  readonly kind: "interrupt";
  /**
   * From the drive's signal to the code that waits for it, in ns: interrupt, scheduler, switch. The
   * processor is busy with it all the while, once a completion; of a drive that coalesces `n` of
   * them, give an nth.
   */
  readonly interruptNs: number;
}

/** How a host learns of a completion by polling. */
export interface PollingCompletion {
  /** Which way. */
  readonly kind: "polling";
  /** Time between two looks, in ns: a completion is seen at the next multiple of it. 0: at once. */
  readonly everyNs: number;
}

/** What {@linkcode createHost} takes. Times are in ns and from 0 to 1 s. */
export interface HostOptions {
  /** The simulated device behind the host; the host owns it and disposes of it. */
  readonly device: BlockDevice;
  /** The device's virtual clock. */
  readonly clock: Clock;
  /**
   * Bytes a second over the bus in each direction, as it is full duplex; Infinity for no limit.
   * {@linkcode pcieBytesPerSecond} knows the common ones.
   */
  readonly linkBytesPerSecond: number;
  /** Processor time to submit one request. */
  readonly submitNs: number;
  /** Processor time to take in one completion, beside what `completion` says. */
  readonly completeNs: number;
  /** How completions are noticed. */
  readonly completion: InterruptCompletion | PollingCompletion;
  /** Requests it can hold in flight, 1 to 4,096; as many as the device when left out. */
  readonly depth?: number;
}

/** A device behind a host, and what the host spent on it. */
export interface HostDevice extends BlockDevice {
  /**
   * Processor time spent so far, in ns. A host that polls spends all the time that anything is in
   * flight; what is in flight counts up to the last step.
   */
  readonly cpuNs: number;
  /** Bytes that have gone over the bus to the host. */
  readonly readBytes: number;
  /** Bytes that have gone over the bus to the device. */
  readonly writtenBytes: number;
}

/**
 * Puts `device` behind a host with one processor core and one bus. A request waits for the core,
 * costs `submitNs` of it, and goes over the bus with its bytes if it writes; the device takes it
 * then. What was read comes over the bus, is noticed, and costs `completeNs` of the core. Core and
 * bus serve one after the other in the order of arrival: IOPS end at 1 / (CPU time an IO), bytes at
 * the bus, whatever the drive could do.
 *
 * Exact when stepped at each `wakeNs`, as `drive` does. About 150 bytes a request, allocated here;
 * an IO costs about 0.7 us of real time more than on the device itself.
 *
 * @throws {RangeError} for a wrong number.
 * @throws {TypeError} for a real device, which has a host of its own, or an unknown completion.
 *
 * @example A fast drive behind a slow bus
 * ```ts
 * import { createCompletions, createHost, createRequests } from "@rowtier/rowtier/tiers";
 * import { createMemoryDevice, drive, memoryMedia, VirtualClock } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * using host = createHost({
 *   device: createMemoryDevice({ media: memoryMedia(2 ** 20), clock }),
 *   clock,
 *   linkBytesPerSecond: 1e9,
 *   submitNs: 500,
 *   completeNs: 400,
 *   completion: { kind: "interrupt", interruptNs: 2000 },
 * });
 * host.attach(new Uint8Array(4096));
 * const requests = createRequests(1);
 * requests.bytes[0] = 4096;
 * requests.count = 1;
 * host.submit(requests, 0);
 * const completions = createCompletions(1);
 * drive(host, clock, () => host.poll(completions) > 0);
 * if (completions.latencyNs[0] !== 500 + 4096 + 2000 + 400) throw new Error("unreachable");
 * if (host.cpuNs !== 2900) throw new Error("unreachable");
 * ```
 */
export function createHost(options: HostOptions): HostDevice {
  const what = "Cannot create host";
  const { device, completion, linkBytesPerSecond } = options;
  if (!device.simulated) {
    throw new TypeError(`${what}: device must be a simulated one: received ${device.name}`);
  }
  if (!(linkBytesPerSecond >= 1)) {
    throw new RangeError(
      `${what}: linkBytesPerSecond must be at least 1: received ${linkBytesPerSecond}`,
    );
  }
  checkTime(what, "submitNs", options.submitNs);
  checkTime(what, "completeNs", options.completeNs);
  if (completion.kind === "interrupt") {
    checkTime(what, "completion.interruptNs", completion.interruptNs);
  } else if (completion.kind === "polling") {
    checkTime(what, "completion.everyNs", completion.everyNs);
  } else {
    const { kind } = completion as { kind: unknown };
    throw new TypeError(
      `${what}: completion.kind must be "interrupt" or "polling": received ${kind}`,
    );
  }
  const depth = checkInteger(what, "depth", options.depth ?? device.depth, 1, MAX_DEPTH);
  return new Host(options, depth);
}

function checkTime(what: string, name: string, ns: number): void {
  if (ns >= 0 && ns <= 1e9) return;
  throw new RangeError(`${what}: ${name} must be from 0 to 1e9: received ${ns}`);
}

/** Where the request of a slot is. */
const FREE = 0;
const SENDING = 1;
const IN_LANE = 2;
const AT_DEVICE = 3;
const RETURNING = 4;
const READY = 5;

class Host implements HostDevice {
  readonly name: string;
  readonly simulated = true;
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly depth: number;
  readBytes = 0;
  writtenBytes = 0;
  readonly #options: HostOptions;
  readonly #device: BlockDevice;
  readonly #clock: Clock;
  readonly #nsPerByte: number;
  readonly #state: Uint8Array;
  readonly #submitNs: Float64Array;
  readonly #sentNs: Float64Array;
  readonly #result: Int32Array;
  /** Requests as they came, by slot. */
  readonly #requests: IoRequests;
  /** Those that the device has no room for. */
  readonly #lane: Lane;
  readonly #free: Uint16Array;
  #freeCount: number;
  readonly #heap: EventHeap;
  readonly #ready: ReadyRing;
  readonly #polled: IoCompletions;
  #sequence = 0;
  #cpuFreeNs = 0;
  #upFreeNs = 0;
  #downFreeNs = 0;
  #spentNs = 0;
  /** Until when a host that polls has been charged. */
  #pollingNs = 0;
  #memory: Uint8Array = NO_MEMORY;
  #disposed = false;

  constructor(options: HostOptions, depth: number) {
    const { device } = options;
    this.name = `${device.name} behind a host`;
    this.blockBytes = device.blockBytes;
    this.blockCount = device.blockCount;
    this.depth = depth;
    this.#options = options;
    this.#device = device;
    this.#clock = options.clock;
    this.#nsPerByte = 1e9 / options.linkBytesPerSecond;
    this.#state = new Uint8Array(depth);
    this.#submitNs = new Float64Array(depth);
    this.#sentNs = new Float64Array(depth);
    this.#result = new Int32Array(depth);
    this.#requests = createRequests(depth);
    this.#lane = createLane(depth);
    this.#free = Uint16Array.from({ length: depth }, (_, i) => depth - 1 - i);
    this.#freeCount = depth;
    this.#heap = createEventHeap(depth);
    this.#ready = createReadyRing(depth);
    this.#polled = createCompletions(device.depth);
  }

  get cpuNs(): number {
    return this.#spentNs;
  }

  get wakeNs(): number {
    if (this.#ready.count > 0) return this.#clock.now();
    return Math.min(this.#device.wakeNs, firstDueNs(this.#heap));
  }

  step(nowNs: number): number {
    this.#checkOpen("step");
    this.#chargePolling(nowNs);
    let moved = this.#advance(nowNs);
    moved += this.#device.step(nowNs);
    return moved + this.#collect(nowNs);
  }

  attach(memory: Uint8Array): void {
    this.#checkOpen("attach memory to");
    checkNotAttached(this.#memory === NO_MEMORY ? null : this.#memory);
    this.#device.attach(memory);
    this.#memory = memory;
  }

  submit(requests: IoRequests, from: number): number {
    this.#checkOpen("submit to");
    const nowNs = this.#clock.now();
    this.#chargePolling(nowNs);
    const end = Math.min(requests.count, from + this.#freeCount);
    for (let i = from; i < end; i++) this.#take(requests, i, nowNs);
    return Math.max(0, end - from);
  }

  poll(completions: IoCompletions): number {
    this.#checkOpen("poll");
    const first = completions.count;
    drainReady(this.#ready, completions);
    const users = this.#requests.user;
    for (let i = first; i < completions.count; i++) {
      const slot = completions.user[i];
      completions.user[i] = users[slot];
      this.#state[slot] = FREE;
      this.#free[this.#freeCount++] = slot;
    }
    return completions.count - first;
  }

  cancel(user: number): void {
    this.#checkOpen("cancel on");
    const users = this.#requests.user;
    const nowNs = this.#clock.now();
    for (let slot = 0; slot < this.depth; slot++) {
      if (users[slot] !== user) continue;
      const state = this.#state[slot];
      if (state === AT_DEVICE) this.#device.cancel(slot);
      if (state === SENDING) removeEvent(this.#heap, slot);
      if (state === IN_LANE) removeFromLane(this.#lane, slot);
      if (state === SENDING || state === IN_LANE) this.#finish(slot, -ERRNO.ECANCELED, nowNs);
    }
  }

  wait(_minimum: number): void {
    this.#checkOpen("wait for");
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#memory = NO_MEMORY;
    this.#device[Symbol.dispose]();
  }

  #checkOpen(verb: string): void {
    if (this.#disposed) throw new TypeError(`Cannot ${verb} host: it has been disposed`);
  }

  #take(from: IoRequests, i: number, nowNs: number): void {
    const slot = this.#free[--this.#freeCount];
    copyRequest(this.#requests, slot, from, i);
    this.#submitNs[slot] = nowNs;
    const op = from.op[i], bytes = from.bytes[i];
    const { blockBytes } = this;
    const end = blockBytes * this.blockCount;
    const memoryBytes = this.#memory.length;
    if (
      !isWellFormed(op, from.offsetBytes[i], bytes, from.buffer[i], blockBytes, end, memoryBytes)
    ) {
      return this.#finish(slot, REFUSED, nowNs);
    }
    let atNs = this.#spend(nowNs, this.#options.submitNs);
    if (op === IO_OP.WRITE) {
      atNs = this.#upFreeNs = Math.max(atNs, this.#upFreeNs) + bytes * this.#nsPerByte;
      this.writtenBytes += bytes;
    }
    this.#state[slot] = SENDING;
    pushEvent(this.#heap, slot, Math.ceil(atNs), this.#sequence++);
  }

  /** Takes `ns` of the core from `fromNs` on; when it is done. */
  #spend(fromNs: number, ns: number): number {
    this.#cpuFreeNs = Math.max(fromNs, this.#cpuFreeNs) + ns;
    if (this.#options.completion.kind === "interrupt") this.#spentNs += ns;
    return this.#cpuFreeNs;
  }

  /** A core that polls is busy whenever anything is in flight. */
  #chargePolling(nowNs: number): void {
    if (this.#options.completion.kind === "polling" && this.#freeCount < this.depth) {
      this.#spentNs += Math.max(0, nowNs - this.#pollingNs);
    }
    this.#pollingNs = Math.max(this.#pollingNs, nowNs);
  }

  /** Hands to the device what has come over the bus, and to the host what it has taken in. */
  #advance(nowNs: number): number {
    const heap = this.#heap;
    let moved = 0;
    for (; firstDueNs(heap) <= nowNs; moved++) {
      const slot = popEvent(heap);
      if (this.#state[slot] === SENDING) {
        this.#state[slot] = IN_LANE;
        pushLane(this.#lane, this.#requests, slot, slot);
      } else {
        this.#finish(slot, this.#result[slot], heap.dueNs[slot]);
      }
    }
    this.#forward();
    return moved;
  }

  #forward(): void {
    const lane = this.#lane;
    if (laneLength(lane) === 0) return;
    const nowNs = this.#clock.now();
    const taken = this.#device.submit(lane.requests, lane.from);
    for (let i = lane.from; i < lane.from + taken; i++) {
      const slot = lane.requests.user[i];
      this.#state[slot] = AT_DEVICE;
      this.#sentNs[slot] = nowNs;
    }
    advanceLane(lane, taken);
  }

  /** Sends what the device has done on its way to the host. */
  #collect(nowNs: number): number {
    const polled = this.#polled;
    polled.count = 0;
    const count = this.#device.poll(polled);
    for (let i = 0; i < count; i++) {
      const slot = polled.user[i], result = polled.result[i];
      this.#state[slot] = RETURNING;
      this.#result[slot] = result;
      const doneNs = this.#sentNs[slot] + polled.latencyNs[i];
      const dueNs = this.#notice(this.#bringIn(slot, result, doneNs));
      pushEvent(this.#heap, slot, Math.ceil(dueNs), this.#sequence++);
    }
    return count === 0 ? 0 : count + this.#advance(nowNs);
  }

  #bringIn(slot: number, result: number, doneNs: number): number {
    if (result <= 0 || this.#requests.op[slot] !== IO_OP.READ) return doneNs;
    this.readBytes += result;
    this.#downFreeNs = Math.max(doneNs, this.#downFreeNs) + result * this.#nsPerByte;
    return this.#downFreeNs;
  }

  #notice(arrivedNs: number): number {
    const { completion, completeNs } = this.#options;
    if (completion.kind === "interrupt") {
      return this.#spend(arrivedNs, completion.interruptNs + completeNs);
    }
    const { everyNs } = completion;
    const seenNs = everyNs === 0 ? arrivedNs : Math.ceil(arrivedNs / everyNs) * everyNs;
    return this.#spend(seenNs, completeNs);
  }

  #finish(slot: number, result: number, nowNs: number): void {
    this.#state[slot] = READY;
    pushReady(this.#ready, slot, result, nowNs - this.#submitNs[slot]);
  }
}
