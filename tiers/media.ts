/**
 * Media: what a simulated device holds, without time. Memory, or a file read through the page
 * cache.
 *
 * @module
 */

import { readSync } from "node:fs";
import { checkInteger } from "../base/checks.ts";
import { ERRNO, errnoOf } from "../base/errors.ts";
import { closeFiles, openFiles } from "./_file_space.ts";
import type { OpenFiles } from "./_file_space.ts";
import { MAX_MEDIA_BYTES } from "./limits.ts";

/** Bytes that can be read and perhaps written. */
export interface Media {
  /** How many there are. */
  readonly bytes: number;
  /**
   * Reads `bytes` bytes at `offsetBytes` to `memory` from its byte `at` on. Returns how many it
   * read, fewer where it ends, or a negative errno. The caller has checked that they fit in
   * `memory`.
   */
  read(offsetBytes: number, memory: Uint8Array, at: number, bytes: number): number;
  /**
   * Writes `bytes` bytes of `memory`, from its byte `at` on, at `offsetBytes`; returns as `read`
   * does.
   */
  write(offsetBytes: number, memory: Uint8Array, at: number, bytes: number): number;
}

/** Media that hold a file open. */
export interface FileMedia extends Media, Disposable {}

/**
 * Media in memory: over `content` itself, not a copy, or over so many zero bytes. A read allocates
 * nothing; 512 bytes take about 0.1 us, 4 KB 0.8.
 *
 * @throws {RangeError} for a size that is not an integer from 1 on, or empty content.
 *
 * @example
 * ```ts
 * import { memoryMedia } from "@rowtier/rowtier/tiers";
 *
 * const media = memoryMedia(new Uint8Array(1024).fill(7));
 * const memory = new Uint8Array(512);
 * if (media.read(768, memory, 0, 512) !== 256) throw new Error("unreachable"); // 256 to its end
 * ```
 */
export function memoryMedia(content: Uint8Array | number): Media {
  const size = typeof content === "number" ? content : content.length;
  checkInteger("Cannot create memory media", "bytes", size, 1, MAX_MEDIA_BYTES);
  return new MemoryMedia(typeof content === "number" ? new Uint8Array(content) : content);
}

/**
 * Media over the file at `path`, read-only: a write gives -EBADF. Reads are synchronous and go
 * through the page cache; their own time is no part of a simulation.
 *
 * @throws {TypeError} for a path that is empty or holds a NUL.
 * @throws {DeviceError} for a file that is missing, not regular, or that --allow-read does not
 * cover.
 *
 * @example
 * ```ts
 * import { fileMedia } from "@rowtier/rowtier/tiers";
 *
 * const path = Deno.makeTempFileSync();
 * Deno.writeTextFileSync(path, "rows");
 * {
 *   using media = fileMedia(path);
 *   const memory = new Uint8Array(4);
 *   if (media.read(0, memory, 0, 4) !== 4 || memory[0] !== 114) throw new Error("unreachable");
 * }
 * Deno.removeSync(path);
 * ```
 */
export function fileMedia(path: string): FileMedia {
  const what = "Cannot create file media";
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw new TypeError(`${what}: path must be a non-empty string without NUL: received ${path}`);
  }
  return new OpenFileMedia(openFiles(what, [path], false));
}

/**
 * Numbers of 8 bytes over what of `bytes` has them whole; null where it does not start at a
 * multiple of 8.
 */
function wordsOf(bytes: Uint8Array): BigUint64Array | null {
  if (bytes.byteOffset % 8 !== 0) return null;
  return new BigUint64Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 8));
}

class MemoryMedia implements Media {
  readonly bytes: number;
  readonly #content: Uint8Array;
  readonly #words: BigUint64Array | null;
  /** The memory of the last call, and its words: in practice the one that a device has attached. */
  #memory: Uint8Array | null = null;
  #memoryWords: BigUint64Array | null = null;

  constructor(content: Uint8Array) {
    this.bytes = content.length;
    this.#content = content;
    this.#words = wordsOf(content);
  }

  read(offsetBytes: number, memory: Uint8Array, at: number, bytes: number): number {
    const count = Math.min(bytes, this.bytes - offsetBytes);
    if (count <= 0) return 0;
    this.#remember(memory);
    const from = this.#words, to = this.#memoryWords;
    if (from !== null && to !== null && isWhole(offsetBytes, at, count)) {
      copyWords(from, offsetBytes / 8, to, at / 8, count / 8);
    } else {
      copyBytes(this.#content, offsetBytes, memory, at, count);
    }
    return count;
  }

  write(offsetBytes: number, memory: Uint8Array, at: number, bytes: number): number {
    const count = Math.min(bytes, this.bytes - offsetBytes);
    if (count <= 0) return 0;
    this.#remember(memory);
    const from = this.#memoryWords, to = this.#words;
    if (from !== null && to !== null && isWhole(at, offsetBytes, count)) {
      copyWords(from, at / 8, to, offsetBytes / 8, count / 8);
    } else {
      copyBytes(memory, at, this.#content, offsetBytes, count);
    }
    return count;
  }

  #remember(memory: Uint8Array): void {
    if (memory === this.#memory) return;
    this.#memory = memory;
    this.#memoryWords = wordsOf(memory);
  }
}

class OpenFileMedia implements FileMedia {
  readonly bytes: number;
  readonly #opened: OpenFiles;
  #disposed = false;

  constructor(opened: OpenFiles) {
    this.#opened = opened;
    this.bytes = opened.sizes[0];
  }

  read(offsetBytes: number, memory: Uint8Array, at: number, bytes: number): number {
    if (this.#disposed) throw new TypeError("Cannot read file media: it has been disposed");
    try {
      return readSync(this.#opened.fds[0], memory, at, bytes, offsetBytes);
    } catch (error) {
      return -errnoOf(error);
    }
  }

  write(_offsetBytes: number, _memory: Uint8Array, _at: number, _bytes: number): number {
    return -ERRNO.EBADF;
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    closeFiles(this.#opened);
  }
}

function isWhole(a: number, b: number, c: number): boolean {
  return a % 8 === 0 && b % 8 === 0 && c % 8 === 0;
}

// Tried: set() of a subarray(), 0.17 us for 4 KB; but it makes a view of 100 bytes and more a read,
// and a simulated run must not owe its speed to the collector.
function copyWords(
  from: BigUint64Array,
  fromAt: number,
  to: BigUint64Array,
  toAt: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) to[toAt + i] = from[fromAt + i];
}

function copyBytes(
  from: Uint8Array,
  fromAt: number,
  to: Uint8Array,
  toAt: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) to[toAt + i] = from[fromAt + i];
}
