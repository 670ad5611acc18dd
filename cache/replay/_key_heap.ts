/**
 * Sampled keys by their hash, the highest on top: who leaves when there is one too many.
 *
 * @module
 */

/** A binary heap in two columns: 8 bytes a key. */
export class KeyHeap {
  #hashes: Int32Array;
  #keys: Uint32Array;
  #size = 0;

  /** Room for `capacity` keys, who calls sees to it. */
  constructor(capacity: number) {
    this.#hashes = new Int32Array(capacity);
    this.#keys = new Uint32Array(capacity);
  }

  /** Bytes of its columns. */
  get bytes(): number {
    return this.#hashes.byteLength + this.#keys.byteLength;
  }

  /** The highest hash; the heap must not be empty. */
  get highest(): number {
    return this.#hashes[0];
  }

  /** Adds a key. */
  push(hash: number, key: number): void {
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#hashes[parent] >= hash) break;
      this.#hashes[at] = this.#hashes[parent];
      this.#keys[at] = this.#keys[parent];
      at = parent;
    }
    this.#hashes[at] = hash;
    this.#keys[at] = key;
  }

  /** Removes the key with the highest hash and returns it; the heap must not be empty. */
  pop(): number {
    const key = this.#keys[0];
    const size = --this.#size;
    const hash = this.#hashes[size];
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && this.#hashes[child + 1] > this.#hashes[child]) child++;
      if (this.#hashes[child] <= hash) break;
      this.#hashes[at] = this.#hashes[child];
      this.#keys[at] = this.#keys[child];
      at = child;
    }
    this.#hashes[at] = hash;
    this.#keys[at] = this.#keys[size];
    return key;
  }
}
