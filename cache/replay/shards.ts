/**
 * Miss-ratio curves of LRU from a sample of the keys (Waldspurger, Park, Garthwaite, Ahmad:
 * "Efficient MRC construction with SHARDS", FAST 2015).
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { log } from "../../base/math.ts";
import { MissRatioCurve } from "./curve.ts";
import {
  checkRate,
  hashOf,
  highestHash,
  rateOf,
  saltOf,
  SAMPLE_CHUNK,
  sampleKeys,
} from "./_key_sample.ts";
import { KeyHeap } from "./_key_heap.ts";
import { RecencyOrder } from "./_recency_order.ts";
import { bucketOf, largestOf, SIZE_BUCKETS } from "./_size_buckets.ts";

/** Most keys of a sample. */
const MAX_SAMPLED_KEYS = 2 ** 24;

/** The sample is split in as many parts by hash; from their differences comes the error. */
const GROUPS = 8;

/** Options of {@linkcode Shards}. */
export interface ShardsOptions {
  /** Share of the keys that is sampled at first, above 0 to 1; 1 by default. */
  readonly rate?: number;
  /**
   * Most keys in the sample, 1 to 2^24; 8,192 by default, as the paper advises. Beyond that the
   * rate is lowered, so that memory is bounded whatever comes.
   */
  readonly maximumKeys?: number;
  /** Of the hash that samples; any safe integer, 0 by default. */
  readonly seed?: number;
}

/**
 * The miss-ratio curve of LRU from the requests of some keys. With a `rate` and many `maximumKeys`
 * it is the paper's fixed-rate form; with rate 1 and few keys its fixed-size form.
 *
 * A key is sampled by its hash, so that all its requests are seen; a sampled key that comes d-th in
 * the recency order of the sample is about (d / rate)-th in that of all keys. The paper's
 * correction (SHARDS-adj) is built in: ratios are of the requests expected in the sample, all
 * requests times rate, so that a hot key sampled by chance does not pull the curve.
 *
 * The standard error joins two: how much eight parts of the sample differ, as some keys are hotter
 * than others, and how well a share of the keys tells depths. On zipf traces of exponents 0.7 to
 * 0.9 true errors were 1.0 to 1.7 times it, root mean square over 20 seeds. About sizes below 1 /
 * rate a sample knows next to nothing, and below 100 / rate not much.
 *
 * Costs about 2 ns for a request that is not sampled, 60 for one that is; 30 to 60 bytes a sampled
 * key and 200 KB.
 *
 * @example
 * ```ts
 * import { Shards } from "@rowtier/rowtier/cache";
 *
 * const shards = new Shards({ rate: 0.1, maximumKeys: 1000, seed: 1 });
 * shards.add(new Uint32Array(50_000).map((_, i) => i % 5000));
 * // A loop over 5,000 keys: all hits with room for all of them, no hit far below.
 * const curve = shards.curve();
 * if (curve.at(6000) > 0.2 || curve.at(3000) < 0.8) throw new Error("unreachable");
 * ```
 */
export class Shards {
  readonly #maximumKeys: number;
  readonly #salt: number;
  readonly #order: RecencyOrder;
  readonly #heap: KeyHeap;
  /** Bits of keys: signed, as an unsigned number above 2^31 would be boxed at each call. */
  readonly #sampled = new Int32Array(SAMPLE_CHUNK);
  /** By group, then bucket of the scaled depth: requests, each counting for 1 / rate of them. */
  readonly #depths = new Float64Array(GROUPS * SIZE_BUCKETS);
  /** By group: requests of keys that were not in the sample. */
  readonly #firsts = new Float64Array(GROUPS);
  #highest: number;
  #requests = 0;
  #observed = 0;

  /**
   * An empty sample.
   *
   * @throws {RangeError} for an option out of range.
   */
  constructor(options: ShardsOptions = {}) {
    const what = "Cannot create Shards";
    const { rate = 1, maximumKeys = 8192, seed = 0 } = options;
    checkRate(what, rate);
    this.#maximumKeys = checkInteger(what, "maximumKeys", maximumKeys, 1, MAX_SAMPLED_KEYS);
    this.#salt = saltOf(seed);
    this.#highest = highestHash(rate);
    this.#order = new RecencyOrder(maximumKeys + 1, undefined);
    this.#heap = new KeyHeap(maximumKeys + 1);
  }

  /** Requests seen, sampled or not. */
  get requests(): number {
    return this.#requests;
  }

  /** Share of the keys that is sampled now. */
  get rate(): number {
    return rateOf(this.#highest);
  }

  /** Keys in the sample. */
  get sampledKeys(): number {
    return this.#order.size;
  }

  /** Bytes of its columns. */
  get memoryBytes(): number {
    const counts = this.#depths.byteLength + this.#firsts.byteLength;
    return this.#order.bytes + this.#heap.bytes + this.#sampled.byteLength + counts;
  }

  /**
   * Counts the requests for keys `start` to `end` - 1, which follow those counted before.
   *
   * @throws {RangeError} when the range does not lie within `keys`.
   */
  add(keys: Uint32Array, start: number = 0, end: number = keys.length): void {
    checkInteger("Cannot add requests", "end", end, 0, keys.length);
    checkInteger("Cannot add requests", "start", start, 0, end);
    const sampled = this.#sampled;
    for (let at = start; at < end; at += SAMPLE_CHUNK) {
      const last = Math.min(at + SAMPLE_CHUNK, end);
      const count = sampleKeys(keys, at, last, this.#salt, 0, this.#highest, sampled);
      for (let i = 0; i < count; i++) this.#use(sampled[i]);
    }
    this.#requests += end - start;
  }

  #use(key: number): void {
    const hash = hashOf(key, this.#salt);
    if (hash > this.#highest) return;
    this.#observed++;
    const group = hash & (GROUPS - 1);
    // Counting each request for 1 / rate of its moment is what the paper's rescaling of all counts
    // at each change of the rate comes to.
    const weight = 1 / rateOf(this.#highest);
    const depth = this.#order.use(key);
    if (depth > 0) {
      this.#depths[group * SIZE_BUCKETS + bucketOf(Math.ceil(depth * weight))] += weight;
      return;
    }
    this.#firsts[group] += weight;
    this.#heap.push(hash, key);
    if (this.#order.size <= this.#maximumKeys) return;
    this.#highest = this.#heap.highest - 1;
    this.#order.remove(this.#heap.pop());
  }

  /** The curve of what came so far; O(buckets). */
  curve(): MissRatioCurve {
    const sizes: number[] = [], missRatios: number[] = [], standardErrors: number[] = [];
    const misses = this.#firsts.slice();
    for (let at = 0; at < this.#depths.length; at++) {
      misses[Math.floor(at / SIZE_BUCKETS)] += this.#depths[at];
    }
    const scale = this.#requests / GROUPS;
    const point = (size: number): void => {
      const { mean, error } = meanOf(misses, scale);
      sizes.push(size);
      missRatios.push(Math.min(1, Math.max(0, mean)));
      standardErrors.push(error);
    };
    for (let bucket = 0, last = 0; bucket < SIZE_BUCKETS; bucket++) {
      if (hitsIn(this.#depths, bucket) === 0) continue;
      // Up to where the hits of this bucket may begin, the curve is flat.
      const size = largestOf(bucket);
      const flat = Math.min(bucket === 0 ? 0 : largestOf(bucket - 1), size - 1 / this.rate);
      // What the correction adds are hits of the first 1 / rate entries.
      if (last === 0 && flat > 1 / this.rate) point(1 / this.rate);
      if (flat > Math.max(last, 1)) point(flat);
      for (let group = 0; group < GROUPS; group++) {
        misses[group] -= this.#depths[group * SIZE_BUCKETS + bucket];
      }
      point(size);
      last = size;
    }
    const curve = new MissRatioCurve({
      method: "sampled",
      requests: this.#requests,
      sizes: Float64Array.from(sizes),
      missRatios: Float64Array.from(missRatios),
      standardErrors: Float64Array.from(standardErrors),
      observed: this.#observed,
      memoryBytes: this.memoryBytes,
    });
    addDepthErrors(curve, this.rate);
    return curve;
  }
}

/** How far to either side of a size its slope is measured. */
const SLOPE_SPAN = 1.2;

/**
 * Adds to the standard errors of `curve` what comes from depths: a size of c entries is c rate of
 * the sample's, of which the sample has by chance more or fewer, a binomial number.
 */
function addDepthErrors(curve: MissRatioCurve, rate: number): void {
  const { sizes, standardErrors } = curve;
  for (let i = 0; i < sizes.length; i++) {
    const size = sizes[i];
    const fall = curve.at(size / SLOPE_SPAN) - curve.at(size * SLOPE_SPAN);
    const slope = fall / (2 * log(SLOPE_SPAN));
    const variance = slope * slope * (1 - rate) / (size * rate);
    standardErrors![i] = Math.sqrt(standardErrors![i] ** 2 + variance);
  }
}

/** Requests of all groups whose depth is in `bucket`. */
function hitsIn(depths: Float64Array, bucket: number): number {
  let hits = 0;
  for (let at = bucket; at < depths.length; at += SIZE_BUCKETS) hits += depths[at];
  return hits;
}

/** The mean of `counts` over `scale`, and the standard error of that mean. */
function meanOf(counts: Float64Array, scale: number): { mean: number; error: number } {
  let sum = 0, squares = 0;
  for (const count of counts) sum += count / scale;
  const mean = sum / counts.length;
  for (const count of counts) squares += (count / scale - mean) ** 2;
  return { mean, error: Math.sqrt(squares / (counts.length - 1) / counts.length) };
}
