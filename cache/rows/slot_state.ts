/**
 * The states of a slot.
 *
 * @module
 */

/** The state of a slot: the low bits of its byte in {@linkcode AnyRowCache.states}. */
export const SLOT_STATE: {
  /** Holds no row. */
  readonly FREE: 0;
  /** Claimed; its row is being read. */
  readonly LOADING: 1;
  /** Holds its row's bytes. */
  readonly READY: 2;
  /** Its row will not come: the read failed, or the row was deleted meanwhile. */
  readonly FAILED: 3;
} = { FREE: 0, LOADING: 1, READY: 2, FAILED: 3 };

/**
 * `states(p)[slot] & SLOT_STATE_MASK` is one of {@linkcode SLOT_STATE}. The other bits of the byte
 * are the cache's own: a byte a row is all that a compact cache has for state and order.
 */
export const SLOT_STATE_MASK: number = 3;
