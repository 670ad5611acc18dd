/**
 * How popular keys are: groups of keys with one share of the requests each.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { exp, log } from "../../base/math.ts";

/** Keys that are equally popular. */
export interface Popularity {
  /** Part of all requests that goes to each of them. */
  readonly share: number;
  /** How many they are. */
  readonly keys: number;
}

/** Ranks up to it are groups of their own. */
const SINGLE_RANKS = 1000;

/** Above, a group's ranks lie within this part of each other, and their shares nearly so. */
const GROUP_WIDTH = 0.002;

/** One group for each popularity, the most popular first. */
export function groupPopularities(
  what: string,
  popularities: Float64Array | Uint32Array,
): Popularity[] {
  let total = 0;
  popularities.forEach((popularity, i) => {
    if (!(popularity >= 0 && popularity < Infinity)) {
      throw new RangeError(
        `${what}: popularities[${i}] must be finite and at least 0: received ${popularity}`,
      );
    }
    total += popularity;
  });
  if (total === 0) throw new RangeError(`${what}: some popularity must be above 0: received none`);
  const shares = Float64Array.from(popularities, (popularity) => popularity / total);
  return Array.from(shares.sort().reverse(), (share) => ({ share, keys: 1 }));
}

/**
 * Zipf's law over `keyCount` keys. High ranks share groups: the middle of a group stands for all of
 * it, wrong by the square of its width.
 */
export function groupZipf(what: string, keyCount: number, exponent: number): Popularity[] {
  checkInteger(what, "zipf.keyCount", keyCount, 1);
  if (!(exponent >= 0 && exponent < Infinity)) {
    throw new RangeError(
      `${what}: zipf.exponent must be finite and at least 0: received ${exponent}`,
    );
  }
  const groups: Popularity[] = [];
  let total = 0;
  for (let first = 1; first <= keyCount;) {
    const width = first <= SINGLE_RANKS ? 1 : Math.floor(first * GROUP_WIDTH);
    const keys = Math.min(width, keyCount - first + 1);
    const share = exp(-exponent * log(first + (keys - 1) / 2));
    groups.push({ share, keys });
    total += share * keys;
    first += keys;
  }
  return groups.map(({ share, keys }) => ({ share: share / total, keys }));
}
