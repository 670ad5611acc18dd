/**
 * A simulated drive: the timing model of a profile over media, in virtual time.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { ERRNO } from "../base/errors.ts";
import type { Clock } from "./clock.ts";
import type { BlockDevice } from "./device.ts";
import {
  beginSnapshot,
  createFlying,
  endSnapshot,
  fingerprint,
  type Flying,
  loadRequests,
  openSnapshot,
  saveRequests,
  type SnapshotHead,
} from "./_device_snapshot.ts";
import { createEventHeap, firstDueNs, popEvent, pushEvent, removeEvent } from "./_event_heap.ts";
import type { EventHeap } from "./_event_heap.ts";
import { IO_OP, type IoCompletions, type IoRequests } from "./io.ts";
import { DEFAULT_DEPTH, MAX_DEPTH } from "./limits.ts";
import type { Media } from "./media.ts";
import { MemoryModel } from "./models/memory.ts";
import { type DeviceCounters, MeteredTiming } from "./models/metered.ts";
import { NandModel } from "./models/nand.ts";
import type { Timing } from "./models/timing.ts";
import { XpointModel } from "./models/xpoint.ts";
import { checkProfile } from "./profile.ts";
import type { DeviceProfile } from "./profile.ts";
import { createReadyRing, drainReady, pushReady } from "./_ready_ring.ts";
import type { ReadyRing } from "./_ready_ring.ts";
import {
  blocksOf,
  checkNotAttached,
  isWellFormed,
  NO_MEMORY,
  REFUSED,
  transfer,
} from "./_transfer.ts";

/** What {@linkcode createSimulatedDevice} takes. */
export interface SimulatedDeviceOptions {
  /** Which drive: one of {@linkcode PROFILES}, or a profile of one's own. */
  readonly profile: DeviceProfile;
  /** What it holds; disposed of by its owner, not by the device. */
  readonly media: Media;
  /** The virtual clock that the whole run shares. */
  readonly clock: Clock;
  /** Of what varies in service times, a safe integer; 1 when left out. */
  readonly seed?: number;
  /** Requests it can hold in flight, 1 to 4,096; 128 when left out. */
  readonly depth?: number;
  /**
   * Reads of less than a block, down to `subBlock.bytes` of the profile: NVMe's bit bucket, by
   * which a drive drops the bytes that nobody asked for (SDM paper, arXiv 2110.11489). Only those
   * asked for cross the bus, and each one left out saves `subBlock.savedNs`. False when left out.
   */
  readonly subBlockReads?: boolean;
}

/** A drive in virtual time, with what only a simulated one can tell. */
export interface SimulatedDevice extends BlockDevice {
  /** Always true. */
  readonly simulated: true;
  /** What it was made from. */
  readonly profile: DeviceProfile;
  /** The granule of its reads in bytes: `blockBytes`, or less with `subBlockReads`. */
  readonly readGranuleBytes: number;
  /** What it has done and drawn up to the clock's time; makes one object. */
  counters(): DeviceCounters;
  /**
   * All that changes with time, requests in flight included; not the media. About 80 bytes a
   * request of `depth` and what the model keeps, 300 KB for a P4800X.
   */
  snapshot(): Uint8Array;
  /**
   * Goes on from a snapshot, bit for bit. The device must be of the same profile, depth and media
   * size, with as much memory attached, and the clock must stand where it stood.
   *
   * @throws {RangeError} where one of these is not so or the snapshot is damaged; nothing has
   * changed then.
   */
  restore(snapshot: Uint8Array): void;
}

/**
 * Makes a simulated drive. When a request is submitted its time of completion is drawn from the
 * model; `step` moves the bytes of what is due and `poll` hands it out. The same seed and the same
 * calls give the same run, bit for bit. Writes change the media when they complete.
 *
 * Holds about 90 bytes a request of `depth`; an IO takes about 0.25 us of CPU, the copy not
 * counted. `submit` throws a RangeError for what would complete at 2^53 ns (104 days) or later.
 *
 * @throws {RangeError} for a wrong `depth` or `seed`, or a number of the profile that is out of its
 * range.
 * @throws {TypeError} for an unknown kind of profile, or `subBlockReads` without `subBlock` there.
 *
 * @example
 * ```ts
 * import {
 *   createCompletions,
 *   createRequests,
 *   createSimulatedDevice,
 *   memoryMedia,
 *   PROFILES,
 *   VirtualClock,
 * } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * const media = memoryMedia(new Uint8Array(65_536).fill(7));
 * using device = createSimulatedDevice({ profile: PROFILES.p5800x, media, clock });
 * device.attach(new Uint8Array(4096));
 * const requests = createRequests(1);
 * requests.bytes[0] = 4096;
 * requests.count = 1;
 * device.submit(requests, 0);
 *
 * clock.advanceTo(device.wakeNs);
 * device.step(clock.now());
 * const completions = createCompletions(1);
 * device.poll(completions);
 * if (!(completions.latencyNs[0] > 5_000)) throw new Error("unreachable"); // 5.5 us on average
 * ```
 */
export function createSimulatedDevice(options: SimulatedDeviceOptions): SimulatedDevice {
  const what = "Cannot create simulated device";
  const { profile, media, seed = 1, depth = DEFAULT_DEPTH } = options;
  checkInteger(what, "depth", depth, 1, MAX_DEPTH);
  checkInteger(what, "seed", seed, -Number.MAX_SAFE_INTEGER);
  checkProfile(what, profile);
  if (options.subBlockReads === true && profile.subBlock === undefined) {
    throw new TypeError(
      `${what}: subBlockReads must be false for a profile without subBlock: received true`,
    );
  }
  return new ModelDevice(
    options,
    depth,
    new MeteredTiming(profile, createModel(profile, seed, media.bytes)),
  );
}

function createModel(profile: DeviceProfile, seed: number, mediaBytes: number): Timing {
  if (profile.kind === "nand") return new NandModel(profile, seed, mediaBytes);
  return profile.kind === "3dxp" ? new XpointModel(profile, seed) : new MemoryModel(profile);
}

class ModelDevice implements SimulatedDevice {
  readonly name: string;
  readonly simulated = true;
  readonly profile: DeviceProfile;
  readonly blockBytes: number;
  readonly readGranuleBytes: number;
  readonly blockCount: number;
  readonly depth: number;
  readonly #media: Media;
  readonly #clock: Clock;
  readonly #timing: MeteredTiming;
  readonly #flying: Flying;
  readonly #heap: EventHeap;
  readonly #ready: ReadyRing;
  #memory: Uint8Array = NO_MEMORY;
  #disposed = false;

  constructor(options: SimulatedDeviceOptions, depth: number, timing: MeteredTiming) {
    const { profile, media, clock, subBlockReads = false } = options;
    const { name, blockBytes, subBlock } = profile;
    this.name = name;
    this.profile = profile;
    this.blockBytes = blockBytes;
    this.readGranuleBytes = subBlockReads && subBlock !== undefined ? subBlock.bytes : blockBytes;
    this.blockCount = blocksOf(media.bytes, blockBytes);
    this.depth = depth;
    this.#media = media;
    this.#clock = clock;
    this.#timing = timing;
    this.#flying = createFlying(depth);
    this.#heap = createEventHeap(depth);
    this.#ready = createReadyRing(depth);
  }

  get wakeNs(): number {
    return this.#ready.count > 0 ? this.#clock.now() : firstDueNs(this.#heap);
  }

  step(nowNs: number): number {
    this.#checkOpen("step");
    const heap = this.#heap, flying = this.#flying;
    let moved = 0;
    for (; firstDueNs(heap) <= nowNs; moved++) {
      const slot = popEvent(heap);
      const { op, offsetBytes, bytes, buffer, submitNs } = flying;
      const result = transfer(
        this.#media,
        this.#memory,
        op[slot],
        offsetBytes[slot],
        bytes[slot],
        buffer[slot],
      );
      // The time it was due, not the time of this step: who steps late reads no longer latency.
      this.#complete(slot, result, heap.dueNs[slot] - submitNs[slot]);
    }
    return moved;
  }

  attach(memory: Uint8Array): void {
    this.#checkOpen("attach memory to");
    checkNotAttached(this.#memory === NO_MEMORY ? null : this.#memory);
    this.#memory = memory;
  }

  submit(requests: IoRequests, from: number): number {
    this.#checkOpen("submit to");
    const nowNs = this.#clock.now();
    const room = this.#flying.freeCount - this.#ready.count;
    const end = Math.min(requests.count, from + room);
    for (let i = from; i < end; i++) this.#take(requests, i, nowNs);
    return Math.max(0, end - from);
  }

  poll(completions: IoCompletions): number {
    this.#checkOpen("poll");
    return drainReady(this.#ready, completions);
  }

  cancel(user: number): void {
    this.#checkOpen("cancel on");
    const { count, order } = this.#heap;
    for (let i = 0; i < count; i++) {
      const slot = order[i];
      if (this.#flying.user[slot] !== user) continue;
      removeEvent(this.#heap, slot);
      const latencyNs = this.#clock.now() - this.#flying.submitNs[slot];
      this.#complete(slot, -ERRNO.ECANCELED, latencyNs);
      return;
    }
  }

  wait(_minimum: number): void {
    this.#checkOpen("wait for");
  }

  counters(): DeviceCounters {
    return this.#timing.counters(this.#clock.now());
  }

  snapshot(): Uint8Array {
    this.#checkOpen("take a snapshot of");
    const to = beginSnapshot(this.#head());
    saveRequests(to, this.#flying, this.#heap, this.#ready);
    this.#timing.save(to);
    return endSnapshot(to);
  }

  restore(snapshot: Uint8Array): void {
    this.#checkOpen("restore");
    const from = openSnapshot(snapshot, this.#head());
    loadRequests(from, this.#flying, this.#heap, this.#ready);
    this.#timing.load(from);
    from.end();
  }

  #head(): SnapshotHead {
    const drive = fingerprint([this.profile, this.depth, this.#media.bytes, this.readGranuleBytes]);
    return { drive, nowNs: this.#clock.now(), memoryBytes: this.#memory.length };
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#memory = NO_MEMORY;
  }

  #checkOpen(verb: string): void {
    if (this.#disposed) {
      throw new TypeError(`Cannot ${verb} simulated device: it has been disposed`);
    }
  }

  #take(requests: IoRequests, i: number, nowNs: number): void {
    const op = requests.op[i], offset = requests.offsetBytes[i];
    const bytes = requests.bytes[i], buffer = requests.buffer[i];
    const granuleBytes = op === IO_OP.READ ? this.readGranuleBytes : this.blockBytes;
    const deviceBytes = this.blockBytes * this.blockCount;
    const memoryBytes = this.#memory.length;
    if (!isWellFormed(op, offset, bytes, buffer, granuleBytes, deviceBytes, memoryBytes)) {
      pushReady(this.#ready, requests.user[i], REFUSED, 0);
      return;
    }
    const dueNs = this.#timing.dueNs(op, offset, bytes, nowNs);
    if (!(dueNs < 2 ** 53)) {
      throw new RangeError(
        `Cannot submit to simulated device: completion must be below 2^53 ns: received ${dueNs}`,
      );
    }
    const flying = this.#flying;
    const slot = flying.free[--flying.freeCount];
    flying.op[slot] = op;
    flying.offsetBytes[slot] = offset;
    flying.bytes[slot] = bytes;
    flying.buffer[slot] = buffer;
    flying.user[slot] = requests.user[i];
    flying.submitNs[slot] = nowNs;
    pushEvent(this.#heap, slot, dueNs, flying.sequence++);
  }

  #complete(slot: number, result: number, latencyNs: number): void {
    const flying = this.#flying;
    flying.free[flying.freeCount++] = slot;
    pushReady(this.#ready, flying.user[slot], result, latencyNs);
  }
}
