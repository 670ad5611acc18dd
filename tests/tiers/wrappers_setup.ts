/**
 * What the wrappers' tests share: a device in virtual time with known content, and reads and writes
 * that run to their end.
 *
 * @module
 */

import { createRandom } from "../../base/random.ts";
import {
  type BlockDevice,
  createCompletions,
  createMemoryDevice,
  createRequests,
  createSimulatedDevice,
  drive,
  IO_OP,
  memoryMedia,
  PROFILES,
  VirtualClock,
} from "../../tiers/mod.ts";

/** Bytes of a block. */
export const BLOCK = 512;

const random = createRandom(3);

/** What devices hold: 64 random blocks. */
export const CONTENT: Uint8Array<ArrayBuffer> = Uint8Array.from(
  { length: 64 * BLOCK },
  () => random.below(256),
);

/** A memory device over a copy of the content, or over `content` itself. */
export function memoryDevice(
  clock: VirtualClock,
  content: Uint8Array = CONTENT.slice(),
  depth = 8,
): BlockDevice {
  return createMemoryDevice({ media: memoryMedia(content), clock, depth });
}

/** A simulated drive over such. */
export function simulatedDevice(
  clock: VirtualClock,
  content: Uint8Array = CONTENT.slice(),
  depth = 8,
): BlockDevice {
  const media = memoryMedia(content);
  return createSimulatedDevice({ profile: PROFILES.p4800x, media, clock, depth });
}

/** One request; what is left out is a read of block 0 to memory's first place. */
export interface Asked {
  readonly op?: number;
  readonly block?: number;
  readonly blocks?: number;
  readonly place?: number;
}

/** How a request has ended. */
export interface Ended {
  readonly user: number;
  readonly result: number;
  readonly latencyNs: number;
}

/** A device with memory of 64 blocks, and its clock. */
export class Bench implements Disposable {
  readonly clock: VirtualClock;
  readonly device: BlockDevice;
  readonly memory: Uint8Array<ArrayBuffer> = new Uint8Array(64 * BLOCK);
  #user = 0;

  constructor(make: (clock: VirtualClock) => BlockDevice) {
    this.clock = new VirtualClock();
    this.device = make(this.clock);
    this.device.attach(this.memory);
  }

  /** Submits `asked`, tagged from the last tag on; how many were taken. */
  submit(...asked: readonly Asked[]): number {
    const requests = createRequests(Math.max(1, asked.length));
    asked.forEach(({ op = IO_OP.READ, block = 0, blocks = 1, place = 0 }, i) => {
      requests.op[i] = op;
      requests.offsetBytes[i] = block * BLOCK;
      requests.bytes[i] = blocks * BLOCK;
      requests.buffer[i] = place * BLOCK;
      requests.user[i] = this.#user++;
    });
    requests.count = asked.length;
    return this.device.submit(requests, 0);
  }

  /** What can be polled now. */
  poll(): Ended[] {
    const completions = createCompletions(64);
    this.device.poll(completions);
    return Array.from({ length: completions.count }, (_, i) => ({
      user: completions.user[i],
      result: completions.result[i],
      latencyNs: completions.latencyNs[i],
    }));
  }

  /** Moves time to `ns` in one step. */
  moveTo(ns: number): void {
    this.clock.advanceTo(ns);
    this.device.step(this.clock.now());
  }

  /** Lets time pass until `count` have ended; in the order of their tags. */
  finish(count: number): Ended[] {
    const all: Ended[] = [];
    drive(this.device, this.clock, () => (all.push(...this.poll()), all.length >= count));
    return all.toSorted((a, b) => a.user - b.user);
  }

  /** Submits and finishes; the results in order. */
  run(...asked: readonly Asked[]): number[] {
    this.submit(...asked);
    return this.finish(asked.length).map(({ result }) => result);
  }

  /** The bytes of block `block` in memory's place `place` are the content's. */
  holds(block: number, place = 0): boolean {
    const bytes = this.memory.subarray(place * BLOCK, (place + 1) * BLOCK);
    return bytes.every((byte, i) => byte === CONTENT[block * BLOCK + i]);
  }

  [Symbol.dispose](): void {
    this.device[Symbol.dispose]();
  }
}
