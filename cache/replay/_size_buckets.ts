/**
 * Buckets for sizes of all magnitudes: 64 in each doubling, so that a bucket is at most 1/64 wider
 * than its lower edge, and sizes up to 128 have one each. As in HDR histograms.
 *
 * @module
 */

/** Sizes up to 2^53. */
export const SIZE_BUCKETS: number = 48 * 64;

/** The bucket of `size`, an integer from 1 to 2^53. */
export function bucketOf(size: number): number {
  let rest = size - 1;
  let first = 0;
  // Shifts work on 32 bits: what is larger is looked up 2^24 times smaller, 24 doublings on.
  if (rest >= 2 ** 31) {
    rest = Math.floor(rest / 2 ** 24);
    first = 24 << 6;
  }
  const shift = Math.max(0, 25 - Math.clz32(rest));
  return first + (shift << 6) + (rest >>> shift);
}

/** The largest size in `bucket`. */
export function largestOf(bucket: number): number {
  if (bucket < 128) return bucket + 1;
  return ((bucket & 63) + 65) * 2 ** ((bucket >> 6) - 1);
}
