/**
 * A Bloom filter (Bloom, 1970).
 *
 * @module
 */

import { log } from "../../base/math.ts";

/** Keys (any u32) that it was told of are found for certain, others with a small probability. */
export class BloomFilter {
  readonly #words: Int32Array;
  readonly #bits: number;
  readonly #hashes: number;
  readonly #salt: number;

  /**
   * An empty filter that finds a key it was not told of with `falsePositives` once it holds
   * `capacity` keys: -n ln p / (ln 2)^2 bits, and bits / n ln 2 hashes.
   */
  constructor(capacity: number, falsePositives: number, salt: number) {
    const bitsPerKey = -log(falsePositives) / log(2) ** 2;
    this.#bits = Math.max(64, Math.ceil(capacity * bitsPerKey));
    this.#hashes = Math.max(1, Math.round(bitsPerKey * log(2)));
    this.#words = new Int32Array(Math.ceil(this.#bits / 32));
    this.#salt = salt | 0;
  }

  /** Bytes of its bits. */
  get bytes(): number {
    return this.#words.byteLength;
  }

  /** Whether it was told of `key`, or seems to be. */
  has(key: number): boolean {
    const step = this.#step(key);
    let hash = this.#hash(key);
    for (let i = 0; i < this.#hashes; i++) {
      const bit = this.#place(hash);
      if ((this.#words[Math.floor(bit / 32)] & (1 << bit % 32)) === 0) return false;
      hash = (hash + step) | 0;
    }
    return true;
  }

  /** Tells it of `key`. */
  add(key: number): void {
    const step = this.#step(key);
    let hash = this.#hash(key);
    for (let i = 0; i < this.#hashes; i++) {
      const bit = this.#place(hash);
      this.#words[Math.floor(bit / 32)] |= 1 << bit % 32;
      hash = (hash + step) | 0;
    }
  }

  /** Forgets every key. */
  clear(): void {
    this.#words.fill(0);
  }

  // Double hashing (Kirsch, Mitzenmacher 2006): two hashes make all of them.
  #hash(key: number): number {
    const mixed = Math.imul(key ^ this.#salt ^ (key >>> 16), 0x7feb352d);
    return Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  }

  #step(key: number): number {
    const mixed = Math.imul(key ^ (key >>> 15) ^ this.#salt, 0x2c1b3c6d);
    return Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39) | 1;
  }

  /** A hash as a bit's number: its share of 2^32, times the bits, of which there may be 2^35. */
  #place(hash: number): number {
    return Math.floor((hash >>> 0) * this.#bits / 2 ** 32);
  }
}
