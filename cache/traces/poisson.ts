/**
 * Times at which requests arrive.
 *
 * @module
 */

import { log } from "../../base/math.ts";
import { createRandom } from "../../base/random.ts";
import { checkAtLeast, checkRange } from "./_ranges.ts";

/** Options of {@linkcode createPoisson}. */
export interface PoissonOptions {
  /** Mean arrivals a second, above 0. */
  readonly ratePerSecond: number;
  /** Any safe integer. */
  readonly seed: number;
  /** Arrivals come after this time, 0 by default. */
  readonly startNs?: number;
}

/** An endless stream of times, the same for the same options on every engine. */
export interface ArrivalSource {
  /**
   * Writes the next arrivals to `timesNs[start, end)`, all of it by default: ascending, in
   * nanoseconds with their fraction.
   *
   * @throws {RangeError} when the range does not lie within `timesNs`.
   */
  fill(timesNs: Float64Array, start?: number, end?: number): void;
}

/**
 * Arrivals of users who know nothing of each other: a Poisson process, whose gaps are exponential.
 * About 55 ns an arrival.
 *
 * @throws {RangeError} when the rate or `startNs` is out of range.
 *
 * @example
 * ```ts
 * import { createPoisson } from "@rowtier/rowtier/cache";
 *
 * const timesNs = new Float64Array(1000);
 * createPoisson({ ratePerSecond: 1000, seed: 1 }).fill(timesNs);
 * if (Math.abs(timesNs[999] / 1e9 - 1) > 0.2) throw new Error("unreachable");
 * ```
 */
export function createPoisson(options: PoissonOptions): ArrivalSource {
  const { ratePerSecond, seed, startNs = 0 } = options;
  const what = "Cannot create Poisson";
  if (!(ratePerSecond > 0 && ratePerSecond < Infinity)) {
    throw new RangeError(
      `${what}: ratePerSecond must be a finite number above 0: received ${ratePerSecond}`,
    );
  }
  const random = createRandom(seed);
  const meanNs = 1e9 / ratePerSecond;
  let timeNs = checkAtLeast(what, "startNs", startNs, 0);
  const fill = (timesNs: Float64Array, start = 0, end = timesNs.length): void => {
    checkRange(start, end, timesNs.length);
    // A local: a double that a closure writes may be boxed at each write.
    let at = timeNs;
    for (let i = start; i < end; i++) {
      // 1 - unit is never 0, whose logarithm is not finite.
      at -= log(1 - random.unit()) * meanNs;
      timesNs[i] = at;
    }
    timeNs = at;
  };
  return { fill };
}
