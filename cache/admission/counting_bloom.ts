/**
 * The frequency sketch of the C library libCacheSim: a counting Bloom filter of whole words, with
 * the same cells for the same key, so that policies can be compared count by count.
 *
 * @module
 */

/** Counters an entry: -ln 0.001 / (ln 2)^2, a Bloom filter with 0.1 % false positives. */
const COUNTERS_PER_ENTRY = 14.37758756605117;

/** ln 2 times as many, rounded up. */
const CELLS_PER_KEY = 10;

/** The primes of XXH64 (xxHash fast digest algorithm 0.1.1), high and low words. */
const P1_HIGH = 0x9e3779b1 | 0;
const P1_LOW = 0x85ebca87 | 0;
const P2_HIGH = 0xc2b2ae3d | 0;
const P2_LOW = 0x27d4eb4f | 0;
const P3_HIGH = 0x165667b1 | 0;
const P3_LOW = 0x9e3779f9 | 0;
const P4_HIGH = 0x85ebca77 | 0;
const P4_LOW = 0xc2b2ae63 | 0;
const P5_HIGH = 0x27d4eb2f | 0;
const P5_LOW = 0x165667c5 | 0;

/** The two hashes' seeds; with the fifth prime and the length, 8 bytes, there is no carry. */
const SEED_A = 0x12345678;
const SEED_B = 0x12344321;
const START_A = P5_LOW + 8 + SEED_A;
const START_B = P5_LOW + 8 + SEED_B;

/**
 * Ten counters of 32 bits a key; a count is the least of them. Slower and 7 times larger than
 * {@linkcode FrequencySketch}.
 *
 * A key is given by its hash pair: two words that `hashInto` makes in about 30 ns and callers keep
 * beside the key for as long as it is cached. Costs 58 bytes an entry.
 */
export class CountingBloom {
  readonly #cells: Uint32Array;
  /** 1 over their number. */
  readonly #inverse: number;

  /** For a cache of `entries` keys, at least 1. */
  constructor(entries: number) {
    this.#cells = new Uint32Array(Math.ceil(COUNTERS_PER_ENTRY * entries));
    this.#inverse = 1 / this.#cells.length;
  }

  /** Bytes of its counters. */
  get bytes(): number {
    return this.#cells.byteLength;
  }

  /** Adds 1 to each cell of the key whose hash pair is at `at`, twice where two are one. */
  add(pairs: Int32Array, at: number): void {
    const cells = this.#cells;
    const inverse = this.#inverse;
    const step = pairs[at + 1];
    let hash = pairs[at];
    for (let i = 0; i < CELLS_PER_KEY; i++) {
      cells[remainder(hash, cells.length, inverse)]++;
      hash = (hash + step) | 0;
    }
  }

  /**
   * The least cell of the key whose hash pair is at `at`; or, looking no further, the first cell
   * found that is at most `enough`.
   */
  estimate(pairs: Int32Array, at: number, enough: number): number {
    const cells = this.#cells;
    const inverse = this.#inverse;
    const step = pairs[at + 1];
    let hash = pairs[at];
    let least = cells[remainder(hash, cells.length, inverse)];
    for (let i = 1; i < CELLS_PER_KEY && least > enough; i++) {
      hash = (hash + step) | 0;
      const cell = cells[remainder(hash, cells.length, inverse)];
      if (cell < least) least = cell;
    }
    return least;
  }

  /** Halves every cell. */
  halve(): void {
    const cells = this.#cells;
    for (let i = 0; i < cells.length; i++) cells[i] >>>= 1;
  }
}

/**
 * `hash`, taken as unsigned, modulo `divisor`. Three times as fast as %, which the engine hands to
 * a division. The half keeps the product away from whole numbers by 1 / (2 divisor), much more than
 * its rounding error, so the quotient is exact.
 */
function remainder(hash: number, divisor: number, inverse: number): number {
  const quotient = (((hash >>> 0) + 0.5) * inverse) | 0;
  return (hash - Math.imul(quotient, divisor)) | 0;
}

/**
 * Writes the hash pair of `key` (any u32) to `pairs[at]` and the word after it: the low words of
 * XXH64 over the key as 8 little-endian bytes, with two seeds.
 */
export function hashInto(key: number, pairs: Int32Array, at: number): void {
  // The one round over the key is the same for both.
  const high = (highProduct(key, P2_LOW) + Math.imul(key, P2_HIGH)) | 0;
  const low = Math.imul(key, P2_LOW);
  const turnedHigh = (low >>> 1) | (high << 31);
  const turnedLow = (high >>> 1) | (low << 31);
  const roundHigh = (highProduct(turnedLow, P1_LOW) + Math.imul(turnedHigh, P1_LOW) +
    Math.imul(turnedLow, P1_HIGH)) | 0;
  const roundLow = Math.imul(turnedLow, P1_LOW);
  pairs[at] = finish(P5_HIGH ^ roundHigh, START_A ^ roundLow);
  pairs[at + 1] = finish(P5_HIGH ^ roundHigh, START_B ^ roundLow);
}

/** The rest of XXH64 for a state; its low word. */
function finish(high: number, low: number): number {
  const turnedHigh = (high << 27) | (low >>> 5);
  const turnedLow = (low << 27) | (high >>> 5);
  const product = Math.imul(turnedLow, P1_LOW);
  let h = (highProduct(turnedLow, P1_LOW) + Math.imul(turnedHigh, P1_LOW) +
    Math.imul(turnedLow, P1_HIGH)) | 0;
  let l = (product + P4_LOW) | 0;
  h = (h + P4_HIGH + Number((l >>> 0) < (P4_LOW >>> 0))) | 0;

  l ^= h >>> 1;
  h = (highProduct(l, P2_LOW) + Math.imul(h, P2_LOW) + Math.imul(l, P2_HIGH)) | 0;
  l = Math.imul(l, P2_LOW);

  l ^= (l >>> 29) | (h << 3);
  h ^= h >>> 29;
  h = (highProduct(l, P3_LOW) + Math.imul(h, P3_LOW) + Math.imul(l, P3_HIGH)) | 0;
  return Math.imul(l, P3_LOW) ^ h;
}

/** The high word of the product of two unsigned words, from products of 16-bit halves. */
function highProduct(a: number, b: number): number {
  const a0 = a & 0xffff, a1 = a >>> 16;
  const b0 = b & 0xffff, b1 = b >>> 16;
  const middle = (Math.imul(a1, b0) + (Math.imul(a0, b0) >>> 16)) | 0;
  const other = (Math.imul(a0, b1) + (middle & 0xffff)) | 0;
  return (Math.imul(a1, b1) + (middle >>> 16) + (other >>> 16)) | 0;
}
