/**
 * Sources of keys: what the generators of this folder have in common.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import type { Trace } from "./trace.ts";

/**
 * Most keys that a generated trace calls dense: a column of 4 bytes a key over all of them is 1 GiB
 * then. Traces over more keys leave `keyCount` out, and who replays them hashes.
 */
const MAX_DENSE_KEYS: number = 2 ** 28;

/** An endless stream of keys, the same for the same options on every engine. */
export interface KeySource {
  /** Every key is below it; at most 2^32. */
  readonly keyCount: number;
  /**
   * Writes the next keys of the stream to `keys[start, end)`: all of `keys` by default.
   *
   * @throws {RangeError} when the range does not lie within `keys`.
   */
  fill(keys: Uint32Array, start?: number, end?: number): void;
}

/**
 * The next `requests` keys of `source` as a trace called `name`: 4 bytes a request. A trace too
 * long for memory is what `fill` of the source is for, one chunk after the other.
 *
 * @throws {RangeError} when `requests` is not an integer from 0 to 2^32 - 1.
 *
 * @example
 * ```ts
 * import { createZipf, generate } from "@rowtier/rowtier/cache";
 *
 * const source = createZipf({ keyCount: 1000, exponent: 0.9, seed: 1 });
 * const trace = generate(source, 50, "zipf 0.9");
 * if (trace.keys.length !== 50 || trace.keyCount !== 1000) throw new Error("unreachable");
 * ```
 */
export function generate(source: KeySource, requests: number, name: string): Trace {
  checkInteger("Cannot generate trace", "requests", requests, 0, 2 ** 32 - 1);
  const keys = new Uint32Array(requests);
  source.fill(keys);
  const { keyCount } = source;
  return keyCount <= MAX_DENSE_KEYS ? { name, keys, keyCount } : { name, keys };
}
