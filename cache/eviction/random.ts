/**
 * Random replacement.
 *
 * @module
 */

import { createRandom, type Random } from "../../base/random.ts";
import { type EvictionPolicy, NO_SLOT, type Slots } from "../eviction.ts";

/** What {@linkcode random} is made from. */
export interface RandomOptions {
  /** Any safe integer; 1 by default. The same seed gives the same victims. */
  seed?: number;
}

/**
 * Draws before it takes the next row that may go. Where half of the slots are in use, one victim in
 * 65,536 is such a one.
 */
const DRAWS = 16;

/**
 * The policy that evicts any row, all with the same chance: no worse than FIFO, and never fooled by
 * a pattern. 1 byte a slot.
 *
 * When most rows are held by live batches, those that follow many held ones are a little likelier
 * to go.
 *
 * @example
 * ```ts
 * import { type EvictionPolicyFactory, random, RowCache } from "@rowtier/rowtier/cache";
 *
 * const eviction: EvictionPolicyFactory = (slots) => random(slots, { seed: 7 });
 * const cache = new RowCache({ partitions: [{ slotCount: 8, scratchCount: 2, eviction }] });
 * if (cache.contents(0).length !== 0) throw new Error("unreachable");
 * ```
 *
 * @throws {RangeError} when `seed` is not a safe integer.
 */
export function random(slots: Slots, options: RandomOptions = {}): EvictionPolicy {
  return new RandomReplacement(slots, createRandom(options.seed ?? 1));
}

class RandomReplacement implements EvictionPolicy {
  readonly name = "random";
  readonly #slots: Slots;
  readonly #random: Random;
  /** Column: 1 for a slot with a row. */
  readonly #held: Uint8Array;

  constructor(slots: Slots, source: Random) {
    this.#slots = slots;
    this.#random = source;
    this.#held = new Uint8Array(slots.count);
  }

  get bytes(): number {
    return this.#held.byteLength;
  }

  onMiss(_key: number): void {}

  onInsert(slot: number): void {
    this.#held[slot] = 1;
  }

  onHit(_slot: number): number {
    return NO_SLOT;
  }

  onRemove(slot: number): void {
    this.#held[slot] = 0;
  }

  victim(_key: number): number {
    const { count } = this.#slots;
    let slot = 0;
    for (let i = 0; i < DRAWS; i++) {
      slot = this.#random.below(count);
      if (this.#mayGo(slot)) return slot;
    }
    for (let left = count; left > 0; left--) {
      slot = slot + 1 === count ? 0 : slot + 1;
      if (this.#mayGo(slot)) return slot;
    }
    return NO_SLOT;
  }

  /** By slot, highest first: there is no order. */
  contents(): Uint32Array {
    const { length } = this.#held;
    return Uint32Array.from({ length }, (_, i) => length - 1 - i).filter((slot) => {
      return this.#held[slot] !== 0;
    });
  }

  verify(): void {
    const broken = this.#held.findIndex((held) => held > 1);
    if (broken !== -1) {
      throw new Error(`Broken invariant: random: slot ${broken} must be held once or not at all`);
    }
  }

  #mayGo(slot: number): boolean {
    return this.#held[slot] !== 0 && this.#slots.evictable(slot);
  }
}
