/**
 * What a claim says.
 *
 * @module
 */

/**
 * No batch: {@linkcode RowCache.begin} found no place for one; in a claim, a prefetch for no batch.
 */
export const NO_BATCH: number = -1;

/** The out-parameter of {@linkcode RowCache.claim}. */
export interface Claim {
  /** True when the caller has to read the row; false when it is there or being read already. */
  fresh: boolean;
  /** What the read must show to {@linkcode RowCache.fill} or `abandon`; tells a re-used slot. */
  generation: number;
  /** The key that lost its slot to this claim, or -1. */
  evictedKey: number;
}

/** A claim to pass again and again, so that no call allocates. */
export function createClaim(): Claim {
  return { fresh: false, generation: 0, evictedKey: -1 };
}
