/**
 * One bucket of a compact cache, by arrays: LRU as a list, CLOCK as a ring of places.
 *
 * @module
 */

import type { BucketOrder } from "@rowtier/rowtier/cache";

/** CLOCK counts to this. */
const MOST_USES = 3;

/** Keys in places; -1 is a vacant one. */
export class BucketTwin {
  readonly #clock: boolean;
  readonly #places: number[];
  readonly #uses: number[];
  #hand = 0;
  /** LRU's order, youngest first. */
  readonly #byUse: number[] = [];

  constructor(order: BucketOrder, ways: number) {
    this.#clock = order === "clock";
    this.#places = new Array(ways).fill(-1);
    this.#uses = new Array(ways).fill(0);
  }

  has(key: number): boolean {
    return this.#places.includes(key);
  }

  use(key: number): void {
    const place = this.#places.indexOf(key);
    this.#uses[place] = Math.min(MOST_USES, this.#uses[place] + 1);
    this.#byUse.splice(this.#byUse.indexOf(key), 1);
    this.#byUse.unshift(key);
  }

  delete(key: number): void {
    this.#places[this.#places.indexOf(key)] = -1;
    this.#byUse.splice(this.#byUse.indexOf(key), 1);
  }

  /** Puts a key in; returns the key that left for it, or -1. */
  insert(key: number): number {
    let evicted = -1;
    let place = this.#places.indexOf(-1);
    if (place === -1) {
      place = this.#clock ? this.#sweep() : this.#places.indexOf(this.#byUse.at(-1)!);
      evicted = this.#places[place];
      this.delete(evicted);
    }
    this.#places[place] = key;
    this.#uses[place] = 0;
    this.#byUse.unshift(key);
    if (place === this.#hand) this.#step();
    return evicted;
  }

  /** Its keys, next victim last. */
  order(): number[] {
    if (!this.#clock) return [...this.#byUse];
    const { length } = this.#places;
    const ring = this.#places.map((_, i) => this.#places[(this.#hand + i) % length]);
    return ring.filter((key) => key !== -1).reverse();
  }

  #sweep(): number {
    while (this.#uses[this.#hand] > 0) {
      this.#uses[this.#hand]--;
      this.#step();
    }
    return this.#hand;
  }

  #step(): void {
    this.#hand = (this.#hand + 1) % this.#places.length;
  }
}
