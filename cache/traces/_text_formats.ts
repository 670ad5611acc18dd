/**
 * Traces of one request a line: plain keys, LIRS, ARC.
 *
 * @module
 */

import { DECIMAL, parseDecimal } from "./_decimal.ts";
import type { KeyChunk } from "./_key_chunk.ts";
import { type LineFormat, skipBlanks, skipField, trimEnd } from "./_lines.ts";
import { WordNumbering } from "./_word_numbering.ts";

/** What a key may be: a number below 2^64, or any text; told by the first key where left open. */
export type KeyKind = "number" | "word";

/** Every {@linkcode KeyKind}. */
export const KEY_KINDS: readonly KeyKind[] = ["number", "word"];

const NUMBER = "a whole number below 2^64";

/** Reads the keys of one trace out of its fields. */
export class KeyField {
  #kind: KeyKind | undefined;
  readonly #words = new WordNumbering();

  constructor(kind: KeyKind | undefined) {
    this.#kind = kind;
  }

  /** Adds the key `bytes[start, end)`; returns "", or what it must be. */
  put(bytes: Uint8Array, start: number, end: number, out: KeyChunk): string {
    if (this.#kind === "word") {
      out.put(this.#words.add(bytes, start, end), 0);
      out.isWords = true;
      return "";
    }
    if (parseDecimal(bytes, start, end)) {
      this.#kind = "number";
      out.put(DECIMAL[0], DECIMAL[1]);
      return "";
    }
    if (this.#kind === "number") return NUMBER;
    this.#kind = "word";
    return this.put(bytes, start, end, out);
  }
}

/** One key a line. */
export class TextFormat implements LineFormat {
  readonly hasSizes = false;
  readonly #field: KeyField;

  constructor(kind: KeyKind | undefined) {
    this.#field = new KeyField(kind);
  }

  take(bytes: Uint8Array, start: number, end: number, out: KeyChunk): string {
    start = skipBlanks(bytes, start, end);
    if (start === end) return "";
    return this.#field.put(bytes, start, trimEnd(bytes, start, end), out);
  }
}

const ASTERISK = 42;

/** One number a line, and lines of "*" that mark places of no concern here. */
export class LirsFormat implements LineFormat {
  readonly hasSizes = false;

  take(bytes: Uint8Array, start: number, end: number, out: KeyChunk): string {
    start = skipBlanks(bytes, start, end);
    end = trimEnd(bytes, start, end);
    if (start === end || bytes[start] === ASTERISK && end === start + 1) return "";
    if (!parseDecimal(bytes, start, end)) return `${NUMBER} or "*"`;
    out.put(DECIMAL[0], DECIMAL[1]);
    return "";
  }
}

/** Beyond the last block of any run: sums of doubles are exact up to it. */
const MAX_BLOCK = 2 ** 53;
const RUN = 'a block and a count of at least 1 ("start count ignored number")';

/** "start count ignored number": a request of each of `count` consecutive blocks. */
export class ArcFormat implements LineFormat {
  readonly hasSizes = false;

  take(bytes: Uint8Array, start: number, end: number, out: KeyChunk): string {
    start = skipBlanks(bytes, start, end);
    if (start === end) return "";
    const stop = skipField(bytes, start, end);
    const next = skipBlanks(bytes, stop, end);
    if (!parseDecimal(bytes, start, stop)) return RUN;
    const key = DECIMAL[0] + DECIMAL[1] * 2 ** 32;
    if (!parseDecimal(bytes, next, skipField(bytes, next, end))) return RUN;
    const count = DECIMAL[0] + DECIMAL[1] * 2 ** 32;
    if (count === 0 || key > MAX_BLOCK - count) return RUN;
    out.putRun(key, count);
    return "";
  }
}
