/**
 * A frequency sketch: how often each key was seen of late, in 4-bit counters that forget.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { MAX_PARTITION_SLOTS } from "../limits.ts";

/** Counters of a word are halved in place: what each lends its right neighbour is masked away. */
const HALF = 0x77777777;

/** The lowest bit of each counter of a word. */
const ODD = 0x11111111;

/** The highest count, and the mask of a counter. */
const MAX_COUNT = 15;

/** Uses counted for each entry before all counts are halved. */
const SAMPLES_PER_ENTRY = 10;

/** A table smaller than this mixes too many keys up; 2 KiB cost nothing. */
const MIN_ENTRIES = 256;

/**
 * The count-min sketch of TinyLFU (Einziger, Friedman, Manes: "TinyLFU: A Highly Efficient Cache
 * Admission Policy", ACM ToS 2017) in the layout of the Java library Caffeine: a key's four
 * counters lie in one 64-byte block, so a use costs one cache line, and each in a quarter of its
 * own, so two of them never coincide.
 *
 * A count never falls short of the uses since the last halving, up to 15; it overshoots when other
 * keys share all four counters: 1 key in 100, in a trial of twice as many keys as entries. After 10
 * uses for each entry all counts are halved, which takes 2 to 3 ms a million entries.
 *
 * Costs 8 bytes an entry, the number of entries rounded up to a power of two. Nothing is allocated
 * after construction.
 *
 * @example
 * ```ts
 * import { FrequencySketch } from "@rowtier/rowtier/cache";
 *
 * const sketch = new FrequencySketch(1000);
 * for (const key of [7, 7, 7, 9]) sketch.record(key);
 * if (sketch.estimate(7) <= sketch.estimate(9)) throw new Error("unreachable");
 * ```
 */
export class FrequencySketch {
  /** Sixteen words of eight counters a block. */
  readonly #words: Int32Array;
  /** Blocks less one; their number is a power of two. */
  readonly #blockMask: number;
  readonly #sampleSize: number;
  /** Uses that raised a counter since the last halving, and what the halvings before left. */
  #samples = 0;

  /**
   * A sketch that has seen nothing.
   *
   * @param entries How many keys the cache holds that it serves, at least 1.
   * @throws {RangeError} when `entries` is out of range.
   */
  constructor(entries: number) {
    const what = "Cannot create FrequencySketch";
    checkInteger(what, "entries", entries, 1, MAX_PARTITION_SLOTS);
    let words64 = MIN_ENTRIES;
    while (words64 < entries) words64 *= 2;
    this.#words = new Int32Array(2 * words64);
    this.#blockMask = words64 / 8 - 1;
    this.#sampleSize = SAMPLES_PER_ENTRY * entries;
  }

  /** Bytes of its counters. */
  get bytes(): number {
    return this.#words.byteLength;
  }

  /** Counts a use of `key` (any u32). */
  record(key: number): void {
    const words = this.#words;
    const hash = spread(key);
    const block = (hash & this.#blockMask) << 4;
    const picks = respread(hash);
    const raised = raise(words, block | (picks & 3), picks & 28) |
      raise(words, block | 4 | ((picks >>> 8) & 3), (picks >>> 8) & 28) |
      raise(words, block | 8 | ((picks >>> 16) & 3), (picks >>> 16) & 28) |
      raise(words, block | 12 | ((picks >>> 24) & 3), (picks >>> 24) & 28);
    if (raised !== 0 && ++this.#samples === this.#sampleSize) this.#halve();
  }

  /** How often `key` (any u32) was seen of late, 0 to 15. */
  estimate(key: number): number {
    const words = this.#words;
    const hash = spread(key);
    const block = (hash & this.#blockMask) << 4;
    const picks = respread(hash);
    const a = (words[block | (picks & 3)] >>> (picks & 28)) & MAX_COUNT;
    const b = (words[block | 4 | ((picks >>> 8) & 3)] >>> ((picks >>> 8) & 28)) & MAX_COUNT;
    const c = (words[block | 8 | ((picks >>> 16) & 3)] >>> ((picks >>> 16) & 28)) & MAX_COUNT;
    const d = (words[block | 12 | ((picks >>> 24) & 3)] >>> ((picks >>> 24) & 28)) & MAX_COUNT;
    const ab = a < b ? a : b;
    const cd = c < d ? c : d;
    return ab < cd ? ab : cd;
  }

  /** Halves every count, so that what was hot long ago makes room. */
  #halve(): void {
    const words = this.#words;
    let odd = 0;
    for (let i = 0; i < words.length; i++) {
      const word = words[i];
      odd += bitCount(word & ODD);
      words[i] = (word >>> 1) & HALF;
    }
    // Four counters a use: what the halving rounded away is as many uses less.
    this.#samples = (this.#samples - (odd >>> 2)) >>> 1;
  }

  /** Throws an Error naming the broken invariant, if there is one; reads every counter. */
  verify(): void {
    let sum = 0;
    for (const word of this.#words) {
      for (let shift = 0; shift < 32; shift += 4) sum += (word >>> shift) & MAX_COUNT;
    }
    if (this.#samples < 0 || this.#samples >= this.#sampleSize) {
      throw new Error(
        `Broken invariant: samples must be below ${this.#sampleSize}: received ${this.#samples}`,
      );
    }
    // At most four counters a sample; each halving may round the samples down by half a use, which
    // is two counts, and halves what the ones before lost: four at most.
    if (sum > 4 * this.#samples + 4) {
      throw new Error(
        `Broken invariant: counts must add up to at most ${4 * this.#samples + 4}: received ${sum}`,
      );
    }
  }
}

/** A bijection of 32 bits in which each bit of `x` moves about half of the others. */
function spread(x: number): number {
  x ^= x >>> 17;
  x = Math.imul(x, 0xed5ad4bb);
  x ^= x >>> 11;
  x = Math.imul(x, 0xac4c1b51);
  return x ^ (x >>> 15);
}

/** One round more: five bits of each byte pick a counter, independent enough of the block. */
function respread(hash: number): number {
  const x = Math.imul(hash, 0x31848bab);
  return x ^ (x >>> 14);
}

/** Adds 1 to the counter at bit `shift` of word `at` unless it is full; whether it did, 0 or 1. */
function raise(words: Int32Array, at: number, shift: number): number {
  const word = words[at];
  if (((word >>> shift) & MAX_COUNT) === MAX_COUNT) return 0;
  words[at] = word + (1 << shift);
  return 1;
}

/** The bits set in `x`, of which every fourth may be. */
function bitCount(x: number): number {
  // The nibbles, 0 or 1, are added up into the top one: 8 at most, so nothing is carried out.
  return Math.imul(x, ODD) >>> 28;
}
