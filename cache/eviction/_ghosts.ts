/**
 * Ghosts: keys that left the cache of late, in order, so that a key that comes back is told from a
 * new one.
 *
 * @module
 */

import { ABSENT } from "./_ghost_table.ts";

/** Knuth's multiplicative hash (TAOCP 3, 6.4): 2^32 over the golden ratio, made odd. */
const MULTIPLIER = 0x9e3779b1 | 0;

/** Cells of the ring for each ghost, at least; at most twice as many. */
const CELLS_A_GHOST = 1.5;

/** Chains for each ghost, at least; at most twice as many. */
const CHAINS_A_GHOST = 2;

/** The link of a cell whose ghost was taken away; its chain leaves it out. */
const HOLE = -4;

/**
 * One or two FIFO queues of keys, with lookup by key and removal from the middle.
 *
 * All ghosts are in one ring, in the order they came, and numbered so: number n is in cell n modulo
 * the ring's length. Chains by the key's hash lead from young to old numbers and end at the first
 * one that is older than the oldest ghost. So dropping a ghost is moving on where its queue ends,
 * and its chain need not be touched; and a lookup that finds nothing, as most do, mostly reads one
 * word. Linear probing over keys and cells, from which each dropped ghost is taken out and others
 * are shifted back, took ARC 74 ns an access in place of 46 (a trace of which 55 % missed, 1,868
 * slots, a shared AMD EPYC core); with a million slots, where a ghost that is found costs two waits
 * for memory, not one, 194 in place of 224.
 *
 * A ghost taken from the middle leaves a hole; when the ring is full of them, or of ghosts of the
 * one queue that have outlived those of the other, it is packed: at least a third is free then.
 *
 * Where keys are below a known bound, each has a chain of its own. Taking one then touches no cell:
 * that it is a hole is seen when the queue ends there, for its key does not lead to it.
 *
 * Costs 20 to 40 bytes a ghost; 12 to 24 and 4 a key where keys are below a known bound.
 */
export class Ghosts {
  /** Most ghosts, over both queues. */
  readonly capacity: number;
  /**
   * By chain: twice the number of its youngest ghost; the lowest bit is the queue where the key is
   * the chain. Older than all ghosts, or -1, where it has none.
   */
  readonly #heads: Int32Array;
  /** 32 less the bits of a chain's number; 0 where the key is the chain. */
  readonly #shift: number;
  /** Words 2 c and 2 c + 1 of cell c: a key; its link, twice the next number plus the queue. */
  readonly #cells: Int32Array;
  /** The ring's length less 1. */
  readonly #mask: number;
  /**
   * Numbers are taken back to low ones from here on: rarely enough to cost next to nothing a ghost,
   * and before one, doubled, leaves 31 bits. At most 2^28 are added while the ring is packed.
   */
  readonly #limit: number;
  /** The number that the next ghost gets. */
  #next = 0;
  /** By queue: no ghost of it has a lower number. */
  readonly #tails = new Int32Array(2);
  readonly #sizes = new Int32Array(2);

  /** For at most `capacity` ghosts, at least 1; their keys below `keyCount` where it is given. */
  constructor(capacity: number, keyCount: number | undefined) {
    const bits = bitsFor(CHAINS_A_GHOST * capacity);
    this.capacity = capacity;
    this.#shift = keyCount === undefined ? 32 - bits : 0;
    this.#heads = new Int32Array(keyCount ?? 2 ** bits).fill(-1);
    const length = 2 ** bitsFor(CELLS_A_GHOST * capacity);
    this.#cells = new Int32Array(2 * length);
    this.#mask = length - 1;
    this.#limit = Math.min(2 ** 30 - 2 ** 28, 16 * (length + this.#heads.length));
  }

  /** Bytes of its chains and cells. */
  get bytes(): number {
    return this.#heads.byteLength + this.#cells.byteLength;
  }

  /** Ghosts in a queue. */
  size(queue: number): number {
    return this.#sizes[queue];
  }

  /** Whether `key` is a ghost; touches nothing. */
  has(key: number): boolean {
    return this.#find(key) !== ABSENT;
  }

  /** The number of the ghost `key`, or ABSENT. */
  #find(key: number): number {
    const cells = this.#cells;
    const mask = this.#mask;
    const end = Math.min(this.#tails[0], this.#tails[1]);
    let number = this.#heads[this.#chainOf(key)] >> 1;
    while (number >= end) {
      const at = 2 * (number & mask);
      // Of a key that was dropped from one queue, no older ghost is in the other.
      if (cells[at] === (key | 0)) return this.#holds(number) ? number : ABSENT;
      number = cells[at + 1] >> 1;
    }
    return ABSENT;
  }

  /** Whether the cell of a number in use holds a ghost, neither taken nor dropped. */
  #holds(number: number): boolean {
    const queue = this.#cells[2 * (number & this.#mask) + 1] & 1;
    return !this.#isTaken(number) && number >= this.#tails[queue];
  }

  #isTaken(number: number): boolean {
    const at = 2 * (number & this.#mask);
    if (this.#shift === 0) return this.#heads[this.#cells[at] >>> 0] >> 1 !== number;
    return this.#cells[at + 1] === HOLE;
  }

  /** Takes `key` away; returns the queue it was in, or ABSENT. */
  take(key: number): number {
    return this.#shift === 0 ? this.#takePlainly(key) : this.#takeFromChain(key);
  }

  /** Where the key is the chain, its cell, which may be far away, need not be touched. */
  #takePlainly(key: number): number {
    const head = this.#heads[key];
    const queue = head & 1;
    if (head >> 1 < this.#tails[queue]) return ABSENT;
    this.#heads[key] = -1;
    this.#sizes[queue]--;
    return queue;
  }

  #takeFromChain(key: number): number {
    const number = this.#find(key);
    if (number === ABSENT) return ABSENT;
    const cells = this.#cells;
    const mask = this.#mask;
    const at = 2 * (number & mask) + 1;
    const link = cells[at];
    const chain = this.#chainOf(key);
    const younger = this.#heads[chain] >> 1;
    if (younger === number) this.#heads[chain] = link & ~1;
    else {
      let before = 2 * (younger & mask) + 1;
      while (cells[before] >> 1 !== number) before = 2 * ((cells[before] >> 1) & mask) + 1;
      cells[before] = (link & ~1) | (cells[before] & 1);
    }
    cells[at] = HOLE;
    this.#sizes[link & 1]--;
    return link & 1;
  }

  /** Puts `key`, which must not be a ghost, at the young end; there must be room. */
  push(queue: number, key: number): void {
    const number = this.#next;
    // An empty queue must not keep the ring from moving on.
    if (this.#sizes[1 - queue] === 0) this.#tails[1 - queue] = number;
    this.#sizes[queue]++;
    this.#append(queue, key);
    const used = this.#next - Math.min(this.#tails[0], this.#tails[1]);
    if (used > this.#mask || this.#next >= this.#limit) this.#pack();
  }

  #append(queue: number, key: number): void {
    const number = this.#next++;
    const chain = this.#chainOf(key);
    const at = 2 * (number & this.#mask);
    this.#cells[at] = key;
    this.#cells[at + 1] = (this.#heads[chain] & ~1) | queue;
    this.#heads[chain] = (number << 1) | queue;
  }

  /** Drops the oldest ghost of a queue that has one. */
  dropOldest(queue: number): void {
    const cells = this.#cells;
    const mask = this.#mask;
    let number = this.#tails[queue];
    while ((cells[2 * (number & mask) + 1] & 1) !== queue || this.#isTaken(number)) number++;
    this.#tails[queue] = number + 1;
    this.#sizes[queue]--;
  }

  /** Closes the gaps, oldest first: a ghost that stays is as if it came again. */
  #pack(): void {
    const mask = this.#mask;
    const end = this.#next;
    // The first goes to the cell of number `end` or before it: none is overwritten unread.
    for (let number = Math.min(this.#tails[0], this.#tails[1]); number < end; number++) {
      if (!this.#holds(number)) continue;
      const at = 2 * (number & mask);
      this.#append(this.#cells[at + 1] & 1, this.#cells[at] >>> 0);
    }
    this.#tails.fill(end);
    if (this.#next >= this.#limit) this.#renumber();
  }

  /** Takes as many whole rounds of the ring as there are off all numbers: no cell changes place. */
  #renumber(): void {
    const start = this.#tails[0];
    const rounds = start - (start & this.#mask);
    const heads = this.#heads;
    const cells = this.#cells;
    for (let i = 0; i < heads.length; i++) {
      heads[i] = heads[i] >> 1 < start ? -1 : heads[i] - 2 * rounds;
    }
    for (let at = 1; at < cells.length; at += 2) {
      const link = cells[at];
      if (link !== HOLE) cells[at] = link >> 1 < start ? (link & 1) - 2 : link - 2 * rounds;
    }
    this.#tails.fill(start - rounds);
    this.#next -= rounds;
  }

  #chainOf(key: number): number {
    return this.#shift === 0 ? key : Math.imul(key, MULTIPLIER) >>> this.#shift;
  }

  /** The keys of a queue, youngest first. */
  keys(queue: number): Uint32Array {
    const keys: number[] = [];
    for (let number = this.#next - 1; number >= this.#tails[queue]; number--) {
      const at = 2 * (number & this.#mask);
      if (this.#holds(number) && (this.#cells[at + 1] & 1) === queue) keys.push(this.#cells[at]);
    }
    return Uint32Array.from(keys);
  }

  /** Throws an Error naming the broken invariant, if there is one. */
  verify(name: string): void {
    let total = 0;
    for (let queue = 0; queue < this.#sizes.length; queue++) {
      const keys = this.keys(queue);
      total += keys.length;
      if (keys.length !== this.#sizes[queue]) {
        throw new Error(
          `Broken invariant: ${name}: ghost queue ${queue} must hold ${this.#sizes[queue]} ` +
            `keys: received ${keys.length}`,
        );
      }
      if (new Set(keys).size === keys.length && keys.every((key) => this.has(key))) continue;
      throw new Error(`Broken invariant: ${name}: each ghost must be found, once`);
    }
    if (total > this.capacity) {
      throw new Error(
        `Broken invariant: ${name}: ghosts must number at most ${this.capacity}: received ${total}`,
      );
    }
  }
}

/** The bits of the lowest power of two, above 1, that is not below `count`. */
function bitsFor(count: number): number {
  let bits = 1;
  while (2 ** bits < count) bits++;
  return bits;
}
