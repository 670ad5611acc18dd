/**
 * An order-invariant hash of bags: 128 bits in four 32-bit lanes.
 *
 * Every item is mixed in each lane by a permutation of its own, and a lane is the sum of its items
 * mod 2^32, so that order does not matter and multiplicity does. Table, version and length are
 * items too, mixed under other seeds.
 *
 * How often do two different bags have one hash? Let m(x) be how often x is in the one less how
 * often it is in the other. A lane collides when the sum of m(x) f(x) is 0 mod 2^32. If some m(x)
 * is odd, and f(x) is as good as random, that is one chance in 2^32, and 2^-128 in four lanes.
 * Among n bags are n^2 / 2 pairs, so n^2 / 2^129 in all; 2^-59 after 2^35 bags. If every m(x) is a
 * multiple of 2^v ({a, a} and {b, b}: v = 1), the sum has only 32 - v bits to differ in:
 * 2^(4 v - 128) a pair. Two bags of one unweighted item never collide, as f is a permutation.
 *
 * It is no defence against someone who knows the seed and chooses the bags: sums of many items are
 * solved by Wagner's k-list algorithm ("A generalized birthday problem", 2002) in about 2^22 steps
 * with 2^10 items a bag. Who serves enemies takes a secret seed, and even that is no proof.
 *
 * @module
 */

import { createRandom } from "../../base/random.ts";

/** Words of a hash. */
export const HASH_WORDS = 4;

const { imul } = Math;

/**
 * Multipliers of the first mixing, which all lanes share, and of each lane: of xxHash, of
 * MurmurHash3, and two pairs that C. Wellons found by search (hash-prospector) for small avalanche
 * bias. Were a lane to mix a key without the first mixing, the top bits of keys would reach few of
 * its bits: {a + 2^31, b} and {a, b + 2^31} then have equal sums far too often.
 */
const A = 0x9e3779b1, B = 0x27d4eb2f;
const C0 = 0x21f0aaad, D0 = 0x735a2d97;
const C1 = 0x7feb352d, D1 = 0x846ca68b;
const C2 = 0x85ebca6b, D2 = 0xc2b2ae35;
const C3 = 0xcc9e2d51, D3 = 0x1b873593;
const LANES = [[C0, D0], [C1, D1], [C2, D2], [C3, D3]];

/** A permutation of 32-bit integers. It ends in a shift, as sums of products are products. */
function mix(x: number, first: number, second: number): number {
  x = imul(x, first);
  x = imul(x ^ (x >>> 15), second);
  return x ^ (x >>> 16);
}

/** A weight is keyed by its bits; a float and an integer over the same bytes give them. */
const FLOAT = new Float32Array(1);
const BITS = new Int32Array(FLOAT.buffer);

/** Seeds by use: each block is one for the first mixing and one a lane. */
const SEED_WORDS = HASH_WORDS + 1;
const KEY = 0, WEIGHT = SEED_WORDS, TABLE = 2 * SEED_WORDS, VERSION = 3 * SEED_WORDS;
const LENGTH = 4 * SEED_WORDS;

/** Hashes bags under one seed; allocates nothing. About 6 ns a key, 18 with weights. */
export class BagHasher {
  readonly #seeds: Int32Array;

  constructor(seed: number) {
    const random = createRandom(seed);
    this.#seeds = new Int32Array(5 * SEED_WORDS).map(() => random.u32());
  }

  /** Writes what `table` at `version` adds to each lane to `out` from `at` on. */
  tableLanes(table: number, version: number, out: Int32Array, at: number): void {
    const seeds = this.#seeds;
    const h = mix(table ^ seeds[TABLE], A, B);
    const g = mix(version ^ seeds[VERSION], A, B);
    for (let lane = 0; lane < HASH_WORDS; lane++) {
      const [first, second] = LANES[lane];
      const tableHalf = mix(h ^ seeds[TABLE + 1 + lane], first, second);
      out[at + lane] = mix(tableHalf + mix(g ^ seeds[VERSION + 1 + lane], A, B), second, first);
    }
  }

  /**
   * Writes the hash of the bag `keys[start, end)` to `out` from `at` on.
   *
   * @param weights One a key, at the same positions; null for none, which is not the same as ones.
   * @param table The lanes of its table from `tableAt` on.
   */
  hash(
    keys: Uint32Array,
    start: number,
    end: number,
    weights: Float32Array | null,
    table: Int32Array,
    tableAt: number,
    out: Int32Array,
    at: number,
  ): void {
    const seeds = this.#seeds;
    const h = mix((end - start) ^ seeds[LENGTH], A, B);
    for (let lane = 0; lane < HASH_WORDS; lane++) {
      out[at + lane] = table[tableAt + lane] + (h ^ seeds[LENGTH + 1 + lane]);
    }
    if (weights === null) addKeys(keys, start, end, seeds, out, at);
    else addPairs(keys, weights, start, end, seeds, out, at);
  }
}

function addKeys(
  keys: Uint32Array,
  start: number,
  end: number,
  seeds: Int32Array,
  out: Int32Array,
  at: number,
): void {
  const s = seeds[KEY], s0 = seeds[KEY + 1], s1 = seeds[KEY + 2];
  const s2 = seeds[KEY + 3], s3 = seeds[KEY + 4];
  let h0 = out[at], h1 = out[at + 1], h2 = out[at + 2], h3 = out[at + 3];
  for (let i = start; i < end; i++) {
    const h = mix(keys[i] ^ s, A, B);
    h0 = (h0 + mix(h ^ s0, C0, D0)) | 0;
    h1 = (h1 + mix(h ^ s1, C1, D1)) | 0;
    h2 = (h2 + mix(h ^ s2, C2, D2)) | 0;
    h3 = (h3 + mix(h ^ s3, C3, D3)) | 0;
  }
  out[at] = h0;
  out[at + 1] = h1;
  out[at + 2] = h2;
  out[at + 3] = h3;
}

/**
 * A key and its weight are mixed by lane, and then mixed together: a sum of both alone would not
 * tell {(x, v), (y, w)} from {(x, w), (y, v)}.
 */
function addPairs(
  keys: Uint32Array,
  weights: Float32Array,
  start: number,
  end: number,
  seeds: Int32Array,
  out: Int32Array,
  at: number,
): void {
  const s = seeds[KEY], s0 = seeds[KEY + 1], s1 = seeds[KEY + 2];
  const s2 = seeds[KEY + 3], s3 = seeds[KEY + 4];
  const t = seeds[WEIGHT], t0 = seeds[WEIGHT + 1], t1 = seeds[WEIGHT + 2];
  const t2 = seeds[WEIGHT + 3], t3 = seeds[WEIGHT + 4];
  let h0 = out[at], h1 = out[at + 1], h2 = out[at + 2], h3 = out[at + 3];
  for (let i = start; i < end; i++) {
    FLOAT[0] = weights[i];
    const h = mix(keys[i] ^ s, A, B);
    const g = mix(BITS[0] ^ t, A, B);
    h0 = (h0 + mix(mix(h ^ s0, C0, D0) + mix(g ^ t0, C1, D1), C2, D2)) | 0;
    h1 = (h1 + mix(mix(h ^ s1, C1, D1) + mix(g ^ t1, C2, D2), C3, D3)) | 0;
    h2 = (h2 + mix(mix(h ^ s2, C2, D2) + mix(g ^ t2, C3, D3), C0, D0)) | 0;
    h3 = (h3 + mix(mix(h ^ s3, C3, D3) + mix(g ^ t3, C0, D0), C1, D1)) | 0;
  }
  out[at] = h0;
  out[at + 1] = h1;
  out[at + 2] = h2;
  out[at + 3] = h3;
}
