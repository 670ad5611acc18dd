/**
 * Where a ghost is, by its key.
 *
 * @module
 */

/** Knuth's multiplicative hash (TAOCP 3, 6.4): 2^32 over the golden ratio, made odd. */
const MULTIPLIER = 0x9e3779b1 | 0;

/** No such key. */
export const ABSENT: number = -1;

/**
 * Maps keys to nodes. Open addressing with linear probing, key and node side by side, at most half
 * full, as probes that go on are what costs here (ARC took 44 ns an access where it took 54 at 5/8,
 * with zipf 0.9 and 10,000 slots); deletion shifts the followers back. A lookup answers with the
 * bucket, so that what it found is read and removed without a second probe: a ghost is mostly
 * looked up to be taken away.
 *
 * Where every key is below a known bound, the key is the bucket: 4 bytes a key, no probing at all.
 */
export class GhostTable {
  /** Hashed: words 2 b and 2 b + 1 are a key and its node plus 1. Plain: word k is key k's node. */
  readonly #words: Int32Array;
  /** 32 less the bits of a bucket's number; 0 for a plain column. */
  readonly #shift: number;
  readonly #mask: number;

  /** For at most `capacity` keys at a time, each below `keyCount` where that is known. */
  constructor(capacity: number, keyCount: number | undefined) {
    let bits = 1;
    while (2 ** bits < 2 * capacity) bits++;
    this.#shift = keyCount === undefined ? 32 - bits : 0;
    this.#words = new Int32Array(keyCount ?? 2 ** (bits + 1));
    this.#mask = this.#words.length - 1;
  }

  /** Bytes of its buckets. */
  get bytes(): number {
    return this.#words.byteLength;
  }

  /** The bucket of `key`, good until the next insert or removal; ABSENT when it has none. */
  find(key: number): number {
    const words = this.#words;
    if (this.#shift === 0) return words[key] === 0 ? ABSENT : key;
    let at = (Math.imul(key, MULTIPLIER) >>> this.#shift) << 1;
    while (words[at + 1] !== 0) {
      if (words[at] === (key | 0)) return at;
      at = (at + 2) & this.#mask;
    }
    return ABSENT;
  }

  /** The node in a bucket. */
  nodeAt(bucket: number): number {
    return this.#words[this.#shift === 0 ? bucket : bucket + 1] - 1;
  }

  /** Maps `key`, which must not be there, to `node`, from 0 to 2^31 - 2. */
  insert(key: number, node: number): void {
    const words = this.#words;
    if (this.#shift === 0) {
      words[key] = node + 1;
      return;
    }
    let at = (Math.imul(key, MULTIPLIER) >>> this.#shift) << 1;
    while (words[at + 1] !== 0) at = (at + 2) & this.#mask;
    words[at] = key;
    words[at + 1] = node + 1;
  }

  /** Sends the key in `bucket` to another node. */
  moveAt(bucket: number, node: number): void {
    this.#words[this.#shift === 0 ? bucket : bucket + 1] = node + 1;
  }

  /** Removes the key in `bucket`. */
  removeAt(bucket: number): void {
    const words = this.#words;
    if (this.#shift === 0) {
      words[bucket] = 0;
      return;
    }
    const mask = this.#mask;
    let hole = bucket;
    let at = (hole + 2) & mask;
    while (words[at + 1] !== 0) {
      const home = (Math.imul(words[at], MULTIPLIER) >>> this.#shift) << 1;
      // It may fill the hole unless its home lies (cyclically) after the hole: a probe would miss
      // it then.
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        words[hole] = words[at];
        words[hole + 1] = words[at + 1];
        hole = at;
      }
      at = (at + 2) & mask;
    }
    words[hole + 1] = 0;
  }

  /** Throws an Error unless `size` keys are there and each is found. */
  verify(name: string, size: number): void {
    const step = this.#shift === 0 ? 1 : 2;
    let used = 0;
    for (let at = 0; at < this.#words.length; at += step) {
      if (this.#words[at + step - 1] === 0) continue;
      used++;
      if (this.find(step === 1 ? at : this.#words[at]) === at) continue;
      throw new Error(`Broken invariant: ${name}: the ghost in bucket ${at} must be found`);
    }
    if (used !== size) {
      throw new Error(`Broken invariant: ${name}: ${size} ghosts must be found: received ${used}`);
    }
  }
}
