/**
 * A doubly linked list of slots in one column, newest to oldest.
 *
 * Words 2 s and 2 s + 1 are the newer and the older neighbour of slot s, side by side: a move
 * touches three cache lines, not five. One slot more than there are is the sentinel that closes the
 * ring: its "older" is the newest slot, its "newer" the oldest, and neither end is a special case.
 *
 * @module
 */

/** Links for slots 0 to `count` - 1, and the sentinel `count`; the list is empty. */
export function createLinks(count: number): Int32Array {
  const links = new Int32Array(2 * (count + 1));
  links[2 * count] = links[2 * count + 1] = count;
  return links;
}

/** Puts `slot`, which must not be in the list, at its newest end. */
export function linkNewest(links: Int32Array, slot: number): void {
  linkOlderThan(links, slot, (links.length >> 1) - 1);
}

/** Puts `slot`, which must not be in the list, right behind `newer`, one in it or the sentinel. */
export function linkOlderThan(links: Int32Array, slot: number, newer: number): void {
  const older = links[2 * newer + 1];
  links[2 * slot] = newer;
  links[2 * slot + 1] = older;
  links[2 * older] = slot;
  links[2 * newer + 1] = slot;
}

/** Takes `slot` out of the list. */
export function unlink(links: Int32Array, slot: number): void {
  const newer = links[2 * slot];
  const older = links[2 * slot + 1];
  links[2 * newer + 1] = older;
  links[2 * older] = newer;
}

/** The `size` slots of the list, newest first. */
export function listSlots(links: Int32Array, size: number): Uint32Array {
  const sentinel = (links.length >> 1) - 1;
  const slots = new Uint32Array(size);
  let at = links[2 * sentinel + 1];
  for (let i = 0; i < size; i++) {
    slots[i] = at;
    at = links[2 * at + 1];
  }
  return slots;
}

/** Throws an Error unless the list is a ring of `size` slots whose links agree. */
export function verifyList(name: string, links: Int32Array, size: number): void {
  const sentinel = (links.length >> 1) - 1;
  let at = sentinel;
  for (let i = 0; i <= size; i++) {
    const older = links[2 * at + 1];
    if (links[2 * older] !== at) {
      throw new Error(`Broken invariant: ${name}: slot ${older} must have newer neighbour ${at}`);
    }
    at = older;
    if (at === sentinel && i < size) {
      throw new Error(`Broken invariant: ${name}: ${size} slots must be linked: received ${i}`);
    }
  }
  if (at !== sentinel) {
    throw new Error(`Broken invariant: ${name}: more than ${size} slots are linked`);
  }
}
