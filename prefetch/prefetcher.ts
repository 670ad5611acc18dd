/**
 * The contract of prefetchers: which rows to read before a batch asks for them.
 *
 * @module
 */

import type { PrefetchOutcome } from "../cache/prefetch_outcome.ts";

/** A prefetcher over all partitions of a pipeline. */
export interface Prefetcher {
  /** Its name: "none", "lookahead". */
  readonly name: string;
  /** The first `count` of `keys` will be looked up in `partition` soon: a known future. */
  announce(partition: number, keys: Uint32Array, count: number): void;
  /** The first `count` of `keys` were just looked up in `partition`. */
  observe(partition: number, keys: Uint32Array, count: number): void;
  /**
   * Writes the rows to read next, most urgent first, into `partitions` and `keys` (equally long)
   * and returns how many; 0 when it has none. Each is handed out once.
   */
  predict(partitions: Uint32Array, keys: Uint32Array): number;
  /** How a predicted row ended. */
  settle(partition: number, key: number, outcome: PrefetchOutcome): void;
}
