/**
 * The contract of every embedding-bag kernel.
 *
 * @module
 */

import type { RowFormat } from "./row_format.ts";

/**
 * How the rows of a bag become one vector: "sum"; "mean", a multiplication by the rounded inverse
 * of the bag's length; "max", column by column and without weights, the later row's of equals and
 * where one is NaN; "none", one vector for each row, weighted by sample if at all.
 */
export type Pooling = "sum" | "mean" | "max" | "none";

/** What a row is multiplied by: nothing, its own weight, or that of its position in its bag. */
export type Weighting = "none" | "sample" | "position";

/**
 * What vectors are made of. "f16" (halves to even) and "bf16" (halves away from zero) are Uint16
 * bit patterns, rounded from fp32 at the end. The bf16 of a NaN may be a NaN, an infinity or a zero
 * where the target is not "scalar", as in FBGEMM, which adds half an ulp to the bits.
 */
export type OutputType = "f32" | "f16" | "bf16";

/**
 * "exact": the bits of FBGEMM's vector code, whatever the target. "fast": biases may be summed
 * apart, additions reordered; the error bound is documented at `createKernel`.
 */
export type Numerics = "exact" | "fast";

/** Where a kernel runs. */
export type KernelTarget = "scalar" | "wasm" | "x64";

/** What a kernel computes; fixed when it is made, so that code can be generated for the shape. */
export interface KernelSpec {
  /** The rows' format. */
  readonly format: RowFormat;
  /** Values a row decodes to; output columns. */
  readonly dim: number;
  /** How rows become a vector. */
  readonly pooling: Pooling;
  /** What rows are multiplied by. */
  readonly weighting: Weighting;
  /** What vectors are made of. */
  readonly output: OutputType;
  /**
   * True when slot -1 stands for a pruned row: it is skipped, but counts in a mean and has a
   * weight.
   */
  readonly pruned: boolean;
  /** Exact or fast. */
  readonly numerics: Numerics;
}

/** One call's worth of bags over rows at arbitrary slots of an arena. */
export interface BagBatch {
  /** How many bags; ignored by pooling "none". */
  readonly bagCount: number;
  /**
   * `bagCount` + 1 entries; only differences count: the walk over `slots` starts at 0. Exactly one
   * of `offsets` and `lengths` is given, none for pooling "none".
   */
  readonly offsets?: Uint32Array;
  /** `bagCount` entries: rows of each bag. */
  readonly lengths?: Int32Array;
  /** The row slots of all bags, one after the other. */
  readonly slots: Int32Array;
  /** How many entries of `slots` are used. */
  readonly slotCount: number;
  /**
   * fp32; required exactly when the kernel weights rows. "sample": `slotCount` at least;
   * "position": as many as the longest bag has rows.
   */
  readonly weights?: Float32Array;
  /**
   * Where given, `slots` are indices into it, and it holds the rows' slots, or -1 for pruned rows
   * (FBGEMM's row-wise sparse form, by a kernel with `pruned`). Both are checked, and an index of
   * -1 is always bad.
   */
  readonly remap?: Int32Array;
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
   * Pools every bag into `output`, bag b at [b * dim, (b + 1) * dim); an empty bag is zeros.
   * Returns -1 when all went well, else the position in `slots` of the first bad slot (negative but
   * for a pruned one, or not below `rowCount`); the slot count when the bags need more slots than
   * there are, or have a negative length; or the first unused position when slots are left over.
   * Bags before the one in error are complete, the rest of the output is untouched; on leftovers
   * every bag is complete.
   *
   * @param batch The bags.
   * @param output fp32, or Uint16 bit patterns where the spec says f16 or bf16.
   * @throws {RangeError} when `output`, `offsets`, `weights` or `arena` is too short for the batch.
   * @throws {TypeError} when weights are given to an unweighted kernel, or not to a weighted one;
   * when there are not exactly one of offsets and lengths; when `output` is of another type; or
   * when the kernel was disposed of.
   */
  pool(batch: BagBatch, output: Float32Array | Uint16Array): number;
  /**
   * Goes on with bags that were begun: adds the batch's rows, in order, to `accumulators` (fp32,
   * bag b at [b * dim, (b + 1) * dim), zeros at first), without mean or narrowing. Split anywhere,
   * a bag has the bits of the unsplit one. Sums only: pooling "sum" or "mean", weighting "none" or
   * "sample". Returns as `pool`.
   *
   * @throws {RangeError} as `pool` does, or for a pooling or weighting that cannot go on.
   * @throws {TypeError} as `pool` does.
   */
  accumulate(batch: BagBatch, accumulators: Float32Array): number;
  /**
   * Ends bags that `accumulate` gathered: the mean by `lengths` (rows of each whole bag, pruned
   * ones too) where the spec says so, and the narrowing. `output` may be `accumulators`.
   *
   * @throws {RangeError} when an array is too short.
   * @throws {TypeError} when `output` is of another type than the spec's.
   */
  finish(
    accumulators: Float32Array,
    bagCount: number,
    lengths: Int32Array,
    output: Float32Array | Uint16Array,
  ): void;
}
