/**
 * What the queue's tests run on: devices whose blocks tell where they are from, and queues over
 * them.
 *
 * @module
 */

import { assertStrictEquals } from "@std/assert";
import {
  type BlockDevice,
  createCompletions,
  createFaultDevice,
  createIoQueue,
  createMemoryDevice,
  createRequests,
  createSimulatedDevice,
  drive,
  type Fault,
  type IoQueue,
  memoryMedia,
  PROFILES,
  type QueueLimits,
  VirtualClock,
} from "../../tiers/mod.ts";

/** Bytes of a block. */
export const BLOCK = 512;
/** Blocks of each device. */
export const BLOCKS = 64;

/** Block `b` of device `d` is full of this. */
export function fillOf(device: number, block: number): number {
  return (device * 101 + block * 7 + 1) % 251;
}

/** What device `device` holds. */
export function contentOf(device: number): Uint8Array {
  return Uint8Array.from({ length: BLOCKS * BLOCK }, (_, at) => fillOf(device, at >> 9));
}

/** A read of `block`; what is left out is a plain one. */
export interface Read {
  readonly user: number;
  readonly block?: number;
  readonly device?: number;
  readonly priority?: number;
  readonly deadlineNs?: number;
  /** The place in memory, in blocks. */
  readonly place?: number;
}

/** Enqueues `reads` from position `from` on; how many were taken. */
export function enqueue(queue: IoQueue, reads: readonly Read[], from = 0): number {
  const requests = createRequests(Math.max(1, reads.length));
  reads.forEach(
    ({ user, block = 0, device = 0, priority = 0, deadlineNs = Infinity, place = 0 }, i) => {
      requests.user[i] = user;
      requests.offsetBytes[i] = block * BLOCK;
      requests.bytes[i] = BLOCK;
      requests.buffer[i] = place * BLOCK;
      requests.device[i] = device;
      requests.priority[i] = priority;
      requests.deadlineNs[i] = deadlineNs;
    },
  );
  requests.count = reads.length;
  return queue.enqueue(requests, from);
}

/** Reaps up to `room` completions: tags and results. */
export function reap(queue: IoQueue, room = 64): [number, number][] {
  const completions = createCompletions(room);
  assertStrictEquals(queue.reap(completions), completions.count);
  return Array.from(
    { length: completions.count },
    (_, i) => [completions.user[i], completions.result[i]],
  );
}

/** Runs until all is reaped. */
export function drain(queue: IoQueue, clock: VirtualClock): [number, number][] {
  const all: [number, number][] = [];
  queue.submit();
  drive(queue, clock, () => {
    all.push(...reap(queue));
    queue.submit();
    return queue.inFlight === 0;
  });
  return all;
}

/** A queue in virtual time. */
export interface Setup {
  readonly queue: IoQueue;
  readonly clock: VirtualClock;
  readonly memory: Uint8Array;
}

/** A queue of `depth` over what `make` gives, with memory. */
export function setup(
  make: (clock: VirtualClock) => BlockDevice[],
  depth = 8,
  limits?: QueueLimits,
): Setup {
  const clock = new VirtualClock();
  const options = { devices: make(clock), depth, clock };
  const queue = createIoQueue(limits === undefined ? options : { ...options, limits });
  const memory = new Uint8Array(64 * BLOCK);
  queue.attach(memory);
  return { queue, clock, memory };
}

/** A memory device that holds the content of device `device`. */
export function memoryDevice(clock: VirtualClock, depth = 8, device = 0): BlockDevice {
  return createMemoryDevice({ media: memoryMedia(contentOf(device)), clock, depth });
}

/** A simulated drive that does. */
export function drive3dxp(clock: VirtualClock, depth = 8, device = 0): BlockDevice {
  const media = memoryMedia(contentOf(device));
  return createSimulatedDevice({ profile: PROFILES.p4800x, media, clock, depth });
}

/** Such a drive with faults. */
export function faulty(clock: VirtualClock, faults: readonly Fault[], depth = 8): BlockDevice {
  return createFaultDevice({ device: drive3dxp(clock, depth), faults, clock });
}
