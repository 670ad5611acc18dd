/**
 * Row formats, and kernels that pool bags of rows where they lie. This room knows only bytes: no
 * order, no time, no files. Results are those of FBGEMM's SIMD code, bit for bit.
 *
 * - Row formats turn vectors into rows and back: {@linkcode f32}, {@linkcode f16},
 *   {@linkcode bf16}, three of 8-bit floats, {@linkcode q8}, {@linkcode q4} and {@linkcode q2},
 *   table-batched rows such as {@linkcode tbe4}, codebooks, and any that a user writes;
 *   {@linkcode rowFormat} finds them by name.
 * - {@linkcode greedy} finds better ranges for few bits, {@linkcode trainCodebook} the best few
 *   values, and {@linkcode rowErrors} says what a format loses.
 * - {@linkcode createKernel} makes the function that looks up, decodes and pools the rows of many
 *   bags.
 *
 * @example
 * ```ts
 * import { createKernel, f32 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const rows = new Float32Array([1, 2, 10, 20, 100, 200]);
 * using kernel = createKernel({ format: f32, dim: 2, pooling: "mean" });
 * const output = new Float32Array(2);
 * const result = kernel.pool({
 *   bagCount: 1,
 *   offsets: new Uint32Array([0, 2]),
 *   slots: new Int32Array([0, 2]),
 *   slotCount: 2,
 *   arena: new Uint8Array(rows.buffer),
 *   rowStride: f32.rowBytes(2),
 *   rowCount: 3,
 * }, output);
 * assertEquals(result, -1);
 * assertEquals([...output], [50.5, 101]);
 * ```
 *
 * @module
 */

export { UnsupportedTargetError } from "../base/errors.ts";
export { hugePages } from "../base/libc_ffi.ts";
export { bf16 } from "./bf16.ts";
export { createKernel, type CreateKernelOptions, type KernelShape } from "./create_kernel.ts";
export { f16 } from "./f16.ts";
export { f32 } from "./f32.ts";
export { fma32 } from "./fma.ts";
export { ROW_FORMATS, rowFormat } from "./formats.ts";
export { e4m3, e5m2, f32ToFp8, type Fp8Coding, fp8ToF32, hfp8 } from "./fp8.ts";
export { greedy, type GreedyOptions, greedyRange } from "./greedy.ts";
export { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from "./half.ts";
export type {
  BagBatch,
  Kernel,
  KernelSpec,
  KernelTarget,
  Numerics,
  OutputType,
  Pooling,
  Weighting,
} from "./kernel.ts";
export { createKernelPool, type KernelPool, type KernelPoolOptions } from "./kernel_pool.ts";
export {
  type Codebook,
  codebookFormat,
  type CodebookFormatOptions,
  km2,
  km4,
  trainCodebook,
  type TrainCodebookOptions,
} from "./kmeans.ts";
export { MAX_DIM } from "./limits.ts";
export { q2, q4 } from "./nbit.ts";
export { q8 } from "./q8.ts";
export { remapBags, type RemappedBags } from "./remap_bags.ts";
export { type Product, requantise } from "./requantise.ts";
export { type RowErrors, rowErrors } from "./row_errors.ts";
export type { RangeRowFormat, RowFormat, RowLayout } from "./row_format.ts";
export { tbe2, tbe4, tbe8 } from "./tbe.ts";
