/**
 * Codebooks: a value is stored as the number of the nearest of a few values that were learnt by
 * one-dimensional k-means, for each row or for a whole table (Guan et al., "Post-Training 4-bit
 * Quantization on Embedding Tables", 2019, section 3.2).
 *
 * @module
 */

import { checkInteger } from "../base/checks.ts";
import { readF16, writeF16 } from "./_bytes.ts";
import { checkDim, checkNoNaN, checkRow } from "./_check_row.ts";
import { type CodeBits, codeBytes } from "./_code_bytes.ts";
import { f16ToF32, f32ToF16 } from "./half.ts";
import { MAX_KMEANS_ROUNDS } from "./limits.ts";
import type { RowFormat } from "./row_format.ts";

/** The entries of a codebook, ascending; a power of two of them. */
export type Codebook = Float32Array;

/** Options of {@linkcode trainCodebook}. */
export interface TrainCodebookOptions {
  /** Bits of a code: 8, 4 (the default) or 2. */
  readonly bits?: 8 | 4 | 2;
  /** Rounds of Lloyd's algorithm at most; 50 by default. It ends earlier when nothing moves. */
  readonly rounds?: number;
}

/**
 * Learns a codebook from any number of values: Lloyd's algorithm ("Least Squares Quantization in
 * PCM", 1982) from two fixed beginnings, so that the same values give the same book. Time: one
 * sort, then about 2 * `rounds` * 2^`bits` * log2(length) steps; memory: 12 bytes a value.
 *
 * @param values Finite fp32 values; they are left as they are.
 * @param options How many entries, and how long to try.
 * @returns 2^`bits` entries, ascending.
 * @throws {RangeError} when there is no value, one is not finite, or an option is out of its
 * bounds.
 *
 * @example
 * ```ts
 * import { trainCodebook } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const values = Float32Array.of(1, 1.5, 2, -7, 20, 21, 19, 100);
 * assertEquals([...trainCodebook(values, { bits: 2 })], [-7, 1.5, 20, 100]);
 * ```
 */
export function trainCodebook(values: Float32Array, options: TrainCodebookOptions = {}): Codebook {
  const what = "Cannot train codebook";
  const { bits = 4, rounds = 50 } = options;
  if (bits !== 8 && bits !== 4 && bits !== 2) {
    throw new RangeError(`${what}: bits must be 8, 4 or 2: received ${bits}`);
  }
  checkInteger(what, "rounds", rounds, 1, MAX_KMEANS_ROUNDS);
  checkInteger(what, "values.length", values.length, 1);
  checkFinite(what, values, 0, values.length);
  return train(values.slice().sort(), 2 ** bits, rounds);
}

/** An infinity has no place in a mean. */
function checkFinite(what: string, values: Float32Array, at: number, dim: number): void {
  for (let j = at; j < at + dim; j++) {
    if (!Number.isFinite(values[j])) {
      throw new RangeError(`${what}: values[${j}] must be finite: received ${values[j]}`);
    }
  }
}

/**
 * k-means of sorted values, from two beginnings: equal shares of the values, and equal steps of
 * their range, which is what min/max codes are and so never loses more than they do.
 */
function train(sorted: Float32Array, size: number, rounds: number): Codebook {
  const sums = new Float64Array(sorted.length + 1);
  for (let i = 0; i < sorted.length; i++) sums[i + 1] = sums[i] + sorted[i];
  const least = sorted[0], range = sorted[sorted.length - 1] - least;
  const shares = new Float32Array(size), steps = new Float32Array(size);
  for (let k = 0; k < size; k++) {
    shares[k] = sorted[Math.floor((k + 0.5) * sorted.length / size)];
    steps[k] = least + range * k / (size - 1);
  }
  const gains = [shares, steps].map((book) => settle(book, sorted, sums, rounds));
  return gains[1] > gains[0] ? steps : shares;
}

/**
 * Lloyd's rounds; clusters are runs, and a run's mean comes from two running sums. Returns by how
 * much the last clusters' squared error is below the sum of squares.
 */
function settle(
  book: Codebook,
  sorted: Float32Array,
  sums: Float64Array,
  rounds: number,
): number {
  let gain = 0;
  for (let round = 0, moved = true; moved && round < rounds; round++) {
    let from = 0;
    gain = 0;
    moved = false;
    for (let k = 0; k < book.length; k++) {
      const last = k === book.length - 1;
      const end = last ? sorted.length : firstAbove(sorted, (book[k] + book[k + 1]) / 2);
      // An entry without values stays where it is.
      if (end <= from) continue;
      const sum = sums[end] - sums[from], mean = Math.fround(sum / (end - from));
      gain += sum * sum / (end - from);
      if (mean !== book[k]) [book[k], moved] = [mean, true];
      from = end;
    }
  }
  book.sort();
  return gain;
}

/** How many of `sorted` are at most `x`. */
function firstAbove(sorted: Float32Array, x: number): number {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] <= x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Writes the numbers of the entries nearest to the values, packed from the low bits up. */
function encode(
  book: Codebook,
  bits: CodeBits,
  values: Float32Array,
  at: number,
  dim: number,
  row: Uint8Array,
  start: number,
): void {
  row.fill(0, start, start + codeBytes(dim, bits));
  for (let j = 0; j < dim; j++) {
    row[start + ((j * bits) >> 3)] |= nearest(book, values[at + j]) << ((j * bits) & 7);
  }
}

function nearest(book: Codebook, x: number): number {
  const above = Math.min(firstAbove(book, x), book.length - 1);
  return above > 0 && x - book[above - 1] <= book[above] - x ? above - 1 : above;
}

/** The code of column `j`. */
function codeAt(row: Uint8Array, start: number, j: number, bits: CodeBits): number {
  return (row[start + ((j * bits) >> 3)] >> ((j * bits) & 7)) & ((1 << bits) - 1);
}

function rowCodebookFormat(name: string, code: number, bits: 4 | 2): RowFormat {
  const bookBytes = 2 * 2 ** bits;
  const book = new Float32Array(2 ** bits);
  const encoding = `Cannot quantise ${name} row`, decoding = `Cannot dequantise ${name} row`;
  return {
    name,
    code,
    rowBytes: (dim) => codeBytes(checkDim(`Cannot size ${name} row`, dim), bits) + bookBytes,
    quantise(values, at, dim, row, start) {
      checkDim(encoding, dim);
      const bytes = codeBytes(dim, bits);
      checkRow(encoding, values, at, dim, row, start, bytes + bookBytes);
      checkNoNaN(encoding, values, at, dim);
      checkFinite(encoding, values, at, dim);
      // What the row stores is rounded: the codes are chosen by what will be read.
      const trained = train(values.slice(at, at + dim).sort(), 2 ** bits, 50)
        .map((x) => f16ToF32(f32ToF16(x)));
      encode(trained, bits, values, at, dim, row, start);
      trained.forEach((x, k) => writeF16(row, start + bytes + 2 * k, x));
    },
    dequantise(row, start, dim, values, at) {
      checkDim(decoding, dim);
      const bytes = codeBytes(dim, bits);
      checkRow(decoding, values, at, dim, row, start, bytes + bookBytes);
      for (let k = 0; k < book.length; k++) book[k] = readF16(row, start + bytes + 2 * k);
      for (let j = 0; j < dim; j++) values[at + j] = book[codeAt(row, start, j, bits)];
    },
  };
}

/**
 * The format "km4" (number 13): 4-bit codes as in `q4`, then the row's own codebook of 16 fp16
 * values; `dim` / 2 rounded up + 32 bytes a row. The error is the least of the 4-bit formats, the
 * encoding the slowest, and kernels decode row by row.
 *
 * @example
 * ```ts
 * import { km4 } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const values = Float32Array.of(0, 1, 4, 9, 16), decoded = new Float32Array(5);
 * const row = new Uint8Array(km4.rowBytes(5));
 * km4.quantise(values, 0, 5, row, 0);
 * km4.dequantise(row, 0, 5, decoded, 0);
 * assertEquals(decoded, values);
 * ```
 */
export const km4: RowFormat = rowCodebookFormat("km4", 13, 4);

/**
 * The format "km2" (number 14): 2-bit codes as in `q2`, then the row's own codebook of 4 fp16
 * values; `dim` / 4 rounded up + 8 bytes a row.
 *
 * @example
 * ```ts
 * import { km2, q2, rowErrors } from "@rowtier/rowtier/kernels";
 * import { assert } from "@std/assert";
 *
 * const values = Float32Array.from({ length: 640 }, (_, j) => Math.sin(j) ** 7);
 * assert(rowErrors(km2, values, 64).meanL2 < rowErrors(q2, values, 64).meanL2);
 * ```
 */
export const km2: RowFormat = rowCodebookFormat("km2", 14, 2);

/** What {@linkcode codebookFormat} makes a format from. */
export interface CodebookFormatOptions {
  /** What table files call it. */
  readonly name: string;
  /** Its number in table files, from 1000. */
  readonly code: number;
  /** 256, 16 or 4 entries, finite and ascending; a copy is kept. */
  readonly codebook: Codebook;
}

/**
 * A format whose rows are codes alone, all by one codebook that the caller keeps: a table file
 * holds its name and number, and `openTable` is given the format again.
 *
 * @param options Its name, number and codebook.
 * @returns The format; a row takes `dim` * 8, 4 or 2 bits.
 * @throws {RangeError} when the codebook has another length, or is not finite and ascending.
 *
 * @example
 * ```ts
 * import { codebookFormat, trainCodebook } from "@rowtier/rowtier/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const values = Float32Array.of(1, 2, 3, 4, 4, 3, 2, 1);
 * const codebook = trainCodebook(values, { bits: 2 });
 * const format = codebookFormat({ name: "mine", code: 1000, codebook });
 * const row = new Uint8Array(format.rowBytes(8));
 * format.quantise(values, 0, 8, row, 0);
 * assertEquals([...row], [0b11100100, 0b00011011]);
 * ```
 */
export function codebookFormat({ name, code, codebook }: CodebookFormatOptions): RowFormat {
  const what = "Cannot make codebook format";
  const { length } = codebook;
  if (length !== 256 && length !== 16 && length !== 4) {
    throw new RangeError(`${what}: codebook.length must be 256, 16 or 4: received ${length}`);
  }
  checkFinite(what, codebook, 0, length);
  const book = codebook.slice();
  book.forEach((x, k) => {
    if (k > 0 && x < book[k - 1]) {
      throw new RangeError(`${what}: codebook must be ascending: received ${x} at ${k}`);
    }
  });
  const bits = length === 256 ? 8 : length === 16 ? 4 : 2;
  return tableCodebookFormat(name, code, bits, book);
}

function tableCodebookFormat(
  name: string,
  code: number,
  bits: CodeBits,
  book: Codebook,
): RowFormat {
  const encoding = `Cannot quantise ${name} row`, decoding = `Cannot dequantise ${name} row`;
  return {
    name,
    code,
    rowBytes: (dim) => codeBytes(checkDim(`Cannot size ${name} row`, dim), bits),
    quantise(values, at, dim, row, start) {
      checkDim(encoding, dim);
      checkRow(encoding, values, at, dim, row, start, codeBytes(dim, bits));
      checkNoNaN(encoding, values, at, dim);
      encode(book, bits, values, at, dim, row, start);
    },
    dequantise(row, start, dim, values, at) {
      checkDim(decoding, dim);
      checkRow(decoding, values, at, dim, row, start, codeBytes(dim, bits));
      for (let j = 0; j < dim; j++) values[at + j] = book[codeAt(row, start, j, bits)];
    },
  };
}
