/**
 * The order of a partition's rows outside of its cache.
 *
 * @module
 */

/** Rows to warm a cache up with, next victim first. */
export interface RowOrder {
  /** Row numbers. */
  readonly keys: Uint32Array;
  /** By row, how hot it was, 0 to 255; all 0 where the policy knew order alone. */
  readonly heat: Uint8Array;
}
