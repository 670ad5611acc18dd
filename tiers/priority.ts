/**
 * What goes first.
 *
 * @module
 */

/** The values of `IoRequests.priority`. */
export const PRIORITY: {
  /** Goes to the device before all that is not urgent: somebody waits for it. */
  readonly URGENT: 0;
  /** Goes when nothing urgent waits: prefetches. Values above 1 count as this. */
  readonly BACKGROUND: 1;
} = { URGENT: 0, BACKGROUND: 1 };
