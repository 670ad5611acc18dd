/**
 * What the simulated device asks a timing model, and the distribution that both models draw from.
 *
 * @module
 */

import { log } from "../base/math.ts";
import type { Random } from "../base/random.ts";

/** When things are done: the state of a drive's servers, in virtual time. */
export interface Timing {
  /**
   * Takes one well-formed request at `nowNs` and returns when it completes, in whole ns; requests
   * come in the order of time.
   */
  dueNs(op: number, offsetBytes: number, bytes: number, nowNs: number): number;
}

/**
 * Draws from an exponential distribution of mean `meanNs`; one number of `random`, or none for 0.
 */
export function drawExponentialNs(random: Random, meanNs: number): number {
  // 1 - unit() is in (0, 1], where the logarithm is finite.
  return meanNs === 0 ? 0 : -meanNs * log(1 - random.unit());
}
