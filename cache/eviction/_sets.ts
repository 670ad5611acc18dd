/**
 * The sets of a set-associative policy.
 *
 * @module
 */

import { createQueues, listQueue, pushNewest, verifyQueue } from "./_queues.ts";
import { unlink } from "./_slot_list.ts";
import type { Slots } from "../eviction.ts";

/** The finaliser of MurmurHash3: every bit of `key` moves every bit of the result. */
function mix(key: number): number {
  key = Math.imul(key ^ (key >>> 16), 0x85ebca6b);
  key = Math.imul(key ^ (key >>> 13), 0xc2b2ae35);
  return (key ^ (key >>> 16)) >>> 0;
}

/**
 * The sets of a policy, each a list of slots, newest first. A set's rows may be in any slots: a
 * cache that fills gives out slots in the order of arrival.
 */
export class Sets {
  /** How many sets. */
  readonly count: number;
  /** The lists; that of set i is closed by sentinel `slots.count` + i. */
  readonly links: Int32Array;
  readonly #slots: Slots;
  /** By set: its rows. */
  readonly #sizes: Int32Array;
  /** Every set may have so many rows, and the first `#larger` ones one more. */
  readonly #ways: number;
  readonly #larger: number;

  constructor(slots: Slots, ways: number) {
    this.#slots = slots;
    this.count = Math.ceil(slots.count / ways);
    this.links = createQueues(slots.count, this.count);
    this.#sizes = new Int32Array(this.count);
    this.#ways = Math.floor(slots.count / this.count);
    this.#larger = slots.count % this.count;
  }

  /** Bytes of the lists and the sizes. */
  get bytes(): number {
    return this.links.byteLength + this.#sizes.byteLength;
  }

  /** The sentinel of the set that `key` belongs to. */
  sentinel(key: number): number {
    return this.#slots.count + mix(key) % this.count;
  }

  /** Whether the set that `key` belongs to has no room. */
  isFull(key: number): boolean {
    const set = this.sentinel(key) - this.#slots.count;
    return this.#sizes[set] >= this.#capacity(set);
  }

  /** Puts `slot` at the newest end of its key's set. */
  add(slot: number): void {
    const sentinel = this.sentinel(this.#slots.key[slot]);
    pushNewest(this.links, sentinel, slot);
    this.#sizes[sentinel - this.#slots.count]++;
  }

  /** Takes `slot`, which must still have its key, out of its set. */
  remove(slot: number): void {
    unlink(this.links, slot);
    this.#sizes[this.sentinel(this.#slots.key[slot]) - this.#slots.count]--;
  }

  /** Set by set, each newest first. */
  list(): Uint32Array {
    const slots = new Uint32Array(this.#sizes.reduce((sum, size) => sum + size, 0));
    let at = 0;
    for (let set = 0; set < this.count; set++) {
      at = listQueue(this.links, this.#slots.count + set, slots, at);
    }
    return slots;
  }

  /** Throws an Error naming the broken invariant of policy `name`, if there is one. */
  verify(name: string): void {
    this.#sizes.forEach((size, set) => {
      const sentinel = this.#slots.count + set;
      const isIn = (slot: number): boolean => this.sentinel(this.#slots.key[slot]) === sentinel;
      verifyQueue(name, this.links, sentinel, size, isIn);
      if (size > this.#capacity(set)) {
        throw new Error(
          `Broken invariant: ${name}: set ${set} must have at most ${this.#capacity(set)} rows: ` +
            `received ${size}`,
        );
      }
    });
  }

  #capacity(set: number): number {
    return set < this.#larger ? this.#ways + 1 : this.#ways;
  }
}
