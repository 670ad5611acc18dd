/**
 * What a claim says.
 *
 * @module
 */

/**
 * No batch: {@linkcode AnyRowCache.begin} found no place for one; in a claim, a prefetch for no
 * batch.
 */
export const NO_BATCH: number = -1;

/** The out-parameter of {@linkcode AnyRowCache.claim}. */
export interface Claim {
  /** True when the caller has to read the row; false when it is there or being read already. */
  fresh: boolean;
  /**
   * What the read must show to {@linkcode AnyRowCache.fill} or `abandon`; tells a re-used slot. An
   * integer: below 2^32 in a {@linkcode RowCache}, below 2^53 in a compact partition. When the
   * claim is not fresh, that of the read under way; without meaning when the row is there.
   */
  generation: number;
  /** The key that lost its slot to this claim, the last one if there were several; or -1. */
  evictedKey: number;
}

/** A claim to pass again and again, so that no call allocates. */
export function createClaim(): Claim {
  return { fresh: false, generation: 0, evictedKey: -1 };
}
