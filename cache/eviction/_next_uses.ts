/**
 * When each request's key comes again.
 *
 * @module
 */

/** The key does not come again. */
export const NEVER: number = 2 ** 32 - 1;

/** Bits of a key that one pass sorts by: 2,048 counts stay in the nearest cache. */
const DIGIT_BITS = 11;

/**
 * For each request, the number of the next one for the same key, or {@linkcode NEVER}.
 *
 * Sorting the requests by key, stably, puts each next to its successor. Three passes of counting
 * sort take any u32 keys, a hash table would have to grow with the distinct ones and waits for
 * memory at each request.
 */
export function nextUses(keys: Uint32Array): Uint32Array {
  const sorted = sortByKey(keys);
  const next = new Uint32Array(keys.length).fill(NEVER);
  for (let i = 1; i < sorted.length; i++) {
    if (keys[sorted[i - 1]] === keys[sorted[i]]) next[sorted[i - 1]] = sorted[i];
  }
  return next;
}

/** The numbers of the requests by key, those of one key in their order. */
function sortByKey(keys: Uint32Array): Uint32Array {
  let from = Uint32Array.from({ length: keys.length }, (_, i) => i);
  let to = new Uint32Array(keys.length);
  const mask = 2 ** DIGIT_BITS - 1;
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    const ends = new Uint32Array(mask + 1);
    for (let i = 0; i < keys.length; i++) ends[(keys[i] >>> shift) & mask]++;
    for (let digit = 1; digit <= mask; digit++) ends[digit] += ends[digit - 1];
    // Backwards, as each digit's places are filled from their end: equal ones keep their order.
    for (let i = from.length - 1; i >= 0; i--) {
      to[--ends[(keys[from[i]] >>> shift) & mask]] = from[i];
    }
    [from, to] = [to, from];
  }
  return from;
}
