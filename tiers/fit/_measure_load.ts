/**
 * A device under a load in its own time, and the latencies that come of it.
 *
 * @module
 */

import { DeviceError } from "../../base/errors.ts";
import type { Clock } from "../clock.ts";
import type { BlockDevice } from "../device.ts";
import { createCompletions, createRequests, IO_OP } from "../io.ts";
import type { IoCompletions, IoRequests } from "../io.ts";
import { SECTOR_BYTES } from "../limits.ts";
import { LoadPattern } from "./_closed_loop.ts";
import type { LoadSample } from "./_closed_loop.ts";
import type { DeviceLoad } from "./device_point.ts";

/** What a measured load runs on. */
export interface Bench {
  /** The device, with memory attached for the deepest and largest load. */
  readonly device: BlockDevice;
  readonly clock: Clock;
  /** Lets something complete: waits, or moves the clock and steps. */
  advance(): void;
  /** Bytes of the device that are used, from its first on. */
  readonly spanBytes: number;
  /** For error messages. */
  readonly what: string;
}

/** Latencies that one load keeps at most: 8 MB for reads and as much for writes. */
const MAX_OPERATIONS = 2 ** 20;

/** Requests in flight while a file is read through. */
export const READ_THROUGH_DEPTH = 8;

/** Memory that this takes, in bytes. */
export const READ_THROUGH_BYTES: number = READ_THROUGH_DEPTH * 2 ** 18;

/** Columns of one load at a time. */
class LoadRun {
  readonly #bench: Bench;
  readonly #load: DeviceLoad;
  readonly #pattern: LoadPattern;
  readonly #requests: IoRequests;
  readonly #completions: IoCompletions;

  constructor(bench: Bench, load: DeviceLoad, seed: number) {
    this.#bench = bench;
    this.#load = load;
    this.#pattern = new LoadPattern(load, bench.spanBytes, seed);
    this.#requests = createRequests(load.depth);
    this.#completions = createCompletions(load.depth);
    this.#requests.bytes.fill(load.bytes);
  }

  get completions(): IoCompletions {
    return this.#completions;
  }

  /** Submits the first `depth` requests. */
  begin(): void {
    const { depth } = this.#load;
    for (let slot = 0; slot < depth; slot++) this.#completions.user[slot] = 2 * slot;
    this.again(depth);
  }

  /** Submits a request for each of the last turn's `count` completions, to its place in memory. */
  again(count: number): void {
    const { op, offsetBytes, buffer, user } = this.#requests;
    const { bytes } = this.#load;
    for (let i = 0; i < count; i++) {
      const slot = Math.floor(this.#completions.user[i] / 2);
      op[i] = this.#pattern.op();
      offsetBytes[i] = this.#pattern.place() * bytes;
      buffer[i] = slot * bytes;
      user[i] = 2 * slot + op[i];
    }
    this.#requests.count = count;
    for (let from = 0; from < count;) from += this.#bench.device.submit(this.#requests, from);
  }

  /** Waits and polls; how many completed. */
  turn(): number {
    const { device, what } = this.#bench;
    const completions = this.#completions;
    this.#bench.advance();
    completions.count = 0;
    const count = device.poll(completions);
    for (let i = 0; i < count; i++) {
      const result = completions.result[i];
      if (result === this.#load.bytes) continue;
      const verb = completions.user[i] % 2 === IO_OP.WRITE ? "writing" : "reading";
      if (result < 0) throw new DeviceError(`${what}: ${verb} failed`, -result);
      throw new RangeError(
        `${what}: ${verb} must move ${this.#load.bytes} bytes: received ${result}`,
      );
    }
    return count;
  }

  /** Lets what is in flight come home after a turn of `completed`, and counts none of it. */
  end(completed: number): void {
    for (let left = this.#load.depth - completed; left > 0;) left -= this.turn();
  }
}

/** Keeps `load.depth` requests in flight for `durationNs`; the first two depths are not counted. */
export function measureLoad(
  bench: Bench,
  load: DeviceLoad,
  durationNs: number,
  seed: number,
): LoadSample {
  const { clock } = bench;
  const run = new LoadRun(bench, load, seed);
  const { completions } = run;
  const latencyNs = [new Float64Array(MAX_OPERATIONS), new Float64Array(MAX_OPERATIONS)];
  const counts = [0, 0];
  run.begin();
  let last = 0;
  for (let warm = 2 * load.depth; warm > 0; warm -= last) {
    last = run.turn();
    run.again(last);
  }
  const startNs = clock.now();
  let endNs = startNs;
  do {
    last = run.turn();
    endNs = clock.now();
    for (let i = 0; i < last; i++) {
      const op = completions.user[i] % 2;
      if (counts[op] < MAX_OPERATIONS) latencyNs[op][counts[op]++] = completions.latencyNs[i];
    }
    if (endNs - startNs >= durationNs || Math.max(...counts) >= MAX_OPERATIONS) break;
    run.again(last);
  } while (true);
  run.end(last);
  const [read, write] = counts.map((count, op) => ({
    sortedNs: latencyNs[op].slice(0, count).sort(),
    spanNs: endNs - startNs,
  }));
  return { read, write };
}

/** Reads the whole span from front to back, `times` times. */
export function readThrough(bench: Bench, times: number): void {
  const { spanBytes } = bench;
  const whole = Math.floor(spanBytes / SECTOR_BYTES) * SECTOR_BYTES;
  const bytes = Math.min(READ_THROUGH_BYTES / READ_THROUGH_DEPTH, whole);
  const load = { bytes, depth: READ_THROUGH_DEPTH, writeShare: 0, sequential: true };
  const run = new LoadRun(bench, load, 0);
  run.begin();
  let last = 0;
  for (let left = times * Math.ceil(spanBytes / bytes); left > 0; left -= last) {
    if (last > 0) run.again(last);
    last = run.turn();
  }
  run.end(last);
}
