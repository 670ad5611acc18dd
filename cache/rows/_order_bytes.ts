/**
 * Order and heat of a partition's rows as bytes. Little-endian: 4 bytes magic, a byte version, a
 * byte that is 1 when heat follows, 2 bytes of zeros, u32 count, u32 XXH32 of all other bytes; then
 * the keys, u32 each, and the heat, a byte each.
 *
 * @module
 */

import { xxh32 } from "../../base/xxh32.ts";
import type { RowOrder } from "./row_order.ts";

/** "RTOR". */
const MAGIC = 0x524f5452;
const VERSION = 1;
const HEADER_BYTES = 16;
const SUM_AT = 12;

/** `keys`, next victim first, and their heat if there is any to tell. */
export function encodeOrder(keys: Uint32Array, heat: Uint8Array | undefined): Uint8Array {
  const count = keys.length;
  const bytes = new Uint8Array(HEADER_BYTES + count * (heat === undefined ? 4 : 5));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, VERSION);
  view.setUint8(5, Number(heat !== undefined));
  view.setUint32(8, count, true);
  for (let i = 0; i < count; i++) view.setUint32(HEADER_BYTES + 4 * i, keys[i], true);
  if (heat !== undefined) bytes.set(heat, HEADER_BYTES + 4 * count);
  view.setInt32(SUM_AT, sumOf(bytes), true);
  return bytes;
}

/** What `encodeOrder` wrote; throws a RangeError unless it is that, whole and unchanged. */
export function decodeOrder(bytes: Uint8Array): RowOrder {
  const what = "Cannot import order";
  const refuse = (name: string, must: string, received: unknown): RangeError =>
    new RangeError(`${what}: ${name} must be ${must}: received ${received}`);
  const { length } = bytes;
  if (length < HEADER_BYTES) throw refuse("bytes.length", `at least ${HEADER_BYTES}`, length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  const magic = view.getUint32(0, true);
  if (magic !== MAGIC) throw refuse("the first word", `0x${MAGIC.toString(16)}`, hex(magic));
  const version = bytes[4];
  if (version !== VERSION) throw refuse("the version", `${VERSION}`, version);
  const count = view.getUint32(8, true);
  const expected = HEADER_BYTES + count * (bytes[5] === 0 ? 4 : 5);
  if (length !== expected) throw refuse("bytes.length", `${expected} for ${count} rows`, length);
  const sum = sumOf(bytes), stored = view.getInt32(SUM_AT, true);
  if (sum !== stored) throw refuse("the checksum", hex(stored), hex(sum));
  const keys = new Uint32Array(count);
  for (let i = 0; i < count; i++) keys[i] = view.getUint32(HEADER_BYTES + 4 * i, true);
  const heat = new Uint8Array(count);
  if (bytes[5] !== 0) heat.set(bytes.subarray(HEADER_BYTES + 4 * count));
  return { keys, heat };
}

/** Over header and rows, the sum's own place left out: any flipped bit shows. */
function sumOf(bytes: Uint8Array): number {
  return xxh32(bytes, HEADER_BYTES, bytes.length, xxh32(bytes, 0, SUM_AT, 0));
}

function hex(word: number): string {
  return `0x${(word >>> 0).toString(16)}`;
}
