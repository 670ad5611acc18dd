/**
 * Keys in order: a scan that never comes back, and a loop that does.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import type { KeySource } from "./key_source.ts";
import { checkRange, MAX_KEYS } from "./_ranges.ts";

/** Options of {@linkcode createScan}. */
export interface ScanOptions {
  /** The first key, 0 by default. */
  readonly first?: number;
}

/** Options of {@linkcode createLoop}. */
export interface LoopOptions {
  /** Keys of one round, at least 1. */
  readonly length: number;
  /** The first key of each round, 0 by default. */
  readonly first?: number;
}

/**
 * One key after the other, each once: no cache hits anything. After key 2^32 - 1 comes key 0.
 *
 * @throws {RangeError} when `first` is no u32.
 *
 * @example
 * ```ts
 * import { createScan } from "@rowtier/rowtier/cache";
 *
 * const keys = new Uint32Array(3);
 * createScan({ first: 40 }).fill(keys);
 * if (keys.join() !== "40,41,42") throw new Error("unreachable");
 * ```
 */
export function createScan({ first = 0 }: ScanOptions = {}): KeySource {
  checkInteger("Cannot create Scan", "first", first, 0, MAX_KEYS - 1);
  return new Rounds(first, MAX_KEYS, 0, MAX_KEYS);
}

/**
 * The same keys in the same order, again and again: with fewer slots than `length`, LRU and FIFO
 * never hit, and Belady's MIN does nearly as often as the slots allow.
 *
 * @throws {RangeError} when a key of the loop is no u32.
 *
 * @example
 * ```ts
 * import { createLoop } from "@rowtier/rowtier/cache";
 *
 * const keys = new Uint32Array(5);
 * createLoop({ length: 2 }).fill(keys);
 * if (keys.join() !== "0,1,0,1,0") throw new Error("unreachable");
 * ```
 */
export function createLoop({ length, first = 0 }: LoopOptions): KeySource {
  const what = "Cannot create Loop";
  checkInteger(what, "first", first, 0, MAX_KEYS - 1);
  checkInteger(what, "length", length, 1, MAX_KEYS - first);
  return new Rounds(first, first + length, first, first + length);
}

/** Keys from `at` on; behind `end` comes `first` again. */
class Rounds implements KeySource {
  readonly keyCount: number;
  readonly #first: number;
  readonly #end: number;
  #at: number;

  constructor(at: number, end: number, first: number, keyCount: number) {
    this.keyCount = keyCount;
    this.#at = at;
    this.#end = end;
    this.#first = first;
  }

  fill(keys: Uint32Array, start: number = 0, end: number = keys.length): void {
    checkRange(start, end, keys.length);
    let at = this.#at;
    for (let i = start; i < end; i++) {
      keys[i] = at++;
      if (at === this.#end) at = this.#first;
    }
    this.#at = at;
  }
}
