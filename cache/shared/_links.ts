/**
 * LRU's order within a shard: a ring of links in the records, through one record that has no row
 * (`ring`, the last). Its newer neighbour is the oldest row, its older one the newest.
 *
 * @module
 */

import { RECORD } from "./_layout.ts";

/** Words of a record that has links. */
const WORDS = 6;
const { imul } = Math;
const { NEWER, OLDER } = RECORD;

/** Puts a record at the young end. */
export function link(words: Int32Array, records: number, ring: number, local: number): void {
  const at = records + imul(local, WORDS);
  const ringAt = records + imul(ring, WORDS);
  const newest = words[ringAt + OLDER];
  words[at + NEWER] = ring;
  words[at + OLDER] = newest;
  words[records + imul(newest, WORDS) + NEWER] = local;
  words[ringAt + OLDER] = local;
}

/** Takes a record out. */
export function unlink(words: Int32Array, records: number, local: number): void {
  const at = records + imul(local, WORDS);
  const newer = words[at + NEWER];
  const older = words[at + OLDER];
  words[records + imul(newer, WORDS) + OLDER] = older;
  words[records + imul(older, WORDS) + NEWER] = newer;
}

/** Moves a record to the young end. */
export function makeNewest(words: Int32Array, records: number, ring: number, local: number): void {
  // The newest stays where it is; hot rows come often, and writes cost more than this branch.
  if (words[records + imul(local, WORDS) + NEWER] === ring) return;
  unlink(words, records, local);
  link(words, records, ring, local);
}
