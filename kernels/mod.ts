/**
 * Row formats, and kernels that pool bags of rows where they lie. This room knows only bytes: no
 * order, no time, no files. Results are those of FBGEMM's SIMD code, bit for bit.
 *
 * - {@linkcode q8} and {@linkcode f32} turn vectors into rows and back; {@linkcode rowFormat} finds
 *   them by name.
 * - {@linkcode createKernel} makes the function that looks up, decodes and sums the rows of many
 *   bags.
 *
 * @example
 * ```ts
 * import { createKernel, f32 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const rows = new Float32Array([1, 2, 10, 20, 100, 200]);
 * using kernel = createKernel({ format: f32, dim: 2, pooling: "mean", weighted: false });
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
export { createKernel, type CreateKernelOptions } from "./create_kernel.ts";
export { f32 } from "./f32.ts";
export { fma32 } from "./fma.ts";
export { ROW_FORMATS, rowFormat } from "./formats.ts";
export type { BagBatch, Kernel, KernelSpec, KernelTarget, Pooling } from "./kernel.ts";
export { MAX_DIM } from "./limits.ts";
export { q8 } from "./q8.ts";
export type { RowFormat } from "./row_format.ts";
