/**
 * A hot set that moves.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { createRandom, type Random } from "../../base/random.ts";
import type { KeySource } from "./key_source.ts";
import { checkRange, checkShare, MAX_KEYS } from "./_ranges.ts";

/** Options of {@linkcode createDrift}. */
export interface DriftOptions {
  /** Keys that may come, 1 to 2^32. */
  readonly keyCount: number;
  /** Keys that are hot at a time, 1 to `keyCount`. */
  readonly hotCount: number;
  /** The share of requests that go to a hot key, 0 to 1; the others go to any key. */
  readonly hotShare: number;
  /** Requests from one step of the hot set to the next, at least 1. */
  readonly stepRequests: number;
  /** Keys that cool, and keys that heat up, a step; 1 by default, at most `keyCount`. */
  readonly stepKeys?: number;
  /** Any safe integer. */
  readonly seed: number;
}

/**
 * Keys of which `hotCount` neighbours are hot; step by step these move up, and round again behind
 * the last key. Each hot key is as likely as the next, so recency tells which are hot and counts of
 * the past mislead. About 50 ns a key.
 *
 * @throws {RangeError} for an option out of range.
 *
 * @example
 * ```ts
 * import { createDrift } from "@rowtier/rowtier/cache";
 *
 * const hot = { hotCount: 10, hotShare: 1, stepRequests: 100, stepKeys: 10 };
 * const source = createDrift({ keyCount: 1000, seed: 1, ...hot });
 * const keys = new Uint32Array(200);
 * source.fill(keys);
 * if (keys[99] > 9 || keys[100] < 10) throw new Error("unreachable");
 * ```
 */
export function createDrift(options: DriftOptions): KeySource {
  return new Drift(options);
}

class Drift implements KeySource {
  readonly keyCount: number;
  readonly #random: Random;
  readonly #hotCount: number;
  readonly #hotShare: number;
  readonly #stepRequests: number;
  readonly #stepKeys: number;
  /** The first hot key. */
  #hot = 0;
  /** Requests until the hot set moves. */
  #left: number;

  constructor({ keyCount, hotCount, hotShare, stepRequests, stepKeys = 1, seed }: DriftOptions) {
    const what = "Cannot create Drift";
    this.keyCount = checkInteger(what, "keyCount", keyCount, 1, MAX_KEYS);
    this.#hotCount = checkInteger(what, "hotCount", hotCount, 1, keyCount);
    this.#hotShare = checkShare(what, "hotShare", hotShare);
    this.#stepRequests = this.#left = checkInteger(what, "stepRequests", stepRequests, 1);
    this.#stepKeys = checkInteger(what, "stepKeys", stepKeys, 0, keyCount);
    this.#random = createRandom(seed);
  }

  fill(keys: Uint32Array, start: number = 0, end: number = keys.length): void {
    checkRange(start, end, keys.length);
    const random = this.#random;
    const { keyCount } = this;
    for (let i = start; i < end; i++) {
      if (this.#left === 0) {
        this.#left = this.#stepRequests;
        this.#hot = (this.#hot + this.#stepKeys) % keyCount;
      }
      this.#left--;
      const isHot = random.unit() < this.#hotShare;
      keys[i] = isHot
        ? (this.#hot + random.below(this.#hotCount)) % keyCount
        : random.below(keyCount);
    }
  }
}
