/**
 * The table file, byte by byte. One file holds one table; all numbers are little-endian.
 *
 * | bytes | what |
 * |---|---|
 * | 0-7 | magic: 89 52 57 54 0D 0A 1A 0A ("\x89RWT\r\n\x1a\n": a text-mode copy breaks it) |
 * | 8-11 | u32 version, 1 |
 * | 12-15 | u32 bytes of the header, 4096 |
 * | 16-19 | u32 row format code (as in `ROW_FORMATS`: 1 = f32, 2 = q8; from 1000 a user's own) |
 * | 20-23 | u32 dim |
 * | 24-27 | u32 row bytes |
 * | 28-31 | u32 block bytes, a multiple of 512 |
 * | 32-35 | u32 rows in a block, floor(block bytes / row bytes) |
 * | 36-39 | u32 layout, 0 = rows in key order |
 * | 40-47 | u64 rows |
 * | 48-55 | u64 blocks |
 * | 56-63 | u64 first byte of the blocks' checksums |
 * | 64-71 | u64 bytes of the file |
 * | 72-87 | random id of the file |
 * | 88-91 | u32 XXH32 of everything from the blocks' checksums to the end of the file, seed 0 |
 * | 92-107 | name of the row format, ASCII, padded with zeros |
 * | 108-4091 | zeros |
 * | 4092-4095 | u32 XXH32 of bytes 0-4091, seed 0 |
 *
 * From byte 4096 on the blocks: `rows in a block` rows one after the other, then zeros. A row never
 * straddles a block, so that one read brings a row. After the blocks one u32 per block, its XXH32
 * with seed (first u32 of the id + block number) mod 2^32, so that a block in the wrong place or
 * from another file fails too; then zeros up to a multiple of 512. NumPy reads the rows in place:
 *
 * ```python
 * blocks = np.memmap(path, np.uint8, "r", offset=4096, shape=(block_count, block_bytes))
 * rows = blocks[:, : rows_in_block * row_bytes].reshape(-1, row_bytes)[:row_count]
 * ```
 *
 * The promise: every later version reads what this one writes, or refuses it by name and says how
 * to convert it.
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { ROW_FORMATS, type RowFormat } from "../kernels/mod.ts";
import { xxh32 } from "../base/xxh32.ts";
import { MAX_BLOCK_BYTES, MAX_DIM, MAX_ROWS, MIN_OWN_CODE } from "./limits.ts";

/** Bytes of the header; the first block starts there. */
export const HEADER_BYTES = 4096;
/** The version that this library writes. */
export const TABLE_VERSION = 1;
/** Blocks are multiples of this, the usual granule of direct IO. */
export const SECTOR_BYTES = 512;

const MAGIC = Uint8Array.of(0x89, 0x52, 0x57, 0x54, 0x0d, 0x0a, 0x1a, 0x0a);

/** A table file is not one, or is damaged; the message says what and at which byte. */
export class TableFileError extends Error {
  /** The name of the class. */
  override readonly name = "TableFileError";
  /** The file. */
  readonly path: string;
  /** The byte in the file where the fault lies. */
  readonly offsetBytes: number;

  /** The message reads "Cannot read table PATH: REASON (at byte OFFSET)". */
  constructor(path: string, reason: string, offsetBytes: number) {
    super(`Cannot read table ${path}: ${reason} (at byte ${offsetBytes})`);
    this.path = path;
    this.offsetBytes = offsetBytes;
  }
}

/** What a table file says of itself. */
export interface TableHeader {
  /** The rows' format. */
  readonly format: RowFormat;
  /** Values a row. */
  readonly dim: number;
  /** Bytes a row. */
  readonly rowBytes: number;
  /** Bytes a block, a multiple of 512. */
  readonly blockBytes: number;
  /** Rows in a block. */
  readonly blockRows: number;
  /** Rows in the table; keys run from 0 to `rowCount` - 1. */
  readonly rowCount: number;
  /** Blocks in the file. */
  readonly blockCount: number;
  /** First byte of the blocks' checksums. */
  readonly checksumsOffset: number;
  /** Bytes of the whole file. */
  readonly fileBytes: number;
  /** 16 random bytes that tell this file from any other. */
  readonly id: Uint8Array;
  /** XXH32 of the blocks' checksums and the zeros after them, as a signed 32-bit integer. */
  readonly checksumsXxh32: number;
}

/** The sizes that follow from a table's shape. */
export function tableShape(
  format: RowFormat,
  dim: number,
  blockBytes: number,
  rowCount: number,
): Omit<TableHeader, "id" | "checksumsXxh32"> {
  const rowBytes = format.rowBytes(dim);
  const blockRows = Math.floor(blockBytes / rowBytes);
  const blockCount = Math.ceil(rowCount / blockRows);
  const checksumsOffset = HEADER_BYTES + blockCount * blockBytes;
  const fileBytes = Math.ceil((checksumsOffset + blockCount * 4) / SECTOR_BYTES) * SECTOR_BYTES;
  return {
    format,
    dim,
    rowBytes,
    blockBytes,
    blockRows,
    rowCount,
    blockCount,
    checksumsOffset,
    fileBytes,
  };
}

/** The smallest block that direct IO can read and that holds a row. */
export function defaultBlockBytes(rowBytes: number): number {
  return Math.ceil(rowBytes / SECTOR_BYTES) * SECTOR_BYTES;
}

/** The seed of the checksum of block `block`, as a signed 32-bit integer. */
export function blockSeed(id: Uint8Array, block: number): number {
  return ((id[0] | (id[1] << 8) | (id[2] << 16) | (id[3] << 24)) + block) | 0;
}

/** The 4096 bytes of `header`. */
export function encodeHeader(header: TableHeader): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  const words = [
    TABLE_VERSION,
    HEADER_BYTES,
    header.format.code,
    header.dim,
    header.rowBytes,
    header.blockBytes,
    header.blockRows,
    0,
  ];
  words.forEach((word, i) => view.setUint32(8 + 4 * i, word, true));
  const longs = [header.rowCount, header.blockCount, header.checksumsOffset, header.fileBytes];
  longs.forEach((long, i) => view.setBigUint64(40 + 8 * i, BigInt(long), true));
  bytes.set(header.id, 72);
  view.setUint32(88, header.checksumsXxh32, true);
  bytes.set(new TextEncoder().encode(header.format.name), 92);
  view.setUint32(4092, xxh32(bytes, 0, 4092, 0), true);
  return bytes;
}

/**
 * Reads the header of `path` from its first bytes, checking every field. `formats` are known beside
 * the library's own.
 *
 * @throws {TableFileError} naming what is wrong and where.
 */
export function decodeHeader(
  bytes: Uint8Array,
  path: string,
  fileBytes: number,
  formats: readonly RowFormat[] = [],
): TableHeader {
  const fail = (reason: string, at: number): never => {
    throw new TableFileError(path, reason, at);
  };
  const magic = MAGIC.findIndex((byte, i) => bytes[i] !== byte);
  if (magic >= 0) fail("not a Rowtier table, the magic number is missing", magic);
  if (bytes.length < HEADER_BYTES) {
    fail(`the header is cut, ${HEADER_BYTES} bytes expected`, bytes.length);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const version = view.getUint32(8, true);
  // Before the checksum: a later version may keep its checksum elsewhere.
  if (version !== TABLE_VERSION) {
    fail(
      `table version ${version} is not readable by this library, which reads version ` +
        `${TABLE_VERSION}; build the table again from its rows, or use the release that wrote it`,
      8,
    );
  }
  if (view.getInt32(4092, true) !== xxh32(bytes, 0, 4092, 0)) {
    fail("the header is damaged, its checksum does not match", 4092);
  }
  return checkedShape(view, bytes, path, fileBytes, formats);
}

/** The fields behind a good checksum: they may still be foreign, or the file cut. */
function checkedShape(
  view: DataView,
  bytes: Uint8Array,
  path: string,
  fileBytes: number,
  formats: readonly RowFormat[],
): TableHeader {
  const u32 = (at: number): number => view.getUint32(at, true);
  const u64 = (at: number): number => Number(view.getBigUint64(at, true));
  const expect = (name: string, at: number, received: number, wanted: boolean): void => {
    if (wanted) return;
    throw new TableFileError(path, `${name} is ${received}, which does not fit the table`, at);
  };
  const dim = u32(20), blockBytes = u32(28), rowCount = u64(40);
  const format = formatOf(u32(16), bytes, path, formats);
  expect("dim", 20, dim, dim >= 1 && dim <= MAX_DIM);
  const rowBytes = format.rowBytes(dim);
  const sized = blockBytes % SECTOR_BYTES === 0 && blockBytes >= rowBytes;
  expect("block bytes", 28, blockBytes, sized && blockBytes <= MAX_BLOCK_BYTES);
  expect("row count", 40, rowCount, rowCount >= 1 && rowCount <= MAX_ROWS);
  const shape = tableShape(format, dim, blockBytes, rowCount);
  expect("header bytes", 12, u32(12), u32(12) === HEADER_BYTES);
  expect("row bytes", 24, u32(24), u32(24) === rowBytes);
  expect("rows in a block", 32, u32(32), u32(32) === shape.blockRows);
  expect("layout", 36, u32(36), u32(36) === 0);
  expect("block count", 48, u64(48), u64(48) === shape.blockCount);
  expect("checksums' offset", 56, u64(56), u64(56) === shape.checksumsOffset);
  expect("file bytes", 64, u64(64), u64(64) === shape.fileBytes);
  if (fileBytes !== shape.fileBytes) {
    const how = fileBytes < shape.fileBytes ? "cut" : "longer than it should be";
    throw new TableFileError(
      path,
      `the file is ${how}, ${shape.fileBytes} bytes expected and ${fileBytes} found`,
      Math.min(fileBytes, shape.fileBytes),
    );
  }
  return { ...shape, id: bytes.slice(72, 88), checksumsXxh32: view.getInt32(88, true) };
}

function formatOf(
  code: number,
  bytes: Uint8Array,
  path: string,
  formats: readonly RowFormat[],
): RowFormat {
  const name = new TextDecoder().decode(bytes.subarray(92, 108)).replace(/\0+$/, "");
  const format = [...ROW_FORMATS, ...formats].find((known) => known.code === code);
  if (format === undefined) {
    throw new TableFileError(path, `row format ${code} ("${name}") is not known here`, 16);
  }
  if (format.name !== name) {
    const reason = `row format ${code} is "${name}" in the file and "${format.name}" here`;
    throw new TableFileError(path, reason, 92);
  }
  return format;
}

/**
 * Throws a RangeError unless a header can name `format`: a number of its own, and a name of 1 to 16
 * ASCII characters.
 */
export function checkFormat(what: string, { name, code }: RowFormat): void {
  const own = ROW_FORMATS.find((known) => known.code === code);
  if (own?.name !== name) {
    checkInteger(what, "format.code of a format of one's own", code, MIN_OWN_CODE, 2 ** 32 - 1);
  }
  if (!/^[!-~]{1,16}$/.test(name)) {
    throw new RangeError(
      `${what}: format.name must be 1 to 16 ASCII characters: received "${name}"`,
    );
  }
}
