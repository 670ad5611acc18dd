/**
 * What a target provides: code for one spec, behind the checks that all targets share.
 *
 * @module
 */

import type { KernelTarget } from "./kernel.ts";

/**
 * One call, checked: every array is long enough for its counts, so that code need only check the
 * slots themselves and that bags do not run past `slotCount`. Rows come from `slots` alone (a remap
 * has been applied) and lengths have become offsets.
 */
export interface CodeCall {
  bagCount: number;
  offsets: Uint32Array;
  slots: Int32Array;
  slotCount: number;
  /** By position in `slots` ("sample") or in the bag ("position"; as long as the longest bag). */
  weights: Float32Array | undefined;
  arena: Uint8Array;
  rowStride: number;
  rowCount: number;
}

/** Code for one spec on one target. Pooling "none" comes as pooling "sum" over bags of one row. */
export interface KernelCode extends Disposable {
  /** Where it runs. */
  readonly target: KernelTarget;
  /** As `Kernel.pool`. */
  pool(call: CodeCall, output: Float32Array | Uint16Array): number;
  /** As `Kernel.accumulate`: starts from what `accumulators` holds, no mean or narrowing. */
  accumulate(call: CodeCall, accumulators: Float32Array): number;
}
