/**
 * Least recently used.
 *
 * @module
 */

import { createLinks, linkNewest, listSlots, unlink, verifyList } from "./_slot_list.ts";
import { type EvictionPolicy, NO_SLOT, type Slots } from "../eviction.ts";

/**
 * The policy that evicts the row whose last use is longest ago. 8 bytes a slot.
 *
 * `victim` walks past the rows that live batches hold. These are the young ones as long as batches
 * are retired roughly in the order they began; a batch that outlives many later ones makes each
 * eviction walk over its rows.
 *
 * @example
 * ```ts
 * import { lru, RowCache } from "@rowtier/rowtier/cache";
 *
 * const cache = new RowCache({ partitions: [{ slotCount: 8, scratchCount: 2, eviction: lru }] });
 * if (cache.contents(0).length !== 0) throw new Error("unreachable");
 * ```
 */
export function lru(slots: Slots): EvictionPolicy {
  return new Lru(slots);
}

class Lru implements EvictionPolicy {
  readonly name = "lru";
  readonly #slots: Slots;
  readonly #links: Int32Array;
  readonly #sentinel: number;
  #size = 0;

  constructor(slots: Slots) {
    this.#slots = slots;
    this.#links = createLinks(slots.count);
    this.#sentinel = slots.count;
  }

  get bytes(): number {
    return this.#links.byteLength;
  }

  onMiss(_key: number): void {}

  onInsert(slot: number): void {
    linkNewest(this.#links, slot);
    this.#size++;
  }

  onHit(slot: number): number {
    const links = this.#links;
    const sentinel = this.#sentinel;
    const newer = links[2 * slot];
    // The newest stays where it is; hot rows come often, and writes cost more than this branch.
    if (newer === sentinel) return NO_SLOT;
    const older = links[2 * slot + 1];
    links[2 * newer + 1] = older;
    links[2 * older] = newer;
    const newest = links[2 * sentinel + 1];
    links[2 * slot] = sentinel;
    links[2 * slot + 1] = newest;
    links[2 * newest] = slot;
    links[2 * sentinel + 1] = slot;
    return NO_SLOT;
  }

  onRemove(slot: number): void {
    unlink(this.#links, slot);
    this.#size--;
  }

  victim(_key: number): number {
    const links = this.#links;
    const sentinel = this.#sentinel;
    let at = links[2 * sentinel];
    while (at !== sentinel && !this.#slots.evictable(at)) at = links[2 * at];
    return at === sentinel ? NO_SLOT : at;
  }

  contents(): Uint32Array {
    return listSlots(this.#links, this.#size);
  }

  verify(): void {
    verifyList(this.name, this.#links, this.#size);
  }
}
