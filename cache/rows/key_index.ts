/**
 * The hash index from keys to slots.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { NO_SLOT } from "../eviction.ts";
import { MAX_PARTITION_SLOTS } from "../limits.ts";

/**
 * Knuth's multiplicative hash (TAOCP 3, 6.4): 2^32 over the golden ratio, made odd. Its high bits
 * spread consecutive row numbers more evenly than a random function would.
 */
const MULTIPLIER = 0x9e3779b1 | 0;

/**
 * Open addressing with linear probing; a key and its slot lie side by side in one 8-byte bucket, so
 * that a lookup costs one cache line. At most 5/8 of the buckets are used: 1.8 probes for a key
 * that is there and 4 for one that is not (TAOCP 3, 6.4). Deletion shifts the followers back
 * (Algorithm R there): no tombstones, so a lookup never gets slower with age. Keys chosen to
 * collide cost a walk over all of them.
 *
 * Costs 13 to 26 bytes an entry; nothing is allocated after construction.
 *
 * @example
 * ```ts
 * import { KeyIndex, NO_SLOT } from "@rowtier/rowtier/cache";
 *
 * const index = new KeyIndex(100);
 * index.set(4_000_000_000, 7);
 * if (index.get(4_000_000_000) !== 7) throw new Error("unreachable");
 * index.delete(4_000_000_000);
 * if (index.get(4_000_000_000) !== NO_SLOT) throw new Error("unreachable");
 * ```
 */
export class KeyIndex {
  /** Most entries. */
  readonly capacity: number;
  /**
   * Words 2 b and 2 b + 1 are bucket b: the key's bits, and the slot plus 1; 0 marks an empty
   * bucket.
   */
  readonly #words: Int32Array;
  /** 32 less the bits of a bucket's number. */
  readonly #shift: number;
  /** Wraps a word's position. */
  readonly #mask: number;
  #size = 0;

  /**
   * An empty index.
   *
   * @param capacity Most entries, at least 1.
   * @throws {RangeError} when `capacity` is out of range.
   */
  constructor(capacity: number) {
    const what = "Cannot create KeyIndex";
    this.capacity = checkInteger(what, "capacity", capacity, 1, MAX_PARTITION_SLOTS);
    let bits = 1;
    while (2 ** bits * 5 < capacity * 8) bits++;
    this.#words = new Int32Array(2 ** (bits + 1));
    this.#shift = 32 - bits;
    this.#mask = this.#words.length - 1;
  }

  /** Entries held. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of its buckets. */
  get bytes(): number {
    return this.#words.byteLength;
  }

  /** The slot of `key` (any u32), or {@linkcode NO_SLOT}. */
  get(key: number): number {
    const words = this.#words;
    let at = (Math.imul(key, MULTIPLIER) >>> this.#shift) << 1;
    let entry = words[at + 1];
    while (entry !== 0) {
      if (words[at] === (key | 0)) return entry - 1;
      at = (at + 2) & this.#mask;
      entry = words[at + 1];
    }
    return NO_SLOT;
  }

  /**
   * Maps `key` (any u32) to `slot` (at least 0, below 2^31 - 1), in place of what it was mapped to.
   *
   * @throws {RangeError} when `key` is new and the index holds `capacity` entries.
   */
  set(key: number, slot: number): void {
    const words = this.#words;
    let at = (Math.imul(key, MULTIPLIER) >>> this.#shift) << 1;
    while (words[at + 1] !== 0) {
      if (words[at] === (key | 0)) {
        words[at + 1] = slot + 1;
        return;
      }
      at = (at + 2) & this.#mask;
    }
    if (this.#size === this.capacity) {
      throw new RangeError(
        `Cannot set key: the index must hold fewer than ${this.capacity} entries: received ${key}`,
      );
    }
    words[at] = key;
    words[at + 1] = slot + 1;
    this.#size++;
  }

  /** Removes `key`; false when it was not there. */
  delete(key: number): boolean {
    const words = this.#words;
    const mask = this.#mask;
    let hole = (Math.imul(key, MULTIPLIER) >>> this.#shift) << 1;
    while (words[hole] !== (key | 0) || words[hole + 1] === 0) {
      if (words[hole + 1] === 0) return false;
      hole = (hole + 2) & mask;
    }
    let at = (hole + 2) & mask;
    while (words[at + 1] !== 0) {
      const home = (Math.imul(words[at], MULTIPLIER) >>> this.#shift) << 1;
      // It may fill the hole unless its home lies (cyclically) after the hole: a probe would miss
      // it then.
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        words[hole] = words[at];
        words[hole + 1] = words[at + 1];
        hole = at;
      }
      at = (at + 2) & mask;
    }
    words[hole + 1] = 0;
    this.#size--;
    return true;
  }

  /**
   * Reads the home bucket of keys `start` to `end` - 1, so that the machine fetches many cache
   * lines at once and the lookups after it find them near.
   *
   * @returns A number without meaning; keep it, or an optimising compiler drops the reads.
   */
  touch(keys: Uint32Array, start: number, end: number): number {
    const words = this.#words;
    const shift = this.#shift;
    let sum = 0;
    for (let i = start; i < end; i++) {
      sum ^= words[((Math.imul(keys[i], MULTIPLIER) >>> shift) << 1) + 1];
    }
    return sum;
  }

  /** Throws an Error naming the broken invariant, if there is one; costs a lookup an entry. */
  verify(): void {
    let used = 0;
    for (let at = 0; at < this.#words.length; at += 2) {
      if (this.#words[at + 1] === 0) continue;
      used++;
      const key = this.#words[at] >>> 0;
      if (this.get(key) !== this.#words[at + 1] - 1) {
        throw new Error(`Broken invariant: key ${key} of the index must be found by a probe`);
      }
    }
    if (used !== this.#size) {
      throw new Error(`Broken invariant: size must be ${used}: received ${this.#size}`);
    }
  }
}
