/**
 * Bounds of the pipeline room. Every array is sized by these or by an option below them.
 *
 * @module
 */

/** Most rows of one table: keys are unsigned 32-bit, and slots signed. */
export const MAX_ROWS: number = 2 ** 31 - 1;
/** Most bytes of one block of a table file, and so of one row. */
export const MAX_BLOCK_BYTES: number = 2 ** 20;
/** Most values of one row. */
export const MAX_DIM: number = 2 ** 16;
/** Least number of a row format that is not the library's. */
export const MIN_OWN_CODE = 1000;
/** Most tables of one pipeline: the width of the queue's table column. */
export const MAX_TABLES: number = 2 ** 16;
/** Most batches in flight: below the 254 that the cache's one-byte stamps can tell apart. */
export const MAX_BATCHES_IN_FLIGHT = 128;
/** Most keys of one batch. */
export const MAX_BATCH_KEYS: number = 2 ** 24;
/** Most bytes of one arena: what one WebAssembly memory holds. */
export const MAX_ARENA_BYTES: number = 2 ** 32 - 2 ** 16;
/** Tries of one read before its row is given up. */
export const MAX_READ_ATTEMPTS = 3;
/** Rows read for no batch at a time: for a warm-up, or as the prefetcher predicts. */
export const READ_AHEAD_ROWS = 64;
