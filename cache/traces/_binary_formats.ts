/**
 * Traces of fixed records: libCacheSim's oracleGeneral, and plain u32 keys.
 *
 * @module
 */

import type { Decoder } from "./_decoder.ts";
import { CHUNK_REQUESTS, type KeyChunk } from "./_key_chunk.ts";
import { TraceError } from "./trace_error.ts";

/** u32 time, u64 key, u32 size, i64 position of the next use; little-endian and packed. */
export const ORACLE_RECORD_BYTES: number = 24;

/** A decoder of records of `recordBytes` that are all alike. */
export class RecordDecoder implements Decoder {
  readonly hasSizes: boolean;
  readonly #trace: string;
  readonly #recordBytes: number;
  /** Set for oracleGeneral. */
  readonly #isOracle: boolean;
  /** The beginning of a record whose end is in the next bytes. */
  readonly #begun: Uint8Array;
  #begunBytes = 0;

  constructor(trace: string, isOracle: boolean) {
    this.#trace = trace;
    this.hasSizes = this.#isOracle = isOracle;
    this.#recordBytes = isOracle ? ORACLE_RECORD_BYTES : 4;
    this.#begun = new Uint8Array(this.#recordBytes);
  }

  decode(bytes: Uint8Array, at: number, end: number, out: KeyChunk): number {
    if (this.#begunBytes > 0) {
      while (at < end && this.#begunBytes < this.#recordBytes) {
        this.#begun[this.#begunBytes++] = bytes[at++];
      }
      if (this.#begunBytes < this.#recordBytes) return at;
      this.#decodeWhole(this.#begun, 0, 1, out);
      this.#begunBytes = 0;
    }
    const whole = Math.floor((end - at) / this.#recordBytes);
    const count = Math.min(whole, CHUNK_REQUESTS - out.count);
    this.#decodeWhole(bytes, at, count, out);
    at += count * this.#recordBytes;
    if (count < whole) return at;
    while (at < end) this.#begun[this.#begunBytes++] = bytes[at++];
    return at;
  }

  finish(_out: KeyChunk): void {
    if (this.#begunBytes === 0) return;
    throw new TraceError(
      this.#trace,
      `the last record must be ${this.#recordBytes} bytes: received ${this.#begunBytes}`,
    );
  }

  #decodeWhole(bytes: Uint8Array, at: number, count: number, out: KeyChunk): void {
    if (this.#isOracle) decodeOracle(bytes, at, count, out);
    else decodeKeys(bytes, at, count, out);
  }
}

function decodeOracle(bytes: Uint8Array, at: number, count: number, out: KeyChunk): void {
  for (const end = at + count * ORACLE_RECORD_BYTES; at < end; at += ORACLE_RECORD_BYTES) {
    out.sizes[out.count] = u32(bytes, at + 12);
    out.put(u32(bytes, at + 4), u32(bytes, at + 8));
  }
}

function decodeKeys(bytes: Uint8Array, at: number, count: number, out: KeyChunk): void {
  for (const end = at + 4 * count; at < end; at += 4) out.put(u32(bytes, at), 0);
}

/** Bytes need not be aligned, and the engine's own order may be the other. */
function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24) >>> 0;
}
