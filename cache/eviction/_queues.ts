/**
 * Several doubly linked lists of slots in one column, each newest to oldest: a slot is in one of
 * them at most, so moving it from list to list needs no more than its two words.
 *
 * Laid out as in `_slot_list.ts`; list q of `count` slots has sentinel `count` + q. A slot is taken
 * out by `unlink` of that file, whichever list it is in.
 *
 * @module
 */

/** Links for slots 0 to `count` - 1, and `queueCount` sentinels; the lists are empty. */
export function createQueues(count: number, queueCount: number): Int32Array {
  const links = new Int32Array(2 * (count + queueCount));
  for (let at = 2 * count; at < links.length; at++) links[at] = at >> 1;
  return links;
}

/** Puts `slot`, which must be in no list, at the newest end of a list. */
export function pushNewest(links: Int32Array, sentinel: number, slot: number): void {
  const newest = links[2 * sentinel + 1];
  links[2 * slot] = sentinel;
  links[2 * slot + 1] = newest;
  links[2 * newest] = slot;
  links[2 * sentinel + 1] = slot;
}

/** Takes `slot` out of whatever list it is in and puts it at the newest end of one. */
export function moveToNewest(links: Int32Array, sentinel: number, slot: number): void {
  const newer = links[2 * slot];
  // The newest stays where it is; hot rows come often, and writes cost more than this branch.
  if (newer === sentinel) return;
  const older = links[2 * slot + 1];
  links[2 * newer + 1] = older;
  links[2 * older] = newer;
  pushNewest(links, sentinel, slot);
}

/** Writes the slots of a list to `out` from `at` on, newest first; returns where it ended. */
export function listQueue(
  links: Int32Array,
  sentinel: number,
  out: Uint32Array,
  at: number,
): number {
  for (let slot = links[2 * sentinel + 1]; slot !== sentinel; slot = links[2 * slot + 1]) {
    out[at++] = slot;
  }
  return at;
}

/**
 * Throws an Error unless the list is a ring of `size` slots whose links agree and which `isMember`
 * says are in it.
 */
export function verifyQueue(
  name: string,
  links: Int32Array,
  sentinel: number,
  size: number,
  isMember: (slot: number) => boolean,
): void {
  let at = sentinel;
  for (let i = 0; i <= size; i++) {
    const older = links[2 * at + 1];
    if (links[2 * older] !== at) {
      throw new Error(`Broken invariant: ${name}: slot ${older} must have newer neighbour ${at}`);
    }
    at = older;
    if ((at === sentinel) !== (i === size)) {
      throw new Error(`Broken invariant: ${name}: ${size} slots must be linked: received ${i}`);
    }
    if (at !== sentinel && !isMember(at)) {
      throw new Error(`Broken invariant: ${name}: slot ${at} must be marked as linked there`);
    }
  }
}
