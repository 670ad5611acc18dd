/**
 * SIEVE (Zhang, Yang, Yue, Vigfusson, Rashmi: "SIEVE is Simpler than LRU", NSDI 2024).
 *
 * @module
 */

import { createLinks, linkNewest, listSlots, unlink, verifyList } from "./_slot_list.ts";
import { type EvictionPolicy, NO_SLOT, type Slots } from "../eviction.ts";

/**
 * The policy that keeps rows in order of arrival and lets a hand sift them from old to new: what
 * was used since the hand last came by is spared once, the first that was not leaves. A hit writes
 * one byte, where LRU writes six words. 9 bytes a slot.
 *
 * The hand passes over rows that live batches hold without taking their mark.
 *
 * @example
 * ```ts
 * import { RowCache, sieve } from "@rowtier/rowtier/cache";
 *
 * const cache = new RowCache({ partitions: [{ slotCount: 8, scratchCount: 2, eviction: sieve }] });
 * if (cache.contents(0).length !== 0) throw new Error("unreachable");
 * ```
 */
export function sieve(slots: Slots): EvictionPolicy {
  return new Sieve(slots);
}

class Sieve implements EvictionPolicy {
  readonly name = "sieve";
  readonly #slots: Slots;
  readonly #links: Int32Array;
  readonly #visited: Uint8Array;
  readonly #sentinel: number;
  /**
   * Where the search goes on; the sentinel when at no row: its newer neighbour is the oldest row.
   */
  #hand: number;
  #size = 0;

  constructor(slots: Slots) {
    this.#slots = slots;
    this.#links = createLinks(slots.count);
    this.#visited = new Uint8Array(slots.count);
    this.#sentinel = this.#hand = slots.count;
  }

  get bytes(): number {
    return this.#links.byteLength + this.#visited.byteLength;
  }

  onMiss(_key: number): void {}

  onInsert(slot: number): void {
    this.#visited[slot] = 0;
    linkNewest(this.#links, slot);
    this.#size++;
  }

  onHit(slot: number): number {
    this.#visited[slot] = 1;
    return NO_SLOT;
  }

  onRemove(slot: number): void {
    // Whatever takes the hand's own row away moves the hand on; past the newest it is at no row.
    if (this.#hand === slot) this.#hand = this.#links[2 * slot];
    unlink(this.#links, slot);
    this.#size--;
  }

  victim(_key: number): number {
    const links = this.#links;
    const sentinel = this.#sentinel;
    let at = this.#hand;
    // One round takes the marks, so the second finds an unmarked row if there is an evictable one
    // at all.
    for (let steps = 2 * this.#size; steps > 0; steps--) {
      if (at === sentinel) at = links[2 * sentinel];
      if (this.#slots.evictable(at)) {
        if (this.#visited[at] === 0) {
          this.#hand = at;
          return at;
        }
        this.#visited[at] = 0;
      }
      at = links[2 * at];
    }
    return NO_SLOT;
  }

  contents(): Uint32Array {
    return listSlots(this.#links, this.#size);
  }

  verify(): void {
    verifyList(this.name, this.#links, this.#size);
    if (this.#hand !== this.#sentinel && !this.contents().includes(this.#hand)) {
      throw new Error(`Broken invariant: sieve: hand ${this.#hand} must be at a held slot`);
    }
  }
}
