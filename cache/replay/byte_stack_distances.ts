/**
 * Exact miss-ratio curves of LRU for objects of different sizes.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { MissRatioCurve } from "./curve.ts";
import { MAX_PARTITION_SLOTS } from "../limits.ts";
import { RecencyOrder } from "./_recency_order.ts";
import { bucketOf, largestOf, SIZE_BUCKETS } from "./_size_buckets.ts";

/** Options of {@linkcode ByteStackDistances}. */
export interface ByteStackDistancesOptions {
  /**
   * Most distinct keys, up to 2^28, which is also the default; memory grows with those that come.
   */
  readonly keyLimit?: number;
}

/**
 * How many bytes deep in the order of recency each request finds its object, for an LRU cache whose
 * bound is bytes: it evicts until the newcomer fits. That keeps what lies no deeper than its size,
 * whatever the sizes are, as long as no object is larger than the cache and none changes its size.
 *
 * Gives the miss ratio and the byte miss ratio, at 64 sizes in each doubling; exact at those.
 * Costs about twice the time of {@linkcode StackDistances}, and 100 to 200 bytes a distinct key.
 *
 * @example
 * ```ts
 * import { ByteStackDistances } from "@rowtier/rowtier/cache";
 *
 * const distances = new ByteStackDistances();
 * distances.add(Uint32Array.of(7, 8, 7, 8), Uint32Array.of(64, 256, 64, 256));
 * if (distances.curve().at(320) !== 0.5) throw new Error("unreachable");
 * if (distances.byteCurve().at(300) !== 1) throw new Error("unreachable");
 * ```
 */
export class ByteStackDistances {
  readonly #keyLimit: number;
  readonly #order: RecencyOrder;
  /** By bucket of the depth in bytes: requests, and bytes requested. */
  readonly #hits = new Float64Array(SIZE_BUCKETS);
  readonly #hitBytes = new Float64Array(SIZE_BUCKETS);
  #requests = 0;
  #bytes = 0;

  /**
   * No requests yet.
   *
   * @throws {RangeError} when `keyLimit` is out of range.
   */
  constructor({ keyLimit = MAX_PARTITION_SLOTS }: ByteStackDistancesOptions = {}) {
    const what = "Cannot create ByteStackDistances";
    this.#keyLimit = checkInteger(what, "keyLimit", keyLimit, 1, MAX_PARTITION_SLOTS);
    this.#order = new RecencyOrder(keyLimit, undefined, true);
  }

  /** Requests counted. */
  get requests(): number {
    return this.#requests;
  }

  /** Bytes requested. */
  get requestedBytes(): number {
    return this.#bytes;
  }

  /** Bytes of its columns. */
  get memoryBytes(): number {
    return this.#order.bytes + this.#hits.byteLength + this.#hitBytes.byteLength;
  }

  /**
   * Counts the requests for keys `start` to `end` - 1, each of as many bytes as `sizes` says at the
   * same place.
   *
   * @throws {RangeError} when `sizes` are not as many as `keys`, the range does not lie within
   * them, or a size is 0: before anything is counted; when there are more than `keyLimit` distinct
   * keys: the requests before the one too many are counted.
   */
  add(
    keys: Uint32Array,
    sizes: Uint32Array,
    start: number = 0,
    end: number = keys.length,
  ): void {
    const what = "Cannot add requests";
    checkInteger(what, "sizes.length", sizes.length, keys.length, keys.length);
    checkInteger(what, "end", end, 0, keys.length);
    checkInteger(what, "start", start, 0, end);
    for (let i = start; i < end; i++) checkInteger(what, "size", sizes[i], 1);
    for (let i = start; i < end; i++) this.#use(keys[i] | 0, sizes[i]);
  }

  #use(key: number, size: number): void {
    const depth = this.#order.use(key, size);
    if (depth === -1) {
      throw new RangeError(
        `Cannot add requests: distinct keys must be at most ${this.#keyLimit}: received one more`,
      );
    }
    this.#requests++;
    this.#bytes += size;
    if (depth === 0) return;
    const bucket = bucketOf(this.#order.bytesDeep);
    this.#hits[bucket]++;
    this.#hitBytes[bucket] += size;
  }

  /** Misses of all requests, by bytes of cache. */
  curve(): MissRatioCurve {
    return this.#curveOf(this.#hits, this.#requests);
  }

  /** Bytes missed of all bytes requested, by bytes of cache. */
  byteCurve(): MissRatioCurve {
    return this.#curveOf(this.#hitBytes, this.#bytes);
  }

  #curveOf(hits: Float64Array, requests: number): MissRatioCurve {
    const sizes: number[] = [], missRatios: number[] = [];
    let misses = requests;
    for (let bucket = 0; bucket < SIZE_BUCKETS; bucket++) {
      // A bucket without hits after one with some: from there to here the curve is flat.
      if (hits[bucket] === 0 && (bucket + 1 === SIZE_BUCKETS || hits[bucket + 1] === 0)) continue;
      misses -= hits[bucket];
      sizes.push(largestOf(bucket));
      missRatios.push(misses / requests);
    }
    return new MissRatioCurve({
      method: "exact",
      unit: "bytes",
      requests,
      sizes: Float64Array.from(sizes),
      missRatios: Float64Array.from(missRatios),
      standardErrors: new Float64Array(sizes.length),
      observed: this.#requests,
      memoryBytes: this.memoryBytes,
    });
  }
}
