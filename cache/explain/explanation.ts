/**
 * What an explanation of misses says.
 *
 * @module
 */

/** What notebooks look for on a value: `Symbol.for("Jupyter.display")`. */
export const DISPLAY: unique symbol = Symbol.for("Jupyter.display");

/** How many lookups of a class there were. */
export interface WaitShare {
  /** Lookups, estimated from the sample; exact for late prefetches and delayed hits. */
  readonly count: number;
  /** Of all lookups that had to wait, 0 to 1. */
  readonly share: number;
  /** Half the width of the interval around `share` that holds the true one 19 times in 20. */
  readonly error: number;
}

/** Every lookup that had to wait is in exactly one of these classes. */
export interface WaitClasses {
  /** The key had never been looked up, or its row was deleted since. */
  readonly firstTouch: WaitShare;
  /** Belady's algorithm, with bypass, would have missed it too with so many slots. */
  readonly capacity: WaitShare;
  /** Belady would have hit; the row was kept out when it was last looked up. */
  readonly refused: WaitShare;
  /** Belady would have hit; the row was in the cache and evicted. */
  readonly policy: WaitShare;
  /** The row was on its way for a prefetch. */
  readonly latePrefetch: WaitShare;
  /** The row was on its way for another lookup. */
  readonly delayedHit: WaitShare;
}

/** Memory that would turn part of the capacity misses into hits. */
export interface CapacityNeed {
  /** Of the capacity misses, 0 to 1. */
  readonly part: number;
  /** LRU with so many slots would have hit them, by their stack distances; up to 1/8 too many. */
  readonly slots: number;
  /** `slots` times the table's `rowBytes`. */
  readonly bytes: number;
}

/** Why lookups of one table had to wait. */
export interface TableExplanation {
  /** The table's name. */
  readonly name: string;
  /** Slots it has. */
  readonly slotCount: number;
  /** Bytes a row takes in the cache. */
  readonly rowBytes: number;
  /** Lookups observed, all of them. */
  readonly lookups: number;
  /** Of these, lookups that had to wait for a read: all but hits. */
  readonly waits: number;
  /** Share of the keys in the sample, now. */
  readonly rate: number;
  /** Misses in the sample. */
  readonly sampledMisses: number;
  /** The waits by class. */
  readonly classes: WaitClasses;
  /** For 50, 80 and 90 % of the capacity misses; empty when none was sampled. */
  readonly needs: readonly CapacityNeed[];
}

/** A picture of itself, in the forms that notebooks ask for. */
export interface Display {
  /** A page fragment: an SVG bar for each table, and the advice. */
  readonly "text/html": string;
  /** The same as a table of text. */
  readonly "text/plain": string;
}

/** Why lookups had to wait. A plain object; notebooks (Jupyter, Deno) show it as a picture. */
export interface MissExplanation {
  /** By table, in the order of the partitions. */
  readonly tables: readonly TableExplanation[];
  /** All tables together. */
  readonly total: {
    /** Lookups observed. */
    readonly lookups: number;
    /** Lookups that had to wait. */
    readonly waits: number;
    /** The waits by class. */
    readonly classes: WaitClasses;
  };
  /** What to change, in one line. */
  readonly advice: string;
  /** Draws it. */
  [DISPLAY](): Display;
}
