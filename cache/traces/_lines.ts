/**
 * Traces of lines: cutting the bytes into lines, and saying which line is wrong.
 *
 * @module
 */

import type { Decoder } from "./_decoder.ts";
import type { KeyChunk } from "./_key_chunk.ts";
import { TraceError } from "./trace_error.ts";

/** What a line means. */
export interface LineFormat {
  /** Whether it fills the chunk's sizes. */
  readonly hasSizes: boolean;
  /**
   * Adds what the line `bytes[start, end)`, of one byte at least, holds to `out`, which has room.
   * Returns "", or what the line must be and is not.
   */
  take(bytes: Uint8Array, start: number, end: number, out: KeyChunk): string;
}

/** Longest line, its end left out: more is no trace, and must not fill the memory. */
const MAX_LINE_BYTES = 2 ** 16;

/** Bytes of a wrong line that its message shows. */
const SHOWN_BYTES = 60;

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const TAB = 9;
const SPACE = 32;

/** A decoder of lines that end in LF or CR LF, the last one perhaps in nothing. */
export class LineDecoder implements Decoder {
  readonly #trace: string;
  readonly #format: LineFormat;
  /** The beginning of a line whose end is in the next bytes. */
  readonly #begun: Uint8Array = new Uint8Array(MAX_LINE_BYTES);
  #begunBytes = 0;
  #line = 0;

  constructor(trace: string, format: LineFormat) {
    this.#trace = trace;
    this.#format = format;
  }

  get hasSizes(): boolean {
    return this.#format.hasSizes;
  }

  decode(bytes: Uint8Array, at: number, end: number, out: KeyChunk): number {
    while (at < end && !out.isFull) {
      let stop = at;
      while (stop < end && bytes[stop] !== LINE_FEED) stop++;
      if (stop - at + this.#begunBytes > MAX_LINE_BYTES) this.#refuseLength();
      if (stop === end || this.#begunBytes > 0) {
        this.#begun.set(bytes.subarray(at, stop), this.#begunBytes);
        this.#begunBytes += stop - at;
        if (stop === end) return end;
        this.#takeBegun(out);
      } else {
        this.#take(bytes, at, stop, out);
      }
      at = stop + 1;
    }
    return at;
  }

  finish(out: KeyChunk): void {
    if (this.#begunBytes > 0) this.#takeBegun(out);
  }

  #takeBegun(out: KeyChunk): void {
    const count = this.#begunBytes;
    this.#begunBytes = 0;
    this.#take(this.#begun, 0, count, out);
  }

  #take(bytes: Uint8Array, start: number, end: number, out: KeyChunk): void {
    this.#line++;
    // A byte order mark, as some editors put in front of UTF-8.
    if (this.#line === 1 && bytes[start] === 0xef && bytes[start + 1] === 0xbb) start += 3;
    if (end > start && bytes[end - 1] === CARRIAGE_RETURN) end--;
    if (start >= end) return;
    const expected = this.#format.take(bytes, start, end, out);
    if (expected === "") return;
    const found = new TextDecoder().decode(
      bytes.subarray(start, Math.min(end, start + SHOWN_BYTES)),
    );
    const shown = JSON.stringify(end - start > SHOWN_BYTES ? `${found}...` : found);
    const reason = `line ${this.#line} must be ${expected}: received ${shown}`;
    throw new TraceError(this.#trace, reason, this.#line);
  }

  #refuseLength(): never {
    const line = this.#line + 1;
    const reason = `line ${line} must be at most ${MAX_LINE_BYTES} bytes long: received more`;
    throw new TraceError(this.#trace, reason, line);
  }
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

/** Where the first byte of `bytes[start, end)` that is not blank is, or `end`. */
export function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  while (start < end && isBlank(bytes[start])) start++;
  return start;
}

/** Where the first blank of `bytes[start, end)` is, or `end`. */
export function skipField(bytes: Uint8Array, start: number, end: number): number {
  while (start < end && !isBlank(bytes[start])) start++;
  return start;
}

/** Where the blanks at the end of `bytes[start, end)` begin. */
export function trimEnd(bytes: Uint8Array, start: number, end: number): number {
  while (end > start && isBlank(bytes[end - 1])) end--;
  return end;
}
