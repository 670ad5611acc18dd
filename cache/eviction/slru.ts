/**
 * Segmented LRU (Karedla, Love, Wherry: "Caching Strategies to Improve Disk System Performance",
 * 1994), with any number of segments.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { createQueues, listQueue, moveToNewest, pushNewest, verifyQueue } from "./_queues.ts";
import { unlink } from "./_slot_list.ts";
import { type EvictionPolicy, NO_SLOT, type Slots } from "../eviction.ts";

/** What {@linkcode slru} is made from. */
export interface SlruOptions {
  /**
   * The shares of the segments, lowest first: 1 to 255 numbers above 0. Four equal ones by default;
   * [1, 4] protects four fifths of the slots. A segment's share is rounded down, but to 1 at least.
   */
  weights?: readonly number[];
}

/**
 * The policy that makes a row climb, one segment a hit, before it is safe: each segment is an LRU
 * list, a row that no longer fits goes down one segment, and victims come from the lowest that has
 * rows. A scan passes through the lowest and leaves the others alone. 9 bytes a slot.
 *
 * Rows that no segment has room for are in the lowest one, at most as many as there are segments
 * less one; a hit that pushes a row down to it evicts them, see `pushedOut`. `victim` walks past
 * the rows that live batches hold.
 *
 * @example
 * ```ts
 * import { type EvictionPolicyFactory, RowCache, slru } from "@rowtier/rowtier/cache";
 *
 * const eviction: EvictionPolicyFactory = (slots) => slru(slots, { weights: [1, 4] });
 * const cache = new RowCache({ partitions: [{ slotCount: 10, scratchCount: 2, eviction }] });
 * if (cache.contents(0).length !== 0) throw new Error("unreachable");
 * ```
 *
 * @throws {RangeError} when there are no weights or too many, or one is not a number above 0.
 */
export function slru(slots: Slots, options: SlruOptions = {}): EvictionPolicy {
  const { weights = [1, 1, 1, 1] } = options;
  const what = "Cannot create slru";
  checkInteger(what, "number of weights", weights.length, 1, 255);
  for (const weight of weights) {
    if (!(weight > 0 && weight < Infinity)) {
      throw new RangeError(`${what}: weight must be a number above 0: received ${weight}`);
    }
  }
  return new Slru(slots, weights);
}

class Slru implements EvictionPolicy {
  readonly name = "slru";
  readonly #slots: Slots;
  /** The segments' lists; that of segment s is closed by sentinel `slots.count` + s. */
  readonly #links: Int32Array;
  /** Column: the segment of each slot. */
  readonly #segmentOf: Uint8Array;
  /** By segment: its rows, and how many it is meant to have. */
  readonly #sizes: Int32Array;
  readonly #capacities: Int32Array;

  constructor(slots: Slots, weights: readonly number[]) {
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    this.#slots = slots;
    this.#links = createQueues(slots.count, weights.length);
    this.#segmentOf = new Uint8Array(slots.count);
    this.#sizes = new Int32Array(weights.length);
    this.#capacities = Int32Array.from(weights, (weight) => {
      return Math.max(1, Math.floor(weight / total * slots.count));
    });
  }

  get bytes(): number {
    const { byteLength } = this.#links;
    return byteLength + this.#segmentOf.byteLength + 2 * this.#sizes.byteLength;
  }

  onMiss(_key: number): void {}

  onInsert(slot: number): void {
    const sizes = this.#sizes;
    let segment = 0;
    while (segment < sizes.length && sizes[segment] >= this.#capacities[segment]) segment++;
    this.#place(slot, segment === sizes.length ? 0 : segment);
  }

  onHit(slot: number): number {
    const segment = this.#segmentOf[slot];
    if (segment + 1 === this.#sizes.length) {
      moveToNewest(this.#links, this.#slots.count + segment, slot);
      return NO_SLOT;
    }
    unlink(this.#links, slot);
    this.#sizes[segment]--;
    this.#place(slot, segment + 1);
    return this.#cool(segment + 1);
  }

  pushedOut(): number {
    return this.#sizes[0] > this.#capacities[0] ? this.#oldest(0) : NO_SLOT;
  }

  onRemove(slot: number): void {
    unlink(this.#links, slot);
    this.#sizes[this.#segmentOf[slot]]--;
  }

  victim(_key: number): number {
    for (let segment = 0; segment < this.#sizes.length; segment++) {
      const slot = this.#oldest(segment);
      if (slot !== NO_SLOT) return slot;
    }
    return NO_SLOT;
  }

  heat(slot: number): number {
    return this.#segmentOf[slot];
  }

  contents(): Uint32Array {
    const slots = new Uint32Array(this.#sizes.reduce((sum, size) => sum + size, 0));
    let at = 0;
    for (let segment = this.#sizes.length - 1; segment >= 0; segment--) {
      at = listQueue(this.#links, this.#slots.count + segment, slots, at);
    }
    return slots;
  }

  verify(): void {
    this.#sizes.forEach((size, segment) => {
      const isIn = (slot: number): boolean => this.#segmentOf[slot] === segment;
      verifyQueue(this.name, this.#links, this.#slots.count + segment, size, isIn);
      if (segment > 0 && size > this.#capacities[segment]) {
        throw new Error(
          `Broken invariant: slru: segment ${segment} must have at most ` +
            `${this.#capacities[segment]} rows: received ${size}`,
        );
      }
    });
  }

  #place(slot: number, segment: number): void {
    pushNewest(this.#links, this.#slots.count + segment, slot);
    this.#segmentOf[slot] = segment;
    this.#sizes[segment]++;
  }

  /** Moves rows down from `top` on until they fit; the slot that is one too many, or NO_SLOT. */
  #cool(top: number): number {
    const sizes = this.#sizes;
    for (let segment = top; segment > 0; segment--) {
      if (sizes[segment] <= this.#capacities[segment]) return NO_SLOT;
      const slot = this.#links[2 * (this.#slots.count + segment)];
      unlink(this.#links, slot);
      sizes[segment]--;
      this.#place(slot, segment - 1);
    }
    return this.pushedOut();
  }

  /** The oldest row of a segment that may go, or NO_SLOT. */
  #oldest(segment: number): number {
    const links = this.#links;
    const sentinel = this.#slots.count + segment;
    let at = links[2 * sentinel];
    while (at !== sentinel && !this.#slots.evictable(at)) at = links[2 * at];
    return at === sentinel ? NO_SLOT : at;
  }
}
