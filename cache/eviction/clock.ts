/**
 * CLOCK (Corbato: "A Paging Experiment with the Multics System", 1968), with counts of several
 * bits.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { Ring } from "./_ring.ts";
import type { EvictionPolicy, Slots } from "../eviction.ts";

/** What {@linkcode clock} is made from. */
export interface ClockOptions {
  /**
   * Bits of a row's count, 1 to 7; 1 by default. A row is spared once for each use, at most
   * 2^bits - 1 times.
   */
  bits?: number;
}

/**
 * The policy that lets a hand go round: a row used since the hand last came by is spared and its
 * count goes down by one, the first that has none left leaves. About as good as LRU or better, for
 * one byte a slot: a hit writes at most that byte. The hand passes over rows that live batches hold
 * without touching their counts.
 *
 * New rows start without a use. A row put where a deleted one was is reached when its neighbours
 * are.
 *
 * @example
 * ```ts
 * import { clock, type EvictionPolicyFactory, RowCache } from "@rowtier/rowtier/cache";
 *
 * const eviction: EvictionPolicyFactory = (slots) => clock(slots, { bits: 2 });
 * const cache = new RowCache({ partitions: [{ slotCount: 8, scratchCount: 2, eviction }] });
 * if (cache.memoryBytes(0).policyBytes !== 8) throw new Error("unreachable");
 * ```
 *
 * @throws {RangeError} when `bits` is out of range.
 */
export function clock(slots: Slots, options: ClockOptions = {}): EvictionPolicy {
  const bits = checkInteger("Cannot create clock", "bits", options.bits ?? 1, 1, 7);
  return new Ring("clock", slots, 2 ** bits - 1);
}
