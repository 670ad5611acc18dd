/**
 * Bounds of the kernels room. Every scratch array is sized by these or by an option below them.
 *
 * @module
 */

/** Most values of one row: a kernel holds 8 bytes of accumulator for each. */
export const MAX_DIM: number = 2 ** 16;
/** Most bins of a greedy range search: its time is their number times a row's encoding. */
export const MAX_GREEDY_BINS = 10_000;
/** Most rounds of k-means. */
export const MAX_KMEANS_ROUNDS = 1_000;

/** Most threads of one pool. */
export const MAX_POOL_WORKERS: number = 256;
