/**
 * What the adaptive policy chooses from: settings of one structure, so that going from one to the
 * next moves a few numbers and no row.
 *
 * The structure is S3-FIFO's (Yang, Zhang, Qiu, Yue, Rashmi, SOSP 2023): rows arrive in a small
 * FIFO queue; from its old end they go on to the main queue or leave it, and the cache, as ghosts;
 * a ghost that comes back goes to the main queue at once; the main queue is a CLOCK. Other policies
 * are near to it at other settings: without promotion by hits it is 2Q with a CLOCK in LRU's place,
 * with a large small queue that promotes after one hit it follows recency as LRU and ARC do, and
 * with a tiny one and high counts it holds on to the most frequent rows as LFU does.
 *
 * @module
 */

/**
 * See `fillsMain`. The hand goes round once in 16 times as many evictions as there are slots: rows
 * of a loop up to that long stay. Without ageing the main queue kept hot rows that had gone out of
 * use for good, and a loop that began later never hit; with 8 loops ten times the slots hit less,
 * with 32 it took twice as long to see one.
 */
export const AGEING: number = 16;

/** One way to run the structure. */
export interface Setting {
  /** Its name, for people. */
  readonly name: string;
  /** The small queue's share of the slots. */
  readonly smallShare: number;
  /** Hits in the small queue that take a row to the main queue; above 15 only ghosts get there. */
  readonly promoteHits: number;
  /** Ghosts that count, as a share of the slots. */
  readonly ghostShare: number;
  /** Hits that CLOCK's counter remembers in the main queue, at most 15. */
  readonly countLimit: number;
  /**
   * Whether rows go to the main queue without a hit while it has room: they stay there when nothing
   * better comes, which is what a loop over more rows than there are slots wants. So that they do
   * not stay for ever, every `AGEING`th victim is looked for at the main queue's old end: the row
   * there loses half of its hits, or leaves when it has none.
   */
  readonly fillsMain: boolean;
}

/**
 * Each wins somewhere by far. Misses of each alone, over those of the best of eleven others:
 *
 * | trace, slots | scan | balance | recency | frequency |
 * |---|---|---|---|---|
 * | objects of a mapper at night, 4,135 | 0.99 | 1.37 | 1.56 | 1.45 |
 * | a file server, 707 | 1.07 | 0.99 | 1.09 | 1.33 |
 * | hot keys that drift, 2,017 | 1.16 | 1.11 | 1.03 | 1.65 |
 * | items of a shop, 407 | 1.02 | 1.07 | 1.18 | 0.95 |
 * | a loop over four times the slots, 252 | 1.33 | 1.33 | 1.33 | 1.01 |
 *
 * S3-FIFO as it is would add nothing: nowhere did it miss 1 % less than the best of these. A plain
 * CLOCK in place of "recency" is as good on drift, and 0.5 % worse on the whole.
 */
export const SETTINGS: readonly Setting[] = [
  {
    name: "scan",
    smallShare: 0.1,
    promoteHits: 16,
    ghostShare: 0.9,
    countLimit: 3,
    fillsMain: false,
  },
  {
    name: "balance",
    smallShare: 0.25,
    promoteHits: 1,
    ghostShare: 0.9,
    countLimit: 3,
    fillsMain: false,
  },
  {
    name: "recency",
    smallShare: 0.5,
    promoteHits: 1,
    ghostShare: 0.9,
    countLimit: 1,
    fillsMain: false,
  },
  {
    name: "frequency",
    smallShare: 0.02,
    promoteHits: 2,
    ghostShare: 0.2,
    countLimit: 15,
    fillsMain: true,
  },
];

/** The setting to begin with: of the four the one that is seldom far from the best. */
export const FIRST_SETTING: number = 1;

/** Rows that the small queue keeps, of `count` slots, while the main queue has one to give. */
export function keptSmall(setting: Setting, count: number): number {
  const capacity = Math.max(1, Math.floor(setting.smallShare * count));
  return setting.fillsMain ? capacity - 1 : capacity;
}

/** Rows below which the main queue takes all that reaches the small one's end. */
export function mainFill(setting: Setting, count: number): number {
  return setting.fillsMain ? count - keptSmall(setting, count) - 2 : 0;
}
