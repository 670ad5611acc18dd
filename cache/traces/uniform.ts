/**
 * Keys without any skew.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { createRandom, type Random } from "../../base/random.ts";
import type { KeySource } from "./key_source.ts";
import { checkRange, MAX_KEYS } from "./_ranges.ts";

/** Options of {@linkcode createUniform}. */
export interface UniformOptions {
  /** Keys that may come, 1 to 2^32. */
  readonly keyCount: number;
  /** Any safe integer. */
  readonly seed: number;
}

/**
 * Independent keys below `keyCount`, each as likely as the next: no policy does better than any
 * other that fills its slots. About 30 ns a key.
 *
 * @throws {RangeError} for an option out of range.
 *
 * @example
 * ```ts
 * import { createUniform } from "@rowtier/rowtier/cache";
 *
 * const keys = new Uint32Array(1000);
 * createUniform({ keyCount: 10, seed: 1 }).fill(keys);
 * if (new Set(keys).size !== 10) throw new Error("unreachable");
 * ```
 */
export function createUniform(options: UniformOptions): KeySource {
  return new Uniform(options);
}

class Uniform implements KeySource {
  readonly keyCount: number;
  readonly #random: Random;

  constructor({ keyCount, seed }: UniformOptions) {
    this.keyCount = checkInteger("Cannot create Uniform", "keyCount", keyCount, 1, MAX_KEYS);
    this.#random = createRandom(seed);
  }

  fill(keys: Uint32Array, start: number = 0, end: number = keys.length): void {
    checkRange(start, end, keys.length);
    for (let i = start; i < end; i++) keys[i] = this.#random.below(this.keyCount);
  }
}
