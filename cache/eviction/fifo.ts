/**
 * First in, first out.
 *
 * @module
 */

import { Ring } from "./_ring.ts";
import type { EvictionPolicy, Slots } from "../eviction.ts";

/**
 * The policy that evicts the row that came first, used or not: what every other one should beat. A
 * hit does nothing. 1 byte a slot, no list: the slots are its queue.
 *
 * A row put where a deleted one was leaves when its neighbours do, and one that a live batch held
 * when its turn came waits for the next.
 *
 * @example
 * ```ts
 * import { fifo, RowCache } from "@rowtier/rowtier/cache";
 *
 * const cache = new RowCache({ partitions: [{ slotCount: 8, scratchCount: 2, eviction: fifo }] });
 * if (cache.contents(0).length !== 0) throw new Error("unreachable");
 * ```
 */
export function fifo(slots: Slots): EvictionPolicy {
  return new Ring("fifo", slots, 0);
}
