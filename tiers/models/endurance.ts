/**
 * How long a NAND drive lasts, from rates: lifetimes are years, and virtual time ends after 104
 * days.
 *
 * @module
 */

import { exp, log } from "../../base/math.ts";

/** What {@linkcode estimateEndurance} takes. */
export interface EnduranceOptions {
  /** Bytes that the host sees. */
  readonly capacityBytes: number;
  /** Share of flash beyond these, from 0 on: 0.07 for 7 %. */
  readonly spareShare: number;
  /** Program and erase cycles that a block is rated for. */
  readonly ratedErases: number;
  /** Pages programmed for each that the host writes, from 1 on. */
  readonly writeAmplification: number;
  /** What the host writes, in bytes a second. */
  readonly writeBytesPerSecond: number;
  /** Years that drive writes a day are spread over; 5 when left out, the usual warranty. */
  readonly warrantyYears?: number;
}

/** What a drive can take. */
export interface Endurance {
  /** Bytes that the host may write until all blocks have had their rated cycles. */
  readonly totalWriteBytes: number;
  /** Whole drive writes a day (DWPD) that this is, over the warranty. */
  readonly driveWritesPerDay: number;
  /** Years that it lasts at the given rate; Infinity for none. */
  readonly years: number;
}

const DAYS_PER_YEAR = 365;
const SECONDS_PER_DAY = 86_400;

/**
 * What a drive can take, if wear is level: flash * cycles / write amplification.
 *
 * @throws {RangeError} for a number out of its range.
 *
 * @example
 * ```ts
 * import { estimateEndurance } from "@rowtier/rowtier/tiers";
 *
 * const { driveWritesPerDay } = estimateEndurance({
 *   capacityBytes: 8e12,
 *   spareShare: 0.07,
 *   ratedErases: 3000,
 *   writeAmplification: 1.76,
 *   writeBytesPerSecond: 50e6,
 * });
 * if (Math.abs(driveWritesPerDay - 1) > 0.01) throw new Error("unreachable");
 * ```
 */
export function estimateEndurance(options: EnduranceOptions): Endurance {
  const { capacityBytes, spareShare, ratedErases, writeAmplification } = options;
  const { writeBytesPerSecond, warrantyYears = 5 } = options;
  checkAtLeast("capacityBytes", capacityBytes, 1);
  checkAtLeast("spareShare", spareShare, 0);
  checkAtLeast("ratedErases", ratedErases, 1);
  checkAtLeast("writeAmplification", writeAmplification, 1);
  checkAtLeast("writeBytesPerSecond", writeBytesPerSecond, 0);
  checkAtLeast("warrantyYears", warrantyYears, 1e-3);
  const totalWriteBytes = capacityBytes * (1 + spareShare) * ratedErases / writeAmplification;
  const totalDays = warrantyYears * DAYS_PER_YEAR;
  return {
    totalWriteBytes,
    driveWritesPerDay: totalWriteBytes / capacityBytes / totalDays,
    years: totalWriteBytes / writeBytesPerSecond / SECONDS_PER_DAY / DAYS_PER_YEAR,
  };
}

function checkAtLeast(name: string, value: number, minimum: number): void {
  if (value >= minimum && value < Infinity) return;
  throw new RangeError(
    `Cannot estimate endurance: ${name} must be finite and at least ${minimum}: received ${value}`,
  );
}

/**
 * Write amplification in the steady state of uniform random writes: a / (a + W0(-a * exp(-a))), a =
 * 1 + `spareShare`, W0 Lambert's function (Desnoyers, SYSTOR '12, for blocks collected in order).
 * Greedy collection comes to the same as blocks grow, up to 2 % lower with 256 pages.
 *
 * @throws {RangeError} for a share outside of 0.001 to 100.
 *
 * @example
 * ```ts
 * import { steadyWriteAmplification } from "@rowtier/rowtier/tiers";
 *
 * const all = [7, 15, 28].map((percent) => steadyWriteAmplification(percent / 100).toFixed(2));
 * if (all.join() !== "7.82,4.02,2.48") throw new Error(all.join());
 * ```
 */
export function steadyWriteAmplification(spareShare: number): number {
  if (!(spareShare >= 0.001 && spareShare <= 100)) {
    throw new RangeError(
      `Cannot compute write amplification: spareShare must be from 0.001 to 100: ` +
        `received ${spareShare}`,
    );
  }
  const a = 1 + spareShare;
  // x = -W0: the root below 1 of log x - x = log a - a, whose other root is a itself. The left side
  // is concave and rising, so that Newton's steps from below the root never pass it.
  const target = log(a) - a;
  let x = exp(target);
  for (let step = 0; step < 100; step++) {
    const next = x - (log(x) - x - target) / (1 / x - 1);
    if (!(next > x)) break;
    x = next;
  }
  return a / (a - x);
}
