/**
 * Bijections that spread ranks over keys, so that hot keys are not neighbours.
 *
 * @module
 */

import { createRandom } from "../../base/random.ts";

/** A bijection on the numbers below `count`, seeded. */
export interface Scatter {
  /** The numbers are 0 to `count` - 1. */
  readonly count: number;
  /** Where `rank`, below `count`, goes. */
  map(rank: number): number;
}

/**
 * A permutation of 0 to `count` - 1 (at most 2^32) without a table: rounds of xor-shift and odd
 * multiplier are invertible on any number of bits; what falls beyond `count` goes round again
 * (cycle walking: Black, Rogaway 2002), twice on average at most.
 */
export function createScatter(count: number, seed: number): Scatter {
  const random = createRandom(seed);
  let bits = 1;
  while (2 ** bits < count) bits++;
  const mask = 2 ** bits - 1 | 0;
  const shift = (bits + 1) >> 1;
  const offset = random.u32() | 0;
  const first = random.u32() | 1;
  const second = random.u32() | 1;
  const map = (rank: number): number => {
    let x = rank;
    do {
      x = (x + offset) & mask;
      x = Math.imul(x ^ (x >>> shift), first) & mask;
      x = Math.imul(x ^ (x >>> shift), second) & mask;
      // The masks leave a signed number where all 32 bits are in use.
      x = (x ^ (x >>> shift)) >>> 0;
    } while (x >= count);
    return x;
  };
  return { count, map };
}
