/**
 * A device that counts what passes through it.
 *
 * @module
 */

import { ERRNO } from "../../base/errors.ts";
import type { Clock } from "../clock.ts";
import type { BlockDevice } from "../device.ts";
import { Frame } from "../frame.ts";
import type { Rules } from "../frame.ts";
import { IO_OP } from "../io.ts";
import { LatencyHistogram } from "./latency_histogram.ts";
import type { LatencyHistogramOptions } from "./latency_histogram.ts";

/** The counters of one kind of operation. */
export interface OperationStatistics {
  /** Of those that succeeded, short ones included; what failed has no place in a latency. */
  readonly latency: LatencyHistogram;
  /** Bytes moved. */
  bytes: number;
  /** Those that moved fewer bytes than asked for. */
  short: number;
  /** Those that failed, cancelled ones left out. */
  failed: number;
  /** Those that were cancelled. */
  cancelled: number;
}

/**
 * What a statistics device counts, by operation. Make one a worker and merge them.
 *
 * @example
 * ```ts
 * import { DeviceStatistics } from "@rowtier/rowtier/tiers";
 *
 * const here = new DeviceStatistics(), there = new DeviceStatistics();
 * there.read.latency.record(8_900);
 * here.merge(there);
 * if (here.read.latency.count !== 1) throw new Error("unreachable");
 * ```
 */
export class DeviceStatistics {
  /** Of reads. */
  readonly read: OperationStatistics;
  /** Of writes. */
  readonly write: OperationStatistics;
  /** Of flushes, discards and whatever else. */
  readonly other: OperationStatistics;

  /**
   * Empty counters.
   *
   * @throws {RangeError} for a wrong `precisionBits`.
   */
  constructor(options: LatencyHistogramOptions = {}) {
    this.read = createCounters(options);
    this.write = createCounters(options);
    this.other = createCounters(options);
  }

  /**
   * Adds what `other` has counted.
   *
   * @throws {RangeError} when the precision of its histograms is another.
   */
  merge(other: DeviceStatistics): void {
    mergeCounters(this.read, other.read);
    mergeCounters(this.write, other.write);
    mergeCounters(this.other, other.other);
  }
}

/** What {@linkcode createStatisticsDevice} takes. */
export interface StatisticsDeviceOptions {
  /** The device to count at; the wrapper owns it and disposes of it. */
  readonly device: BlockDevice;
  /** Where it counts; several devices of one thread may share it. */
  readonly statistics: DeviceStatistics;
  /** The device's clock. */
  readonly clock: Clock;
}

/**
 * Wraps `device` so that each completion is counted in `statistics`. Changes nothing of what
 * passes.
 *
 * @example
 * ```ts
 * import { createCompletions, createMemoryDevice, createRequests } from "@rowtier/rowtier/tiers";
 * import { createStatisticsDevice, DeviceStatistics } from "@rowtier/rowtier/tiers";
 * import { memoryMedia, VirtualClock } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * const statistics = new DeviceStatistics();
 * const inner = createMemoryDevice({ media: memoryMedia(4096), clock });
 * using device = createStatisticsDevice({ device: inner, statistics, clock });
 * device.attach(new Uint8Array(512));
 * const requests = createRequests(1);
 * requests.bytes[0] = 512;
 * requests.count = 1;
 * device.submit(requests, 0);
 * device.poll(createCompletions(1));
 * if (statistics.read.bytes !== 512) throw new Error("unreachable");
 * ```
 */
export function createStatisticsDevice(options: StatisticsDeviceOptions): BlockDevice {
  const { device, statistics, clock } = options;
  return new Frame(device.name, device, clock, new StatisticsRules(statistics));
}

class StatisticsRules implements Rules {
  readonly #statistics: DeviceStatistics;

  constructor(statistics: DeviceStatistics) {
    this.#statistics = statistics;
  }

  admit(frame: Frame, slot: number): void {
    frame.forward(slot);
  }

  arrive(frame: Frame, slot: number, result: number): void {
    const { op, bytes } = frame.held;
    const counters = this.#countersOf(op[slot]);
    if (result >= 0) {
      counters.latency.record(frame.timeNs[slot] - frame.submitNs[slot]);
      counters.bytes += result;
      if (result < bytes[slot] && counters !== this.#statistics.other) counters.short++;
    } else if (result === -ERRNO.ECANCELED) counters.cancelled++;
    else counters.failed++;
    frame.finish(slot, result);
  }

  #countersOf(op: number): OperationStatistics {
    if (op === IO_OP.READ) return this.#statistics.read;
    return op === IO_OP.WRITE ? this.#statistics.write : this.#statistics.other;
  }
}

function createCounters(options: LatencyHistogramOptions): OperationStatistics {
  return { latency: new LatencyHistogram(options), bytes: 0, short: 0, failed: 0, cancelled: 0 };
}

function mergeCounters(to: OperationStatistics, from: OperationStatistics): void {
  to.latency.merge(from.latency);
  to.bytes += from.bytes;
  to.short += from.short;
  to.failed += from.failed;
  to.cancelled += from.cancelled;
}
