/**
 * The bounds of this room, in one place.
 *
 * @module
 */

/**
 * Most slots of a partition, cache and scratch together. 2^28 keep every index into the hash
 * index's words below 2^30, where the engine computes with small integers: 8-byte buckets at a load
 * of 5/8 at most make 2^29 buckets, so 2^30 words.
 */
export const MAX_PARTITION_SLOTS: number = 2 ** 28;

/** Most partitions of a cache: requests name their table in 16 bits. */
export const MAX_PARTITIONS: number = 2 ** 16;

/**
 * Most batches from the oldest live one to the newest begun. A stamp is one byte, 0 means "never
 * used", and one value stays out of use so that the stamp about to be given is never a live one.
 */
export const MAX_BATCH_WINDOW: number = 254;
