/**
 * Writes table files from a user's own rows.
 *
 * @module
 */

import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { checkInteger } from "../base/checks.ts";
import { xxh32 } from "../base/xxh32.ts";
import { q8, type RowFormat } from "../kernels/mod.ts";
import { asidePath, onDisk, syncFolder } from "./_durable_file.ts";
import { MAX_BLOCK_BYTES, MAX_DIM, MAX_ROWS } from "./limits.ts";
import {
  blockSeed,
  checkFormat,
  defaultBlockBytes,
  encodeHeader,
  HEADER_BYTES,
  SECTOR_BYTES,
  type TableHeader,
  tableShape,
} from "./table_header.ts";

/** How {@linkcode buildTable} writes. */
export interface BuildTableOptions {
  /** Values a row. */
  dim: number;
  /** Format of the stored rows, one's own too; 8-bit row-wise quantised by default. */
  format?: RowFormat;
  /** Bytes a block: a multiple of 512 that holds a row; by default the smallest such. */
  blockBytes?: number;
  /** 16 bytes that tell this file from any other; random by default. */
  id?: Uint8Array;
  /** Called with the number of rows written, about once a megabyte. */
  onProgress?: (rows: number) => void;
  /** Stops the work; the unfinished file is removed. */
  signal?: AbortSignal;
}

/** Blocks are written in pieces of about this size. */
const CHUNK_BYTES = 2 ** 20;

/**
 * Writes the rows as a table file at `path`: aside, fsynced, renamed, the folder fsynced, so that a
 * file of that name is always whole. Whatever goes wrong, the unfinished file is removed and an
 * existing one is left as it was. Memory: one megabyte and 4 bytes a block.
 *
 * @param path The file to write.
 * @param rows The rows in key order, each fp32 of length `dim`; an array may be reused between
 * rows.
 * @returns The header of the written file.
 * @throws {RangeError} when an option or a row is wrong, or there is no row.
 * @throws {DeviceError} when the disk fails, ENOSPC for a full one.
 *
 * @example
 * ```ts
 * import { buildTable, openTable } from "@rowtier/rowtier/pipeline";
 *
 * const path = await Deno.makeTempFile({ suffix: ".rows" });
 * const rows = [Float32Array.of(0, 1), Float32Array.of(2, 3)];
 * const header = await buildTable(path, rows, { dim: 2 });
 * if (header.rowCount !== 2 || header.format.name !== "q8") throw new Error("unreachable");
 * openTable(path); // throws when the file is cut, flipped or foreign
 * await Deno.remove(path);
 * ```
 */
export async function buildTable(
  path: string,
  rows: AsyncIterable<Float32Array> | Iterable<Float32Array>,
  options: BuildTableOptions,
): Promise<TableHeader> {
  const writer = new BlockWriter(path, options);
  try {
    await writer.open();
    for await (const row of rows) {
      options.signal?.throwIfAborted();
      // Writing lets the event loop run: about once a megabyte a signal can arrive.
      if (writer.add(row)) await writer.writeBlocks();
    }
    options.signal?.throwIfAborted();
    return await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

class BlockWriter {
  readonly #path: string;
  readonly #aside: string;
  readonly #format: RowFormat;
  readonly #dim: number;
  readonly #blockBytes: number;
  readonly #blockRows: number;
  readonly #id: Uint8Array;
  readonly #onProgress: ((rows: number) => void) | undefined;
  readonly #chunk: Uint8Array;
  readonly #rowBytes: number;
  #checksums = new Int32Array(1024);
  #rows = 0;
  #writtenBlocks = 0;
  #file: FileHandle | undefined;

  constructor(path: string, options: BuildTableOptions) {
    const what = `Cannot build table ${path}`;
    this.#path = path;
    this.#format = options.format ?? q8;
    checkFormat(what, this.#format);
    this.#dim = checkInteger(what, "dim", options.dim, 1, MAX_DIM);
    this.#rowBytes = this.#format.rowBytes(this.#dim);
    this.#blockBytes = options.blockBytes ?? defaultBlockBytes(this.#rowBytes);
    checkInteger(what, "blockBytes", this.#blockBytes, this.#rowBytes, MAX_BLOCK_BYTES);
    if (this.#blockBytes % SECTOR_BYTES !== 0) {
      throw new RangeError(
        `${what}: blockBytes must be a multiple of ${SECTOR_BYTES}: received ${this.#blockBytes}`,
      );
    }
    this.#id = options.id ?? crypto.getRandomValues(new Uint8Array(16));
    checkInteger(what, "id.length", this.#id.length, 16, 16);
    this.#blockRows = Math.floor(this.#blockBytes / this.#rowBytes);
    this.#chunk = new Uint8Array(Math.ceil(CHUNK_BYTES / this.#blockBytes) * this.#blockBytes);
    this.#onProgress = options.onProgress;
    this.#aside = asidePath(path, this.#id.subarray(0, 4));
  }

  async open(): Promise<void> {
    this.#file = await this.#onDisk("creating", open(this.#aside, "w"));
  }

  /** Adds a row; true when `writeBlocks` must run before the next. */
  add(row: Float32Array): boolean {
    if (row.length !== this.#dim) {
      throw new RangeError(
        `Cannot build table ${this.#path}: row ${this.#rows} must have ${this.#dim} values: ` +
          `received ${row.length}`,
      );
    }
    if (this.#rows === MAX_ROWS) {
      throw new RangeError(`Cannot build table ${this.#path}: it has ${MAX_ROWS} rows already`);
    }
    const block = Math.floor(this.#rows / this.#blockRows) - this.#writtenBlocks;
    const start = block * this.#blockBytes + (this.#rows % this.#blockRows) * this.#rowBytes;
    this.#format.quantise(row, 0, this.#dim, this.#chunk, start);
    this.#rows++;
    return this.#rows % this.#blockRows === 0 &&
      (block + 1) * this.#blockBytes === this.#chunk.length;
  }

  /** Writes what is left, makes it durable, and gives it its name. */
  async finish(): Promise<TableHeader> {
    if (this.#rows === 0) {
      throw new RangeError(`Cannot build table ${this.#path}: rows must be at least 1: received 0`);
    }
    await this.writeBlocks();
    const shape = tableShape(this.#format, this.#dim, this.#blockBytes, this.#rows);
    const tail = new Uint8Array(shape.fileBytes - shape.checksumsOffset);
    const view = new DataView(tail.buffer);
    for (let b = 0; b < shape.blockCount; b++) view.setInt32(4 * b, this.#checksums[b], true);
    const checksumsXxh32 = xxh32(tail, 0, tail.length, 0);
    const header = { ...shape, id: this.#id.slice(), checksumsXxh32 };
    await this.#write(tail, tail.length, shape.checksumsOffset);
    // The header last: until then the file has no magic number.
    await this.#write(encodeHeader(header), HEADER_BYTES, 0);
    await this.#onDisk("syncing", this.#opened.sync());
    await this.#close();
    await this.#onDisk("renaming", rename(this.#aside, this.#path));
    await syncFolder(dirname(this.#path));
    return header;
  }

  /** Removes what was written so far. */
  async abandon(): Promise<void> {
    await this.#close();
    await rm(this.#aside, { force: true });
  }

  /** Writes the full blocks, and at the end the last one, and starts over with an empty chunk. */
  async writeBlocks(): Promise<void> {
    const blocks = Math.ceil(this.#rows / this.#blockRows) - this.#writtenBlocks;
    const checksums = this.#roomFor(this.#writtenBlocks + blocks);
    for (let b = 0; b < blocks; b++) {
      const start = b * this.#blockBytes;
      const seed = blockSeed(this.#id, this.#writtenBlocks + b);
      checksums[this.#writtenBlocks + b] = xxh32(
        this.#chunk,
        start,
        start + this.#blockBytes,
        seed,
      );
    }
    const at = HEADER_BYTES + this.#writtenBlocks * this.#blockBytes;
    await this.#write(this.#chunk, blocks * this.#blockBytes, at);
    this.#chunk.fill(0);
    this.#writtenBlocks += blocks;
    this.#onProgress?.(this.#rows);
  }

  get #opened(): FileHandle {
    if (this.#file === undefined) throw new Error("broken invariant: the file is not open");
    return this.#file;
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async #write(bytes: Uint8Array, count: number, at: number): Promise<void> {
    // A write may take less than it is given, near a full disk for one.
    for (let done = 0; done < count;) {
      const write = this.#opened.write(bytes, done, count - done, at + done);
      done += (await this.#onDisk("writing", write)).bytesWritten;
    }
  }

  #onDisk<T>(step: string, work: Promise<T>): Promise<T> {
    return onDisk(`Cannot build table ${this.#path}`, step, work);
  }

  #roomFor(blocks: number): Int32Array {
    if (blocks > this.#checksums.length) {
      const grown = new Int32Array(Math.max(blocks, 2 * this.#checksums.length));
      grown.set(this.#checksums);
      this.#checksums = grown;
    }
    return this.#checksums;
  }
}
