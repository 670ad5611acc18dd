/**
 * Rows of FBGEMM's table-batched embeddings (`IntNBitTableBatchedEmbeddingBagsCodegen`): an fp16
 * scale and an fp16 bias before the codes. Tables there round a row's bytes up, to 16 on a GPU;
 * here that is the row stride of a kernel's batch.
 *
 * @module
 */

import { codedFormat } from "./_coded_format.ts";
import type { RangeRowFormat } from "./row_format.ts";

/**
 * The format "tbe8" (number 7): an fp16 scale, an fp16 bias, `dim` 8-bit codes; `dim` + 4 bytes a
 * row. The codes are those of `q8`; its scale and bias are each rounded to fp16, and may become
 * zero or infinite.
 *
 * @example
 * ```ts
 * import { tbe8 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const row = new Uint8Array(tbe8.rowBytes(2));
 * tbe8.quantise(new Float32Array([0, 255]), 0, 2, row, 0);
 * assertEquals([...row], [0, 0x3c, 0, 0, 0, 255]);
 * ```
 */
export const tbe8: RangeRowFormat = codedFormat({
  name: "tbe8",
  code: 7,
  bits: 8,
  scaleBias: "f16 first",
});

/**
 * The format "tbe4" (number 8): an fp16 scale, an fp16 bias, 4-bit codes; the parts of `q4` in
 * another order. FBGEMM itself takes multiples of 8 for `dim` only.
 *
 * @example
 * ```ts
 * import { tbe4 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const row = new Uint8Array(tbe4.rowBytes(3));
 * tbe4.quantise(new Float32Array([0, 1, 15]), 0, 3, row, 0);
 * assertEquals([...row], [0, 0x3c, 0, 0, 0x10, 0x0f]);
 * ```
 */
export const tbe4: RangeRowFormat = codedFormat({
  name: "tbe4",
  code: 8,
  bits: 4,
  scaleBias: "f16 first",
});

/**
 * The format "tbe2" (number 9): an fp16 scale, an fp16 bias, 2-bit codes; the parts of `q2` in
 * another order. FBGEMM itself takes multiples of 16 for `dim` only.
 *
 * @example
 * ```ts
 * import { tbe2 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const row = new Uint8Array(tbe2.rowBytes(4));
 * tbe2.quantise(new Float32Array([0, 1, 2, 3]), 0, 4, row, 0);
 * assertEquals([...row], [0, 0x3c, 0, 0, 0b11100100]);
 * ```
 */
export const tbe2: RangeRowFormat = codedFormat({
  name: "tbe2",
  code: 9,
  bits: 2,
  scaleBias: "f16 first",
});
