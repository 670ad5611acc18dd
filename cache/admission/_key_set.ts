/**
 * An exact set of keys that grows.
 *
 * @module
 */

/** Keys (any u32), in open addressing at a load of at most 1/2; never forgets one. */
export class KeySet {
  #keys: Uint32Array = new Uint32Array(16);
  /** Key 0 marks an empty bucket, so whether 0 itself is in the set is told apart. */
  #hasZero = false;
  #size = 0;

  /** Bytes of its buckets. */
  get bytes(): number {
    return this.#keys.byteLength;
  }

  /** Adds `key`; false when it was there. */
  add(key: number): boolean {
    if (key === 0) {
      if (this.#hasZero) return false;
      return this.#hasZero = true;
    }
    const at = this.#find(key);
    if (this.#keys[at] === key) return false;
    this.#keys[at] = key;
    if (++this.#size * 2 > this.#keys.length) this.#grow();
    return true;
  }

  /** The bucket of `key`, or the empty one where it would go. */
  #find(key: number): number {
    const keys = this.#keys;
    const mask = keys.length - 1;
    const mixed = Math.imul(key ^ (key >>> 16), 0x2c1b3c6d);
    let at = (mixed ^ (mixed >>> 15)) & mask;
    while (keys[at] !== 0 && keys[at] !== key) at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const old = this.#keys;
    this.#keys = new Uint32Array(2 * old.length);
    for (let i = 0; i < old.length; i++) {
      if (old[i] !== 0) this.#keys[this.#find(old[i])] = old[i];
    }
  }
}
