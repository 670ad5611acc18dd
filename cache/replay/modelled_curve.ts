/**
 * Miss-ratio curves computed from the popularity of keys, without a trace (Che, Tung, Wang:
 * "Hierarchical Web caching systems: modeling, design and experimental results", IEEE JSAC 20(7),
 * 2002; for the other policies Martina, Garetto, Leonardi: "A unified approach to the performance
 * analysis of caching systems", INFOCOM 2014).
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { exp } from "../../base/math.ts";
import { MissRatioCurve } from "./curve.ts";
import { groupPopularities, groupZipf, type Popularity } from "./_popularity.ts";

/** Options of {@linkcode modelledCurve}: one of `popularities` and `zipf`. */
export interface ModelledCurveOptions {
  /** How often each key is requested, in any unit: counts of a trace will do. */
  readonly popularities?: Float64Array | Uint32Array;
  /** Keys by Zipf's law: that of rank r in proportion to r^-exponent. */
  readonly zipf?: { readonly keyCount: number; readonly exponent: number };
  /** "pinned" is the best fixed set of keys, loaded beforehand. */
  readonly policy: "lru" | "fifo" | "random" | "clock" | "pinned";
  /** Chance that a missed key is admitted, with "lru" only; 1 by default. */
  readonly admission?: number;
  /** The cache sizes, in entries, ascending. */
  readonly sizes: readonly number[];
  /** Requests that the curve stands for, above 0; 1 by default. */
  readonly requests?: number;
}

/** A key of this share or less is not requested in any time that a double can tell. */
const NEVER = 1e-250;

/** Share of the time that a key is in the cache, from its requests in the characteristic time. */
type Occupancy = (requests: number) => number;

/**
 * The curve of a policy for independent requests: every request draws its key by popularity,
 * whatever came before. A key stays for the same time T after its last use (or its arrival), the
 * one at which the keys there fill the cache. Within 0.0005 of simulations over 10,000 keys; real
 * traces are more local in time than independent requests, so LRU does better on them.
 *
 * Costs about 20 ms a size for 10,000 popularities, and 10 to 50 for Zipf's law over any number of
 * keys; 16 bytes a popularity.
 *
 * @throws {RangeError} for an option out of range.
 * @throws {TypeError} for an unknown policy, or when not exactly one of `popularities` and `zipf`
 * is given.
 *
 * @example
 * ```ts
 * import { modelledCurve } from "@rowtier/rowtier/cache";
 *
 * const zipf = { keyCount: 1_000_000_000, exponent: 0.9 };
 * const sizes = [1_000_000, 10_000_000];
 * const lru = modelledCurve({ zipf, policy: "lru", sizes });
 * const pinned = modelledCurve({ zipf, policy: "pinned", sizes });
 * if (pinned.at(1_000_000) > lru.at(1_000_000)) throw new Error("unreachable");
 * ```
 */
export function modelledCurve(options: ModelledCurveOptions): MissRatioCurve {
  const { policy, sizes, requests = 1 } = options;
  const what = "Cannot model curve";
  if (!(requests > 0 && requests < Infinity)) {
    throw new RangeError(`${what}: requests must be finite and above 0: received ${requests}`);
  }
  const groups = readGroups(what, options);
  const occupancy = occupancyOf(what, policy, options.admission ?? 1);
  sizes.forEach((size, i) => {
    checkInteger(what, `sizes[${i}]`, size, i === 0 ? 1 : sizes[i - 1] + 1);
  });
  const missRatios = Float64Array.from(sizes, (size) => {
    const hits = policy === "pinned" ? pinnedHits(groups, size) : hitRatio(groups, occupancy, size);
    return Math.min(1, Math.max(0, 1 - hits));
  });
  return new MissRatioCurve({
    method: "modelled",
    requests,
    sizes: Float64Array.from(sizes),
    missRatios,
    observed: 0,
    memoryBytes: 16 * groups.length,
  });
}

function readGroups(what: string, { popularities, zipf }: ModelledCurveOptions): Popularity[] {
  if ((popularities === undefined) === (zipf === undefined)) {
    const given = popularities === undefined ? "none" : "both";
    throw new TypeError(`${what}: one of popularities and zipf must be given: received ${given}`);
  }
  return popularities !== undefined
    ? groupPopularities(what, popularities)
    : groupZipf(what, zipf!.keyCount, zipf!.exponent);
}

function occupancyOf(what: string, policy: string, admission: number): Occupancy {
  if (!(admission > 0 && admission <= 1)) {
    throw new RangeError(
      `${what}: admission must be above 0 and at most 1: received ${admission}`,
    );
  }
  if (admission < 1 && policy !== "lru") {
    throw new TypeError(`${what}: admission must be 1 unless policy is "lru": received ${policy}`);
  }
  switch (policy) {
    case "lru":
      // In the cache it stays with chance 1 - e each time, outside it comes in with chance q.
      return (x) => {
        const e = exp(-x);
        return admission * (1 - e) / (e + admission * (1 - e));
      };
    case "fifo":
    case "random":
      return (x) => x / (1 + x);
    case "clock":
      // x e^x over 1 + x e^x, such that a large x does not overflow.
      return (x) => x / (exp(-x) + x);
    case "pinned":
      return () => 0;
    default:
      throw new TypeError(
        `${what}: policy must be "lru", "fifo", "random", "clock" or "pinned": received ${policy}`,
      );
  }
}

/** Hits of the keys that are most popular, `groups` being in falling order. */
function pinnedHits(groups: readonly Popularity[], size: number): number {
  let hits = 0, left = size;
  for (const { share, keys } of groups) {
    const pinned = Math.min(keys, left);
    hits += pinned * share;
    left -= pinned;
    if (left === 0) break;
  }
  return hits;
}

/** The hit ratio at `size`: finds the time at which so many keys are there on average. */
function hitRatio(groups: readonly Popularity[], occupancy: Occupancy, size: number): number {
  let keyCount = 0;
  for (const { share, keys } of groups) if (share > NEVER) keyCount += keys;
  if (size >= keyCount) return 1;
  let low = 0, high = size;
  while (keysThere(groups, occupancy, high) < size) {
    low = high;
    high *= 2;
  }
  // Bisection, as the curve of CLOCK is neither convex nor concave, down to the last bits.
  for (let middle = (low + high) / 2; middle > low && middle < high; middle = (low + high) / 2) {
    if (high - low < high * 2 ** -40) break;
    if (keysThere(groups, occupancy, middle) < size) low = middle;
    else high = middle;
  }
  let hits = 0;
  for (const { share, keys } of groups) hits += keys * share * occupancy(share * high);
  return hits;
}

function keysThere(groups: readonly Popularity[], occupancy: Occupancy, time: number): number {
  let sum = 0;
  for (const { share, keys } of groups) sum += keys * occupancy(share * time);
  return sum;
}
