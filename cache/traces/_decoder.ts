/**
 * What turns the bytes of a trace into keys, whatever its format.
 *
 * @module
 */

import type { KeyChunk } from "./_key_chunk.ts";

/** A decoder of one trace. It keeps what the last bytes left unfinished. */
export interface Decoder {
  /** Whether it fills the chunk's sizes. */
  readonly hasSizes: boolean;
  /**
   * Takes `bytes[at, end)` until they end or `out`, which has room, is full; returns where it
   * stopped. Throws a TraceError at the first byte that the format forbids.
   */
  decode(bytes: Uint8Array, at: number, end: number, out: KeyChunk): number;
  /** There are no more bytes: adds what a last line without its end holds. */
  finish(out: KeyChunk): void;
}
