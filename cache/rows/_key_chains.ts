/**
 * The index of a key cache for any u32: hash chains through the slots.
 *
 * A row that enters goes to the front of its chain, so a miss, which unlinks one row and links
 * another, walks two short chains and moves nothing. Tried instead, with LRU, zipf 0.9 and ten
 * times as many keys as slots, ns an access on a shared AMD EPYC core: linear probing over 4-byte
 * buckets of slot, distance and hash bits, in as many bytes, takes 70 where chains take 45 (100,000
 * slots) and 195 where they take 150 (1,000,000), for its loops end where no processor foresees it;
 * buckets of key and slot in 10 bytes a row 81 where chains take 35 (10,000). Hash bits in the
 * links, which spare looks at other keys, gain nothing; chains by a multiple of the hash, so that
 * their number fits the slots more closely, cost 4 ns.
 *
 * @module
 */

import { NO_SLOT } from "../eviction.ts";

/** Knuth's multiplicative hash (TAOCP 3, 6.4): 2^32 over the golden ratio, made odd. */
const MULTIPLIER = 0x9e3779b1 | 0;

/** The end of a chain. */
const END = -1;

/** Most chains to a slot: 4 bytes each, as many as a power of two below allows. */
const CHAINS_A_SLOT = 1.5;
const CHAINS_A_SLOT_ROOMY = 4;

/**
 * From the keys in a column to their slots. 3 to 6 bytes a slot for the heads of the chains, or 8
 * to 16 when it is roomy, and 4 for the links.
 */
export class KeyChains {
  readonly #key: Uint32Array;
  /** By chain: its first slot, or END. */
  readonly #heads: Int32Array;
  /** By slot: the next one of its chain, or END. */
  readonly #next: Int32Array;
  /** 32 less the bits of a chain's number. */
  readonly #shift: number;

  /** An empty index over the column of keys. */
  constructor(key: Uint32Array, roomy: boolean) {
    const most = (roomy ? CHAINS_A_SLOT_ROOMY : CHAINS_A_SLOT) * key.length;
    let bits = 1;
    while (2 ** (bits + 1) <= most) bits++;
    this.#shift = 32 - bits;
    this.#key = key;
    this.#heads = new Int32Array(2 ** bits).fill(END);
    this.#next = new Int32Array(key.length);
  }

  /** Bytes of heads and links. */
  get bytes(): number {
    return this.#heads.byteLength + this.#next.byteLength;
  }

  /** The slot of `key`, or NO_SLOT. */
  get(key: number): number {
    const keys = this.#key;
    const next = this.#next;
    let slot = this.#heads[Math.imul(key, MULTIPLIER) >>> this.#shift];
    while (slot !== END) {
      if (keys[slot] === key) return slot;
      slot = next[slot];
    }
    return NO_SLOT;
  }

  /** Enters `key`, which is not there, with `slot`, which holds it. */
  add(key: number, slot: number): void {
    const chain = Math.imul(key, MULTIPLIER) >>> this.#shift;
    this.#next[slot] = this.#heads[chain];
    this.#heads[chain] = slot;
  }

  /** Takes `key`, which is there, out of `slot`. */
  remove(key: number, slot: number): void {
    const heads = this.#heads;
    const next = this.#next;
    const chain = Math.imul(key, MULTIPLIER) >>> this.#shift;
    let at = heads[chain];
    if (at === slot) {
      heads[chain] = next[slot];
      return;
    }
    while (next[at] !== slot) at = next[at];
    next[at] = next[slot];
  }

  /** Whether `key`, which may be any number, is there and in `slot`. */
  holds(key: number, slot: number): boolean {
    return this.get(key) === slot;
  }

  /**
   * Reads the heads of the chains of keys `start` to `end` - 1, so that the machine fetches many
   * cache lines at once and the lookups after it find them near.
   *
   * @returns A number without meaning; keep it, or an optimising compiler drops the reads.
   */
  touch(keys: Uint32Array, start: number, end: number): number {
    const heads = this.#heads;
    const shift = this.#shift;
    let sum = 0;
    for (let i = start; i < end; i++) sum ^= heads[Math.imul(keys[i], MULTIPLIER) >>> shift];
    return sum;
  }

  /** Throws an Error unless the chains hold `size` slots, each once and in the chain of its key. */
  verify(size: number): void {
    let held = 0;
    for (let chain = 0; chain < this.#heads.length; chain++) {
      for (let slot = this.#heads[chain]; slot !== END; slot = this.#next[slot]) {
        const key = this.#key[slot];
        const home = Math.imul(key, MULTIPLIER) >>> this.#shift;
        if (++held > size || this.get(key) !== slot || home !== chain) {
          throw new Error(`Broken invariant: slot ${slot} must be once in the chain of its key`);
        }
      }
    }
    if (held !== size) throw new Error(`Broken invariant: size must be ${held}: received ${size}`);
  }
}
