/**
 * Miss-ratio curves of any eviction policy from small caches over a sample of the keys
 * (Waldspurger, Saemundsson, Ahmad, Park: "Cache modeling and optimization using miniature
 * simulations", USENIX ATC 2017).
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import type { AdmissionPolicyFactory } from "../admission.ts";
import { MissRatioCurve } from "./curve.ts";
import type { EvictionPolicyFactory } from "../eviction.ts";
import { checkRate, highestHash, rateOf, saltOf, SAMPLE_CHUNK, sampleKeys } from "./_key_sample.ts";
import { MAX_PARTITION_SLOTS } from "../limits.ts";
import { KeyCache } from "../rows/key_cache.ts";

/** Most samples; each costs as much as the first. */
const MAX_SAMPLES = 64;

/** Options of {@linkcode MiniSimulation}. */
export interface MiniSimulationOptions {
  /** Makes the policy that says which key leaves. */
  readonly eviction: EvictionPolicyFactory;
  /** Makes the policy that says which key enters; every key by default. */
  readonly admission?: AdmissionPolicyFactory;
  /** The cache sizes to find the miss ratio of, in entries, ascending. */
  readonly sizes: readonly number[];
  /** Share of the keys in a sample, above 0 to 1; 0.01 by default. */
  readonly rate?: number;
  /**
   * Sizes that `rate` would scale below this many entries are simulated with so many, at a higher
   * rate; 64 by default. Policies cut their slots into parts of as little as one in a hundred, and
   * act otherwise where a part is a few entries.
   */
  readonly minimumSlots?: number;
  /**
   * Samples without a common key, 1 to 64, 4 by default: from their differences comes the error.
   */
  readonly samples?: number;
  /** Of the hash that samples; any safe integer, 0 by default. */
  readonly seed?: number;
}

/** The caches that one sample feeds. */
interface Lane {
  /** The sample. */
  readonly offset: number;
  readonly highest: number;
  /** The caches, and which of the sizes each stands for. */
  readonly caches: KeyCache[];
  readonly points: number[];
}

/**
 * The miss-ratio curve of any eviction policy: a cache of rate times the size sees the requests of
 * the keys in a sample, a rate of all keys, and misses about as often as the whole one would.
 * Ratios are of the requests expected in the sample, as in {@linkcode Shards}.
 *
 * The standard error is that of the mean of the samples: NaN where a size's rate leaves room for
 * one sample only, and 0 at rate 1, where the simulation is of the whole cache.
 *
 * Costs about 2 ns a request and sample, and for each sampled request and size what the policy
 * costs; memory is that of the small caches.
 *
 * @example
 * ```ts
 * import { MiniSimulation, sieve } from "@rowtier/rowtier/cache";
 *
 * const sizes = [100, 200];
 * const simulation = new MiniSimulation({ eviction: sieve, sizes, rate: 0.5, samples: 1 });
 * simulation.add(new Uint32Array(10_000).map((_, i) => i % 150));
 * const curve = simulation.curve();
 * if (curve.at(200) > 0.05 || curve.at(100) < curve.at(200)) throw new Error("unreachable");
 * ```
 */
export class MiniSimulation {
  readonly #sizes: Float64Array;
  readonly #salt: number;
  readonly #lanes: Lane[] = [];
  readonly #sampled = new Uint32Array(SAMPLE_CHUNK);
  #requests = 0;
  #observed = 0;

  /**
   * Empty caches.
   *
   * @throws {RangeError} for an option out of range.
   */
  constructor(options: MiniSimulationOptions) {
    const what = "Cannot create MiniSimulation";
    const { sizes, rate = 0.01, minimumSlots = 64, samples = 4, seed = 0 } = options;
    checkRate(what, rate);
    checkInteger(what, "minimumSlots", minimumSlots, 1, MAX_PARTITION_SLOTS);
    checkInteger(what, "samples", samples, 1, MAX_SAMPLES);
    sizes.forEach((size, i) => {
      const least = i === 0 ? 1 : sizes[i - 1] + 1;
      checkInteger(what, `sizes[${i}]`, size, least, MAX_PARTITION_SLOTS);
    });
    this.#sizes = Float64Array.from(sizes);
    this.#salt = saltOf(seed);
    const byRate = new Map<number, number[]>();
    sizes.forEach((size, point) => {
      const highest = highestHash(Math.min(1, Math.max(rate, minimumSlots / size)));
      byRate.set(highest, [...byRate.get(highest) ?? [], point]);
    });
    const { eviction, admission } = options;
    const policies = admission === undefined ? { eviction } : { eviction, admission };
    for (const [highest, points] of byRate) this.#addLanes(policies, samples, highest, points);
  }

  #addLanes(
    policies: Pick<MiniSimulationOptions, "eviction" | "admission">,
    samples: number,
    highest: number,
    points: number[],
  ): void {
    const rate = rateOf(highest);
    const slots = points.map((point) => Math.max(1, Math.round(this.#sizes[point] * rate)));
    const count = Math.max(1, Math.min(samples, Math.floor(1 / rate)));
    for (let sample = 0; sample < count; sample++) {
      const caches = slots.map((slotCount) => new KeyCache({ slotCount, ...policies }));
      this.#lanes.push({ offset: sample * rate * 2 ** 32 | 0, highest, caches, points });
    }
  }

  /** Requests seen, sampled or not. */
  get requests(): number {
    return this.#requests;
  }

  /** Bytes of the small caches. */
  get memoryBytes(): number {
    const caches = this.#lanes.flatMap((lane) => lane.caches);
    return caches.reduce((sum, cache) => {
      const { indexBytes, policyBytes, columnBytes } = cache.memoryBytes();
      return sum + indexBytes + policyBytes + columnBytes;
    }, this.#sampled.byteLength);
  }

  /**
   * Counts the requests for keys `start` to `end` - 1, which follow those counted before.
   *
   * @throws {RangeError} when the range does not lie within `keys`.
   */
  add(keys: Uint32Array, start: number = 0, end: number = keys.length): void {
    checkInteger("Cannot add requests", "end", end, 0, keys.length);
    checkInteger("Cannot add requests", "start", start, 0, end);
    for (let at = start; at < end; at += SAMPLE_CHUNK) {
      const last = Math.min(at + SAMPLE_CHUNK, end);
      for (let i = 0; i < this.#lanes.length; i++) this.#feed(this.#lanes[i], keys, at, last);
    }
    this.#requests += end - start;
  }

  #feed(lane: Lane, keys: Uint32Array, start: number, end: number): void {
    const { offset, highest, caches } = lane;
    const count = sampleKeys(keys, start, end, this.#salt, offset, highest, this.#sampled);
    for (let i = 0; i < caches.length; i++) caches[i].replay(this.#sampled, 0, count);
    this.#observed += count * caches.length;
  }

  /** The curve of what came so far: a point for each of the sizes. */
  curve(): MissRatioCurve {
    const found: number[][] = Array.from(this.#sizes, () => []);
    const rates = new Float64Array(this.#sizes.length);
    for (const { highest, caches, points } of this.#lanes) {
      const expected = this.#requests * rateOf(highest);
      points.forEach((point, i) => {
        rates[point] = rateOf(highest);
        found[point].push(caches[i].counters().misses / expected);
      });
    }
    const means = found.map((ratios) => ratios.reduce((sum, x) => sum + x, 0) / ratios.length);
    return new MissRatioCurve({
      method: "simulated",
      requests: this.#requests,
      sizes: this.#sizes.slice(),
      missRatios: Float64Array.from(means, (mean) => Math.min(1, mean)),
      standardErrors: Float64Array.from(found, (ratios, i) => {
        return rates[i] === 1 ? 0 : standardError(ratios, means[i]);
      }),
      observed: this.#observed,
      memoryBytes: this.memoryBytes,
    });
  }
}

/** Of the mean of `values`; NaN for one. */
function standardError(values: readonly number[], mean: number): number {
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1) / values.length);
}
