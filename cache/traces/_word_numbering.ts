/**
 * Numbering of words, which are bytes of any length, in order of first appearance.
 *
 * @module
 */

import { xxh32 } from "../../base/xxh32.ts";

const FIRST_BUCKETS = 2 ** 10;

/** Most bytes of all distinct words together, so that their ends are u32. */
const MAX_WORD_BYTES = 2 ** 32 - 1;

/**
 * Gives each word the next number, from 0. The words are kept, so two never share a number because
 * their hashes agree. Grows by doubling; 16 to 32 bytes a word beside its own.
 */
export class WordNumbering {
  /** Open addressing with linear probing: a word's number plus 1, 0 where empty. */
  #buckets: Uint32Array = new Uint32Array(FIRST_BUCKETS);
  /** Columns: each word's hash, and where it ends in `#bytes`, right before the next. */
  #hashes: Int32Array = new Int32Array(FIRST_BUCKETS);
  #ends: Uint32Array = new Uint32Array(FIRST_BUCKETS);
  #bytes: Uint8Array = new Uint8Array(16 * FIRST_BUCKETS);
  #size = 0;

  /** Words numbered. */
  get size(): number {
    return this.#size;
  }

  /** The number of the word `bytes[start, end)`. */
  add(bytes: Uint8Array, start: number, end: number): number {
    const hash = xxh32(bytes, start, end, 0);
    const mask = this.#buckets.length - 1;
    let at = hash & mask;
    for (let entry = this.#buckets[at]; entry !== 0; entry = this.#buckets[at]) {
      if (this.#hashes[entry - 1] === hash && this.#isEqual(entry - 1, bytes, start, end)) {
        return entry - 1;
      }
      at = (at + 1) & mask;
    }
    this.#buckets[at] = this.#size + 1;
    return this.#append(hash, bytes, start, end);
  }

  #isEqual(number: number, bytes: Uint8Array, start: number, end: number): boolean {
    const own = this.#bytes;
    let at = number === 0 ? 0 : this.#ends[number - 1];
    if (this.#ends[number] - at !== end - start) return false;
    for (let i = start; i < end; i++) if (own[at++] !== bytes[i]) return false;
    return true;
  }

  #append(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const number = this.#size++;
    const from = number === 0 ? 0 : this.#ends[number - 1];
    const to = from + end - start;
    if (to > MAX_WORD_BYTES) {
      throw new RangeError(
        `Cannot number word: all must have at most ${MAX_WORD_BYTES} bytes together: ` +
          `received ${to}`,
      );
    }
    while (to > this.#bytes.length) {
      const grown = new Uint8Array(2 * this.#bytes.length);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(bytes.subarray(start, end), from);
    this.#hashes[number] = hash;
    this.#ends[number] = to;
    // Half full at most: a probe that fails looks at 2.5 buckets. The columns end there, too.
    if (2 * this.#size >= this.#buckets.length) this.#grow();
    return number;
  }

  #grow(): void {
    const count = 2 * this.#buckets.length;
    const hashes = new Int32Array(count / 2);
    hashes.set(this.#hashes.subarray(0, this.#size));
    const ends = new Uint32Array(count / 2);
    ends.set(this.#ends.subarray(0, this.#size));
    this.#hashes = hashes;
    this.#ends = ends;
    const buckets = this.#buckets = new Uint32Array(count);
    for (let number = 0; number < this.#size; number++) {
      let at = hashes[number] & (count - 1);
      while (buckets[at] !== 0) at = (at + 1) & (count - 1);
      buckets[at] = number + 1;
    }
  }
}
