/**
 * Which table each row of a generated set belongs to.
 *
 * @module
 */

import type { Random } from "../../base/random.ts";

/** Tables tried at random before the one with the most room is taken. */
const MAX_TRIES = 64;

/**
 * Gives the rows, of `counts` lookups each, most first, to tables so that table i gets `shares[i]`
 * lookups, all together as many as the rows have. A row goes to a table in proportion to the room
 * it has left; one of more than `hot` lookups, times the table's heat, too.
 *
 * It always ends: what is left at a row of c lookups are c or more a table, as long as rows of few
 * lookups come last and are many.
 *
 * @returns By table, the lookups of each of its rows, in random order.
 */
export function spreadRows(
  counts: Uint32Array,
  shares: Uint32Array,
  heats: readonly number[],
  hot: number,
  random: Random,
): Uint32Array[] {
  const room = shares.slice();
  const tableOf = new Uint32Array(counts.length);
  const rows = new Uint32Array(shares.length);
  const places = createPlaces(shares);
  const hottest = Math.max(...heats);
  for (let row = 0; row < counts.length; row++) {
    const count = counts[row];
    let table = -1;
    for (let tries = 0; table < 0 && tries < MAX_TRIES; tries++) {
      const tried = places.pick(random);
      const heat = count > hot ? heats[tried] / hottest : 1;
      const chance = room[tried] / shares[tried] * heat;
      if (room[tried] >= count && random.unit() < chance) table = tried;
    }
    if (table < 0) table = roomiest(room);
    room[table] -= count;
    tableOf[row] = table;
    rows[table]++;
  }
  const byTable = Array.from(rows, (length) => new Uint32Array(length));
  for (let row = 0; row < counts.length; row++) {
    byTable[tableOf[row]][--rows[tableOf[row]]] = counts[row];
  }
  for (const own of byTable) shuffle(own, random);
  return byTable;
}

function roomiest(room: Uint32Array): number {
  let best = 0;
  for (let table = 1; table < room.length; table++) if (room[table] > room[best]) best = table;
  return best;
}

/** Picks tables in proportion to their shares. */
function createPlaces(shares: Uint32Array): { pick(random: Random): number } {
  const ends = new Float64Array(shares.length);
  let sum = 0;
  for (let table = 0; table < shares.length; table++) ends[table] = sum += shares[table];
  const pick = (random: Random): number => {
    const place = random.unit() * sum;
    let low = 0, high = ends.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (place < ends[middle]) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  return { pick };
}

/** Fisher and Yates. */
function shuffle(values: Uint32Array, random: Random): void {
  for (let i = values.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const value = values[i];
    values[i] = values[j];
    values[j] = value;
  }
}
