/**
 * A made-up table and skewed bags, for a run without a download. The same seed gives the same rows
 * and bags everywhere: whole-number arithmetic, and roots at most, which IEEE 754 rounds in one
 * way.
 *
 * @module
 */

/** What {@linkcode syntheticRows} makes. */
export interface SyntheticRowOptions {
  /** Rows in the table. */
  readonly rows: number;
  /** Values a row. */
  readonly dim: number;
  readonly seed: number;
}

/** What {@linkcode syntheticBags} makes. */
export interface SyntheticBagOptions {
  /** Rows in the table; keys are below it. */
  readonly rows: number;
  readonly bags: number;
  readonly seed: number;
}

/** Keys a bag: 1 to 39, 20 on the average, as in the Brown corpus. */
const MAX_BAG = 39;

/** Rows of values between -1 and 1, each in an array of its own. */
export async function* syntheticRows(
  { rows, dim, seed }: SyntheticRowOptions,
): AsyncGenerator<Float32Array> {
  const next = generator(seed);
  for (let i = 0; i < rows; i++) {
    yield Float32Array.from({ length: dim }, () => next() / 2 ** 31 - 1);
  }
}

/**
 * Bags whose keys are skewed like words: a key's rank r has a chance near 1 / r (Zipf), and ranks
 * are scattered over the table, so that hot rows do not share blocks.
 */
export function syntheticBags(
  { rows, bags, seed }: SyntheticBagOptions,
): { keys: Uint32Array; offsets: Uint32Array } {
  const next = generator(seed ^ 0x5bd1e995);
  const scatter = coprimeStep(rows);
  const offsets = new Uint32Array(bags + 1);
  const keys = new Uint32Array(bags * MAX_BAG);
  let count = 0;
  for (let bag = 0; bag < bags; bag++) {
    const length = 1 + next() % MAX_BAG;
    for (let i = 0; i < length; i++) keys[count++] = (zipf(next, rows) * scatter) % rows;
    offsets[bag + 1] = count;
  }
  return { keys: keys.slice(0, count), offsets };
}

/**
 * A rank below `count`. Equal chances for each doubling of the rank make the chance of one rank
 * about 1 / r: pick the doubling, then a rank within it; what falls behind the last rank is drawn
 * again.
 */
function zipf(next: () => number, count: number): number {
  const doublings = Math.ceil(Math.log2(count + 1));
  for (;;) {
    const first = 2 ** (next() % doublings);
    const rank = first + next() % first - 1;
    if (rank < count) return rank;
  }
}

/** A step near the golden section of `count` that visits every row before it repeats. */
function coprimeStep(count: number): number {
  let step = Math.max(1, Math.floor(count * 0.618));
  while (gcd(step, count) !== 1) step++;
  return step;
}

function gcd(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

/** Whole numbers from 0 to 2^32 - 1: a Weyl sequence through the mixer of MurmurHash3. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return (mixed ^ (mixed >>> 16)) >>> 0;
  };
}
