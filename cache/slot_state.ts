/**
 * The states of a slot.
 *
 * @module
 */

/** The state of a slot, as {@linkcode RowCache.states} shows it. */
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
