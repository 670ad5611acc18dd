/**
 * A histogram of distances, eight buckets an octave: what it says of a distance is at most an
 * eighth too large. Found with integers, as logarithms differ from engine to engine.
 *
 * @module
 */

/** Bits of a bucket within its octave. */
const BITS = 3;
const STEPS = 2 ** BITS;

/** Buckets for distances up to 2^32 - 1. */
export const BUCKETS: number = (32 - BITS + 1) * STEPS;

/** The bucket of `distance`, from 1 to 2^32 - 1: exact below 16. */
export function bucketOf(distance: number): number {
  if (distance < 2 * STEPS) return distance;
  const octave = 31 - Math.clz32(distance) - BITS;
  return octave * STEPS + (distance >>> octave);
}

/** The largest distance in `bucket`. */
export function bucketEnd(bucket: number): number {
  if (bucket < 2 * STEPS) return bucket;
  const octave = Math.floor(bucket / STEPS) - 1;
  return (bucket - octave * STEPS + 1) * 2 ** octave - 1;
}

/** The distance that the share `part` of what `histogram` counts does not exceed; 0 if empty. */
export function quantile(histogram: Float64Array, part: number): number {
  const total = histogram.reduce((sum, count) => sum + count, 0);
  if (total === 0) return 0;
  let sum = 0;
  // Rounding may leave the last sums a little below the total.
  const bucket = histogram.findIndex((count) => (sum += count) >= part * total * (1 - 1e-12));
  return bucketEnd(bucket);
}
