/**
 * Rows of 8-bit codes with a scale and a bias of their own: the fused 8-bit row-wise format of
 * FBGEMM and PyTorch (`Fused8BitRowwiseQuantizedSBFloat`), bit for bit as its AVX2 code computes
 * it.
 *
 * @module
 */

import { codedFormat } from "./_coded_format.ts";
import type { RangeRowFormat } from "./row_format.ts";

/**
 * The format "q8" (number 2): `dim` codes of one byte, an fp32 scale, an fp32 bias; `dim` + 8 bytes
 * a row. A value is scale * code + bias: the bias is the row's least value, the scale its range /
 * 255, so a decoded value is off by half a scale and a few roundings at most, as long as the range
 * is well above 1e-8 (below, fewer codes are used, and the error is 1e-8 at most). A row that holds
 * an infinity or whose range exceeds fp32 decodes to infinities or NaN, as the original does.
 * Encoding costs 5 to 10 ns a value, decoding about 5.
 *
 * @example
 * ```ts
 * import { q8 } from "@rowtier/rowtier/kernels";
 * import { assertAlmostEquals, assertEquals } from "@std/assert";
 *
 * const values = new Float32Array([-1, 0.25, 1]);
 * const row = new Uint8Array(q8.rowBytes(3));
 * q8.quantise(values, 0, 3, row, 0);
 * assertEquals([...row.subarray(0, 3)], [0, 159, 255]);
 *
 * const decoded = new Float32Array(3);
 * q8.dequantise(row, 0, 3, decoded, 0);
 * assertAlmostEquals(decoded[1], 0.25, 1 / 255);
 * ```
 */
export const q8: RangeRowFormat = codedFormat({
  name: "q8",
  code: 2,
  bits: 8,
  scaleBias: "f32 last",
});
