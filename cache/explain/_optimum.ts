/**
 * Which lookups the best possible cache would have answered: OPTgen (Jain, Lin: "Back to the
 * future: leveraging Belady's algorithm for improved cache replacement", ISCA 2016), told on line
 * and exactly.
 *
 * A lookup can be a hit when its row stays from the lookup before on. OPTgen lets it stay when at
 * no position since then as many rows stay as there are slots; what it lets stay is what Belady's
 * algorithm with bypass would keep. It keeps a count of rows at each position (its occupancy
 * vector), and looks for the largest since the last use.
 *
 * Only that largest count ever matters. S(p), the largest count from p on, never rises with p, so
 * it is told by its steps: put a token at p for each step between p and p + 1, and S(p) is the
 * number of tokens from p on. That one row more stays from p to the newest position adds 1 to S
 * from p on, and before p back to where S was larger anyway: it moves the last token before p, if
 * there is one, to the newest position. So each lookup costs O(log n), where Hawkeye walks over a
 * vector of eight times the cache's size.
 *
 * @module
 */

import { PositionCounts } from "./_position_counts.ts";

/** The tokens of an optimal cache, at positions from 0 on. */
export class Optimum {
  /** Rows that fit. */
  capacity: number;
  readonly #tokens: PositionCounts;
  /** Column: tokens at each position. */
  readonly #at: Int32Array;

  constructor(capacity: number, length: number) {
    this.capacity = capacity;
    this.#tokens = new PositionCounts(length);
    this.#at = new Int32Array(length);
  }

  /** Bytes of its columns. */
  get bytes(): number {
    return this.#tokens.bytes + this.#at.byteLength;
  }

  /** Most rows that stay at any one position from `position` on. */
  most(position: number): number {
    return this.#tokens.from(position);
  }

  /** Whether the row last used at `last` would still be there at `now`; it is kept then. */
  keeps(last: number, now: number): boolean {
    const tokens = this.#tokens;
    const most = tokens.from(last);
    if (most >= this.capacity) return false;
    if (tokens.total > most) this.#move(tokens.select(tokens.total - most), -1);
    this.#move(now - 1, 1);
    return true;
  }

  #move(position: number, by: number): void {
    this.#tokens.add(position, by);
    this.#at[position] += by;
  }

  /** Takes one token away, the one at `rank` modulo their number: for a sample that shrinks. */
  thin(rank: number): void {
    const { total } = this.#tokens;
    if (total > 0) this.#move(this.#tokens.select(rank % total + 1), -1);
  }

  /** Tokens in all. */
  get total(): number {
    return this.#tokens.total;
  }

  /**
   * Renumbers positions: `place` gives for each old position below `end` the new one, rising, or -1
   * before the first one kept. S at the positions kept stays what it was.
   */
  renumber(place: Int32Array, end: number): void {
    const at = this.#at;
    for (let position = 0; position < end; position++) {
      const count = at[position];
      at[position] = 0;
      // Never below the place it goes to has been read: places are at most their positions.
      if (place[position] >= 0) at[place[position]] += count;
    }
    this.#tokens.assign(at);
  }
}
