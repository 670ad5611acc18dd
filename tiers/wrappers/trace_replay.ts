/**
 * Replays a trace on a device: the same requests, at the same times or as fast as they go.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { ERRNO } from "../../base/errors.ts";
import type { Clock } from "../clock.ts";
import type { BlockDevice, Driven } from "../device.ts";
import { createCompletions, createRequests, IO_OP } from "../io.ts";
import type { IoCompletions, IoRequests } from "../io.ts";
import { MAX_BOUNCE_BYTES } from "../limits.ts";
import type { IoTrace } from "./io_trace.ts";
import { DeviceStatistics } from "./statistics.ts";

/** What {@linkcode createTraceReplay} takes. */
export interface TraceReplayOptions {
  /** What to ask for. */
  readonly trace: IoTrace;
  /** Of whom; without memory so far. The replay owns it and disposes of it. */
  readonly device: BlockDevice;
  /** The device's clock. */
  readonly clock: Clock;
  /**
   * How fast the trace's time goes: 2 is twice as fast, from 10^-6 to 10^6. When left out times are
   * ignored, and the device is kept full to `depth`.
   */
  readonly speed?: number;
  /** Most requests in flight, 1 to the device's depth, which it is when left out. */
  readonly depth?: number;
}

/** A trace on its way through a device. */
export interface TraceReplay extends Driven, Disposable {
  /** Whether all requests have completed. */
  readonly done: boolean;
  /** Requests submitted. */
  readonly submitted: number;
  /** Requests completed, failed ones included. */
  readonly completed: number;
  /** The longest that a request was submitted after its time, in ns: the depth was too small. */
  readonly lagNs: number;
  /** What the device answered; latencies are its own figures. */
  readonly statistics: DeviceStatistics;
}

/**
 * Starts the replay of `trace`; nothing is submitted before the first `step`. Requests are widened
 * to whole blocks, and those beyond the device's end wrap round to its beginning, so that a trace
 * of a large drive runs on a small one. What is written is zeros. Memory of the depth times the
 * largest request is allocated here, at most 1 GiB.
 *
 * @throws {RangeError} for a request larger than the device, or a wrong number.
 *
 * @example
 * ```ts
 * import { createSimulatedDevice, createTraceReplay, drive } from "@rowtier/rowtier/tiers";
 * import { memoryMedia, parseIolog, PROFILES, VirtualClock } from "@rowtier/rowtier/tiers";
 *
 * const trace = parseIolog("fio version 3 iolog\n0 f read 0 4096\n50 f read 65536 4096\n");
 * const clock = new VirtualClock();
 * const media = memoryMedia(2 ** 20);
 * const device = createSimulatedDevice({ profile: PROFILES.p4800x, media, clock });
 * using replay = createTraceReplay({ trace, device, clock, speed: 1 });
 * drive(replay, clock, () => replay.done);
 * const { latency } = replay.statistics.read;
 * if (latency.count !== 2 || !(clock.now() > 50_000)) throw new Error("unreachable");
 * ```
 */
export function createTraceReplay(options: TraceReplayOptions): TraceReplay {
  const what = "Cannot create trace replay";
  const { trace, device, clock, speed, depth = device.depth } = options;
  checkInteger(what, "depth", depth, 1, device.depth);
  if (speed !== undefined && !(speed >= 1e-6 && speed <= 1e6)) {
    throw new RangeError(`${what}: speed must be from 1e-6 to 1e6: received ${speed}`);
  }
  const { blockBytes, blockCount } = device;
  let most = blockBytes;
  for (let i = 0; i < trace.count; i++) {
    const begins = trace.offsetBytes[i] % blockBytes;
    most = Math.max(most, Math.ceil((begins + trace.bytes[i]) / blockBytes) * blockBytes);
  }
  checkInteger(what, "the largest request in bytes", most, 0, blockBytes * blockCount);
  checkInteger(what, "depth times the largest request", depth * most, 0, MAX_BOUNCE_BYTES);
  return new Replay(trace, device, clock, speed ?? Infinity, depth, most);
}

class Replay implements TraceReplay {
  submitted = 0;
  completed = 0;
  lagNs = 0;
  readonly statistics: DeviceStatistics = new DeviceStatistics();
  readonly #trace: IoTrace;
  readonly #device: BlockDevice;
  readonly #clock: Clock;
  readonly #speed: number;
  readonly #placeBytes: number;
  readonly #requests: IoRequests;
  readonly #completions: IoCompletions;
  /** The request of a slot, by its number in the trace. */
  readonly #number: Uint32Array;
  readonly #free: Uint16Array;
  #freeCount: number;
  /** Filled in and not taken yet. */
  #from = 0;
  #filled = 0;
  #startNs = NaN;

  constructor(
    trace: IoTrace,
    device: BlockDevice,
    clock: Clock,
    speed: number,
    depth: number,
    placeBytes: number,
  ) {
    this.#trace = trace;
    this.#device = device;
    this.#clock = clock;
    this.#speed = speed;
    this.#placeBytes = placeBytes;
    this.#requests = createRequests(depth);
    this.#completions = createCompletions(depth);
    this.#number = new Uint32Array(depth);
    this.#free = Uint16Array.from({ length: depth }, (_, i) => depth - 1 - i);
    this.#freeCount = depth;
    // Page-aligned, as direct reads need it.
    const pages = Math.ceil(depth * placeBytes / 65_536);
    device.attach(
      new Uint8Array(new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer),
    );
  }

  get done(): boolean {
    return this.completed === this.#trace.count;
  }

  get wakeNs(): number {
    if (this.done) return Infinity;
    if (Number.isNaN(this.#startNs)) return this.#clock.now();
    const wakeNs = this.#device.wakeNs;
    if (this.#freeCount === 0 || this.#filled === this.#trace.count) return wakeNs;
    const dueNs = Math.max(this.#dueNs(this.#filled), this.#clock.now());
    return Math.min(wakeNs, dueNs);
  }

  step(nowNs: number): number {
    if (Number.isNaN(this.#startNs)) this.#startNs = nowNs;
    let moved = this.#device.step(nowNs);
    const completions = this.#completions;
    completions.count = 0;
    moved += this.#device.poll(completions);
    for (let i = 0; i < completions.count; i++) this.#settle(i);
    this.#fill(nowNs);
    const taken = this.#device.submit(this.#requests, this.#from);
    this.#from += taken;
    this.submitted += taken;
    return moved + taken;
  }

  [Symbol.dispose](): void {
    this.#device[Symbol.dispose]();
  }

  /** When request `i` is to go; rounded up to a whole ns. */
  #dueNs(i: number): number {
    if (this.#speed === Infinity) return this.#startNs;
    return this.#startNs + Math.ceil(this.#trace.timeNs[i] / this.#speed);
  }

  #fill(nowNs: number): void {
    const requests = this.#requests;
    if (this.#from === requests.count) this.#from = requests.count = 0;
    const { count } = this.#trace;
    while (this.#freeCount > 0 && this.#filled < count && requests.count < requests.op.length) {
      const dueNs = this.#dueNs(this.#filled);
      if (dueNs > nowNs) return;
      if (this.#speed < Infinity) this.lagNs = Math.max(this.lagNs, nowNs - dueNs);
      this.#place(this.#filled++, requests.count++);
    }
  }

  #place(number: number, at: number): void {
    const slot = this.#free[--this.#freeCount];
    const { op, offsetBytes, bytes } = this.#trace;
    const { blockBytes, blockCount } = this.#device;
    const first = Math.floor(offsetBytes[number] / blockBytes);
    const blocks = Math.ceil((offsetBytes[number] + bytes[number]) / blockBytes) - first;
    const requests = this.#requests;
    this.#number[slot] = number;
    requests.op[at] = op[number];
    requests.offsetBytes[at] = (first % (blockCount - blocks + 1)) * blockBytes;
    requests.bytes[at] = blocks * blockBytes;
    requests.buffer[at] = slot * this.#placeBytes;
    requests.user[at] = slot;
  }

  #settle(i: number): void {
    const { user, result, latencyNs } = this.#completions;
    const slot = user[i];
    this.#free[this.#freeCount++] = slot;
    this.completed++;
    const op = this.#trace.op[this.#number[slot]];
    const { read, write, other } = this.statistics;
    const counters = op === IO_OP.READ ? read : op === IO_OP.WRITE ? write : other;
    if (result[i] < 0) {
      if (result[i] === -ERRNO.ECANCELED) counters.cancelled++;
      else counters.failed++;
      return;
    }
    counters.latency.record(latencyNs[i]);
    counters.bytes += result[i];
  }
}
