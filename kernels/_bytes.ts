/**
 * Values at any byte of a row, little-endian on every machine.
 *
 * @module
 */

import { f16ToF32, f32ToF16 } from "./half.ts";

const value = new Float32Array(1);
const bits = new Int32Array(value.buffer);

/** The fp32 value in `bytes[at, at + 4)`. */
export function readF32(bytes: Uint8Array, at: number): number {
  bits[0] = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
  return value[0];
}

/** Writes `x`, rounded to fp32, to `bytes[at, at + 4)`. */
export function writeF32(bytes: Uint8Array, at: number, x: number): void {
  value[0] = x;
  const word = bits[0];
  bytes[at] = word;
  bytes[at + 1] = word >>> 8;
  bytes[at + 2] = word >>> 16;
  bytes[at + 3] = word >>> 24;
}

/** The 16 bits in `bytes[at, at + 2)`. */
export function read16(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8);
}

/** Writes 16 bits to `bytes[at, at + 2)`. */
export function write16(bytes: Uint8Array, at: number, pattern: number): void {
  bytes[at] = pattern;
  bytes[at + 1] = pattern >>> 8;
}

/** The fp16 value in `bytes[at, at + 2)`. */
export function readF16(bytes: Uint8Array, at: number): number {
  return f16ToF32(read16(bytes, at));
}

/** Writes `x`, rounded to fp16, to `bytes[at, at + 2)`. */
export function writeF16(bytes: Uint8Array, at: number, x: number): void {
  write16(bytes, at, f32ToF16(x));
}
