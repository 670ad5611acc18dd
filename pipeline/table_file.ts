/**
 * Opens, verifies and reads table files.
 *
 * @module
 */

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { checkInteger } from "../base/checks.ts";
import { xxh32 } from "../base/xxh32.ts";
import type { RowFormat } from "../kernels/mod.ts";
import {
  blockSeed,
  decodeHeader,
  HEADER_BYTES,
  TableFileError,
  type TableHeader,
} from "./table_header.ts";

/** A table file that was found whole: its header, and the checksums that its blocks must have. */
export interface Table extends TableHeader {
  /** Where it lies. */
  readonly path: string;
  /** XXH32 of each block, as signed integers; `blockCount` of them, to verify each read by. */
  readonly checksums: Int32Array;
}

/** Options of {@linkcode openTable}. */
export interface OpenTableOptions {
  /** Row formats beside the library's own; their numbers start at 1000. */
  formats?: readonly RowFormat[];
}

/**
 * Reads and checks the header, the file's size and the checksums' own checksum; the rows themselves
 * are verified as they are read, or all at once by {@linkcode verifyTable}.
 *
 * @throws {TableFileError} when the file is cut, flipped or foreign, saying what and at which byte.
 */
export function openTable(path: string, { formats }: OpenTableOptions = {}): Table {
  const file = openSync(path, "r");
  try {
    const size = fstatSync(file).size;
    const first = readBytes(file, 0, Math.min(HEADER_BYTES, size), path);
    const header = decodeHeader(first, path, size, formats);
    const tailBytes = header.fileBytes - header.checksumsOffset;
    const bytes = readBytes(file, header.checksumsOffset, tailBytes, path);
    if (xxh32(bytes, 0, bytes.length, 0) !== header.checksumsXxh32) {
      throw new TableFileError(path, "the blocks' checksums are damaged", header.checksumsOffset);
    }
    const view = new DataView(bytes.buffer);
    const checksums = new Int32Array(header.blockCount);
    for (let b = 0; b < checksums.length; b++) checksums[b] = view.getInt32(4 * b, true);
    return { ...header, path, checksums };
  } finally {
    closeSync(file);
  }
}

/** First byte of block `block` of `table` in its file. */
export function blockOffset(table: TableHeader, block: number): number {
  return HEADER_BYTES + block * table.blockBytes;
}

/** Whether the bytes at `bytes[start]` are block `block` of `table`. */
export function blockMatches(
  table: Table,
  block: number,
  bytes: Uint8Array,
  start: number,
): boolean {
  const sum = xxh32(bytes, start, start + table.blockBytes, blockSeed(table.id, block));
  return sum === table.checksums[block];
}

/**
 * Reads the whole file and checks every block. Memory: about a megabyte.
 *
 * @throws {TableFileError} naming the first damaged block and its byte.
 */
export function verifyTable(table: Table): void {
  for (const _ of chunks(table));
}

/**
 * Reads every row into `arena`, row k at byte k * `rowStride`, checking every block.
 *
 * @param arena At least `rowCount` * `rowStride` bytes.
 * @throws {RangeError} when the arena is too short or the stride shorter than a row.
 * @throws {TableFileError} naming the first damaged block and its byte.
 */
export function readTable(
  table: Table,
  arena: Uint8Array,
  rowStride: number = table.rowBytes,
): void {
  const what = `Cannot read table ${table.path}`;
  checkInteger(what, "rowStride", rowStride, table.rowBytes);
  checkInteger(what, "arena.length", arena.length, table.rowCount * rowStride);
  for (const { chunk, first, blocks } of chunks(table)) {
    const end = Math.min(table.rowCount, (first + blocks) * table.blockRows);
    for (let key = first * table.blockRows; key < end; key++) {
      const start = rowStart(table, key, first);
      arena.set(chunk.subarray(start, start + table.rowBytes), key * rowStride);
    }
  }
}

/**
 * Decodes the table's rows in key order, block by block, checking each: what it takes to write a
 * table again in another format. The array is reused from row to row. Memory: about a megabyte.
 *
 * @throws {TableFileError} naming the first damaged block and its byte.
 *
 * @example Convert a table
 * ```ts
 * import { buildTable, openTable, tableRows } from "@rowtier/rowtier/pipeline";
 * import { f32, q8 } from "@rowtier/rowtier/kernels";
 *
 * const from = await Deno.makeTempFile(), to = await Deno.makeTempFile();
 * const { dim } = await buildTable(from, [Float32Array.of(1, 2)], { dim: 2, format: f32 });
 * await buildTable(to, tableRows(openTable(from)), { dim, format: q8 });
 * await Promise.all([Deno.remove(from), Deno.remove(to)]);
 * ```
 */
export function* tableRows(table: Table): Generator<Float32Array> {
  const row = new Float32Array(table.dim);
  for (const { chunk, first, blocks } of chunks(table)) {
    const end = Math.min(table.rowCount, (first + blocks) * table.blockRows);
    for (let key = first * table.blockRows; key < end; key++) {
      table.format.dequantise(chunk, rowStart(table, key, first), table.dim, row, 0);
      yield row;
    }
  }
}

/** Where row `key` starts in a chunk that begins with block `first`. */
function rowStart(table: Table, key: number, first: number): number {
  const block = Math.floor(key / table.blockRows);
  return (block - first) * table.blockBytes + (key - block * table.blockRows) * table.rowBytes;
}

/** The file's blocks, about a megabyte at a time, each block checked. */
function* chunks(table: Table): Generator<{ chunk: Uint8Array; first: number; blocks: number }> {
  const chunkBlocks = Math.max(1, Math.floor(2 ** 20 / table.blockBytes));
  const file = openSync(table.path, "r");
  try {
    for (let first = 0; first < table.blockCount; first += chunkBlocks) {
      const blocks = Math.min(chunkBlocks, table.blockCount - first);
      const at = blockOffset(table, first);
      const chunk = readBytes(file, at, blocks * table.blockBytes, table.path);
      for (let b = 0; b < blocks; b++) {
        if (!blockMatches(table, first + b, chunk, b * table.blockBytes)) {
          const where = blockOffset(table, first + b);
          throw new TableFileError(table.path, `block ${first + b} is damaged`, where);
        }
      }
      yield { chunk, first, blocks };
    }
  } finally {
    closeSync(file);
  }
}

/** `count` bytes from `at`; the file may shrink under us, so its end is an error of the table. */
function readBytes(file: number, at: number, count: number, path: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  for (let done = 0; done < count;) {
    const got = readSync(file, bytes, done, count - done, at + done);
    if (got === 0) throw new TableFileError(path, "the file ends too early", at + done);
    done += got;
  }
  return bytes;
}
