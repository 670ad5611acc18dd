/**
 * What a queue may have outstanding, as its options say it.
 *
 * @module
 */

/**
 * What a queue may have outstanding; all parts can be left out. Limits on outstanding IO by table
 * and by device are how "Supporting Massive DLRM Inference Through Software Defined Memory"
 * (Ardestani et al., 2021) keeps NAND away from the load where its latency explodes.
 *
 * @example
 * ```ts
 * import { createIoQueue, createSimulatedDevice, memoryMedia } from "@rowtier/rowtier/tiers";
 * import { PROFILES, VirtualClock } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * const media = memoryMedia(2 ** 20);
 * const device = createSimulatedDevice({ profile: PROFILES.p3700, media, clock });
 * // At most 16 reads a table, and as many at the drive as keep its p99 below 300 us.
 * const limits = { tables: 8, table: 16, adaptive: { targetNs: 300_000 } };
 * using queue = createIoQueue({ devices: [device], depth: 256, clock, limits });
 * if (queue.limitOf(0) !== 1) throw new Error("unreachable"); // it starts low
 * ```
 */
export interface QueueLimits {
  /** Most requests at one device, 1 to 4,096; its depth when left out. */
  readonly device?: number;
  /** Most requests of one table at all devices together, 1 to 4,096; no limit when left out. */
  readonly table?: number;
  /**
   * Tables told apart, 1 to 4,096; 1 when left out. A request whose table is not below this
   * completes with -EINVAL.
   */
  readonly tables?: number;
  /**
   * What a table may send in its turn while others wait, in bytes, 1 to 2^30; 4,096 when left out.
   * Tables of one priority share a device by bytes; a request counts as 64 turns at most.
   */
  readonly quantumBytes?: number;
  /** Finds each device's limit by latency; a fixed one when left out. */
  readonly adaptive?: AdaptiveLimitOptions;
}

/** A limit that is lowered by a share while the device is too slow, and else raised by one. */
export interface AdaptiveLimitOptions {
  /** The latency at the device, in ns, that completions should not exceed: 1 to 2^50. */
  readonly targetNs: number;
  /** The share of completions that may, from 0 to 1; 0.01 when left out: the target is a p99. */
  readonly lateShare?: number;
  /** The limit is never below this, and starts there: 1 to the device's limit; 1 when left out. */
  readonly minimum?: number;
}
