/**
 * Bounds of the kernels room. Every scratch array is sized by these or by an option below them.
 *
 * @module
 */

/** Most values of one row: a kernel holds 8 bytes of accumulator for each. */
export const MAX_DIM: number = 2 ** 16;
