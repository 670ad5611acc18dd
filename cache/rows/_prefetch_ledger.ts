/**
 * Prefetched rows of a partition until each is settled: used, late or wasted.
 *
 * @module
 */

import type { Tally } from "./counters.ts";
import type { PrefetchListener } from "./options.ts";
import { PREFETCH, type PrefetchOutcome } from "../prefetch_outcome.ts";

/** Counts outcomes; which rows are marked is the partition's own affair. */
export class PrefetchLedger {
  /** Slots that carry the prefetched mark. */
  unsettled = 0;
  readonly #partition: number;
  readonly #tally: Tally;
  readonly #listener: PrefetchListener | undefined;

  constructor(partition: number, tally: Tally, listener: PrefetchListener | undefined) {
    this.#partition = partition;
    this.#tally = tally;
    this.#listener = listener;
  }

  /** A row has been claimed for no batch, and marked. */
  open(): void {
    this.unsettled++;
    this.#tally.prefetches++;
  }

  /** The row of `key` has lost its mark. */
  settle(key: number, outcome: PrefetchOutcome): void {
    this.unsettled--;
    if (outcome === PREFETCH.USED) this.#tally.prefetchUsed++;
    else if (outcome === PREFETCH.LATE) this.#tally.prefetchLate++;
    else this.#tally.prefetchWasted++;
    this.#listener?.(this.#partition, key, outcome);
  }
}
