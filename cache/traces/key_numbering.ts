/**
 * Numbering of keys in order of first appearance.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import type { Trace } from "./trace.ts";

/** Multipliers of the hash: Knuth's golden one, and one of the finaliser of MurmurHash3. */
const MULTIPLIER = 0x9e3779b1 | 0;
const HIGH_MULTIPLIER = 0x85ebca6b | 0;

const FIRST_BITS = 10;

/** Most keys: their buckets, a power of two at a load of 5/8 at most, are 4 GiB then. */
const MAX_NUMBERED_KEYS = 5 * 2 ** 27;

/**
 * Gives each key that it has not met the next number, from 0: keys of any width become dense.
 * Unlike a `Map` it does not stop at 2^24 keys. Grows by doubling; 12 to 20 bytes a key, 4 to 8
 * more once a key exceeds 32 bits, and half as much again while it grows. About 10 ns a key while
 * the table fits the processor's caches.
 *
 * @example
 * ```ts
 * import { KeyNumbering } from "@rowtier/rowtier/cache";
 *
 * const numbering = new KeyNumbering();
 * const numbers = [700, 5, 700].map((key) => numbering.add(key));
 * if (numbers.join() !== "0,1,0" || numbering.low(1) !== 5) throw new Error("unreachable");
 * ```
 */
export class KeyNumbering {
  readonly #maxKeys: number;
  /** Open addressing with linear probing: a key's number plus 1, 0 where empty. */
  #buckets: Uint32Array = new Uint32Array(2 ** FIRST_BITS);
  /** 32 less the bits of a bucket's place. */
  #shift = 32 - FIRST_BITS;
  /** Columns: the lower and upper 32 bits of the key of each number. */
  #low: Uint32Array = new Uint32Array(2 ** (FIRST_BITS - 1));
  /** Empty until a key exceeds 32 bits. */
  #high: Uint32Array = new Uint32Array(0);
  #size = 0;

  /**
   * No key is numbered yet.
   *
   * @param maxKeys Most keys, up to 5 * 2^27 (671 million), which is the default.
   * @throws {RangeError} when `maxKeys` is out of range.
   */
  constructor(maxKeys: number = MAX_NUMBERED_KEYS) {
    const what = "Cannot create KeyNumbering";
    this.#maxKeys = checkInteger(what, "maxKeys", maxKeys, 1, MAX_NUMBERED_KEYS);
  }

  /** Keys numbered. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of its columns. */
  get bytes(): number {
    return this.#buckets.byteLength + this.#low.byteLength + this.#high.byteLength;
  }

  /** The lower 32 bits of the key that `number`, below `size`, was given to. */
  low(number: number): number {
    return this.#low[number];
  }

  /** The upper 32 bits of that key. */
  high(number: number): number {
    return number < this.#high.length ? this.#high[number] : 0;
  }

  /**
   * The number of the key `high` * 2^32 + `low`, both u32; its next one if it has none.
   *
   * @throws {RangeError} when `maxKeys` keys have a number and this one has none.
   */
  add(low: number, high: number = 0): number {
    if (high !== 0 && this.#high.length === 0) this.#high = new Uint32Array(this.#low.length);
    const buckets = this.#buckets;
    const mask = buckets.length - 1;
    let at = hash(low, high) >>> this.#shift;
    for (let entry = buckets[at]; entry !== 0; entry = buckets[at]) {
      const number = entry - 1;
      if (this.#low[number] === low && this.high(number) === high) return number;
      at = (at + 1) & mask;
    }
    return this.#insert(at, low, high);
  }

  #insert(at: number, low: number, high: number): number {
    const number = this.#size;
    if (number === this.#maxKeys) {
      throw new RangeError(
        `Cannot number key: keys must be at most ${this.#maxKeys}: received one more`,
      );
    }
    if (number === this.#low.length) this.#growColumns();
    this.#low[number] = low;
    if (this.#high.length > 0) this.#high[number] = high;
    this.#buckets[at] = number + 1;
    this.#size++;
    if (this.#size * 8 > this.#buckets.length * 5) this.#growBuckets();
    return number;
  }

  #growColumns(): void {
    this.#low = doubled(this.#low);
    if (this.#high.length > 0) this.#high = doubled(this.#high);
  }

  #growBuckets(): void {
    const buckets = new Uint32Array(2 * this.#buckets.length);
    const mask = buckets.length - 1;
    this.#shift--;
    for (let number = 0; number < this.#size; number++) {
      let at = hash(this.#low[number], this.high(number)) >>> this.#shift;
      while (buckets[at] !== 0) at = (at + 1) & mask;
      buckets[at] = number + 1;
    }
    this.#buckets = buckets;
  }
}

/** Its high bits choose the bucket; keys of up to 32 bits that follow each other spread evenly. */
function hash(low: number, high: number): number {
  if (high === 0) return Math.imul(low, MULTIPLIER);
  const mixed = Math.imul(high, HIGH_MULTIPLIER);
  return Math.imul(low ^ mixed ^ (mixed >>> 15), MULTIPLIER);
}

function doubled(column: Uint32Array): Uint32Array {
  const grown = new Uint32Array(2 * column.length);
  grown.set(column);
  return grown;
}

/**
 * The same trace with keys numbered densely in order of first appearance, and `keyCount` set. Takes
 * 4 bytes a request and a {@linkcode KeyNumbering} while it runs.
 *
 * @param trace Stays as it is; sizes are shared with the result.
 * @param numbering Where given, it goes on from there, and knows the original keys afterwards.
 *
 * @example
 * ```ts
 * import { dense } from "@rowtier/rowtier/cache";
 *
 * const trace = dense({ name: "few", keys: Uint32Array.of(900, 7, 900) });
 * if (trace.keys.join() !== "0,1,0" || trace.keyCount !== 2) throw new Error("unreachable");
 * ```
 */
export function dense(trace: Trace, numbering: KeyNumbering = new KeyNumbering()): Trace {
  const keys = new Uint32Array(trace.keys.length);
  for (let i = 0; i < keys.length; i++) keys[i] = numbering.add(trace.keys[i]);
  return { ...trace, keys, keyCount: numbering.size };
}
