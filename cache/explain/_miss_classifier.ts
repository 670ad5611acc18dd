/**
 * Why the misses of one partition happened: a sample of its lookups, each told with what the best
 * cache and LRU would have done.
 *
 * Positions number the sampled lookups. When they run out they are numbered anew: only the last
 * use of each key in the sample keeps one.
 *
 * @module
 */

import { bucketOf, BUCKETS } from "./_distance_buckets.ts";
import { KeySample, NO_ENTRY } from "./_key_sample.ts";
import { Optimum } from "./_optimum.ts";
import { PositionCounts } from "./_position_counts.ts";
import { LOOKUP, type LookupOutcome } from "./lookup_outcome.ts";

/** Classes that a sampled miss is put in. */
export const MISS_CLASS = { FIRST_TOUCH: 0, CAPACITY: 1, REFUSED: 2, POLICY: 3 } as const;
const { FIRST_TOUCH, CAPACITY, REFUSED, POLICY } = MISS_CLASS;
/** How many there are. */
export const MISS_CLASSES = 4;
/** Not a miss, or not in the sample. */
export const NO_CLASS = -1;

/**
 * Keys are dealt into so many groups, by the low bits of their hash, and each counts for itself:
 * how much groups differ tells the error of the sample ("random groups"; Wolter, "Introduction to
 * variance estimation", chapter 2). A formula for independent misses would promise too much, as
 * those of one key go together.
 */
export const GROUPS = 16;

/** Positions a key, 20 bytes each: with two, renumbering adds some 10 ns to a sampled lookup. */
const POSITIONS_PER_KEY = 2;

const NO_POSITION = -1;

/** The classifier of one partition. */
export class MissClassifier {
  /** By group and class, sampled misses over the rate at which they were sampled. */
  readonly counts: Float64Array = new Float64Array(GROUPS * MISS_CLASSES);
  /** By bucket of stack distance, capacity misses in the same way. */
  readonly distances: Float64Array = new Float64Array(BUCKETS);
  /** The sampled keys. */
  readonly sample: KeySample;
  /** Sampled misses. */
  missCount = 0;
  readonly #slotCount: number;
  readonly #optimum: Optimum;
  /** A 1 at the last position of each key. */
  readonly #live: PositionCounts;
  /** Column over positions: the entry whose last one it is plus 1, or 0. */
  readonly #entryAt: Int32Array;
  /** Scratch for renumbering. */
  readonly #place: Int32Array;
  /** Column over entries: its last position; NO_POSITION for a key never looked up. */
  readonly #last: Int32Array;
  /** Column over entries: 1 when its last lookup was refused; without one, left as it was. */
  readonly #refused: Uint8Array;
  #next = 0;
  /** Tokens to take from the optimum for what left the sample, once they are whole. */
  #debt = 0;

  constructor(slotCount: number, sampleSize: number, rate: number) {
    this.#slotCount = slotCount;
    this.sample = new KeySample(sampleSize, rate);
    const positions = POSITIONS_PER_KEY * sampleSize;
    this.#optimum = new Optimum(0, positions);
    this.#scale();
    this.#live = new PositionCounts(positions);
    this.#entryAt = new Int32Array(positions);
    this.#place = new Int32Array(positions);
    this.#last = new Int32Array(sampleSize).fill(NO_POSITION);
    this.#refused = new Uint8Array(sampleSize);
  }

  /** Bytes of its columns. */
  get bytes(): number {
    const columns = [this.counts, this.distances, this.#entryAt, this.#place, this.#last];
    return columns.reduce((sum, column) => sum + column.byteLength, this.#refused.byteLength) +
      this.sample.bytes + this.#optimum.bytes + this.#live.bytes;
  }

  /** The cache that the optimum has is as much smaller as the sample is. */
  #scale(): void {
    this.#optimum.capacity = Math.max(1, Math.round(this.#slotCount * this.sample.rate));
  }

  /**
   * A lookup of a key whose hash is at most the sample's limit. Returns the class of a miss, one of
   * MISS_CLASS, or NO_CLASS.
   */
  observe(key: number, hash: number, outcome: LookupOutcome): number {
    let entry = this.sample.find(key);
    if (entry === NO_ENTRY) {
      entry = this.#admit(key, hash);
      if (entry === NO_ENTRY) return NO_CLASS;
    }
    if (this.#next === this.#entryAt.length) this.#renumber();
    const last = this.#last[entry];
    const wasRefused = this.#refused[entry] === 1;
    let depth = 0;
    let kept = false;
    if (last !== NO_POSITION) {
      depth = this.#live.from(last);
      kept = this.#optimum.keeps(last, this.#next);
      this.#leave(entry);
    }
    this.#last[entry] = this.#next;
    this.#entryAt[this.#next] = entry + 1;
    this.#live.add(this.#next++, 1);
    this.#refused[entry] = outcome === LOOKUP.REFUSED ? 1 : 0;
    if (outcome !== LOOKUP.MISS && outcome !== LOOKUP.REFUSED) return NO_CLASS;
    if (last === NO_POSITION) return this.#count(FIRST_TOUCH, hash);
    if (kept) return this.#count(wasRefused ? REFUSED : POLICY, hash);
    const { rate } = this.sample;
    this.distances[bucketOf(Math.round((depth - 1) / rate) + 1)] += 1 / rate;
    return this.#count(CAPACITY, hash);
  }

  #count(missClass: number, hash: number): number {
    this.missCount++;
    this.counts[(hash & (GROUPS - 1)) * MISS_CLASSES + missClass] += 1 / this.sample.rate;
    return missClass;
  }

  /** Takes a key into the sample; what leaves for it leaves its position too. */
  #admit(key: number, hash: number): number {
    const { sample } = this;
    const { rate } = sample;
    const entry = sample.add(key, hash);
    if (entry !== NO_ENTRY) this.#leave(entry);
    if (sample.rate !== rate) this.#shrink(rate, hash);
    return entry;
  }

  /**
   * The sample's rate fell: so many rows fewer stay in the optimum. Which ones were the leaving
   * key's is not known, so any: that is right on average.
   */
  #shrink(before: number, hash: number): void {
    this.#scale();
    this.#debt += this.#optimum.total * (1 - this.sample.rate / before);
    for (; this.#debt >= 1; this.#debt--) this.#optimum.thin(hash >>> 4);
  }

  /** The entry has no last position any more. */
  #leave(entry: number): void {
    const last = this.#last[entry];
    if (last === NO_POSITION) return;
    this.#live.add(last, -1);
    this.#entryAt[last] = 0;
    this.#last[entry] = NO_POSITION;
  }

  #renumber(): void {
    const entryAt = this.#entryAt;
    const place = this.#place;
    let kept = 0;
    for (let position = 0; position < entryAt.length; position++) {
      const entry = entryAt[position] - 1;
      if (entry >= 0) {
        entryAt[position] = 0;
        entryAt[kept] = entry + 1;
        this.#last[entry] = kept++;
      }
      place[position] = kept - 1;
    }
    this.#optimum.renumber(place, entryAt.length);
    this.#next = kept;
    // Ones at the positions kept, for which the places are no longer needed.
    place.fill(1, 0, kept);
    place.fill(0, kept);
    this.#live.assign(place);
  }

  /** The row of `key` is gone: its next lookup is a first touch. */
  forget(key: number): void {
    const entry = this.sample.find(key);
    if (entry !== NO_ENTRY) this.#leave(entry);
  }

  /** All rows are gone. */
  forgetAll(): void {
    for (let entry = 0; entry < this.sample.count; entry++) this.#leave(entry);
  }

  /** Throws an Error naming the first broken invariant. */
  verify(): void {
    this.sample.verify();
    let live = 0;
    for (let entry = 0; entry < this.sample.count; entry++) {
      const last = this.#last[entry];
      if (last === NO_POSITION) continue;
      live++;
      if (this.#entryAt[last] !== entry + 1) {
        throw new Error(`Broken invariant: position ${last} must be of entry ${entry}`);
      }
    }
    if (this.#live.total !== live) {
      throw new Error(`Broken invariant: last positions must number ${live}`);
    }
  }
}
