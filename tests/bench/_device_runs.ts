/**
 * Loads on simulated drives: how the drive does in virtual time, and how fast the simulation runs.
 *
 * @module
 */

import { createRandom } from "../../base/random.ts";
import { VirtualClock } from "../../tiers/clock.ts";
import { createCompletions, createRequests, IO_OP } from "../../tiers/io.ts";
import type { IoCompletions, IoRequests } from "../../tiers/io.ts";
import type { Media } from "../../tiers/media.ts";
import type { DeviceProfile } from "../../tiers/profile.ts";
import { createSimulatedDevice } from "../../tiers/simulated_device.ts";
import type { SimulatedDevice } from "../../tiers/simulated_device.ts";
import type { DeviceLoad, Metric } from "./_device_points.ts";

/** Media that hold nothing: what is measured is time. */
export function nowhere(bytes: number): Media {
  return { bytes, read: (_o, _m, _a, count) => count, write: (_o, _m, _a, count) => count };
}

/** A drive under a load, before its first operation. */
export interface LoadedDevice {
  /** The drive. */
  readonly device: SimulatedDevice;
  /** Its time. */
  readonly clock: VirtualClock;
  /** Does `count` more operations; latencies go to `latencyNs` where there is one. */
  run(count: number, latencyNs?: Float64Array): void;
}

/** Puts a drive of `bytes` under a load. */
export function loadDevice(
  profile: DeviceProfile,
  load: DeviceLoad,
  bytes: number,
  seed: number,
): LoadedDevice {
  const { depth } = load;
  const clock = new VirtualClock();
  const device = createSimulatedDevice({ profile, media: nowhere(bytes), clock, seed, depth });
  device.attach(new Uint8Array(load.bytes));
  const requests = createRequests(depth), completions = createCompletions(depth);
  requests.bytes.fill(load.bytes);
  requests.op.fill(load.op === "write" ? IO_OP.WRITE : IO_OP.READ);
  const next = createOffsets(load, bytes, seed);
  completions.count = depth;
  return {
    device,
    clock,
    run(count: number, latencyNs?: Float64Array): void {
      for (let done = 0; done < count;) {
        refill(device, requests, completions, next);
        clock.advanceTo(device.wakeNs);
        device.step(clock.now());
        device.poll(completions);
        for (let i = 0; i < completions.count && done < count; i++, done++) {
          if (latencyNs !== undefined) latencyNs[done] = completions.latencyNs[i];
        }
      }
    },
  };
}

function refill(
  device: SimulatedDevice,
  requests: IoRequests,
  completions: IoCompletions,
  next: () => number,
): void {
  requests.count = completions.count;
  for (let i = 0; i < requests.count; i++) requests.offsetBytes[i] = next();
  device.submit(requests, 0);
  completions.count = 0;
}

function createOffsets(load: DeviceLoad, bytes: number, seed: number): () => number {
  // The generator draws 32 bits: on 16 TB of 4 KB blocks that is all of them.
  const places = Math.min(2 ** 32, Math.floor(bytes / load.bytes));
  const random = createRandom(seed + 1_000);
  if (load.order === "random") return () => random.below(places) * load.bytes;
  let at = 0;
  return () => {
    const offset = at * load.bytes;
    at = at + 1 === places ? 0 : at + 1;
    return offset;
  };
}

/**
 * A drive of the same shape in a thousandth of the size: the random writes that bring it to its
 * steady state would else take hours. Its blocks are smaller, as collection needs a thousand or
 * more to choose from, and are erased faster by as much.
 */
function shrink(profile: DeviceProfile): { profile: DeviceProfile; bytes: number } {
  const bytes = 2 ** 32, pagesPerBlock = 8;
  if (profile.kind !== "nand") return { profile, bytes };
  const eraseNs = profile.eraseNs * pagesPerBlock / (profile.pagesPerBlock ?? 256);
  return { profile: { ...profile, capacityBytes: bytes, pagesPerBlock, eraseNs }, bytes };
}

/** Values of all metrics of one load, of `count` operations. */
export function measureLoad(
  given: DeviceProfile,
  load: DeviceLoad,
  seed: number,
  count: number,
): Readonly<Record<Metric, number>> {
  const { profile, bytes } = load.fresh ? { profile: given, bytes: 2 ** 37 } : shrink(given);
  const loaded = loadDevice(profile, load, bytes, seed);
  loaded.run(load.fresh ? 20 * load.depth : 3 * bytes / load.bytes);
  const latencyNs = new Float64Array(count);
  const beganNs = loaded.clock.now();
  loaded.run(count, latencyNs);
  const seconds = (loaded.clock.now() - beganNs) / 1e9;
  let sumNs = 0;
  for (let i = 0; i < count; i++) sumNs += latencyNs[i];
  latencyNs.sort();
  const quantileUs = (share: number): number => latencyNs[Math.floor(share * count)] / 1000;
  return {
    "mean": sumNs / count / 1000,
    "median": quantileUs(0.5),
    "p99": quantileUs(0.99),
    "p99.99/mean": quantileUs(0.9999) * 1000 * count / sumNs,
    "p99.999": quantileUs(0.99999),
    "IOPS": count / seconds,
    "MB/s": count * load.bytes / seconds / 1e6,
  };
}
