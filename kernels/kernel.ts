/**
 * The contract of every embedding-bag kernel.
 *
 * @module
 */

import type { RowFormat } from "./row_format.ts";

/** How the rows of a bag become one vector. */
export type Pooling = "sum" | "mean";

/** Where a kernel runs. */
export type KernelTarget = "scalar";

/** What a kernel computes; fixed when it is made, so that code can be generated for the shape. */
export interface KernelSpec {
  /** The rows' format. */
  readonly format: RowFormat;
  /** Values a row decodes to; output columns. */
  readonly dim: number;
  /** "sum", or "mean" (a multiplication by the rounded inverse of the bag's length). */
  readonly pooling: Pooling;
  /** True when each row is multiplied by a weight of its own. */
  readonly weighted: boolean;
}

/** One call's worth of bags over rows at arbitrary slots of an arena. */
export interface BagBatch {
  /** How many bags. */
  readonly bagCount: number;
  /** `bagCount` + 1 entries; only differences count: the walk over `slots` starts at 0. */
  readonly offsets: Uint32Array;
  /** The row slots of all bags, one after the other. */
  readonly slots: Int32Array;
  /** How many entries of `slots` are used. */
  readonly slotCount: number;
  /** fp32, as long as `slots`; required exactly when the kernel is weighted. */
  readonly weights?: Float32Array;
  /** The bytes that the rows live in; slot s starts at byte s * `rowStride`. */
  readonly arena: Uint8Array;
  /** Bytes from one row to the next; at least the format's row bytes. */
  readonly rowStride: number;
  /** Slots in the arena; `rowCount` * `rowStride` bytes at most are read. */
  readonly rowCount: number;
}

/** A kernel for one {@linkcode KernelSpec}. */
export interface Kernel extends Disposable {
  /** What it computes. */
  readonly spec: KernelSpec;
  /** Where it runs. */
  readonly target: KernelTarget;
  /**
   * Pools every bag into `output`: fp32, bag b at [b * dim, (b + 1) * dim). Returns -1 when all
   * went well, else the position in `slots` of the first bad slot (negative, or not below
   * `rowCount`); the slot count when the bags need more slots than there are; or the first unused
   * position when slots are left over. Bags before the one in error are complete, the rest of the
   * output is untouched; on leftovers every bag is complete.
   *
   * @throws {RangeError} when `output`, `offsets`, `slots`, `weights` or `arena` is too short for
   * the batch, a count is no whole number, or `rowStride` is less than a row.
   * @throws {TypeError} when a weighted kernel gets no `weights`, or another one gets some.
   */
  pool(batch: BagBatch, output: Float32Array): number;
}
