/**
 * fp32 values at any alignment, little-endian on every machine.
 *
 * @module
 */

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
