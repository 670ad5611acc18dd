/**
 * Traces of separated fields, one request a line.
 *
 * @module
 */

import { DECIMAL, parseDecimal } from "./_decimal.ts";
import type { KeyChunk } from "./_key_chunk.ts";
import { type LineFormat, skipBlanks, trimEnd } from "./_lines.ts";
import type { CsvOptions } from "./trace_format.ts";
import { KeyField, type KeyKind } from "./_text_formats.ts";

const KEY_NAMES = ["key", "id", "obj_id", "object_id", "obj", "object"];
const SIZE_NAMES = ["size", "obj_size", "object_size"];

const QUOTE = 34;

/** Most columns looked at. */
export const MAX_CSV_COLUMNS: number = 1024;

/** Fields as in RFC 4180, except that a quoted one ends with its line. */
export class CsvFormat implements LineFormat {
  readonly #options: CsvOptions;
  readonly #delimiter: number;
  readonly #field: KeyField;
  /** Columns from 0; -1 before the first line, and where there are no sizes. */
  #key = -1;
  #size = -1;
  /** Where the fields of the line at hand begin and end. */
  readonly #starts: Int32Array = new Int32Array(MAX_CSV_COLUMNS);
  readonly #ends: Int32Array = new Int32Array(MAX_CSV_COLUMNS);

  constructor(options: CsvOptions, kind: KeyKind | undefined) {
    this.#options = options;
    this.#delimiter = (options.delimiter ?? ",").charCodeAt(0);
    this.#field = new KeyField(kind);
  }

  get hasSizes(): boolean {
    return this.#size >= 0;
  }

  take(bytes: Uint8Array, start: number, end: number, out: KeyChunk): string {
    if (this.#key < 0) {
      const { key, size, header = typeof key !== "number" || typeof size === "string" } =
        this.#options;
      const expected = this.#findColumns(header ? this.#names(bytes, start, end) : []);
      if (header || expected !== "") return expected;
    }
    const { size, key } = { size: this.#size, key: this.#key };
    const wanted = Math.max(key, size) + 1;
    if (this.#split(bytes, start, end, wanted) < wanted) return `${wanted} fields or more`;
    if (size >= 0) {
      if (!parseDecimal(bytes, this.#starts[size], this.#ends[size]) || DECIMAL[1] !== 0) {
        return `a line with a size, a whole number below 2^32, in field ${size + 1}`;
      }
      out.sizes[out.count] = DECIMAL[0];
    }
    if (this.#starts[key] === this.#ends[key]) return `a line with a key in field ${key + 1}`;
    const expected = this.#field.put(bytes, this.#starts[key], this.#ends[key], out);
    return expected === "" ? "" : `a line with ${expected} in field ${key + 1}`;
  }

  /** The names that a header's fields give. */
  #names(bytes: Uint8Array, start: number, end: number): string[] {
    const count = this.#split(bytes, start, end, MAX_CSV_COLUMNS);
    const decoder = new TextDecoder();
    return Array.from({ length: count }, (_, i) => {
      return decoder.decode(bytes.subarray(this.#starts[i], this.#ends[i]));
    });
  }

  /** Finds the columns by `names`; returns "", or what the header must be. */
  #findColumns(names: readonly string[]): string {
    const { key, size } = this.#options;
    const lower = names.map((name) => name.toLowerCase());
    const find = (column: number | string): number =>
      typeof column === "number" ? column - 1 : names.indexOf(column);
    if (key === undefined) {
      this.#key = lower.findIndex((name) => KEY_NAMES.includes(name));
      if (this.#key < 0) return `a header with one of ${KEY_NAMES.join(", ")}, or "key" be told`;
      this.#size = lower.findIndex((name) => SIZE_NAMES.includes(name));
    } else {
      this.#key = find(key);
      if (this.#key < 0) return `a header with a column ${JSON.stringify(key)}`;
    }
    if (size !== undefined) {
      this.#size = find(size);
      if (this.#size < 0) return `a header with a column ${JSON.stringify(size)}`;
    }
    return "";
  }

  /** Finds the first `wanted` fields of a line; returns how many there are, at most so many. */
  #split(bytes: Uint8Array, start: number, end: number, wanted: number): number {
    let at = start;
    for (let field = 0; field < wanted; field++) {
      const isQuoted = bytes[at] === QUOTE && at < end;
      const from = isQuoted ? at + 1 : at;
      let stop = isQuoted ? endOfQuoted(bytes, from, end) : from;
      const last = stop;
      while (stop < end && bytes[stop] !== this.#delimiter) stop++;
      const begin = isQuoted ? from : skipBlanks(bytes, from, stop);
      this.#starts[field] = begin;
      this.#ends[field] = isQuoted ? last : trimEnd(bytes, begin, stop);
      if (stop === end) return field + 1;
      at = stop + 1;
    }
    return wanted;
  }
}

/** The place of the quote that ends a field; one that is doubled does not. */
function endOfQuoted(bytes: Uint8Array, at: number, end: number): number {
  for (; at < end; at++) {
    if (bytes[at] !== QUOTE) continue;
    if (bytes[at + 1] !== QUOTE || at + 1 === end) return at;
    at++;
  }
  return end;
}
