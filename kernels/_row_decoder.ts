/**
 * Rows of any format as fp32 values.
 *
 * @module
 */

import { readF32 } from "./_bytes.ts";
import { unpackCodes } from "./_code_bytes.ts";
import { type CodedPlaces, codedPlaces } from "./_coded_bag.ts";
import { fma32 } from "./fma.ts";
import { hfp8 } from "./fp8.ts";
import { bf16ToF32, f16ToF32 } from "./half.ts";
import type { RowFormat } from "./row_format.ts";

/** From an fp16 exponent and mantissa in the place of fp32's to their value. */
const F16_UP: number = 2 ** 112;

/** Decodes the row at byte `at` of the arena to all of `values`; `view` is over the arena. */
export type RowDecoder = (
  arena: Uint8Array,
  view: DataView,
  at: number,
  values: Float32Array,
) => void;

/**
 * The decoder for rows of `format`. Integer codes decode by {@linkcode fma32} in every column, a
 * format without a layout by its own `dequantise`.
 */
export function rowDecoder(format: RowFormat, dim: number): RowDecoder {
  const { layout } = format;
  if (layout === undefined) {
    return (arena, _view, at, values) => format.dequantise(arena, at, dim, values, 0);
  }
  switch (layout.codes) {
    case "f32":
      return decodeF32;
    case "f16": {
      const words = new Int32Array(dim), singles = new Float32Array(words.buffer);
      return (_arena, view, at, values) => decodeF16(view, at, values, words, singles);
    }
    case "bf16":
      return decodeBf16;
    case "fp8":
      return decodeFp8;
    default: {
      const places = codedPlaces(layout, dim), codes = new Uint8Array(dim);
      return (arena, view, at, values) => decodeCoded(places, arena, view, at, values, codes);
    }
  }
}

function decodeF32(_arena: Uint8Array, view: DataView, at: number, values: Float32Array): void {
  for (let j = 0; j < values.length; j++) values[j] = view.getFloat32(at + 4 * j, true);
}

/**
 * f16ToF32 in two passes, so that no value waits for its own bits to be stored: a row of 64 is
 * added in 138 ns, not in 214 (EPYC, Deno 2.9.6). `words` and `singles` are one scratch array, as
 * bits and as values.
 */
function decodeF16(
  view: DataView,
  at: number,
  values: Float32Array,
  words: Int32Array,
  singles: Float32Array,
): void {
  let special = 0;
  for (let j = 0; j < values.length; j++) {
    const bits = view.getUint16(at + 2 * j, true);
    // Carries into bit 15 where the exponent is that of infinity and NaN.
    special |= (bits & 0x7c00) + 0x400;
    words[j] = ((bits & 0x8000) << 16) | ((bits & 0x7fff) << 13);
  }
  for (let j = 0; j < values.length; j++) values[j] = singles[j] * F16_UP;
  if ((special & 0x8000) === 0) return;
  for (let j = 0; j < values.length; j++) values[j] = f16ToF32(view.getUint16(at + 2 * j, true));
}

function decodeBf16(_arena: Uint8Array, view: DataView, at: number, values: Float32Array): void {
  for (let j = 0; j < values.length; j++) values[j] = bf16ToF32(view.getUint16(at + 2 * j, true));
}

function decodeFp8(arena: Uint8Array, _view: DataView, at: number, values: Float32Array): void {
  hfp8.dequantise(arena, at, values.length, values, 0);
}

function decodeCoded(
  { bits, codesAt, scaleAt, wide }: CodedPlaces,
  arena: Uint8Array,
  view: DataView,
  at: number,
  values: Float32Array,
  codes: Uint8Array,
): void {
  unpackCodes(arena, at + codesAt, values.length, bits, codes, 0);
  if (wide) {
    const scale = readF32(arena, at + scaleAt), bias = readF32(arena, at + scaleAt + 4);
    for (let j = 0; j < values.length; j++) values[j] = fma32(scale, codes[j], bias);
  } else {
    // An fp16 scale times a code is an fp32 value: the sum rounds once.
    const scale = f16ToF32(view.getUint16(at + scaleAt, true));
    const bias = f16ToF32(view.getUint16(at + scaleAt + 2, true));
    for (let j = 0; j < values.length; j++) values[j] = scale * codes[j] + bias;
  }
}
