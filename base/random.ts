/**
 * Seeded random numbers: the only source of randomness in the library, so that a seed replays a
 * run.
 *
 * @module
 */

/** A stream of pseudo-random numbers, the same for the same seed on every engine. */
export interface Random {
  /** The next unsigned 32-bit integer. */
  u32(): number;
  /** The next integer in [0, `bound`), without bias; `bound` from 1 to 2^32. */
  below(bound: number): number;
  /** The next float in [0, 1), a multiple of 2^-32. */
  unit(): number;
}

/**
 * xoshiro128** (Blackman, Vigna 2018) seeded by SplitMix32-style mixing of `seed` (any integer; its
 * low 53 bits count). Period 2^128 - 1, about 3 ns a number.
 */
export function createRandom(seed: number): Random {
  if (!Number.isSafeInteger(seed)) {
    throw new RangeError(`Cannot create Random: seed must be a safe integer: received ${seed}`);
  }
  let mixed = (seed ^ Math.floor(seed / 2 ** 32)) | 0;
  const mix = (): number => {
    mixed = (mixed + 0x9e3779b9) | 0;
    let z = mixed ^ (mixed >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return z ^ (z >>> 15);
  };
  let s0 = mix(), s1 = mix(), s2 = mix(), s3 = mix() | 1;
  const u32 = (): number => {
    const five = Math.imul(s1, 5);
    const result = Math.imul((five << 7) | (five >>> 25), 9) >>> 0;
    const t = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= t;
    s3 = (s3 << 11) | (s3 >>> 21);
    return result;
  };
  return {
    u32,
    unit: () => u32() / 2 ** 32,
    below(bound: number): number {
      // Rejection: the largest multiple of bound below 2^32 keeps every result equally likely.
      const limit = 2 ** 32 - (2 ** 32 % bound);
      let x = u32();
      while (x >= limit) x = u32();
      return x % bound;
    },
  };
}
