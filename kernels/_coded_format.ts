/**
 * Row formats of integer codes with a scale and a bias: value = scale * code + bias.
 *
 * @module
 */

import { readF16, readF32, writeF16, writeF32 } from "./_bytes.ts";
import { checkDim, checkNoNaN, checkRow } from "./_check_row.ts";
import {
  type CodeBits,
  codeBytes,
  encode8,
  encodeNBit,
  type Outside,
  type ScaleBias,
} from "./_code_bytes.ts";
import { greatestOf, leastOf } from "./_range.ts";
import { fma32 } from "./fma.ts";
import type { RangeRowFormat, RowLayout } from "./row_format.ts";

const LANES = 8;

/** What tells one such format from another. */
export interface Coding {
  /** As in `RowFormat`. */
  readonly name: string;
  /** As in `RowFormat`. */
  readonly code: number;
  /** Bits of a code. */
  readonly bits: CodeBits;
  /** Where scale and bias are. */
  readonly scaleBias: Exclude<RowLayout["scaleBias"], "none">;
}

/** The row format of values coded in that way. */
export function codedFormat(coding: Coding): RangeRowFormat {
  const { name, code, bits, scaleBias } = coding;
  const extra = scaleBias === "f32 last" ? 8 : 4;
  const encoding = `Cannot quantise ${name} row`;
  const decoding = `Cannot dequantise ${name} row`;
  return {
    name,
    code,
    layout: { codes: `u${bits}`, scaleBias },
    rowBytes: (dim) => codeBytes(checkDim(`Cannot size ${name} row`, dim), bits) + extra,
    quantise(values, at, dim, row, start) {
      checkDim(encoding, dim);
      checkRow(encoding, values, at, dim, row, start, codeBytes(dim, bits) + extra);
      checkNoNaN(encoding, values, at, dim);
      const least = leastOf(values, at, dim), greatest = greatestOf(values, at, dim);
      encode(coding, values, at, dim, least, greatest, "saturate", row, start);
    },
    quantiseIn(range, values, at, dim, row, start, outside = "saturate") {
      checkDim(encoding, dim);
      checkRow(encoding, values, at, dim, row, start, codeBytes(dim, bits) + extra);
      checkNoNaN(encoding, values, at, dim);
      const least = checkedEnd(encoding, range, 0), greatest = checkedEnd(encoding, range, 1);
      encode(coding, values, at, dim, least, greatest, outside, row, start);
    },
    dequantise(row, start, dim, values, at) {
      checkDim(decoding, dim);
      checkRow(decoding, values, at, dim, row, start, codeBytes(dim, bits) + extra);
      decode(coding, row, start, dim, values, at);
    },
  };
}

function checkedEnd(what: string, range: readonly [number, number], end: 0 | 1): number {
  const value = Math.fround(range[end]);
  if (value !== value) {
    throw new RangeError(`${what}: range[${end}] must be a number: received ${range[end]}`);
  }
  return value;
}

function encode(
  { bits, scaleBias }: Coding,
  values: Float32Array,
  at: number,
  dim: number,
  least: number,
  greatest: number,
  outside: Outside,
  row: Uint8Array,
  start: number,
): void {
  const first = scaleBias === "f16 first";
  const codesAt = first ? start + 4 : start;
  const terms: ScaleBias = bits === 8
    ? encode8(values, at, dim, least, greatest, outside, row, codesAt)
    : encodeNBit(values, at, dim, bits, least, greatest, row, codesAt);
  const termsAt = first ? start : start + codeBytes(dim, bits);
  if (scaleBias === "f32 last") {
    writeF32(row, termsAt, terms.scale);
    writeF32(row, termsAt + 4, terms.bias);
  } else {
    writeF16(row, termsAt, terms.scale);
    writeF16(row, termsAt + 2, terms.bias);
  }
}

function decode(
  { bits, scaleBias }: Coding,
  row: Uint8Array,
  start: number,
  dim: number,
  values: Float32Array,
  at: number,
): void {
  const first = scaleBias === "f16 first";
  const codesAt = first ? start + 4 : start;
  const termsAt = first ? start : start + codeBytes(dim, bits);
  const wide = scaleBias === "f32 last";
  const scale = wide ? readF32(row, termsAt) : readF16(row, termsAt);
  const bias = wide ? readF32(row, termsAt + 4) : readF16(row, termsAt + 2);
  // Columns that fill no eight lanes run on scalar code in the original, which rounds to fp64
  // first. With fp16 scales both are exact.
  const whole = wide ? dim - dim % LANES : 0;
  const perByte = 8 / bits, mask = 2 ** bits - 1;
  for (let j = 0; j < dim; j++) {
    const code = (row[codesAt + Math.floor(j / perByte)] >> (bits * (j % perByte))) & mask;
    values[at + j] = j < whole ? fma32(scale, code, bias) : scale * code + bias;
  }
}
