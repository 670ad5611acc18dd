/**
 * One device out of several: requests are cut into pieces, each piece goes to one of the devices,
 * and a request completes once, when its last piece has. What stripes and mirrors share; where the
 * pieces lie is their layout's matter.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { ERRNO } from "../base/errors.ts";
import type { Clock } from "./clock.ts";
import { copyRequest } from "./_copy_request.ts";
import type { BlockDevice } from "./device.ts";
import { createCompletions, createRequests, IO_OP } from "./io.ts";
import type { IoCompletions, IoRequests } from "./io.ts";
import { advanceLane, createLane, laneLength, pushLane, removeFromLane } from "./_lane.ts";
import type { Lane } from "./_lane.ts";
import { MAX_DEPTH, MAX_DEVICES } from "./limits.ts";
import { createReadyRing, drainReady, pushReady } from "./_ready_ring.ts";
import type { ReadyRing } from "./_ready_ring.ts";
import { createPieces, createWholes } from "./_spread_slots.ts";
import type { Pieces, Wholes } from "./_spread_slots.ts";
import { checkNotAttached, isWellFormed, NO_MEMORY, REFUSED } from "./_transfer.ts";

/** Where a piece goes; one object, filled again for each piece. */
export interface Place {
  /** Position of the device. */
  device: number;
  /** First byte there. */
  offsetBytes: number;
  /** First byte of the piece within its request. */
  at: number;
  /** Its bytes. */
  bytes: number;
}

/** How requests are cut. */
export interface Layout {
  /** Pieces of a well-formed request, at least 1. */
  count(op: number, offsetBytes: number, bytes: number): number;
  /** Fills `place` with piece `index` of it. */
  locate(place: Place, op: number, offsetBytes: number, bytes: number, index: number): void;
  /** How many of the devices after a piece's own may answer in its stead where that one fails. */
  spares(op: number): number;
}

/** What {@linkcode createSpread} takes. */
export interface SpreadOptions {
  readonly name: string;
  readonly devices: readonly BlockDevice[];
  readonly layout: Layout;
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly depth: number;
  readonly clock: Clock;
  /** Pieces by device, at it or on their way: kept here, for layouts that choose by it. */
  readonly load: Uint32Array;
}

/** Throws unless `devices` can be one device; returns their common block, the largest. */
export function checkDevices(what: string, devices: readonly BlockDevice[]): number {
  checkInteger(what, "devices.length", devices.length, 1, MAX_DEVICES);
  if (new Set(devices).size < devices.length) {
    throw new RangeError(`${what}: devices must be different ones: received one twice`);
  }
  const simulated = devices.filter((device) => device.simulated).length;
  if (simulated % devices.length !== 0) {
    throw new TypeError(
      `${what}: devices must be all simulated or all real: ` +
        `received ${simulated} simulated of ${devices.length}`,
    );
  }
  const blockBytes = Math.max(...devices.map((device) => device.blockBytes));
  for (const device of devices) {
    if (blockBytes % device.blockBytes !== 0) {
      throw new RangeError(
        `${what}: blockBytes of each device must divide the largest, ${blockBytes}: ` +
          `received ${device.blockBytes}`,
      );
    }
  }
  return blockBytes;
}

/** The depth of a device over `devices`: `depth`, or what they hold together. */
export function spreadDepth(
  what: string,
  devices: readonly BlockDevice[],
  depth: number | undefined,
): number {
  const together = devices.reduce((sum, device) => sum + device.depth, 0);
  return checkInteger(what, "depth", depth ?? Math.min(MAX_DEPTH, together), 1, MAX_DEPTH);
}

/** Makes the device. All is allocated here. */
export function createSpread(options: SpreadOptions): BlockDevice {
  return new SpreadDevice(options);
}

/** Where a whole request is. */
const FREE = 0;
const LIVE = 1;
const READY = 2;

/** Where a piece is; 0 is free. */
const IN_LANE = 1;
const AT_DEVICE = 2;

class SpreadDevice implements BlockDevice {
  readonly name: string;
  readonly simulated: boolean;
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly depth: number;
  readonly #devices: readonly BlockDevice[];
  readonly #layout: Layout;
  readonly #clock: Clock;
  readonly #load: Uint32Array;
  readonly #lanes: readonly Lane[];
  /** The requests as they came, by slot. */
  readonly #requests: IoRequests;
  readonly #wholes: Wholes;
  readonly #pieces: Pieces;
  readonly #ready: ReadyRing;
  readonly #polled: IoCompletions;
  readonly #place: Place = { device: 0, offsetBytes: 0, at: 0, bytes: 0 };
  #memory: Uint8Array = NO_MEMORY;
  #disposed = false;

  constructor(options: SpreadOptions) {
    const { devices, depth } = options;
    this.name = options.name;
    this.simulated = devices[0].simulated;
    this.blockBytes = options.blockBytes;
    this.blockCount = options.blockCount;
    this.depth = depth;
    this.#devices = [...devices];
    this.#layout = options.layout;
    this.#clock = options.clock;
    this.#load = options.load;
    this.#wholes = createWholes(depth);
    // One piece for each place at a device and one for each request: a long request that needs
    // more waits until some have come back, and holds up only what came after it.
    const atDevices = devices.reduce((sum, device) => sum + device.depth, 0);
    this.#pieces = createPieces(Math.min(65_535, depth + atDevices));
    this.#lanes = devices.map(() => createLane(this.#pieces.state.length));
    this.#requests = createRequests(depth);
    this.#ready = createReadyRing(depth);
    this.#polled = createCompletions(Math.max(...devices.map((device) => device.depth)));
  }

  get wakeNs(): number {
    if (this.#ready.count > 0) return this.#clock.now();
    let wakeNs = Infinity;
    for (const device of this.#devices) wakeNs = Math.min(wakeNs, device.wakeNs);
    return wakeNs;
  }

  step(nowNs: number): number {
    this.#checkOpen("step");
    let moved = 0;
    for (const device of this.#devices) moved += device.step(nowNs);
    return moved + this.#pump();
  }

  attach(memory: Uint8Array): void {
    this.#checkOpen("attach memory to");
    checkNotAttached(this.#memory === NO_MEMORY ? null : this.#memory);
    for (const device of this.#devices) device.attach(memory);
    this.#memory = memory;
  }

  submit(requests: IoRequests, from: number): number {
    this.#checkOpen("submit to");
    const nowNs = this.#clock.now();
    const end = Math.min(requests.count, from + this.#wholes.freeCount);
    for (let i = from; i < end; i++) this.#take(requests, i, nowNs);
    this.#issue();
    this.#forward();
    return Math.max(0, end - from);
  }

  poll(completions: IoCompletions): number {
    this.#checkOpen("poll");
    this.#pump();
    const first = completions.count;
    drainReady(this.#ready, completions);
    const wholes = this.#wholes;
    for (let i = first; i < completions.count; i++) {
      const slot = completions.user[i];
      completions.user[i] = this.#requests.user[slot];
      wholes.state[slot] = FREE;
      wholes.free[wholes.freeCount++] = slot;
    }
    return completions.count - first;
  }

  cancel(user: number): void {
    this.#checkOpen("cancel on");
    const wholes = this.#wholes;
    for (let slot = 0; slot < this.depth; slot++) {
      if (wholes.state[slot] !== LIVE || this.#requests.user[slot] !== user) continue;
      wholes.cancelled[slot] = 1;
      if (wholes.issued[slot] < wholes.count[slot]) {
        wholes.count[slot] = wholes.issued[slot];
        wholes.result[slot] = -ERRNO.ECANCELED;
      }
      this.#cancelPieces(slot);
    }
    this.#issue();
    this.#forward();
  }

  wait(minimum: number): void {
    this.#checkOpen("wait for");
    const wanted = Math.min(minimum, this.depth - this.#wholes.freeCount);
    // Piece by piece, as any of them may be a request's last. Who blocks brings at least one; a
    // device that brings none cannot be waited for: a simulated one, or what a fault has lost.
    for (let moved = 1; moved > 0 && this.#ready.count < wanted;) {
      moved = this.#pump();
      for (let d = 0; d < this.#devices.length && moved === 0; d++) {
        if (this.#load[d] === 0) continue;
        this.#devices[d].wait(1);
        moved = this.#pump();
      }
    }
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#memory = NO_MEMORY;
    for (const device of this.#devices) device[Symbol.dispose]();
  }

  #checkOpen(verb: string): void {
    if (this.#disposed) throw new TypeError(`Cannot ${verb} ${this.name}: it has been disposed`);
  }

  #take(from: IoRequests, i: number, nowNs: number): void {
    const wholes = this.#wholes;
    const op = from.op[i], offset = from.offsetBytes[i];
    const bytes = from.bytes[i], buffer = from.buffer[i];
    const slot = wholes.free[--wholes.freeCount];
    copyRequest(this.#requests, slot, from, i);
    const { blockBytes } = this;
    const end = blockBytes * this.blockCount;
    if (!isWellFormed(op, offset, bytes, buffer, blockBytes, end, this.#memory.length)) {
      wholes.state[slot] = READY;
      pushReady(this.#ready, slot, REFUSED, 0);
      return;
    }
    wholes.state[slot] = LIVE;
    wholes.submitNs[slot] = nowNs;
    wholes.latencyNs[slot] = 0;
    wholes.result[slot] = op === IO_OP.FLUSH ? 0 : bytes;
    wholes.cancelled[slot] = wholes.issued[slot] = wholes.outstanding[slot] = 0;
    wholes.count[slot] = this.#layout.count(op, offset, bytes);
    wholes.queue[(wholes.head + wholes.queued++) % this.depth] = slot;
  }

  /** Makes pieces of what has come, in order, as long as there are any free. */
  #issue(): void {
    const wholes = this.#wholes, pieces = this.#pieces;
    while (wholes.queued > 0) {
      const slot = wholes.queue[wholes.head];
      while (wholes.issued[slot] < wholes.count[slot]) {
        if (pieces.freeCount === 0) return;
        this.#makePiece(slot, wholes.issued[slot]++);
      }
      wholes.head = (wholes.head + 1) % this.depth;
      wholes.queued--;
      // Only what was cancelled before its first piece has none.
      if (wholes.outstanding[slot] === 0) this.#finish(slot);
    }
  }

  #makePiece(slot: number, index: number): void {
    const { op, offsetBytes, bytes } = this.#requests;
    const pieces = this.#pieces, place = this.#place;
    this.#layout.locate(place, op[slot], offsetBytes[slot], bytes[slot], index);
    const piece = pieces.free[--pieces.freeCount];
    pieces.whole[piece] = slot;
    pieces.at[piece] = place.at;
    pieces.bytes[piece] = place.bytes;
    pieces.offsetBytes[piece] = place.offsetBytes;
    pieces.error[piece] = pieces.failures[piece] = 0;
    this.#wholes.outstanding[slot]++;
    this.#sendTo(place.device, piece);
  }

  #sendTo(device: number, piece: number): void {
    const pieces = this.#pieces, slot = pieces.whole[piece];
    const lane = this.#lanes[device];
    pieces.device[piece] = device;
    pieces.state[piece] = IN_LANE;
    this.#load[device]++;
    pushLane(lane, this.#requests, slot, piece);
    const last = lane.requests.count - 1;
    lane.requests.offsetBytes[last] = pieces.offsetBytes[piece];
    lane.requests.bytes[last] = pieces.bytes[piece];
    lane.requests.buffer[last] += pieces.at[piece];
  }

  #forward(): void {
    const pieces = this.#pieces;
    for (let d = 0; d < this.#devices.length; d++) {
      const lane = this.#lanes[d];
      if (laneLength(lane) === 0) continue;
      const nowNs = this.#clock.now();
      const taken = this.#devices[d].submit(lane.requests, lane.from);
      for (let i = lane.from; i < lane.from + taken; i++) {
        const piece = lane.requests.user[i];
        pieces.state[piece] = AT_DEVICE;
        pieces.sentNs[piece] = nowNs;
      }
      advanceLane(lane, taken);
    }
  }

  /** Takes in what the devices have done and sends what waits; returns how many pieces came. */
  #pump(): number {
    const polled = this.#polled;
    let moved = 0;
    for (let d = 0; d < this.#devices.length; d++) {
      if (this.#load[d] === 0) continue;
      polled.count = 0;
      this.#devices[d].poll(polled);
      moved += polled.count;
      for (let i = 0; i < polled.count; i++) {
        this.#arrive(polled.user[i], polled.result[i], polled.latencyNs[i]);
      }
    }
    this.#issue();
    this.#forward();
    return moved;
  }

  #arrive(piece: number, result: number, latencyNs: number): void {
    const pieces = this.#pieces, wholes = this.#wholes;
    const slot = pieces.whole[piece], device = pieces.device[piece];
    this.#load[device]--;
    const sinceNs = pieces.sentNs[piece] - wholes.submitNs[slot] + latencyNs;
    if (sinceNs > wholes.latencyNs[slot]) wholes.latencyNs[slot] = sinceNs;
    if (result < 0) {
      if (pieces.failures[piece] === 0) pieces.error[piece] = result;
      const failures = ++pieces.failures[piece];
      if (
        failures <= this.#layout.spares(this.#requests.op[slot]) && wholes.cancelled[slot] === 0
      ) {
        return this.#sendTo((device + 1) % this.#devices.length, piece);
      }
      // Errors outdo bytes, and the first error stays.
      if (wholes.result[slot] >= 0) wholes.result[slot] = pieces.error[piece];
    } else if (result < pieces.bytes[piece]) {
      // What lies behind a short piece does not count, whatever came of it.
      const until = pieces.at[piece] + result;
      if (until < wholes.result[slot]) wholes.result[slot] = until;
    }
    pieces.state[piece] = FREE;
    pieces.free[pieces.freeCount++] = piece;
    if (--wholes.outstanding[slot] === 0 && wholes.issued[slot] === wholes.count[slot]) {
      this.#finish(slot);
    }
  }

  #cancelPieces(slot: number): void {
    const { state, whole, device } = this.#pieces;
    for (let piece = 0; piece < state.length; piece++) {
      if (state[piece] === FREE || whole[piece] !== slot) continue;
      if (state[piece] === AT_DEVICE) this.#devices[device[piece]].cancel(piece);
      else {
        removeFromLane(this.#lanes[device[piece]], piece);
        this.#pieces.sentNs[piece] = this.#clock.now();
        this.#arrive(piece, -ERRNO.ECANCELED, 0);
      }
    }
  }

  #finish(slot: number): void {
    const wholes = this.#wholes;
    // What was cancelled at the head of the queue may have ended with its last piece already.
    if (wholes.state[slot] !== LIVE) return;
    wholes.state[slot] = READY;
    pushReady(this.#ready, slot, wholes.result[slot], wholes.latencyNs[slot]);
  }
}
