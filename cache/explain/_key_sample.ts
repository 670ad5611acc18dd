/**
 * A sample of the keys by hash, of a fixed size: SHARDS (Waldspurger, Park, Garthwaite, Ahmad:
 * "Efficient MRC construction with SHARDS", FAST 2015), section 3.3.
 *
 * A key is in the sample when its hash is at most a limit, so all its lookups are, or none. When
 * there is one key too many, the largest hash leaves and the limit falls below it.
 *
 * @module
 */

import { NO_SLOT } from "../eviction.ts";
import { KeyIndex } from "../rows/key_index.ts";

/** No entry: the key is not in the sample. */
export const NO_ENTRY: number = NO_SLOT;

/** Hashes are signed 32-bit integers, as larger ones would become objects: this is the smallest. */
const MIN_HASH = -(2 ** 31);

/**
 * The hash of `key`: MurmurHash3's finaliser, a permutation, so that no two keys share one. Not the
 * hash of any cache of this room, whose sets or filters would otherwise be sampled askew.
 */
export function sampleHash(key: number, seed: number): number {
  let h = key ^ seed;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Keys whose hash is at most a limit; entries 0 to `size` - 1. */
export class KeySample {
  /** Hashes up to this are in the sample. */
  limit: number;
  /** Entries in use. */
  count = 0;
  /** Column: the key of each entry. */
  readonly key: Uint32Array;
  readonly #hash: Int32Array;
  /** Entries as a heap, the largest hash first. */
  readonly #heap: Int32Array;
  readonly #index: KeyIndex;

  /** At most `size` keys, and at most the share `rate` of them. */
  constructor(size: number, rate: number) {
    this.limit = Math.max(1, Math.floor(rate * 2 ** 32)) - 1 + MIN_HASH;
    this.key = new Uint32Array(size);
    this.#hash = new Int32Array(size);
    this.#heap = new Int32Array(size);
    this.#index = new KeyIndex(size);
  }

  /** The share of all keys that are in the sample. */
  get rate(): number {
    return (this.limit + 1 - MIN_HASH) / 2 ** 32;
  }

  /** Bytes of its columns and index. */
  get bytes(): number {
    return 12 * this.key.length + this.#index.bytes;
  }

  /** The entry of `key`, or NO_ENTRY. */
  find(key: number): number {
    return this.#index.get(key);
  }

  /**
   * Takes in a key that is not there and whose hash is at most the limit; returns its entry. In a
   * full sample it is the entry of the key that left for it; NO_ENTRY when that is the new key.
   */
  add(key: number, hash: number): number {
    let entry = this.count;
    if (entry === this.key.length) {
      entry = this.#heap[0];
      const largest = this.#hash[entry];
      this.limit = Math.max(largest, hash) - 1;
      if (hash > largest) return NO_ENTRY;
      this.#index.delete(this.key[entry]);
      this.#sink(entry, hash);
    } else this.#rise(this.count++, entry, hash);
    this.key[entry] = key;
    this.#hash[entry] = hash;
    this.#index.set(key, entry);
    return entry;
  }

  /** Puts `entry` into the heap from the place `at` upwards. */
  #rise(at: number, entry: number, hash: number): void {
    const heap = this.#heap;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#hash[heap[parent]] >= hash) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = entry;
  }

  /** Puts `entry` into the heap in place of the first one. */
  #sink(entry: number, hash: number): void {
    const heap = this.#heap;
    const { count } = this;
    let at = 0;
    for (let child = 1; child < count; child = 2 * at + 1) {
      if (child + 1 < count && this.#hash[heap[child + 1]] > this.#hash[heap[child]]) child++;
      if (this.#hash[heap[child]] <= hash) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = entry;
  }

  /** Throws an Error naming the first broken invariant. */
  verify(): void {
    this.#index.verify();
    const assert = (holds: boolean, sentence: string): void => {
      if (!holds) throw new Error(`Broken invariant: sample: ${sentence}`);
    };
    assert(this.#index.size === this.count, `the index must hold ${this.count} keys`);
    for (let at = 0; at < this.count; at++) {
      const hash = this.#hash[this.#heap[at]];
      assert(hash <= this.limit, `hash ${hash} must be at most ${this.limit}`);
      const parent = this.#hash[this.#heap[(at - 1) >> 1]];
      assert(at === 0 || parent >= hash, `the heap must be in order at ${at}`);
    }
  }
}
