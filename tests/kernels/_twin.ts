/**
 * The slow twin of every kernel: the embedding bag spelt out, column by column, with formats and
 * roundings of its own.
 *
 * @module
 */

import type { BagBatch, KernelSpec, RowFormat } from "../../kernels/mod.ts";
import { exactFma, fromBits, toBits } from "./_exact.ts";

/** One value of a row: as it is, or as a code with the row's scale and bias. */
export type Term = { readonly x: number } | {
  readonly code: number;
  readonly scale: number;
  readonly bias: number;
};

/** The value of an fp16 pattern, by its definition. */
export function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25));
}

/** The nearest integer to `x` >= 0, halves to even. */
function nearestEven(x: number): number {
  const whole = Math.floor(x), rest = x - whole;
  return rest > 0.5 || rest === 0.5 && whole % 2 === 1 ? whole + 1 : whole;
}

/** The fp16 pattern nearest to an fp32 value, by the definition. */
export function halfBits(x: number): number {
  if (x !== x) return 0x7e00;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0, size = Math.abs(x);
  if (size >= 65520) return sign | 0x7c00;
  let exponent = -14;
  while (size >= 2 ** (exponent + 1)) exponent++;
  // The patterns of positive values count up by one from value to value.
  return sign | ((exponent + 14) * 1024 + nearestEven(size / 2 ** (exponent - 10)));
}

/** The bf16 pattern of an fp32 value: half an ulp more in the bits, and cut. */
export function bf16Bits(x: number): number {
  return x !== x ? 0x7fc0 : Math.floor((toBits(x) + 0x8000) / 0x10000) & 0xffff;
}

/** Value `j` of the row that `row` begins at. */
export function termOf(format: RowFormat, row: DataView, dim: number, j: number): Term {
  const layout = format.layout;
  switch (layout?.codes) {
    case "f32":
      return { x: row.getFloat32(4 * j, true) };
    case "f16":
      return { x: halfValue(row.getUint16(2 * j, true)) };
    case "bf16":
      return { x: fromBits(row.getUint16(2 * j, true) * 0x10000) };
    case "fp8": {
      const byte = row.getUint8(j), exponent = (byte >> 3) & 15, mantissa = byte & 7;
      const size = exponent === 0 ? mantissa * 2 ** -9 : (8 + mantissa) * 2 ** (exponent - 10);
      return { x: byte & 0x80 ? -size : size };
    }
    case undefined: {
      const values = new Float32Array(dim);
      format.dequantise(new Uint8Array(row.buffer, row.byteOffset), 0, dim, values, 0);
      return { x: values[j] };
    }
  }
  const bits = Number(layout!.codes.slice(1)), first = layout!.scaleBias === "f16 first";
  const at = first ? 0 : Math.ceil(dim * bits / 8), bit = j * bits;
  const byte = row.getUint8((first ? 4 : 0) + Math.floor(bit / 8));
  const code = Math.floor(byte / 2 ** (bit % 8)) % 2 ** bits;
  return layout!.scaleBias === "f32 last"
    ? { code, scale: row.getFloat32(at, true), bias: row.getFloat32(at + 4, true) }
    : {
      code,
      scale: halfValue(row.getUint16(at, true)),
      bias: halfValue(row.getUint16(at + 2, true)),
    };
}

/** The rows of one bag in one column. */
function columnOf(
  spec: KernelSpec,
  terms: readonly (Term | undefined)[],
  weights: number[],
): number {
  const { fround } = Math;
  let acc = 0, begun = false;
  terms.forEach((term, i) => {
    if (term === undefined) return;
    const weighted = spec.weighting !== "none", weight = weights[i];
    if (spec.pooling === "max") {
      const x = "x" in term ? term.x : exactFma(term.scale, term.code, term.bias);
      acc = begun && acc > x ? acc : x;
    } else if ("x" in term) {
      acc = weighted ? exactFma(weight, term.x, acc) : fround(acc + term.x);
    } else {
      const scale = fround(term.scale * (weighted ? weight : 1));
      const bias = fround(term.bias * (weighted ? weight : 1));
      acc = exactFma(scale, term.code, fround(acc + bias));
    }
    begun = true;
  });
  const divides = spec.pooling === "mean" && terms.length > 0;
  return divides ? fround(acc * fround(1 / terms.length)) : acc;
}

/** What `pool` must do with `batch`; mutates `output`. */
export function twinPool(
  spec: KernelSpec,
  batch: BagBatch,
  output: Float32Array | Uint16Array,
): number {
  const { dim, format } = spec;
  const none = spec.pooling === "none";
  const bagCount = none ? batch.slotCount : batch.bagCount;
  let position = 0;
  for (let bag = 0; bag < bagCount; bag++) {
    const count = none ? 1 : batch.lengths?.[bag] ??
      batch.offsets![bag + 1] - batch.offsets![bag];
    if (count < 0 || position + count > batch.slotCount) return batch.slotCount;
    const rows: (DataView | undefined)[] = [];
    for (let i = position; i < position + count; i++) {
      let slot = batch.slots[i];
      if (batch.remap !== undefined) {
        if (slot < 0 || slot >= batch.remap.length) return i;
        slot = batch.remap[slot];
      }
      const pruned = slot === -1 && spec.pruned;
      if (!pruned && (slot < 0 || slot >= batch.rowCount)) return i;
      const { buffer, byteOffset } = batch.arena;
      rows.push(pruned ? undefined : new DataView(buffer, byteOffset + slot * batch.rowStride));
    }
    const from = spec.weighting === "position" ? 0 : position;
    const weights = [...batch.weights?.subarray(from, from + count) ?? []];
    for (let j = 0; j < dim; j++) {
      const terms = rows.map((row) => row && termOf(format, row, dim, j));
      const value = columnOf(spec, terms, weights);
      output[bag * dim + j] = spec.output === "f32"
        ? value
        : spec.output === "f16"
        ? halfBits(value)
        : bf16Bits(value);
    }
    position += count;
  }
  return position === batch.slotCount ? -1 : position;
}
