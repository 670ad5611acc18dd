/**
 * Reading traces, whole or in chunks.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import { MAX_CSV_COLUMNS } from "./_csv_format.ts";
import type { Decoder } from "./_decoder.ts";
import { KeyChunk } from "./_key_chunk.ts";
import { KeyNumbering } from "./key_numbering.ts";
import { KEY_KINDS } from "./_text_formats.ts";
import type { Trace } from "./trace.ts";
import { compressionOf, COMPRESSIONS, traceBytes } from "./_trace_bytes.ts";
import type { CsvOptions, TraceCompression, TraceFormat } from "./trace_format.ts";
import { TraceError } from "./trace_error.ts";
import {
  createDecoder,
  formatOf,
  SNIFF_BYTES,
  sniffFormat,
  stemOf,
  TRACE_FORMATS,
} from "./_formats.ts";

/** Where a trace comes from: a path, a `file:` URL, or a stream of its bytes. */
export type TraceInput = string | URL | ReadableStream<Uint8Array>;

/** Options of {@linkcode readTrace} and {@linkcode readTraceChunks}. */
export interface ReadTraceOptions {
  /** By default what the file's name tells, or its first lines where these leave no doubt. */
  readonly format?: TraceFormat;
  /** By default "gzip" for names in .gz, "zstd" for names in .zst, else "none". */
  readonly compression?: TraceCompression;
  /** The trace's name; by default the file's, without folder and endings. */
  readonly name?: string;
  /** Requests after which reading stops; by default 2^32 - 1. */
  readonly limit?: number;
  /** Whether keys are numbered densely in order of first appearance even if all are u32. */
  readonly dense?: boolean;
  /** What the keys of lines are; by default numbers if the first one is. */
  readonly keys?: "number" | "word";
  /** The columns of a CSV trace. */
  readonly csv?: CsvOptions;
}

/** Some requests of a trace, in order. The arrays are used again for the next chunk. */
export interface TraceChunk {
  /** The key of each request. */
  readonly keys: Uint32Array;
  /** Bytes of each request's object, as many as keys; left out where the format tells none. */
  readonly sizes?: Uint32Array;
}

const MAX_REQUESTS = 2 ** 32 - 1;

/**
 * Reads a whole trace: 4 bytes a request, 4 more with sizes, and as much again for a moment at the
 * end. Keys stay as they are when all fit 32 bits; if not (64-bit numbers, words), all are numbered
 * densely in order of first appearance. Sizes are left out when all are the same.
 *
 * @throws {TraceError} naming the file, the line, what it must be and what was found.
 * @throws {DeviceError} when the file cannot be opened or read.
 * @throws {RangeError | TypeError} for an option out of range.
 *
 * @example
 * ```ts
 * import { readTrace } from "@rowtier/rowtier/cache";
 *
 * const bytes = new Blob(["cat\ndog\ncat\n"]).stream();
 * const trace = await readTrace(bytes, { name: "pets", format: "text" });
 * if (trace.keys.join() !== "0,1,0") throw new Error("unreachable");
 * ```
 */
export async function readTrace(input: TraceInput, options: ReadTraceOptions = {}): Promise<Trace> {
  const reading = new Reading(input, options);
  let numbering = options.dense === true ? new KeyNumbering() : undefined;
  const keys: Uint32Array[] = [];
  const sizes: Uint32Array[] = [];
  let hasSizes = false;
  let wordCount = 0;
  for await (const chunk of reading.chunks()) {
    if (chunk.isWide && numbering === undefined) {
      // Only now is it known that keys are wider than 32 bits: number those that came before.
      numbering = new KeyNumbering();
      for (const earlier of keys) numberKeys(numbering, earlier, undefined);
    }
    const own = chunk.low.slice(0, chunk.count);
    if (numbering !== undefined) numberKeys(numbering, own, chunk.high);
    // Counted here: a limit may have cut off the last words.
    if (chunk.isWords) wordCount = own.reduce((most, key) => Math.max(most, key + 1), wordCount);
    keys.push(own);
    hasSizes = reading.hasSizes;
    if (hasSizes) sizes.push(chunk.sizes.slice(0, chunk.count));
  }
  const joined = join(sizes);
  const keyCount = numbering?.size ?? wordCount;
  return {
    name: reading.name,
    keys: join(keys),
    ...(keyCount === 0 ? {} : { keyCount }),
    ...(joined.some((size) => size !== joined[0]) ? { sizes: joined } : {}),
  };
}

/**
 * Reads a trace of any length in chunks of up to 65,536 requests. Words are numbered densely in
 * order of first appearance; numbers beyond 32 bits are too if `dense` is set.
 *
 * @throws {TraceError} like {@linkcode readTrace}, and for a number beyond 32 bits without `dense`.
 *
 * @example
 * ```ts
 * import { readTraceChunks } from "@rowtier/rowtier/cache";
 *
 * const lines = new Blob(["100 3 0 0\n7 1 0 1\n"]).stream();
 * const keys: number[] = [];
 * for await (const chunk of readTraceChunks(lines, { format: "arc" })) keys.push(...chunk.keys);
 * if (keys.join() !== "100,101,102,7") throw new Error("unreachable");
 * ```
 */
export async function* readTraceChunks(
  input: TraceInput,
  options: ReadTraceOptions = {},
): AsyncGenerator<TraceChunk> {
  const reading = new Reading(input, options);
  const numbering = options.dense === true ? new KeyNumbering() : undefined;
  for await (const chunk of reading.chunks()) {
    const keys = chunk.low.subarray(0, chunk.count);
    if (numbering !== undefined) numberKeys(numbering, keys, chunk.high);
    else if (chunk.isWide) {
      const at = chunk.high.findIndex((high, i) => i < chunk.count && high !== 0);
      throw new TraceError(
        reading.label,
        "keys must be below 2^32 unless `dense` is set: received " +
          (BigInt(chunk.high[at]) * 2n ** 32n + BigInt(chunk.low[at])),
      );
    }
    yield reading.hasSizes ? { keys, sizes: chunk.sizes.subarray(0, chunk.count) } : { keys };
  }
}

/** One pass over a trace. */
class Reading {
  /** The trace's name. */
  readonly name: string;
  /** What errors call it. */
  readonly label: string;
  readonly #input: TraceInput;
  readonly #options: ReadTraceOptions;
  readonly #compression: TraceCompression;
  readonly #limit: number;
  #decoder: Decoder | undefined;

  constructor(input: TraceInput, options: ReadTraceOptions) {
    const path = pathOf(input);
    this.name = options.name ?? (path === "" ? "stream" : stemOf(path));
    this.label = path === "" ? this.name : path;
    this.#input = input;
    this.#options = options;
    const what = `Cannot read trace ${this.label}`;
    this.#limit = checkInteger(what, "limit", options.limit ?? MAX_REQUESTS, 0, MAX_REQUESTS);
    this.#compression = options.compression ?? compressionOf(path);
    checkOneOf(what, "compression", this.#compression, COMPRESSIONS);
    if (options.keys !== undefined) checkOneOf(what, "keys", options.keys, KEY_KINDS);
    checkCsv(what, options.csv ?? {});
    const format = options.format ?? formatOf(path);
    if (format !== undefined) {
      checkOneOf(what, "format", format, TRACE_FORMATS);
      this.#decoder = this.#createDecoder(format);
    }
  }

  /** Whether the format fills the chunk's sizes; known with the first chunk. */
  get hasSizes(): boolean {
    return this.#decoder?.hasSizes === true;
  }

  /** The requests up to the limit, in the same chunk again and again. */
  async *chunks(): AsyncGenerator<KeyChunk> {
    const out = new KeyChunk();
    let left = this.#limit;
    if (left === 0) return;
    for await (const chunk of this.#filled(out)) {
      if (chunk.count > left) chunk.count = left;
      left -= chunk.count;
      yield chunk;
      if (left === 0) return;
    }
    if (left === this.#limit) {
      throw new TraceError(this.label, "it must hold at least one request: received none");
    }
  }

  /** Fills `out` from the bytes; it is yielded full, but for the last time. */
  async *#filled(out: KeyChunk): AsyncGenerator<KeyChunk> {
    for await (const bytes of this.#bytes()) {
      const decoder = this.#decoder ??= this.#createDecoder(sniffFormat(this.label, bytes));
      for (let at = 0; at < bytes.length;) {
        at = decoder.decode(bytes, at, bytes.length, out);
        for (; out.isFull; out.clear()) yield out;
      }
    }
    this.#decoder?.finish(out);
    for (; out.isFull; out.clear()) yield out;
    if (out.count > 0) yield out;
  }

  #createDecoder(format: TraceFormat): Decoder {
    return createDecoder(this.label, format, this.#options.keys, this.#options.csv ?? {});
  }

  /** The bytes; the first ones together where the format is still to be told from them. */
  async *#bytes(): AsyncGenerator<Uint8Array> {
    let first = this.#decoder === undefined ? new Uint8Array(0) : undefined;
    for await (const bytes of traceBytes(this.label, this.#input, this.#compression)) {
      if (first === undefined) yield bytes;
      else {
        const gathered = new Uint8Array(first.length + bytes.length);
        gathered.set(first);
        gathered.set(bytes, first.length);
        if (gathered.length < SNIFF_BYTES) first = gathered;
        else {
          first = undefined;
          yield gathered;
        }
      }
    }
    if (first !== undefined && first.length > 0) yield first;
  }
}

function pathOf(input: TraceInput): string {
  if (typeof input === "string") return input;
  return input instanceof URL ? decodeURIComponent(input.pathname) : "";
}

function checkOneOf(what: string, name: string, value: string, known: readonly string[]): void {
  if (known.includes(value)) return;
  throw new TypeError(
    `${what}: ${name} must be one of ${known.join(", ")}: received ${JSON.stringify(value)}`,
  );
}

function checkCsv(what: string, { key, size, delimiter = "," }: CsvOptions): void {
  if (typeof key === "number") checkInteger(what, "csv.key", key, 1, MAX_CSV_COLUMNS);
  if (typeof size === "number") checkInteger(what, "csv.size", size, 1, MAX_CSV_COLUMNS);
  if (delimiter.length !== 1 || delimiter >= "\x80" || /["\r\n]/.test(delimiter)) {
    throw new RangeError(
      `${what}: csv.delimiter must be one ASCII character, no quote and no line break: received ` +
        JSON.stringify(delimiter),
    );
  }
}

/** Puts the number of each key in the place of its lower half. */
function numberKeys(
  numbering: KeyNumbering,
  low: Uint32Array,
  high: Uint32Array | undefined,
): void {
  for (let i = 0; i < low.length; i++) {
    low[i] = numbering.add(low[i], high === undefined ? 0 : high[i]);
  }
}

function join(parts: readonly Uint32Array[]): Uint32Array {
  const joined = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
