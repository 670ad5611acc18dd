/**
 * How often each row of a generated set is looked up, so that the set has a published histogram.
 *
 * @module
 */

import type { ReuseStatistics } from "./meta_reuse.ts";

/** What a bin of the plan holds. */
interface Bin {
  /** Fewest and most lookups of a row. */
  readonly least: number;
  readonly most: number;
  rows: number;
  lookups: number;
}

/** Mean lookups of a row over the least, where the counts of a doubling bin are log-uniform. */
const LOG_UNIFORM_MEAN = 1 / Math.LN2;

/**
 * The lookups of each row, most first, for a set of `lookups` in all where no row has more than
 * `most`. The bins get the published shares of rows and lookups. Too small a set cannot have the
 * rows of the highest bins: their lookups go to the next bin that can have a row.
 */
export function planReuse(statistics: ReuseStatistics, lookups: number, most: number): Uint32Array {
  const bins = createBins(statistics, lookups, most);
  settleLookups(bins, lookups);
  const counts = new Uint32Array(bins.reduce((sum, bin) => sum + bin.rows, 0));
  let at = 0;
  for (const bin of bins.toReversed()) at = fillBin(bin, counts, at);
  return counts;
}

function createBins(statistics: ReuseStatistics, lookups: number, most: number): Bin[] {
  const { rowShares, lookupShares } = statistics;
  const rows = lookups * statistics.rows / statistics.lookups;
  const last = rowShares.length - 1;
  // Three digits a share do not add up to 1 exactly.
  const whole = lookupShares.reduce((sum, share) => sum + share, 0);
  const bins: Bin[] = [];
  let carried = 0;
  for (let i = last; i >= 0; i--) {
    const least = i === 0 ? 1 : 2 ** (i - 1) + 1;
    const highest = Math.min(i === last ? most : 2 ** i, most);
    const wanted = lookupShares[i] / whole * lookups + carried;
    if (i > 0 && (highest < least || wanted < least)) {
      carried = wanted;
      continue;
    }
    carried = 0;
    const count = rowsOfBin(wanted, rowShares[i] * rows, least, highest);
    bins.unshift({ least, most: highest, rows: count, lookups: Math.round(wanted) });
  }
  return bins;
}

/** How many rows share `lookups`: the published number where it can be, else the likely one. */
function rowsOfBin(lookups: number, published: number, least: number, most: number): number {
  const mean = lookups / published;
  // A share such as 0.001 may be half as much again; rows of a bin do not all sit at its edge.
  const isCredible = most === least || (mean > 1.02 * (least - 1) && mean < 0.98 * most);
  const rows = isCredible ? published : lookups / Math.min(LOG_UNIFORM_MEAN * least, most);
  const fewest = Math.ceil(lookups / most);
  return Math.max(1, fewest, Math.min(Math.round(rows), Math.floor(lookups / least)));
}

/** Makes the lookups of all bins sum up to `lookups`, each within what its rows can take. */
function settleLookups(bins: readonly Bin[], lookups: number): void {
  let excess = bins.reduce((sum, bin) => sum + bin.lookups, 0) - lookups;
  for (const bin of bins) {
    const clamped = Math.min(Math.max(bin.lookups, bin.rows * bin.least), bin.rows * bin.most);
    excess += clamped - bin.lookups;
    bin.lookups = clamped;
  }
  // The bins of most lookups first: there a few more or less change the least.
  for (const bin of bins.toSorted((a, b) => b.lookups - a.lookups)) {
    const moved = Math.min(
      Math.max(bin.lookups - excess, bin.rows * bin.least),
      bin.rows * bin.most,
    );
    excess += moved - bin.lookups;
    bin.lookups = moved;
  }
  if (bins.length > 0 && excess !== 0) addSingles(bins[0], excess);
}

/** What no bin can take or give are rows of one lookup, more or fewer. */
function addSingles(bin: Bin, excess: number): void {
  bin.rows -= excess;
  bin.lookups -= excess;
}

/**
 * Writes the counts of a bin, most first, from `counts[at]` on; returns where they end. They run
 * from the least to the most along a power, whose exponent gives the mean: few rows are hot.
 */
function fillBin(bin: Bin, counts: Uint32Array, at: number): number {
  const { least, most, rows } = bin;
  const spread = most - least;
  const above = bin.lookups / rows - least;
  const exponent = above > 0 ? spread / above - 1 : 0;
  let left = bin.lookups;
  for (let i = 0; i < rows; i++) {
    const quantile = 1 - (i + 0.5) / rows;
    const count = least + (above > 0 ? Math.round(spread * quantile ** exponent) : 0);
    counts[at + i] = Math.min(most, Math.max(least, count));
    left -= counts[at + i];
  }
  // Rounding: spread over rows that can take it.
  for (let i = 0; left !== 0; i = (i + 1) % rows) {
    const step = Math.sign(left);
    const count = counts[at + i] + step;
    if (count < least || count > most) continue;
    counts[at + i] = count;
    left -= step;
  }
  return at + rows;
}
