/**
 * The one way to a kernel.
 *
 * @module
 */

import { UnsupportedTargetError } from "../base/errors.ts";
import { checkDim } from "./_check_row.ts";
import { ROW_FORMATS } from "./formats.ts";
import type { Kernel, KernelSpec, KernelTarget } from "./kernel.ts";
import { ScalarKernel } from "./scalar.ts";

const WHAT = "Cannot create kernel";
const TARGETS: readonly KernelTarget[] = ["scalar"];

/** Options of {@linkcode createKernel}. */
export interface CreateKernelOptions {
  /** Where the kernel runs; "auto", the default, takes the fastest target there is here. */
  readonly target?: "auto" | KernelTarget;
}

/**
 * Makes the kernel for `spec`. Every target gives the same bits: those of FBGEMM's SIMD code, where
 * each multiply-add is rounded once, the bias is added first, and a mean multiplies by the rounded
 * inverse.
 *
 * The scalar target takes about 1 ns for each value of a q8 row in cache (2 to 3 where a bag mixes
 * scales or biases 2^20 apart), and holds 8 * `dim` bytes. Calls on the arena of the call before
 * allocate nothing.
 *
 * @param spec The rows' format and dim, how rows are pooled, and whether they have weights.
 * @param options Where it shall run.
 * @returns A kernel; dispose of it to let go of the last arena.
 * @throws {RangeError} when `spec` names a dim, format or pooling that there is not.
 * @throws {UnsupportedTargetError} when the target is not to be had here; the message lists those
 * that are.
 *
 * @example
 * ```ts
 * import { createKernel, q8 } from "@rowtier/rowtier/kernels";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * // Three rows of two values, at slots 0 to 2 of an arena.
 * const rowStride = q8.rowBytes(2);
 * const arena = new Uint8Array(3 * rowStride);
 * [[0, 1], [10, 20], [-5, 5]].forEach((row, slot) =>
 *   q8.quantise(new Float32Array(row), 0, 2, arena, slot * rowStride)
 * );
 *
 * using kernel = createKernel({ format: q8, dim: 2, pooling: "sum", weighted: false });
 * const output = new Float32Array(4);
 * kernel.pool({
 *   bagCount: 2, // slots 0 and 1, then slot 2
 *   offsets: new Uint32Array([0, 2, 3]),
 *   slots: new Int32Array([0, 1, 2]),
 *   slotCount: 3,
 *   arena,
 *   rowStride,
 *   rowCount: 3,
 * }, output);
 * assertAlmostEquals(output[0], 10, 1e-5);
 * assertAlmostEquals(output[3], 5, 1e-5);
 * ```
 */
export function createKernel(spec: KernelSpec, options: CreateKernelOptions = {}): Kernel {
  const { target = "auto" } = options;
  const { format, dim, pooling, weighted } = spec;
  if (target !== "auto" && !TARGETS.includes(target)) {
    throw new UnsupportedTargetError(
      `${WHAT}: target must be one of auto, ${TARGETS.join(", ")}: received ${target}`,
    );
  }
  if (!ROW_FORMATS.includes(format)) {
    const known = ROW_FORMATS.map(({ name }) => name).join(", ");
    throw new RangeError(`${WHAT}: format must be one of ${known}: received ${format?.name}`);
  }
  checkDim(WHAT, dim);
  if (pooling !== "sum" && pooling !== "mean") {
    throw new RangeError(`${WHAT}: pooling must be "sum" or "mean": received ${pooling}`);
  }
  if (typeof weighted !== "boolean") {
    throw new RangeError(`${WHAT}: weighted must be true or false: received ${weighted}`);
  }
  return new ScalarKernel(Object.freeze({ format, dim, pooling, weighted }));
}
