/**
 * Keys in the order of their last use, and how deep in it each one is: the stack of Mattson,
 * Gecsei, Slutz, Traiger ("Evaluation techniques for storage hierarchies", 1970).
 *
 * Each use takes the next position; a key's last position carries a 1. How many ones lie above it
 * is how many other keys were used since. Bits are counted in words, and whole blocks of words by a
 * Fenwick tree (Fenwick 1994), whose few thousand counts stay in the nearest cache: with a tree
 * over single positions every step misses it.
 *
 * @module
 */

import { KeyIndex } from "../rows/key_index.ts";
import {
  createSizedColumns,
  growSizes,
  moveSize,
  putSize,
  type SizedColumns,
  sumSizes,
  takeSize,
} from "./_sized_columns.ts";

/**
 * Positions of a block are 2^7, so 4 words. On zipf traces 6 to 8 take the same time within what
 * runs differ by, on 10 thousand keys as on a million; 9 takes a tenth more (AMD EPYC).
 */
const BLOCK_BITS = 7;
const BLOCK_WORDS = 2 ** (BLOCK_BITS - 5);

/** Positions a key: so that all are numbered anew once in three uses of every key, or less. */
const POSITIONS_PER_KEY = 4;

/** Keys that there is room for at first. */
const FIRST_KEYS = 1024;

/** How many ones `word` has: V8 has no instruction for it, so by adding neighbours. */
function countOnes(word: number): number {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** A recency order of at most `keyLimit` keys; its memory grows with the keys that it holds. */
export class RecencyOrder {
  readonly #keyLimit: number;
  /** By dense key, its last position plus 1; undefined when keys are looked up in the index. */
  readonly #column: Int32Array | undefined;
  #index: KeyIndex;
  /** Keys that there is room for. */
  #room: number;
  #size = 0;
  /** Column: the key that took each position. */
  #keys: Int32Array;
  /** A bit a position: whether it is some key's last one. */
  #bits: Int32Array;
  /** Fenwick tree, 1-based: ones in the blocks that are full. */
  #tree: Int32Array;
  /** The next position; those of the block that it lies in are not in the tree yet. */
  #next = 0;
  /** Ones in the block of `#next`. */
  #open = 0;
  /** What bytes need beside; undefined when objects only count. */
  #sized: SizedColumns | undefined;

  /**
   * For at most `keyLimit` keys; with `keyCount`, all of them are below it; `hasSizes` to sum sizes
   * besides counting.
   */
  constructor(keyLimit: number, keyCount: number | undefined, hasSizes = false) {
    this.#keyLimit = keyLimit;
    this.#column = keyCount === undefined ? undefined : new Int32Array(keyCount);
    this.#room = Math.min(keyLimit, FIRST_KEYS);
    this.#index = new KeyIndex(this.#column === undefined ? this.#room : 1);
    const blocks = blocksFor(this.#room);
    this.#keys = new Int32Array(blocks << BLOCK_BITS);
    this.#bits = new Int32Array(blocks * BLOCK_WORDS);
    this.#tree = new Int32Array(blocks + 1);
    if (hasSizes) this.#sized = createSizedColumns(blocks);
  }

  /** Keys held. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of its columns. */
  get bytes(): number {
    const { byteLength } = this.#column ?? { byteLength: this.#index.bytes };
    const sized = this.#sized;
    const sizedBytes = sized === undefined ? 0 : sized.sizes.byteLength + sized.tree.byteLength;
    const columns = this.#keys.byteLength + this.#bits.byteLength + this.#tree.byteLength;
    return byteLength + columns + sizedBytes;
  }

  /** What the sizes of the last `use` summed up to: the key's old one and all above it. */
  get bytesDeep(): number {
    return this.#sized === undefined ? 0 : this.#sized.deep;
  }

  /** Fetches the places of keys `start` to `end` - 1, see {@linkcode KeyIndex.touch}. */
  fetch(keys: Uint32Array, start: number, end: number): number {
    return this.#column === undefined ? this.#index.touch(keys, start, end) : 0;
  }

  /**
   * Uses `key` (its bits, signed or not), of `size` from now on: returns how many keys were used
   * since it last was, itself included, or 0 for a key that is not held; -1, and changes nothing,
   * when one more key would be one too many.
   */
  use(key: number, size: number = 0): number {
    if (this.#next === this.#keys.length) this.#renumber(this.#keys, this.#bits);
    const previous = this.#find(key);
    let depth = 0;
    if (previous >= 0) depth = this.#takeOut(previous);
    else if (this.#size === this.#room && !this.#grow()) return -1;
    const at = this.#next++;
    this.#place(key, at);
    this.#keys[at] = key;
    this.#bits[at >> 5] |= 1 << at;
    this.#size++;
    this.#open++;
    if (this.#sized !== undefined) putSize(this.#sized, at, size);
    if ((this.#next & (2 ** BLOCK_BITS - 1)) === 0) this.#closeBlock();
    return depth;
  }

  /** Forgets `key`, which must be held. */
  remove(key: number): void {
    this.#takeOut(this.#find(key));
    if (this.#column !== undefined) this.#column[key] = 0;
    else this.#index.delete(key);
  }

  #find(key: number): number {
    return this.#column !== undefined ? this.#column[key] - 1 : this.#index.get(key);
  }

  #place(key: number, position: number): void {
    if (this.#column !== undefined) this.#column[key] = position + 1;
    else this.#index.set(key, position);
  }

  /** Clears the bit of `position`; returns how many there were from it on. */
  #takeOut(position: number): number {
    const bits = this.#bits;
    const word = position >> 5;
    const block = position >> BLOCK_BITS;
    if (this.#sized !== undefined) takeSize(this.#sized, position);
    // The bits from `position` on in its word, then the rest of its block.
    let ones = countOnes(bits[word] >>> position);
    for (let at = word + 1; at < (block + 1) * BLOCK_WORDS; at++) ones += countOnes(bits[at]);
    bits[word] &= ~(1 << position);
    if (block === this.#next >> BLOCK_BITS) this.#open--;
    else {
      const tree = this.#tree;
      ones += this.#size;
      for (let at = block + 1; at > 0; at &= at - 1) ones -= tree[at];
      for (let at = block + 1; at < tree.length; at += at & -at) tree[at]--;
    }
    this.#size--;
    return ones;
  }

  #closeBlock(): void {
    const tree = this.#tree;
    for (let at = this.#next >> BLOCK_BITS; at < tree.length; at += at & -at) {
      tree[at] += this.#open;
    }
    this.#open = 0;
  }

  /** Makes room for more keys; false when there is room for all that may come. */
  #grow(): boolean {
    if (this.#room === this.#keyLimit) return false;
    this.#room = Math.min(this.#keyLimit, 2 * this.#room);
    const keys = this.#keys;
    const bits = this.#bits;
    const blocks = blocksFor(this.#room);
    if (this.#column === undefined) this.#index = new KeyIndex(this.#room);
    this.#keys = new Int32Array(blocks << BLOCK_BITS);
    this.#bits = new Int32Array(blocks * BLOCK_WORDS);
    this.#tree = new Int32Array(blocks + 1);
    if (this.#sized !== undefined) growSizes(this.#sized, blocks);
    this.#renumber(keys, bits);
    return true;
  }

  /** Gives the keys that have a bit the lowest positions, in the same order. */
  #renumber(keys: Int32Array, bits: Int32Array): void {
    let next = 0;
    for (let word = 0; word < bits.length; word++) {
      for (let left = bits[word]; left !== 0; left &= left - 1) {
        const bit = 31 - Math.clz32(left & -left);
        const key = keys[(word << 5) + bit];
        if (this.#sized !== undefined) moveSize(this.#sized, (word << 5) + bit, next);
        this.#keys[next] = key;
        this.#place(key, next++);
      }
    }
    if (this.#sized !== undefined) sumSizes(this.#sized, next);
    this.#bits.fill(0).fill(-1, 0, next >> 5);
    this.#bits[next >> 5] |= (1 << next) - 1;
    const full = next >> BLOCK_BITS;
    const tree = this.#tree;
    for (let at = 1; at < tree.length; at++) {
      const first = at & (at - 1);
      tree[at] = Math.max(0, Math.min(at, full) - first) << BLOCK_BITS;
    }
    this.#next = next;
    this.#open = next & (2 ** BLOCK_BITS - 1);
  }

  /** Throws an Error naming the broken invariant, if there is one. */
  verify(): void {
    let ones = 0;
    for (let at = 0; at < this.#next; at++) {
      if ((this.#bits[at >> 5] >>> at & 1) === 0) continue;
      ones++;
      if (this.#find(this.#keys[at]) !== at) {
        throw new Error(`Broken invariant: key ${this.#keys[at]} must be at position ${at}`);
      }
    }
    if (ones !== this.#size) {
      throw new Error(`Broken invariant: size must be ${ones}: received ${this.#size}`);
    }
    let counted = this.#open;
    for (let at = this.#tree.length - 1; at > 0; at &= at - 1) counted += this.#tree[at];
    if (counted !== ones) {
      throw new Error(`Broken invariant: blocks must hold ${ones} keys: received ${counted}`);
    }
  }
}

function blocksFor(room: number): number {
  return Math.ceil(room * POSITIONS_PER_KEY / 2 ** BLOCK_BITS);
}
