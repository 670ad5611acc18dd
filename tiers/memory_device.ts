/**
 * A device without a timing model: what is submitted has completed by the next poll. The slow twin
 * that other devices and the queue are tested against, and a way to measure what the CPU adds to an
 * IO.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { VirtualClock } from "./clock.ts";
import type { Clock } from "./clock.ts";
import type { BlockDevice } from "./device.ts";
import type { IoCompletions, IoRequests } from "./io.ts";
import { DEFAULT_DEPTH, MAX_DEPTH, SECTOR_BYTES } from "./limits.ts";
import type { Media } from "./media.ts";
import { createReadyRing, drainReady, pushReady } from "./_ready_ring.ts";
import {
  blocksOf,
  checkNotAttached,
  isWellFormed,
  NO_MEMORY,
  REFUSED,
  transfer,
} from "./_transfer.ts";

/** What {@linkcode createMemoryDevice} takes. */
export interface MemoryDeviceOptions {
  /** What it holds; disposed of by its owner, not by the device. */
  readonly media: Media;
  /** Says when it wakes: now, while anything is in flight. */
  readonly clock: Clock;
  /** Requests it can hold in flight, 1 to 4,096; 128 when left out. */
  readonly depth?: number;
  /** The granule of offsets and sizes in bytes, 1 to 2^20; 512 when left out. */
  readonly blockBytes?: number;
}

/**
 * Makes a device that moves the bytes in `submit` and has all latencies 0. Nothing is left to
 * cancel.
 *
 * @throws {RangeError} for a wrong `depth` or `blockBytes`.
 *
 * @example
 * ```ts
 * import { createCompletions, createMemoryDevice, createRequests } from "@rowtier/rowtier/tiers";
 * import { memoryMedia, VirtualClock } from "@rowtier/rowtier/tiers";
 *
 * const media = memoryMedia(new Uint8Array(4096).fill(7));
 * using device = createMemoryDevice({ media, clock: new VirtualClock() });
 * const memory = new Uint8Array(512);
 * device.attach(memory);
 * const requests = createRequests(1);
 * requests.bytes[0] = 512;
 * requests.count = 1;
 * device.submit(requests, 0);
 * const completions = createCompletions(1);
 * if (device.poll(completions) !== 1 || memory[0] !== 7) throw new Error("unreachable");
 * ```
 */
export function createMemoryDevice(options: MemoryDeviceOptions): BlockDevice {
  const what = "Cannot create memory device";
  const { media, clock, depth = DEFAULT_DEPTH, blockBytes = SECTOR_BYTES } = options;
  checkInteger(what, "depth", depth, 1, MAX_DEPTH);
  checkInteger(what, "blockBytes", blockBytes, 1, 2 ** 20);
  return new MemoryDevice(media, clock, depth, blockBytes);
}

class MemoryDevice implements BlockDevice {
  readonly name = "memory";
  readonly simulated: boolean;
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly depth: number;
  readonly #media: Media;
  readonly #clock: Clock;
  readonly #ready;
  #memory: Uint8Array | null = null;
  #disposed = false;

  constructor(media: Media, clock: Clock, depth: number, blockBytes: number) {
    this.simulated = clock instanceof VirtualClock;
    this.blockBytes = blockBytes;
    this.blockCount = blocksOf(media.bytes, blockBytes);
    this.depth = depth;
    this.#media = media;
    this.#clock = clock;
    this.#ready = createReadyRing(depth);
  }

  get wakeNs(): number {
    return this.#ready.count > 0 ? this.#clock.now() : Infinity;
  }

  step(_nowNs: number): number {
    this.#checkOpen("step");
    return this.#ready.count;
  }

  attach(memory: Uint8Array): void {
    this.#checkOpen("attach memory to");
    checkNotAttached(this.#memory);
    this.#memory = memory;
  }

  submit(requests: IoRequests, from: number): number {
    this.#checkOpen("submit to");
    const end = Math.min(requests.count, from + this.depth - this.#ready.count);
    for (let i = from; i < end; i++) {
      const result = this.#move(
        requests.op[i],
        requests.offsetBytes[i],
        requests.bytes[i],
        requests.buffer[i],
      );
      pushReady(this.#ready, requests.user[i], result, 0);
    }
    return Math.max(0, end - from);
  }

  poll(completions: IoCompletions): number {
    this.#checkOpen("poll");
    return drainReady(this.#ready, completions);
  }

  cancel(_user: number): void {
    this.#checkOpen("cancel on");
  }

  wait(_minimum: number): void {
    this.#checkOpen("wait for");
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#memory = null;
  }

  #checkOpen(verb: string): void {
    if (this.#disposed) throw new TypeError(`Cannot ${verb} memory device: it has been disposed`);
  }

  #move(op: number, offset: number, bytes: number, buffer: number): number {
    const memory = this.#memory ?? NO_MEMORY;
    const { blockBytes, blockCount } = this;
    const deviceBytes = blockBytes * blockCount;
    return isWellFormed(op, offset, bytes, buffer, blockBytes, deviceBytes, memory.length)
      ? transfer(this.#media, memory, op, offset, bytes, buffer)
      : REFUSED;
  }
}
