/**
 * Exact miss-ratio curves of LRU at all sizes in one pass (Mattson, Gecsei, Slutz, Traiger:
 * "Evaluation techniques for storage hierarchies", IBM Systems Journal 9(2), 1970).
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { MissRatioCurve } from "./curve.ts";
import { MAX_PARTITION_SLOTS } from "../limits.ts";
import { RecencyOrder } from "./_recency_order.ts";
import type { Trace } from "../traces/trace.ts";

/** Keys whose places are fetched together, see {@linkcode KeyIndex.touch}. */
const CHUNK = 1024;

/** Options of {@linkcode StackDistances}. */
export interface StackDistancesOptions {
  /**
   * Most distinct keys, up to 2^28, which is also the default; memory grows with those that come.
   */
  readonly keyLimit?: number;
  /** Where set, keys are dense: all below it, and looked up in a plain column, a third faster. */
  readonly keyCount?: number;
}

/**
 * How deep in the order of recency each request finds its key: an LRU cache hits exactly those no
 * deeper than its size, so one pass gives the misses of every size.
 *
 * Costs 60 to 250 ns a request over a million keys, the less the more of them are hot; 35 to 70
 * bytes a distinct key, 30 to 45 where keys are dense. Memory is taken in doublings as keys come;
 * nothing is allocated when none is new.
 *
 * @example
 * ```ts
 * import { StackDistances } from "@rowtier/rowtier/cache";
 *
 * const distances = new StackDistances();
 * distances.add(Uint32Array.of(7, 8, 9, 7, 9, 9));
 * const curve = distances.curve();
 * if (curve.missesAt(1) !== 5 || curve.missesAt(3) !== 3) throw new Error("unreachable");
 * ```
 */
export class StackDistances {
  readonly #keyLimit: number;
  readonly #keyCount: number;
  readonly #order: RecencyOrder;
  /** Requests by depth; index 0 counts first uses. Doubles: counts beyond 2^32 stay exact. */
  #depths = new Float64Array(CHUNK);
  #requests = 0;
  /** What fetching ahead returned, kept so that it is not optimised away. */
  #fetched = 0;

  /**
   * No requests yet.
   *
   * @throws {RangeError} for an option out of range.
   */
  constructor(options: StackDistancesOptions = {}) {
    const what = "Cannot create StackDistances";
    const { keyLimit = MAX_PARTITION_SLOTS, keyCount } = options;
    checkInteger(what, "keyLimit", keyLimit, 1, MAX_PARTITION_SLOTS);
    if (keyCount !== undefined) checkInteger(what, "keyCount", keyCount, 1, MAX_PARTITION_SLOTS);
    this.#keyLimit = keyLimit;
    this.#keyCount = keyCount ?? 2 ** 32;
    this.#order = new RecencyOrder(keyLimit, keyCount);
  }

  /** Requests counted. */
  get requests(): number {
    return this.#requests;
  }

  /** Distinct keys among them. */
  get keys(): number {
    return this.#order.size;
  }

  /** Bytes of its columns. */
  get memoryBytes(): number {
    return this.#order.bytes + this.#depths.byteLength;
  }

  /**
   * Counts the requests for keys `start` to `end` - 1, which follow those counted before.
   *
   * @throws {RangeError} when the range does not lie within `keys`, or a key is not below
   * `keyCount`: before anything is counted; when there are more than `keyLimit` distinct keys: the
   * requests before the one too many are counted.
   */
  add(keys: Uint32Array, start: number = 0, end: number = keys.length): void {
    const what = "Cannot add requests";
    checkInteger(what, "end", end, 0, keys.length);
    checkInteger(what, "start", start, 0, end);
    if (this.#keyCount < 2 ** 32) checkKeys(what, keys, start, end, this.#keyCount);
    for (let at = start; at < end; at += CHUNK) {
      const last = Math.min(at + CHUNK, end);
      this.#fetched = this.#order.fetch(keys, at, last);
      for (let i = at; i < last; i++) this.#use(keys[i] | 0);
    }
  }

  #use(key: number): void {
    const depth = this.#order.use(key);
    if (depth === -1) {
      throw new RangeError(
        `Cannot add requests: distinct keys must be at most ${this.#keyLimit}: received one more`,
      );
    }
    if (depth >= this.#depths.length) {
      const depths = new Float64Array(2 * this.#depths.length);
      depths.set(this.#depths);
      this.#depths = depths;
    }
    this.#depths[depth]++;
    this.#requests++;
  }

  /** Misses of an LRU cache of `size` entries: O(size). For many sizes take the curve. */
  misses(size: number): number {
    let misses = this.#requests;
    for (let depth = Math.min(size, this.#depths.length - 1); depth > 0; depth--) {
      misses -= this.#depths[depth];
    }
    return misses;
  }

  /** The curve of what came so far: a point for each size at which misses drop; O(keys). */
  curve(): MissRatioCurve {
    const depths = this.#depths;
    let points = 0;
    for (let depth = 1; depth < depths.length; depth++) if (depths[depth] > 0) points++;
    const sizes = new Float64Array(points);
    const missRatios = new Float64Array(points);
    let misses = this.#requests;
    for (let depth = 1, at = 0; at < points; depth++) {
      if (depths[depth] === 0) continue;
      misses -= depths[depth];
      sizes[at] = depth;
      missRatios[at++] = misses / this.#requests;
    }
    return new MissRatioCurve({
      method: "exact",
      between: "step",
      requests: this.#requests,
      sizes,
      missRatios,
      standardErrors: new Float64Array(points),
      observed: this.#requests,
      memoryBytes: this.memoryBytes,
    });
  }
}

function checkKeys(
  what: string,
  keys: Uint32Array,
  start: number,
  end: number,
  keyCount: number,
): void {
  for (let i = start; i < end; i++) {
    if (keys[i] >= keyCount) {
      throw new RangeError(`${what}: keys must be below ${keyCount}: received ${keys[i]}`);
    }
  }
}

/**
 * The exact curve of LRU for `trace`, objects counting one each; keys are looked up in a column
 * where the trace's `keyCount` is at most 2^28.
 *
 * @throws {RangeError} when a key is not below the trace's `keyCount`.
 *
 * @example
 * ```ts
 * import { lruCurve } from "@rowtier/rowtier/cache";
 *
 * const curve = lruCurve({ name: "loop", keys: Uint32Array.of(0, 1, 2, 0, 1, 2) });
 * if (curve.missesAt(2) !== 6 || curve.missesAt(3) !== 3) throw new Error("unreachable");
 * ```
 */
export function lruCurve(trace: Trace): MissRatioCurve {
  const { keys, keyCount } = trace;
  const isDense = keyCount !== undefined && keyCount >= 1 && keyCount <= MAX_PARTITION_SLOTS;
  const distances = new StackDistances(isDense ? { keyCount } : {});
  distances.add(keys);
  return distances.curve();
}
