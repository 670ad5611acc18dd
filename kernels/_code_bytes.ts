/**
 * Codes of 8, 4 and 2 bits: how they are made from values, how they lie in bytes.
 *
 * @module
 */

import { f16ToF32, f32ToF16 } from "./half.ts";

/** Bits of a code. */
export type CodeBits = 8 | 4 | 2;

/** Added to and taken from a value in [-2^51, 2^51], it rounds to an integer, halves to even. */
const TO_INTEGER: number = 1.5 * 2 ** 52;
/**
 * Keeps a constant row from a division by zero. It goes into the codes alone, never into the scale.
 */
const EPSILON: number = Math.fround(1e-8);

/** Bytes of `dim` codes: what is left of the last byte is zero. */
export function codeBytes(dim: number, bits: CodeBits): number {
  return Math.ceil(dim * bits / 8);
}

/** What a row stores beside its codes. */
export interface ScaleBias {
  /** An fp32 value, or the fp16 value nearest to it. */
  scale: number;
  /** As `scale`. */
  bias: number;
}

/** What becomes of values outside a range that the caller gave. */
export type Outside = "saturate" | "wrap";

/** Columns of a pass of FBGEMM's vector code, which saturates; what is left of a row wraps. */
const PASS = 32;

/** Writes the 8-bit codes of a row whose range is [least, greatest]; values may lie outside. */
export function encode8(
  values: Float32Array,
  at: number,
  dim: number,
  least: number,
  greatest: number,
  outside: Outside,
  row: Uint8Array,
  start: number,
): ScaleBias {
  const saturated = outside === "wrap" ? dim - dim % PASS : dim;
  const range = Math.fround(greatest - least);
  const inverse = Math.fround(255 / Math.fround(range + EPSILON));
  for (let j = 0; j < dim; j++) {
    const x = Math.fround(Math.fround(values[at + j] - least) * inverse);
    const code = j < saturated ? Math.min(Math.max(x, 0), 255) : x;
    // Infinite ranges give inverse 0 and codes 0 or NaN, which a Uint8Array stores as 0.
    row[start + j] = code + TO_INTEGER - TO_INTEGER;
  }
  return { scale: Math.fround(range / 255), bias: least };
}

/** Writes the 4-bit or 2-bit codes of a row whose range is [least, greatest], packed. */
export function encodeNBit(
  values: Float32Array,
  at: number,
  dim: number,
  bits: CodeBits,
  least: number,
  greatest: number,
  row: Uint8Array,
  start: number,
): ScaleBias {
  const top = 2 ** bits - 1;
  const bias = f16ToF32(f32ToF16(least));
  const scale = nBitScale(bias, greatest, top);
  const inverse = Math.fround(1 / scale);
  row.fill(0, start, start + codeBytes(dim, bits));
  const perByte = 8 / bits;
  for (let j = 0; j < dim; j++) {
    const x = Math.fround(Math.fround(values[at + j] - bias) * inverse);
    // NaN, where both range and value are infinite, becomes 0 in the shift.
    const code = Math.min(Math.max(x, 0), top) + TO_INTEGER - TO_INTEGER;
    row[start + Math.floor(j / perByte)] |= code << (bits * (j % perByte));
  }
  return { scale, bias };
}

/** The fp16 scale; 1 where the range or the scale is zero, or too small to have an inverse. */
function nBitScale(bias: number, greatest: number, top: number): number {
  const range = Math.fround(greatest - bias);
  const scale = f16ToF32(f32ToF16(Math.fround(range / top)));
  const infinite = Math.abs(Math.fround(1 / scale)) === Infinity;
  return range === 0 || infinite ? 1 : scale;
}

/** Spreads `dim` codes to one a byte at `codes[to]`. */
export function unpackCodes(
  row: Uint8Array,
  start: number,
  dim: number,
  bits: CodeBits,
  codes: Uint8Array,
  to: number,
): void {
  if (bits === 4) unpack4(row, start, dim, codes, to);
  else if (bits === 2) unpack2(row, start, dim, codes, to);
  else for (let j = 0; j < dim; j++) codes[to + j] = row[start + j];
}

function unpack4(
  row: Uint8Array,
  start: number,
  dim: number,
  codes: Uint8Array,
  to: number,
): void {
  const pairs = dim >> 1;
  for (let k = 0; k < pairs; k++) {
    const byte = row[start + k];
    codes[to + 2 * k] = byte & 15;
    codes[to + 2 * k + 1] = byte >> 4;
  }
  if (dim & 1) codes[to + dim - 1] = row[start + pairs] & 15;
}

function unpack2(
  row: Uint8Array,
  start: number,
  dim: number,
  codes: Uint8Array,
  to: number,
): void {
  const whole = dim & ~3;
  for (let j = 0; j < whole; j += 4) {
    const byte = row[start + (j >> 2)];
    codes[to + j] = byte & 3;
    codes[to + j + 1] = (byte >> 2) & 3;
    codes[to + j + 2] = (byte >> 4) & 3;
    codes[to + j + 3] = byte >> 6;
  }
  for (let j = whole; j < dim; j++) {
    codes[to + j] = (row[start + (whole >> 2)] >> (2 * (j - whole))) & 3;
  }
}
