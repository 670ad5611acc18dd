/**
 * When a read is late enough to be asked for again.
 *
 * @module
 */

import { LatencyHistogram } from "./wrappers/latency_histogram.ts";

/** Reads between two looks at the quantile, which costs some 2 us. */
const EVERY = 128;

/** Reads after which the past counts half: drives change with what they are asked to do. */
const MEMORY = 4096;

/** Follows a quantile of the latencies it is told, or says a fixed time. */
export class HedgeDelay {
  /** The time in ns; Infinity while too little is known. */
  afterNs: number;
  readonly #fixed: boolean;
  readonly #quantile: number;
  /** To 3 %, in 800 counters: the next look is cheap and the share hardly moves. */
  #recent = new LatencyHistogram({ precisionBits: 4 });
  #older = new LatencyHistogram({ precisionBits: 4 });
  #seen = 0;

  constructor(quantile: number, afterNs: number | undefined) {
    this.#quantile = quantile;
    this.#fixed = afterNs !== undefined;
    this.afterNs = afterNs ?? Infinity;
  }

  /** Tells of one read. */
  record(latencyNs: number): void {
    if (this.#fixed) return;
    this.#recent.record(latencyNs);
    if (++this.#seen % EVERY !== 0) return;
    // Of two generations, the one that is full, until the younger one is old enough to judge by.
    const judge = this.#older.count > this.#recent.count ? this.#older : this.#recent;
    this.afterNs = judge.quantileNs(this.#quantile);
    if (this.#recent.count < MEMORY) return;
    const spare = this.#older;
    this.#older = this.#recent;
    this.#recent = spare;
    spare.clear();
  }
}
