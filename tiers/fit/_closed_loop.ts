/**
 * A simulated drive under a load, and the figures that come of it.
 *
 * @module
 */

import { createRandom } from "../../base/random.ts";
import { VirtualClock } from "../clock.ts";
import { drive } from "../drive.ts";
import { createCompletions, createRequests, IO_OP } from "../io.ts";
import type { Media } from "../media.ts";
import type { DeviceProfile } from "../profile.ts";
import { createSimulatedDevice } from "../simulated_device.ts";
import type { DeviceFigures, DeviceLoad, FigureName } from "./device_point.ts";
import { FIGURE_SHARES } from "./device_point.ts";

/** Media that hold nothing: what is asked for is time. 64 GiB, so that reads rarely meet. */
const NOWHERE: Media = {
  bytes: 2 ** 36,
  read: (_offset, _memory, _at, bytes) => bytes,
  write: (_offset, _memory, _at, bytes) => bytes,
};

/** Latencies of the operations of one kind, sorted, and the time they were done in. */
export interface Sample {
  /** Latencies in ns, ascending. */
  readonly sortedNs: Float64Array;
  /** From the first to the last of all operations, in ns. */
  readonly spanNs: number;
}

/** What a load came to. */
export interface LoadSample {
  readonly read: Sample;
  readonly write: Sample;
}

/** The operations a figure needs: fewer than three beyond a percentile say nothing of it. */
export function isKnown(sample: Sample, name: FigureName): boolean {
  const share = FIGURE_SHARES[name];
  return sample.sortedNs.length * (1 - (Number.isNaN(share) ? 0 : share)) >= 3;
}

/** One figure of a sample that is not empty. */
export function figureOf({ sortedNs, spanNs }: Sample, name: FigureName): number {
  const count = sortedNs.length;
  if (name === "iops") return count / spanNs * 1e9;
  if (name === "meanNs") return sortedNs.reduce((sum, ns) => sum + ns, 0) / count;
  return sortedNs[Math.min(count - 1, Math.floor(FIGURE_SHARES[name] * count))];
}

/** All figures that a sample is large enough for. */
export function figuresOf(sample: Sample): DeviceFigures {
  const names = (Object.keys(FIGURE_SHARES) as FigureName[]).filter((name) =>
    isKnown(sample, name)
  );
  return Object.fromEntries(names.map((name) => [name, figureOf(sample, name)]));
}

/** Where the requests of a load go, and which of them write: the same for real and simulated. */
export class LoadPattern {
  readonly #random;
  readonly #places: number;
  readonly #load: DeviceLoad;
  #next = 0;

  constructor(load: DeviceLoad, spanBytes: number, seed: number) {
    this.#random = createRandom(seed);
    this.#places = Math.max(1, Math.floor(spanBytes / load.bytes));
    this.#load = load;
  }

  /** The place of the next request, in requests from the start. */
  place(): number {
    if (this.#load.sequential !== true) return this.#random.below(Math.min(this.#places, 2 ** 32));
    const place = this.#next;
    this.#next = (place + 1) % this.#places;
    return place;
  }

  /** One of IO_OP. */
  op(): number {
    const { writeShare } = this.#load;
    if (writeShare === 0) return IO_OP.READ;
    return this.#random.unit() < writeShare ? IO_OP.WRITE : IO_OP.READ;
  }
}

/**
 * Runs a load on a simulated drive: `operations` are counted, after two depths that are not, as the
 * first requests find it idle.
 */
export function simulateLoad(
  profile: DeviceProfile,
  load: DeviceLoad,
  operations: number,
  seed: number,
): LoadSample {
  const { bytes, depth } = load;
  const clock = new VirtualClock();
  using device = createSimulatedDevice({ profile, media: NOWHERE, clock, seed, depth });
  device.attach(new Uint8Array(bytes));
  const requests = createRequests(depth), completions = createCompletions(depth);
  requests.bytes.fill(bytes);
  const latencyNs = [new Float64Array(operations), new Float64Array(operations)];
  const counts = [0, 0];
  const pattern = new LoadPattern(load, NOWHERE.bytes, seed);
  let warm = 2 * depth, startNs = 0;
  const refill = (count: number): void => {
    for (let i = 0; i < count; i++) {
      requests.op[i] = requests.user[i] = pattern.op();
      requests.offsetBytes[i] = pattern.place() * bytes;
    }
    requests.count = count;
    device.submit(requests, 0);
  };
  refill(depth);
  drive(device, clock, () => {
    completions.count = 0;
    device.poll(completions);
    for (let i = 0; i < completions.count; i++) {
      if (warm > 0) {
        if (--warm === 0) startNs = clock.now();
        continue;
      }
      if (counts[0] + counts[1] === operations) return true;
      const op = completions.user[i];
      latencyNs[op][counts[op]++] = completions.latencyNs[i];
    }
    if (completions.count > 0) refill(completions.count);
    return counts[0] + counts[1] === operations;
  });
  const spanNs = clock.now() - startNs;
  const [read, write] = counts.map((count, op) => ({
    sortedNs: latencyNs[op].subarray(0, count).sort(),
    spanNs,
  }));
  return { read, write };
}
