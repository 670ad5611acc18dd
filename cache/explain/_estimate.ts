/**
 * From sampled counts to shares with their errors.
 *
 * @module
 */

import { GROUPS, MISS_CLASS, MISS_CLASSES, type MissClassifier } from "./_miss_classifier.ts";
import type { WaitClasses, WaitShare } from "./explanation.ts";
import { LOOKUP } from "./lookup_outcome.ts";

const { sqrt, max } = Math;

/** Lookups by outcome that had to wait. */
export function waitsOf(outcomes: Float64Array): number {
  return outcomes[LOOKUP.MISS] + outcomes[LOOKUP.REFUSED] + outcomes[LOOKUP.DELAYED] +
    outcomes[LOOKUP.LATE];
}

/** The waits of one table by class: sampled misses stand for all misses, the rest is counted. */
export function estimate(outcomes: Float64Array, classifier: MissClassifier): WaitClasses {
  const waits = waitsOf(outcomes);
  const misses = outcomes[LOOKUP.MISS] + outcomes[LOOKUP.REFUSED];
  const missShare = (missClass: number): WaitShare => {
    const { part, error } = partOf(missClass, classifier);
    return toShare(part * misses, waits, error * misses / max(1, waits));
  };
  return {
    firstTouch: missShare(MISS_CLASS.FIRST_TOUCH),
    capacity: missShare(MISS_CLASS.CAPACITY),
    refused: missShare(MISS_CLASS.REFUSED),
    policy: missShare(MISS_CLASS.POLICY),
    latePrefetch: toShare(outcomes[LOOKUP.LATE], waits, 0),
    delayedHit: toShare(outcomes[LOOKUP.DELAYED], waits, 0),
  };
}

function toShare(count: number, waits: number, error: number): WaitShare {
  return { count, share: waits === 0 ? 0 : count / waits, error };
}

/**
 * The part of the sampled misses that is in a class, and twice its standard error.
 *
 * The variance is that of a ratio over random groups of keys, as misses of one key go together; or
 * the binomial one with two misses added to either side (Agresti, Coull 1998) where that is larger,
 * as groups of a handful of misses may agree by chance. A sample of all keys has no error.
 */
function partOf(missClass: number, classifier: MissClassifier): { part: number; error: number } {
  const { counts, missCount, sample } = classifier;
  if (missCount === 0) return { part: 0, error: 1 };
  let all = 0, own = 0;
  for (let at = 0; at < counts.length; at++) {
    all += counts[at];
    if (at % MISS_CLASSES === missClass) own += counts[at];
  }
  const part = own / all;
  let squares = 0;
  for (let group = 0; group < GROUPS; group++) {
    const from = group * MISS_CLASSES;
    let size = 0;
    for (let each = 0; each < MISS_CLASSES; each++) size += counts[from + each];
    squares += (counts[from + missClass] - part * size) ** 2;
  }
  const between = squares / all ** 2 * GROUPS / (GROUPS - 1);
  const middle = (part * missCount + 2) / (missCount + 4);
  const binomial = middle * (1 - middle) / (missCount + 4);
  return { part, error: 2 * sqrt((1 - sample.rate) * max(between, binomial)) };
}

/** What {@linkcode sumClasses} needs to know of a table. */
interface Counted {
  readonly waits: number;
  readonly classes: WaitClasses;
}

/** The waits of several tables together; their errors are independent. */
export function sumClasses(tables: readonly Counted[], waits: number): WaitClasses {
  const sum = (name: keyof WaitClasses): WaitShare => {
    let count = 0, squares = 0;
    for (const table of tables) {
      count += table.classes[name].count;
      squares += (table.classes[name].error * table.waits) ** 2;
    }
    return toShare(count, waits, sqrt(squares) / max(1, waits));
  };
  return {
    firstTouch: sum("firstTouch"),
    capacity: sum("capacity"),
    refused: sum("refused"),
    policy: sum("policy"),
    latePrefetch: sum("latePrefetch"),
    delayedHit: sum("delayedHit"),
  };
}
