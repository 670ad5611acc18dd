/**
 * Rows of 4-bit and 2-bit codes with an fp16 scale and bias: the fused n-bit row-wise formats of
 * FBGEMM and PyTorch (`FusedNBitRowwiseQuantizedSBHalf`), bit for bit as its AVX2 code computes
 * them.
 *
 * @module
 */

import { codedFormat } from "./_coded_format.ts";
import type { RangeRowFormat } from "./row_format.ts";

/**
 * The format "q4" (number 5): 4-bit codes, two a byte, the even column in the low half; an fp16
 * scale, an fp16 bias; `dim` / 2 rounded up + 4 bytes a row. The bias is the row's least value in
 * fp16, the scale a 15th of the range in fp16. Values beyond fp16 decode to infinities or NaN. See
 * `greedy` for a range that fits better than the row's own.
 *
 * @example
 * ```ts
 * import { q4 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const row = new Uint8Array(q4.rowBytes(3));
 * q4.quantise(new Float32Array([0, 1, 15]), 0, 3, row, 0);
 * assertEquals([...row], [0x10, 0x0f, 0, 0x3c, 0, 0]);
 * ```
 */
export const q4: RangeRowFormat = codedFormat({
  name: "q4",
  code: 5,
  bits: 4,
  scaleBias: "f16 last",
});

/**
 * The format "q2" (number 6): 2-bit codes, four a byte from the low bits up; an fp16 scale, an fp16
 * bias; `dim` / 4 rounded up + 4 bytes a row. Otherwise as {@linkcode q4}, with thirds of the
 * range.
 *
 * @example
 * ```ts
 * import { q2 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const row = new Uint8Array(q2.rowBytes(4));
 * q2.quantise(new Float32Array([0, 1, 2, 3]), 0, 4, row, 0);
 * assertEquals([...row], [0b11100100, 0, 0x3c, 0, 0]);
 * ```
 */
export const q2: RangeRowFormat = codedFormat({
  name: "q2",
  code: 6,
  bits: 2,
  scaleBias: "f16 last",
});
