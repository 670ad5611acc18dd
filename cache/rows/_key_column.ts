/**
 * The index of a key cache for dense keys: a column by key.
 *
 * @module
 */

import { NO_SLOT } from "../eviction.ts";

/** From keys below a bound to their slots, 4 bytes a key. */
export class KeyColumn {
  readonly #key: Uint32Array;
  /** By key: its slot, or NO_SLOT. */
  readonly #slotOf: Int32Array;

  /** An empty index over the column of keys, each of which is to be below `keyCount`. */
  constructor(key: Uint32Array, keyCount: number) {
    this.#key = key;
    this.#slotOf = new Int32Array(keyCount).fill(NO_SLOT);
  }

  /** Bytes of the column. */
  get bytes(): number {
    return this.#slotOf.byteLength;
  }

  /**
   * The slot of `key`, or NO_SLOT.
   *
   * @throws {RangeError} when the key is not below `keyCount`.
   */
  get(key: number): number {
    const slotOf = this.#slotOf;
    if (key >= slotOf.length) refuse(key, slotOf.length);
    return slotOf[key];
  }

  /** Enters `key` with `slot`, which holds it. */
  add(key: number, slot: number): void {
    this.#slotOf[key] = slot;
  }

  /** Takes `key`, which is there, out. */
  remove(key: number, _slot: number): void {
    this.#slotOf[key] = NO_SLOT;
  }

  /** Whether `key`, which may be any number, is there and in `slot`. */
  holds(key: number, slot: number): boolean {
    return this.#slotOf[key] === slot;
  }

  /**
   * Reads the entries of keys `start` to `end` - 1, so that the machine fetches many cache lines at
   * once and the lookups after it find them near.
   *
   * @returns A number without meaning; keep it, or an optimising compiler drops the reads.
   */
  touch(keys: Uint32Array, start: number, end: number): number {
    const slotOf = this.#slotOf;
    let sum = 0;
    for (let i = start; i < end; i++) {
      const key = keys[i];
      if (key >= slotOf.length) refuse(key, slotOf.length);
      sum ^= slotOf[key];
    }
    return sum;
  }

  /** Throws an Error unless the column names `size` slots, each under the key it holds. */
  verify(size: number): void {
    let held = 0;
    for (let key = 0; key < this.#slotOf.length; key++) {
      const slot = this.#slotOf[key];
      if (slot === NO_SLOT) continue;
      held++;
      if (this.#key[slot] !== key) {
        throw new Error(`Broken invariant: slot ${slot} must hold key ${key}`);
      }
    }
    if (held !== size) throw new Error(`Broken invariant: size must be ${held}: received ${size}`);
  }
}

function refuse(key: number, keyCount: number): never {
  throw new RangeError(`Cannot look up key: it must be below ${keyCount}: received ${key}`);
}
