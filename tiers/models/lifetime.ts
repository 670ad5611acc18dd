/**
 * How long a drive lasts at a rate of writes. Virtual time ends after 104 days, so that lifetimes
 * are computed and not simulated.
 *
 * @module
 */

import type { EnduranceProfile } from "../profile.ts";

const SECONDS_PER_DAY = 86_400;

/**
 * Years that a drive lasts when it is written at `writeBytesPerSecond` all the time: its drive
 * writes a day over its years, spread over more or fewer of them. Infinity for 0.
 *
 * The SDM paper's bound on updates (arXiv 2110.11489), interval = 1440 min * model bytes / (DWPD *
 * capacity), is the rate at which this gives just `years`.
 *
 * @throws {RangeError} for a rate that is negative or not finite.
 *
 * @example
 * ```ts
 * import { lifetimeYears } from "@rowtier/rowtier/tiers";
 *
 * // 143 GB on 2 TB of five drive writes a day: every 20.6 minutes is as often as it may be.
 * const endurance = { capacityBytes: 2e12, driveWritesPerDay: 5, years: 5 };
 * const years = lifetimeYears(endurance, 143e9 / (20.6 * 60));
 * if (Math.abs(years - 5) > 0.01) throw new Error("unreachable");
 * ```
 */
export function lifetimeYears(endurance: EnduranceProfile, writeBytesPerSecond: number): number {
  if (!(writeBytesPerSecond >= 0 && writeBytesPerSecond < Infinity)) {
    throw new RangeError(
      `Cannot compute lifetime: writeBytesPerSecond must be finite and at least 0: ` +
        `received ${writeBytesPerSecond}`,
    );
  }
  const { capacityBytes, driveWritesPerDay, years } = endurance;
  return years * driveWritesPerDay * capacityBytes / SECONDS_PER_DAY / writeBytesPerSecond;
}
