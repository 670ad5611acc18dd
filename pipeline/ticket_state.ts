/**
 * What tickets say: that there is none, or where their batch stands.
 *
 * @module
 */

/**
 * No ticket: as many batches are in flight as the pipeline holds. Release one, then stage again.
 */
export const NO_TICKET: number = -1;

/** Where a batch stands; what `Pipeline.state` returns. */
export const TICKET_STATE: {
  /** Some of its rows are still being read. */
  readonly LOADING: 1;
  /** It can be pooled: its rows are there, or its deadline has passed. */
  readonly READY: 2;
} = { LOADING: 1, READY: 2 };
