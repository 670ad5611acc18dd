/**
 * Keys by Zipf's law, drawn by rejection-inversion (Hoermann, Derflinger: "Rejection-inversion to
 * generate variates from monotone discrete distributions", ACM TOMACS 6(3), 1996).
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { exp, log } from "../../base/math.ts";
import { createRandom, type Random } from "../../base/random.ts";
import type { KeySource } from "./key_source.ts";
import { checkAtLeast, checkRange, MAX_KEYS } from "./_ranges.ts";
import { createScatter, type Scatter } from "./_scatter.ts";

/** Options of {@linkcode createZipf}. */
export interface ZipfOptions {
  /** Keys that may come, 1 to 2^32. */
  readonly keyCount: number;
  /** The key of rank r, from 1, comes in proportion to r^-exponent; at least 0: uniform. */
  readonly exponent: number;
  /** Any safe integer. */
  readonly seed: number;
  /**
   * How ranks become keys. "ranked", the default: the hottest key is 0, the next 1. "shuffled": a
   * permutation of the keys below `keyCount`. "hashed": spread over all of u32.
   */
  readonly order?: "ranked" | "shuffled" | "hashed";
}

/**
 * Independent keys by Zipf's law. Exact up to the rounding of doubles: nothing is tabulated or cut
 * off, and a draw costs the same for ten keys and for four billion: about 120 ns, for a logarithm
 * and an exponential that are alike on every engine.
 *
 * @throws {RangeError} for an option out of range.
 *
 * @example
 * ```ts
 * import { createZipf } from "@rowtier/rowtier/cache";
 *
 * const source = createZipf({ keyCount: 4_000_000_000, exponent: 1, seed: 7 });
 * const keys = new Uint32Array(1000);
 * source.fill(keys);
 * if (!keys.includes(0)) throw new Error("unreachable");
 * ```
 */
export function createZipf(options: ZipfOptions): KeySource {
  return new Zipf(options);
}

/** Exponents this near to 1 are computed by series; elsewhere powers lose at most three digits. */
const NEAR_ONE = 1e-3;

class Zipf implements KeySource {
  readonly keyCount: number;
  readonly #random: Random;
  readonly #scatter: Scatter | undefined;
  readonly #ranks: number;
  readonly #exponent: number;
  /** 1 - exponent: the power of the antiderivative. */
  readonly #power: number;
  readonly #isNearOne: boolean;
  /** The antiderivative where drawing begins (its highest value) and the span down to its end. */
  readonly #high: number;
  readonly #span: number;
  /** A rank no further than this above its x is accepted without a look at its bar. */
  readonly #near: number;

  constructor({ keyCount, exponent, seed, order = "ranked" }: ZipfOptions) {
    const what = "Cannot create Zipf";
    this.#ranks = checkInteger(what, "keyCount", keyCount, 1, MAX_KEYS);
    this.#exponent = checkAtLeast(what, "exponent", exponent, 0);
    this.#random = createRandom(seed);
    this.#scatter = createOrder(what, order, keyCount, seed);
    this.keyCount = order === "hashed" ? MAX_KEYS : keyCount;
    this.#power = 1 - exponent;
    this.#isNearOne = Math.abs(this.#power) < NEAR_ONE;
    this.#high = this.#area(keyCount + 0.5);
    // Rank 1 gets exactly its own mass: its bar is not drawn from under the hat.
    this.#span = this.#area(1.5) - 1 - this.#high;
    this.#near = 2 - this.#inverse(this.#area(2.5) - exp(-exponent * log(2)));
  }

  fill(keys: Uint32Array, start: number = 0, end: number = keys.length): void {
    checkRange(start, end, keys.length);
    const scatter = this.#scatter;
    for (let i = start; i < end; i++) {
      const rank = this.#draw() - 1;
      keys[i] = scatter === undefined ? rank : scatter.map(rank);
    }
  }

  #draw(): number {
    for (;;) {
      // 53 bits: with 32, ranks beyond a few million would come in clumps.
      const unit = (this.#random.u32() * 2 ** 21 + (this.#random.u32() >>> 11)) / 2 ** 53;
      const u = this.#high + unit * this.#span;
      const x = this.#inverse(u);
      const rank = Math.min(Math.max(Math.floor(x + 0.5), 1), this.#ranks);
      if (rank - x <= this.#near) return rank;
      if (u >= this.#area(rank + 0.5) - exp(-this.#exponent * log(rank))) return rank;
    }
  }

  /** An antiderivative of x^-exponent. */
  #area(x: number): number {
    const l = log(x);
    const t = this.#power * l;
    if (!this.#isNearOne) return exp(t) / this.#power;
    // (e^t - 1) / t by its Taylor series, below 2^-53 from the eighth term on as |t| < 0.023.
    return l * (1 + t / 2 * (1 + t / 3 * (1 + t / 4 * (1 + t / 5 * (1 + t / 6 * (1 + t / 7))))));
  }

  /** The x of `#area(x)` = `u`. */
  #inverse(u: number): number {
    const t = this.#power * u;
    if (!this.#isNearOne) return exp(log(t) / this.#power);
    // log(1 + t) / t likewise: eleven terms.
    let series = 1 / 11;
    for (let i = 10; i > 0; i--) series = 1 / i - t * series;
    return exp(u * series);
  }
}

function createOrder(
  what: string,
  order: string,
  keyCount: number,
  seed: number,
): Scatter | undefined {
  if (order === "ranked") return undefined;
  if (order === "shuffled") return createScatter(keyCount, seed);
  if (order === "hashed") return createScatter(MAX_KEYS, seed);
  throw new TypeError(
    `${what}: order must be "ranked", "shuffled" or "hashed": received ${JSON.stringify(order)}`,
  );
}
