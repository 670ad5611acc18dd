/**
 * Sampling of keys by a hash, so that every request of a sampled key is seen and none of the
 * others.
 *
 * @module
 */

import { createRandom } from "../../base/random.ts";

/** Hashes are signed 32-bit integers, each as likely as the other. */
export const LOWEST_HASH: number = -(2 ** 31);

/** Requests looked at before the sampled ones among them are worked on: 16 KiB of keys. */
export const SAMPLE_CHUNK: number = 4096;

/** Throws a RangeError unless `rate` is a share of keys: above 0, at most 1. */
export function checkRate(what: string, rate: number): void {
  if (!(rate > 0 && rate <= 1)) {
    throw new RangeError(`${what}: rate must be above 0 and at most 1: received ${rate}`);
  }
}

/** What makes the hashes of one seed differ from those of another. */
export function saltOf(seed: number): number {
  return createRandom(seed).u32() | 0;
}

/** The highest sampled hash for a share of `rate`, above 0 to 1, of all keys. */
export function highestHash(rate: number): number {
  return LOWEST_HASH - 1 + Math.max(1, Math.round(rate * 2 ** 32));
}

/** The share of the keys whose hash is at most `highest`. */
export function rateOf(highest: number): number {
  return (highest - LOWEST_HASH + 1) / 2 ** 32;
}

/**
 * The hash of `key`: a bijection on 32 bits (Mueller, Ellis: hash-prospector), so that no two keys
 * share one. It has nothing in common with the one of the caches' index.
 */
export function hashOf(key: number, salt: number): number {
  let x = key ^ salt;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return x ^ (x >>> 15);
}

/**
 * Copies those of keys `start` to `end` - 1 whose hash, less `offset`, is at most `highest` to
 * `sampled`, in order; returns how many. Most keys are not sampled, and cost the hash and one
 * branch. Offsets that differ by the range's length or more give samples without a common key.
 */
export function sampleKeys(
  keys: Uint32Array,
  start: number,
  end: number,
  salt: number,
  offset: number,
  highest: number,
  sampled: Uint32Array | Int32Array,
): number {
  let count = 0;
  for (let i = start; i < end; i++) {
    if (((hashOf(keys[i], salt) - offset) | 0) <= highest) sampled[count++] = keys[i];
  }
  return count;
}
