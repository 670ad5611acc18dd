/**
 * A first-in first-out window of distinct rows.
 *
 * Rows wait in a ring of columns; a hash set over the ring's positions (open addressing, linear
 * probing, at most half full, deletion by backward shift) finds a row's place. A row taken from the
 * middle leaves a gap that is closed when it gets to the front.
 *
 * @module
 */

/** No partition: marks a gap in the ring. Partitions are numbered far below. */
const GAP = 0xffffffff;

/** The window. Rows are (partition, key) pairs, both u32, partition below 2^32 - 1. */
export class RowWindow {
  /** Most positions in use, gaps between rows included. */
  readonly capacity: number;
  readonly #partition: Uint32Array;
  readonly #key: Uint32Array;
  /** Position + 1 by bucket; 0: empty. */
  readonly #places: Uint32Array;
  readonly #mask: number;
  #head = 0;
  /** Positions from the head to the last row. */
  #span = 0;
  #size = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#partition = new Uint32Array(capacity);
    this.#key = new Uint32Array(capacity);
    this.#places = new Uint32Array(2 ** (Math.ceil(Math.log2(capacity)) + 1));
    this.#mask = this.#places.length - 1;
  }

  /** Rows in the window. */
  get size(): number {
    return this.#size;
  }

  /** True when nothing can be appended. */
  get full(): boolean {
    return this.#span === this.capacity;
  }

  /** Whether a row waits. */
  has(partition: number, key: number): boolean {
    return this.#places[this.#probe(partition, key)] !== 0;
  }

  /** Appends a row that does not wait yet, to a window that is not full. */
  push(partition: number, key: number): void {
    let at = this.#head + this.#span;
    if (at >= this.capacity) at -= this.capacity;
    this.#places[this.#probe(partition, key)] = at + 1;
    this.#partition[at] = partition;
    this.#key[at] = key;
    this.#span++;
    this.#size++;
  }

  /** Moves the oldest row to `partitions[at]` and `keys[at]`; false when there is none. */
  shift(partitions: Uint32Array, keys: Uint32Array, at: number): boolean {
    if (this.#size === 0) return false;
    // The head is never a gap while rows wait.
    partitions[at] = this.#partition[this.#head];
    keys[at] = this.#key[this.#head];
    return this.delete(partitions[at], keys[at]);
  }

  /** Takes a row out; false when it does not wait. */
  delete(partition: number, key: number): boolean {
    const bucket = this.#probe(partition, key);
    if (this.#places[bucket] === 0) return false;
    this.#partition[this.#places[bucket] - 1] = GAP;
    this.#close(bucket);
    this.#size--;
    // Each position is passed once, so that closing gaps costs O(1) a row.
    while (this.#span > 0 && this.#partition[this.#head] === GAP) {
      this.#head = this.#head + 1 === this.capacity ? 0 : this.#head + 1;
      this.#span--;
    }
    return true;
  }

  /** Throws an Error naming the broken invariant, if there is one. */
  verify(): void {
    let rows = 0;
    for (let i = 0; i < this.#span; i++) {
      const at = (this.#head + i) % this.capacity;
      if (this.#partition[at] === GAP) continue;
      rows++;
      if (this.#places[this.#probe(this.#partition[at], this.#key[at])] !== at + 1) {
        throw new Error(`Broken invariant: row at position ${at} must be found by a probe`);
      }
    }
    const used = this.#places.reduce((sum, place) => sum + Number(place !== 0), 0);
    if (rows !== this.#size || used !== this.#size) {
      throw new Error(
        `Broken invariant: size must be ${rows} and ${used}: received ${this.#size}`,
      );
    }
    if (this.#size === 0 && this.#span !== 0) {
      throw new Error(`Broken invariant: an empty window must span 0: received ${this.#span}`);
    }
  }

  /** The bucket of a row, or the empty one where it belongs. */
  #probe(partition: number, key: number): number {
    let bucket = hash(partition, key) & this.#mask;
    while (this.#places[bucket] !== 0) {
      const at = this.#places[bucket] - 1;
      if (this.#key[at] === key && this.#partition[at] === partition) return bucket;
      bucket = (bucket + 1) & this.#mask;
    }
    return bucket;
  }

  /** Empties a bucket and moves back what was pushed beyond it (TAOCP 3, 6.4, Algorithm R). */
  #close(bucket: number): void {
    const places = this.#places;
    let hole = bucket;
    let next = (hole + 1) & this.#mask;
    while (places[next] !== 0) {
      const at = places[next] - 1;
      const home = hash(this.#partition[at], this.#key[at]) & this.#mask;
      if (((next - home) & this.#mask) >= ((next - hole) & this.#mask)) {
        places[hole] = places[next];
        hole = next;
      }
      next = (next + 1) & this.#mask;
    }
    places[hole] = 0;
  }
}

/**
 * Two rounds of multiply and shift, so that the same keys of two partitions do not run side by
 * side.
 */
function hash(partition: number, key: number): number {
  const mixed = Math.imul(key ^ Math.imul(partition, 0x85ebca6b), 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}
