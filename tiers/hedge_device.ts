/**
 * A mirror whose slow reads are asked for a second time at the other copy; the first answer counts.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { ERRNO } from "../base/errors.ts";
import type { Clock } from "./clock.ts";
import { copyBytes, copySide } from "./_copy_sides.ts";
import type { CopySide } from "./_copy_sides.ts";
import type { BlockDevice } from "./device.ts";
import { createEventHeap, firstDueNs, popEvent, pushEvent, removeEvent } from "./_event_heap.ts";
import type { EventHeap } from "./_event_heap.ts";
import { HedgeDelay } from "./_hedge_delay.ts";
import { Legs } from "./_hedge_legs.ts";
import { IO_OP } from "./io.ts";
import type { IoCompletions, IoRequests } from "./io.ts";
import { MAX_BOUNCE_BYTES, MAX_WRAPPER_NS } from "./limits.ts";
import { createReadyRing, drainReady, pushReady } from "./_ready_ring.ts";
import type { ReadyRing } from "./_ready_ring.ts";
import { checkNotAttached, NO_MEMORY, REFUSED } from "./_transfer.ts";

/** What {@linkcode createHedgeDevice} takes. */
export interface HedgeDeviceOptions {
  /**
   * Two devices with the same content and block size, owned and disposed of by the wrapper; its
   * size and depth are the smaller ones.
   */
  readonly devices: readonly [BlockDevice, BlockDevice];
  /** The clock of both. */
  readonly clock: Clock;
  /** A read is asked for again after so many ns, 0 to 2^50; by `quantile` when left out. */
  readonly afterNs?: number;
  /**
   * A read is asked for again once it is later than this share of the latest reads, from 0 to 1:
   * some 1 - `quantile` of all reads are done twice. 0.95 when left out. Nothing is asked for again
   * before 128 reads have been seen.
   */
  readonly quantile?: number;
  /**
   * Most bytes of a request, a multiple of the block size; larger ones complete with -EINVAL.
   * 16,384 when left out. Memory of four times the depth of it is allocated here, at most 1 GiB.
   */
  readonly maxBytes?: number;
}

/** A mirror that hedges. */
export interface HedgeDevice extends BlockDevice {
  /** Reads that were asked for a second time. */
  readonly hedged: number;
  /** Those of them that the second copy answered first. */
  readonly won: number;
  /** When a read is asked for again, in ns; Infinity while too few reads have been seen. */
  readonly afterNs: number;
}

/**
 * Makes a mirror of two devices. A read goes to the copy with less to do; when it has not come
 * after a while, or fails, it is asked for at the other copy as well ("The Tail at Scale", Dean and
 * Barroso, 2013). The first good answer completes it and the other read is cancelled. Writes,
 * flushes and discards go to both copies and complete with both; one that fails fails the request.
 *
 * A loser that is still on its way must not write to memory that the caller has again. So each read
 * lands in memory of the wrapper's own, two places a request, and the winner's bytes are copied to
 * the caller's, in 0.1 to 0.3 us for 512 bytes; a place is used again only when its own read has
 * completed.
 *
 * Over real devices `wait` lets no hedge begin: only steps do.
 *
 * @throws {RangeError} for devices that do not fit together, or a wrong number.
 *
 * @example
 * ```ts
 * import { createCompletions, createDelayDevice, createHedgeDevice } from "@rowtier/rowtier/tiers";
 * import { createMemoryDevice, createRequests, drive } from "@rowtier/rowtier/tiers";
 * import { memoryMedia, VirtualClock } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * const copy = () => createMemoryDevice({ media: memoryMedia(4096), clock });
 * const slow = createDelayDevice({ device: copy(), delayNs: 1_000_000, clock });
 * using device = createHedgeDevice({ devices: [slow, copy()], afterNs: 20_000, clock });
 * device.attach(new Uint8Array(512));
 * const requests = createRequests(1);
 * requests.bytes[0] = 512;
 * requests.count = 1;
 * device.submit(requests, 0);
 * const completions = createCompletions(1);
 * drive(device, clock, () => device.poll(completions) > 0);
 * if (completions.latencyNs[0] !== 20_000 || device.won !== 1) throw new Error("unreachable");
 * ```
 */
export function createHedgeDevice(options: HedgeDeviceOptions): HedgeDevice {
  const what = "Cannot create hedge device";
  const { devices, clock, afterNs, quantile = 0.95, maxBytes = 16_384 } = options;
  const [a, b] = devices;
  checkInteger(what, "devices.length", devices.length, 2, 2);
  if (a === b) throw new RangeError(`${what}: devices must be different ones: received one twice`);
  checkInteger(what, "devices[1].blockBytes", b.blockBytes, a.blockBytes, a.blockBytes);
  if (afterNs !== undefined) checkInteger(what, "afterNs", afterNs, 0, MAX_WRAPPER_NS);
  if (!(quantile >= 0 && quantile <= 1)) {
    throw new RangeError(`${what}: quantile must be from 0 to 1: received ${quantile}`);
  }
  const depth = Math.min(a.depth, b.depth);
  const most = Math.floor(MAX_BOUNCE_BYTES / (4 * depth));
  checkInteger(what, "maxBytes", maxBytes, a.blockBytes, most);
  if (maxBytes % a.blockBytes !== 0) {
    throw new RangeError(
      `${what}: maxBytes must be a multiple of ${a.blockBytes}: received ${maxBytes}`,
    );
  }
  return new MirrorDevice(devices, clock, new HedgeDelay(quantile, afterNs), maxBytes);
}

/** The request of a slot is nowhere, though its legs may still be on their way. */
const FREE = 0;
/** To be answered. */
const OPEN = 1;
/** Answered, to be polled. */
const ANSWERED = 2;

class MirrorDevice implements HedgeDevice {
  readonly name: string;
  readonly simulated: boolean;
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly depth: number;
  hedged = 0;
  won = 0;
  readonly #devices: readonly BlockDevice[];
  readonly #clock: Clock;
  readonly #delay: HedgeDelay;
  readonly #maxBytes: number;
  readonly #legs: Legs;
  readonly #state: Uint8Array;
  readonly #cancelled: Uint8Array;
  readonly #first: Uint8Array;
  readonly #submitNs: Float64Array;
  readonly #timed: Uint8Array;
  /** Twice the depth: losers hold a slot after their request has been polled. */
  readonly #free: Uint16Array;
  #freeCount: number;
  #taken = 0;
  readonly #timers: EventHeap;
  readonly #ready: ReadyRing;
  #sequence = 0;
  #disposed = false;
  #memory: Uint8Array = NO_MEMORY;
  readonly #bounce: Uint8Array;
  #memorySide: CopySide;
  readonly #bounceSide: CopySide;

  constructor(
    devices: readonly BlockDevice[],
    clock: Clock,
    delay: HedgeDelay,
    maxBytes: number,
  ) {
    const [a, b] = devices;
    const depth = Math.min(a.depth, b.depth), slots = 2 * depth;
    this.name = `mirror of ${a.name} and ${b.name}`;
    this.simulated = a.simulated && b.simulated;
    this.blockBytes = a.blockBytes;
    this.blockCount = Math.min(a.blockCount, b.blockCount);
    this.depth = depth;
    this.#devices = [a, b];
    this.#clock = clock;
    this.#delay = delay;
    this.#maxBytes = maxBytes;
    this.#legs = new Legs(slots);
    this.#state = new Uint8Array(slots);
    this.#cancelled = new Uint8Array(slots);
    this.#first = new Uint8Array(slots);
    this.#submitNs = new Float64Array(slots);
    this.#timed = new Uint8Array(slots);
    this.#free = Uint16Array.from({ length: slots }, (_, i) => slots - 1 - i);
    this.#freeCount = slots;
    this.#timers = createEventHeap(slots);
    this.#ready = createReadyRing(depth);
    // Page-aligned, as direct reads need it.
    const pages = Math.ceil(2 * slots * maxBytes / 65_536);
    this.#bounce = new Uint8Array(
      new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer,
    );
    this.#memorySide = copySide(NO_MEMORY);
    this.#bounceSide = copySide(this.#bounce);
  }

  get afterNs(): number {
    return this.#delay.afterNs;
  }

  get wakeNs(): number {
    if (this.#ready.count > 0) return this.#clock.now();
    // Losers are nobody's wish, unless their slots are needed.
    if (this.#taken === 0 && this.#freeCount >= this.depth) return Infinity;
    const [a, b] = this.#devices;
    return Math.min(a.wakeNs, b.wakeNs, firstDueNs(this.#timers));
  }

  step(nowNs: number): number {
    this.#checkOpen("step");
    const [a, b] = this.#devices;
    return a.step(nowNs) + b.step(nowNs) + this.#pump(nowNs);
  }

  attach(memory: Uint8Array): void {
    this.#checkOpen("attach memory to");
    checkNotAttached(this.#memory === NO_MEMORY ? null : this.#memory);
    const [a, b] = this.#devices;
    a.attach(this.#bounce);
    b.attach(this.#bounce);
    this.#memory = memory;
    this.#memorySide = copySide(memory);
  }

  submit(requests: IoRequests, from: number): number {
    this.#checkOpen("submit to");
    const nowNs = this.#clock.now();
    const room = Math.min(this.depth - this.#taken, this.#freeCount);
    const end = Math.min(requests.count, from + room);
    for (let i = from; i < end; i++) this.#take(requests, i, nowNs);
    this.#submitLegs(nowNs);
    return end > from ? end - from : 0;
  }

  poll(completions: IoCompletions): number {
    this.#checkOpen("poll");
    this.#pump(this.#clock.now());
    const first = completions.count;
    drainReady(this.#ready, completions);
    for (let i = first; i < completions.count; i++) {
      const slot = completions.user[i];
      completions.user[i] = this.#legs.held.user[slot];
      this.#state[slot] = FREE;
      this.#taken--;
      this.#freeIfQuiet(slot);
    }
    return completions.count - first;
  }

  cancel(user: number): void {
    this.#checkOpen("cancel on");
    const { user: users } = this.#legs.held;
    for (let slot = 0; slot < this.#state.length; slot++) {
      if (this.#state[slot] !== OPEN || users[slot] !== user) continue;
      this.#cancelled[slot] = 1;
      this.#cancelLegs(slot);
      this.#settle(slot, this.#clock.now());
    }
  }

  wait(minimum: number): void {
    this.#checkOpen("wait for");
    this.#pump(this.#clock.now());
    while (this.#ready.count < minimum) {
      const { inner } = this.#legs;
      const busier = inner[0] >= inner[1] ? 0 : 1;
      if (inner[busier] === 0) return;
      this.#devices[busier].wait(1);
      if (this.#pump(this.#clock.now()) === 0) return; // simulated: time does not move here
    }
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const device of this.#devices) device[Symbol.dispose]();
  }

  #checkOpen(verb: string): void {
    if (this.#disposed) throw new TypeError(`Cannot ${verb} ${this.name}: it has been disposed`);
  }

  #take(requests: IoRequests, i: number, nowNs: number): void {
    const slot = this.#free[--this.#freeCount];
    const legs = this.#legs;
    const op = requests.op[i], bytes = requests.bytes[i], buffer = requests.buffer[i];
    this.#taken++;
    this.#state[slot] = OPEN;
    this.#cancelled[slot] = 0;
    this.#timed[slot] = 0;
    this.#submitNs[slot] = nowNs;
    legs.take(slot, requests, i);
    const moves = op !== IO_OP.FLUSH && op !== IO_OP.DISCARD;
    if (moves && (bytes > this.#maxBytes || buffer + bytes > this.#memory.length)) {
      return this.#answer(slot, REFUSED, nowNs);
    }
    const first = legs.inner[0] + legs.waiting(0) <= legs.inner[1] + legs.waiting(1) ? 0 : 1;
    this.#first[slot] = first;
    if (op === IO_OP.WRITE) {
      copyBytes(this.#memorySide, buffer, this.#bounceSide, this.#placeOf(slot, 0), bytes);
    }
    this.#start(slot, first);
    if (op !== IO_OP.READ) this.#start(slot, 1 - first);
    else if (this.#delay.afterNs < Infinity) {
      this.#timed[slot] = 1;
      pushEvent(this.#timers, slot, nowNs + this.#delay.afterNs, this.#sequence++);
    }
  }

  /** Two places a slot; both legs of a write take from the first. */
  #placeOf(slot: number, leg: number): number {
    return (2 * slot + leg) * this.#maxBytes;
  }

  #start(slot: number, leg: number): void {
    const isWrite = this.#legs.held.op[slot] === IO_OP.WRITE;
    this.#legs.start(leg, slot, this.#placeOf(slot, isWrite ? 0 : leg));
  }

  #submitLegs(nowNs: number): void {
    this.#legs.submit(0, this.#devices[0], nowNs);
    this.#legs.submit(1, this.#devices[1], nowNs);
  }

  #pump(nowNs: number): number {
    let moved = 0;
    for (let leg = 0; leg < 2; leg++) {
      const count = this.#legs.poll(leg, this.#devices[leg]);
      moved += count;
      for (let i = 0; i < count; i++) this.#arrive(leg, this.#legs.polled.user[i], i, nowNs);
    }
    for (; firstDueNs(this.#timers) <= nowNs; moved++) {
      const slot = popEvent(this.#timers);
      this.#timed[slot] = 0;
      this.hedged++;
      this.#start(slot, 1 - this.#first[slot]);
    }
    this.#submitLegs(nowNs);
    return moved;
  }

  #arrive(leg: number, slot: number, i: number, nowNs: number): void {
    const legs = this.#legs;
    const result = legs.polled.result[i];
    const endNs = Math.min(nowNs, legs.startNs[leg][slot] + legs.polled.latencyNs[i]);
    legs.finish(leg, slot, result);
    if (this.#state[slot] !== OPEN) return this.#freeIfQuiet(slot);
    const isRead = legs.held.op[slot] === IO_OP.READ;
    if (!isRead || result < 0) return this.#settle(slot, endNs);
    // A loser is as late as the winner at least: the quantile needs no more of it.
    // Below 2^30 as a small integer, which is not boxed; later than 1 s is late enough.
    this.#delay.record(Math.min(endNs - this.#submitNs[slot], 2 ** 30 - 1) | 0);
    if (leg !== this.#first[slot] && legs.isBusy(1 - leg, slot)) this.won++;
    const at = legs.held.buffer[slot];
    copyBytes(this.#bounceSide, this.#placeOf(slot, leg), this.#memorySide, at, result);
    this.#answer(slot, result, endNs);
    this.#cancelLegs(slot);
  }

  /**
   * Answers a request whose legs have all ended, or starts the leg of a read that has not begun.
   */
  #settle(slot: number, nowNs: number): void {
    const legs = this.#legs;
    if (legs.isBusy(0, slot) || legs.isBusy(1, slot)) return;
    const second = 1 - this.#first[slot];
    const isRead = legs.held.op[slot] === IO_OP.READ;
    if (isRead && this.#cancelled[slot] === 0 && !legs.hasRun(second, slot)) {
      this.#start(slot, second);
      this.#stopTimer(slot);
      return;
    }
    this.#answer(slot, legs.worst(slot, this.#first[slot]), nowNs);
  }

  #answer(slot: number, result: number, endNs: number): void {
    this.#stopTimer(slot);
    this.#state[slot] = ANSWERED;
    pushReady(this.#ready, slot, result, Math.max(0, endNs - this.#submitNs[slot]));
  }

  #stopTimer(slot: number): void {
    if (this.#timed[slot] === 0) return;
    this.#timed[slot] = 0;
    removeEvent(this.#timers, slot);
  }

  #cancelLegs(slot: number): void {
    for (let leg = 0; leg < 2; leg++) {
      const dropped = this.#legs.drop(leg, slot, -ERRNO.ECANCELED);
      if (!dropped && this.#legs.isBusy(leg, slot)) this.#devices[leg].cancel(slot);
    }
  }

  #freeIfQuiet(slot: number): void {
    const legs = this.#legs;
    if (this.#state[slot] !== FREE || legs.isBusy(0, slot) || legs.isBusy(1, slot)) return;
    this.#free[this.#freeCount++] = slot;
  }
}
