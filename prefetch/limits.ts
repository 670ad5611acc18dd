/**
 * The bounds of this room, in one place.
 *
 * @module
 */

/** Most rows a lookahead window holds: 2^24, at 16 to 24 bytes each. */
export const MAX_LOOKAHEAD_ROWS: number = 2 ** 24;
