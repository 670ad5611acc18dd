/**
 * Admission by chance.
 *
 * @module
 */

import { createRandom } from "../../base/random.ts";
import type { AdmissionPolicy } from "../admission.ts";

/** What {@linkcode probabilistic} is made from. */
export interface ProbabilisticOptions {
  /** The share of missed rows that enter, 0 to 1; 0.5 by default. */
  probability?: number;
  /** Any integer; 1 by default. */
  seed?: number;
}

/**
 * Admits each missed row with a fixed probability: a row looked up often gets its chance soon, one
 * that comes once mostly stays out. The smaller it is, the more an LRU cache behaves like one that
 * holds the most popular rows, and the more slowly it adapts.
 *
 * @throws {RangeError} when the probability is not in [0, 1], or the seed is no integer.
 *
 * @example
 * ```ts
 * import { lru, probabilistic, RowCache } from "@rowtier/rowtier/cache";
 *
 * const admission = (slotCount: number) => probabilistic(slotCount, { probability: 0.1 });
 * new RowCache({ partitions: [{ slotCount: 8, scratchCount: 8, eviction: lru, admission }] });
 * ```
 */
export function probabilistic(
  _slotCount: number,
  options: ProbabilisticOptions = {},
): AdmissionPolicy {
  const { probability = 0.5, seed = 1 } = options;
  if (!(probability >= 0 && probability <= 1)) {
    throw new RangeError(
      `Cannot create probabilistic: probability must be from 0 to 1: received ${probability}`,
    );
  }
  const random = createRandom(seed);
  const limit = probability * 2 ** 32;
  return {
    name: "probabilistic",
    onAccess: () => {},
    admit: () => random.u32() < limit,
    prefers: () => true,
  };
}
