/**
 * CPU time in virtual time. A simulated drive takes virtual ns but the code around it takes none,
 * so a simulated run would be flattered; measured costs per unit of work put it right.
 *
 * @module
 */

import type { VirtualClock } from "../tiers/mod.ts";

/** The stages of the pipeline that cost CPU time; the unit each is counted in. */
export const COST: {
  /** A key looked up in the cache. */
  readonly LOOKUP: 0;
  /** A row read: submitted, completed, verified and copied to its slot. */
  readonly READ: 1;
  /** A row pooled. */
  readonly POOL: 2;
} = { LOOKUP: 0, READ: 1, POOL: 2 };

/** Takes CPU time as it is spent. */
export interface Costs {
  /** `count` units of `stage`, one of {@linkcode COST}, were worked off. */
  charge(stage: number, count: number): void;
}

/** Measured ns of each stage. */
export interface StageCosts {
  /** ns a key looked up. */
  readonly lookupNs: number;
  /** ns of CPU a row read. */
  readonly readNs: number;
  /** ns a row pooled. */
  readonly poolNs: number;
}

/**
 * Charges measured costs to a virtual clock.
 *
 * @throws {RangeError} when a cost is negative or not finite.
 *
 * @example
 * ```ts
 * import { COST, createCosts } from "@rowtier/rowtier/pipeline";
 * import { VirtualClock } from "@rowtier/rowtier/tiers";
 *
 * const clock = new VirtualClock();
 * const costs = createCosts(clock, { lookupNs: 40, readNs: 2_900, poolNs: 330 });
 * costs.charge(COST.LOOKUP, 1_000);
 * if (clock.now() !== 40_000) throw new Error("unreachable");
 * ```
 */
export function createCosts(clock: VirtualClock, costs: StageCosts): Costs {
  const nsByStage = Float64Array.of(costs.lookupNs, costs.readNs, costs.poolNs);
  for (const ns of nsByStage) {
    if (!(ns >= 0 && ns < Infinity)) {
      throw new RangeError(`Cannot create Costs: every cost must be finite ns: received ${ns}`);
    }
  }
  return { charge: (stage, count) => clock.advanceTo(clock.now() + nsByStage[stage] * count) };
}
