/**
 * A number for each page of a drive, kept only where one was set: chunks of 64 pages, found by
 * hashing. A drive of any size costs what was written to it.
 *
 * @module
 */

import type { StateReader, StateWriter } from "./state.ts";

/**
 * Pages of one chunk. At 8 bytes each a lone page costs 544 bytes, 13 % of its 4 KB; dense ones 8.5
 * each. Tried on paper: one hash entry a page, 32 bytes each at best and a miss of the cache for
 * each neighbour; a directory by position, which alone is 480 MB for 16 TB.
 */
const CHUNK_PAGES = 64;

const FIRST_CHUNKS = 16;

/** The table; 0 stands for a page that was never set. */
export class PageTable {
  /** Chunk number + 1 by place; 0 for an empty place. A power of two of them, half empty. */
  #keys = new Float64Array(2 * FIRST_CHUNKS);
  /** Which chunk's values, by the same places. */
  #slots = new Int32Array(2 * FIRST_CHUNKS);
  /** The chunk that each slot holds. */
  #chunks = new Float64Array(FIRST_CHUNKS);
  #values = new Float64Array(FIRST_CHUNKS * CHUNK_PAGES);
  #count = 0;

  /** Bytes that its columns hold. */
  get memoryBytes(): number {
    return this.#keys.byteLength + this.#slots.byteLength + this.#chunks.byteLength +
      this.#values.byteLength;
  }

  /** What was set for `page`; 0 for nothing. */
  get(page: number): number {
    if (this.#count === 0) return 0;
    const chunk = Math.floor(page / CHUNK_PAGES);
    const at = placeOf(this.#keys, chunk);
    if (this.#keys[at] === 0) return 0;
    return this.#values[this.#slots[at] * CHUNK_PAGES + page - chunk * CHUNK_PAGES];
  }

  /** Sets it. */
  set(page: number, value: number): void {
    const chunk = Math.floor(page / CHUNK_PAGES);
    let at = placeOf(this.#keys, chunk);
    if (this.#keys[at] === 0) {
      if (this.#count === this.#chunks.length) {
        this.#grow();
        at = placeOf(this.#keys, chunk);
      }
      this.#keys[at] = chunk + 1;
      this.#slots[at] = this.#count;
      this.#chunks[this.#count++] = chunk;
    }
    this.#values[this.#slots[at] * CHUNK_PAGES + page - chunk * CHUNK_PAGES] = value;
  }

  /** Calls `visit` with each page that is set, and its number; for checks. */
  forEach(visit: (page: number, value: number) => void): void {
    for (let i = 0; i < this.#count * CHUNK_PAGES; i++) {
      if (this.#values[i] === 0) continue;
      const slot = Math.floor(i / CHUNK_PAGES);
      visit(this.#chunks[slot] * CHUNK_PAGES + i - slot * CHUNK_PAGES, this.#values[i]);
    }
  }

  /** Appends all of it. */
  save(to: StateWriter): void {
    to.number(this.#count);
    to.column(this.#chunks.subarray(0, this.#count));
    to.column(this.#values.subarray(0, this.#count * CHUNK_PAGES));
  }

  /** Takes what `save` wrote; what was set before is gone. */
  load(from: StateReader): void {
    const count = from.number();
    let room = FIRST_CHUNKS;
    while (room < count) room *= 2;
    this.#chunks = new Float64Array(room);
    this.#values = new Float64Array(room * CHUNK_PAGES);
    from.column(this.#chunks.subarray(0, count));
    from.column(this.#values.subarray(0, count * CHUNK_PAGES));
    this.#count = count;
    this.#rehash();
  }

  /** Twice the room. Its cost is shared by the writes that filled the table. */
  #grow(): void {
    const chunks = new Float64Array(2 * this.#chunks.length);
    const values = new Float64Array(2 * this.#values.length);
    chunks.set(this.#chunks);
    values.set(this.#values);
    this.#chunks = chunks;
    this.#values = values;
    this.#rehash();
  }

  #rehash(): void {
    this.#keys = new Float64Array(2 * this.#chunks.length);
    this.#slots = new Int32Array(2 * this.#chunks.length);
    for (let slot = 0; slot < this.#count; slot++) {
      const at = placeOf(this.#keys, this.#chunks[slot]);
      this.#keys[at] = this.#chunks[slot] + 1;
      this.#slots[at] = slot;
    }
  }
}

/** Where `chunk` stands, or the empty place where it would; linear probing. */
function placeOf(keys: Float64Array, chunk: number): number {
  const mask = keys.length - 1;
  // Multiplied by 2^32 / golden ratio; the high half is the better mixed one.
  const product = Math.imul(chunk | 0, 0x9e3779b1);
  let at = (product ^ (product >>> 15)) & mask;
  while (keys[at] !== 0 && keys[at] !== chunk + 1) at = (at + 1) & mask;
  return at;
}
