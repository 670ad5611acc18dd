/**
 * How prefetched rows end. The cache sees it happen, the prefetcher learns from it.
 *
 * @module
 */

/** How a prefetched row ended. */
export const PREFETCH: {
  /** In the cache when it was first looked up. */
  readonly USED: 0;
  /** Looked up while its read was still in flight. */
  readonly LATE: 1;
  /** Evicted, deleted or failed before anyone looked it up. */
  readonly WASTED: 2;
} = { USED: 0, LATE: 1, WASTED: 2 };

/** One of {@linkcode PREFETCH}. */
export type PrefetchOutcome = 0 | 1 | 2;
