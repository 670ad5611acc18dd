/**
 * FBGEMM's outputs as cases that any target can be run on: what a kernel is made from, the batch,
 * and what must come out.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  type BagBatch,
  type Kernel,
  type KernelSpec,
  type OutputType,
  rowFormat,
  type Weighting,
} from "../../kernels/mod.ts";

/** Where a case's numbers lie in the `.bin` file, and as what. */
export type Section = [byteOffset: number, dtype: string, ...shape: number[]];

/** One line of the golden file; which fields there are depends on the kind. */
export interface GoldenCase {
  readonly kind: string;
  readonly dim: number;
  readonly rows: number;
  readonly bits: number;
  readonly note?: string;
  readonly wanted: Section;
  readonly input: Section;
  readonly [field: string]: unknown;
}

const folder = new URL("../golden/", import.meta.url);
let bytes: Uint8Array<ArrayBuffer> | undefined;
let cases: GoldenCase[] | undefined;

/** Every case of one kind. The files are read once. */
export function goldenCases(kind: string): GoldenCase[] {
  bytes ??= Deno.readFileSync(new URL("fbgemm_kernels.bin", folder));
  cases ??= Deno.readTextFileSync(new URL("fbgemm_kernels.jsonl", folder))
    .trim().split("\n").slice(1).map((line) => JSON.parse(line));
  return cases.filter((one) => one.kind === kind);
}

/** How many numbers a section has. */
function lengthOf([, , ...shape]: Section): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** A section of f32. */
export function floats(section: unknown): Float32Array<ArrayBuffer> {
  const at = section as Section;
  assertEquals(at[1], "f32");
  return new Float32Array(bytes!.buffer, at[0], lengthOf(at));
}

/** A section of f16 or bf16, as bit patterns. */
export function halves(section: unknown): Uint16Array<ArrayBuffer> {
  const at = section as Section;
  assert(at[1] === "f16" || at[1] === "bf16");
  return new Uint16Array(bytes!.buffer, at[0], lengthOf(at));
}

/** A section of i32. */
export function integers(section: unknown): Int32Array<ArrayBuffer> {
  const at = section as Section;
  assertEquals(at[1], "i32");
  return new Int32Array(bytes!.buffer, at[0], lengthOf(at));
}

/** A section of bytes. */
export function octets(section: unknown): Uint8Array<ArrayBuffer> {
  const at = section as Section;
  assertEquals(at[1], "u8");
  return new Uint8Array(bytes!.buffer, at[0], lengthOf(at));
}

/** A case that a kernel can be run on. */
export interface GoldenBag {
  /** For messages. */
  readonly name: string;
  /** "bag", "sparseBag", "noBag" or "dequantize". */
  readonly kind: string;
  /** What to make the kernel from. */
  readonly spec: KernelSpec;
  /** What to pool. */
  readonly batch: BagBatch;
  /** Output vectors: bags, or slots for pooling "none". */
  readonly vectors: number;
  /** How many of them are comparable: those before the first bag in error. */
  readonly complete: number;
  /** Entries from one vector to the next in `wanted`; at least `spec.dim`. */
  readonly outStride: number;
  /** What FBGEMM gave: fp32, or bit patterns of the spec's output. */
  readonly wanted: Float32Array | Uint16Array;
  /** Whether FBGEMM accepted the batch. */
  readonly ok: boolean;
  /** From here on columns are by another formula there (`q8` rows that fill no eight lanes). */
  readonly columns: number;
}

/** Golden names of formats that have another name here. */
const NAMES: Readonly<Record<string, string>> = { fp8: "hfp8" };
const WEIGHTING: Readonly<Record<string, Weighting>> = {
  none: "none",
  sample: "sample",
  position: "position",
};

/** Every bag, sparseBag, noBag and dequantize case. */
export function* goldenBags(): Generator<GoldenBag> {
  for (const kind of ["bag", "sparseBag"]) {
    for (const [i, one] of goldenCases(kind).entries()) yield bagOf(one, i);
  }
  for (const [i, one] of goldenCases("noBag").entries()) yield noBagOf(one, i);
  for (const [i, one] of goldenCases("dequantize").entries()) yield dequantizeOf(one, i);
}

function specOf(one: GoldenCase, changes: Partial<KernelSpec>): KernelSpec {
  const name = String(one.format);
  return {
    format: rowFormat(NAMES[name] ?? name),
    dim: one.dim,
    pooling: "none",
    weighting: "none",
    output: one.out as OutputType,
    pruned: false,
    numerics: "exact",
    ...changes,
  };
}

function nameOf(one: GoldenCase, i: number): string {
  const parts = [one.format ?? `${one.bits} bits`, `dim ${one.dim}`, one.mode, one.out, one.note];
  if (one.mean) parts.push("mean");
  return `${one.kind} ${i} (${parts.filter((part) => part !== undefined).join(", ")})`;
}

function wantedOf(one: GoldenCase): Float32Array | Uint16Array {
  return one.out === "f32" ? floats(one.wanted) : halves(one.wanted);
}

function bagOf(one: GoldenCase, i: number): GoldenBag {
  const bags = one.bags as number;
  const slots = integers(one.indices);
  const slotCount = (one.indexSize as number | undefined) ?? slots.length;
  const remap = one.compressed ? integers(one.compressed) : undefined;
  const pruned = one.allowPruned === true || remap !== undefined;
  const spec = specOf(one, {
    pooling: one.mean ? "mean" : "sum",
    weighting: WEIGHTING[String(one.mode)],
    pruned,
  });
  const batch: BagBatch = {
    bagCount: bags,
    ...(one.offsets
      ? { offsets: Uint32Array.from(integers(one.offsets)) }
      : { lengths: integers(one.lengths) }),
    slots,
    slotCount,
    ...(one.weights !== undefined && { weights: floats(one.weights) }),
    ...(remap && { remap }),
    arena: octets(one.table),
    rowStride: one.rowBytes as number,
    rowCount: one.rows,
  };
  return {
    name: nameOf(one, i),
    kind: one.kind,
    spec,
    batch,
    vectors: bags,
    complete: completeBags(batch, pruned, remap?.length ?? one.rows),
    outStride: (one.outStride as number | undefined) ?? one.dim,
    wanted: wantedOf(one),
    ok: one.ok === true,
    columns: one.dim,
  };
}

/** How many bags come before the first that has a bad index or runs past the index count. */
function completeBags(batch: BagBatch, pruned: boolean, rows: number): number {
  const { offsets, lengths, slots, slotCount, bagCount } = batch;
  const least = pruned && batch.remap === undefined ? -1 : 0;
  let from = 0;
  for (let bag = 0; bag < bagCount; bag++) {
    const to = from + (offsets ? offsets[bag + 1] - offsets[bag] : lengths![bag]);
    if (to > slotCount || to < from) return bag;
    if (slots.subarray(from, to).some((slot) => slot < least || slot >= rows)) return bag;
    from = to;
  }
  return bagCount;
}

function noBagOf(one: GoldenCase, i: number): GoldenBag {
  const slots = integers(one.indices);
  return {
    name: nameOf(one, i),
    kind: one.kind,
    spec: specOf(one, { weighting: one.weights === undefined ? "none" : "sample" }),
    batch: {
      bagCount: 0,
      slots,
      slotCount: slots.length,
      ...(one.weights !== undefined && { weights: floats(one.weights) }),
      arena: octets(one.table),
      rowStride: one.rowBytes as number,
      rowCount: one.rows,
    },
    vectors: slots.length,
    complete: slots.length,
    outStride: one.dim,
    wanted: wantedOf(one),
    ok: true,
    columns: one.dim,
  };
}

/** The row format of a dequantize case: 8 bits with fp16 scales are the table-batched rows. */
export function dequantizeFormat(one: GoldenCase): string {
  return one.bits === 8 && one.scaleType === "f16" ? "tbe8" : `q${one.bits}`;
}

/** Rows as they are, row after row: pooling "none" over slots 0, 1, 2 ... */
function dequantizeOf(one: GoldenCase, i: number): GoldenBag {
  const input = one.input;
  const [, , rows, rowStride] = input;
  const [, , , dim] = one.wanted;
  const spec = specOf({ ...one, format: dequantizeFormat(one), dim }, {});
  return {
    name: nameOf(one, i),
    kind: one.kind,
    spec,
    batch: {
      bagCount: 0,
      slots: Int32Array.from({ length: rows }, (_, slot) => slot),
      slotCount: rows,
      arena: octets(input),
      rowStride,
      rowCount: rows,
    },
    vectors: rows,
    complete: rows,
    outStride: dim,
    wanted: wantedOf(one),
    ok: true,
    columns: spec.format.name === "q8" ? dim - dim % 8 : dim,
  };
}

/** What an output is full of before a call: a NaN that no kernel makes. */
const UNTOUCHED_F32 = 0x7fabcdef;
const UNTOUCHED_16 = 0x5555;

const single = new Float32Array(1);
const singleBits = new Uint32Array(single.buffer);

/** Bits to compare by: NaNs are a class. */
function bitsAt(values: Float32Array | Uint16Array, i: number, output: OutputType): number {
  if (output === "f32") {
    single[0] = values[i];
    return values[i] !== values[i] ? 0x7fc00000 : singleBits[0];
  }
  const infinity = output === "f16" ? 0x7c00 : 0x7f80;
  return (values[i] & 0x7fff) > infinity ? infinity + 1 : values[i];
}

/**
 * Runs one case on a kernel for its spec, and fails where the result, the output, or what had to
 * stay untouched is not as it must be.
 */
export function checkGoldenBag(one: GoldenBag, kernel: Kernel, batch: BagBatch = one.batch): void {
  const { spec: { dim, output: type }, wanted, outStride, vectors, complete, columns } = one;
  const output = type === "f32"
    ? new Float32Array(vectors * dim + 3)
    : new Uint16Array(vectors * dim + 3);
  const words = type === "f32" ? new Uint32Array(output.buffer) : output as Uint16Array;
  const untouched = type === "f32" ? UNTOUCHED_F32 : UNTOUCHED_16;
  words.fill(untouched);
  const result = kernel.pool(batch, output);
  assertEquals(result === -1, one.ok, `${one.name}: pool() gave ${result}`);
  for (let v = 0; v < complete; v++) {
    for (let j = 0; j < columns; j++) {
      const received = bitsAt(output, v * dim + j, type);
      const expected = bitsAt(wanted, v * outStride + j, type);
      if (received !== expected && !isWrappedNaN(type, received, expected)) {
        const hex = `${received.toString(16)} instead of ${expected.toString(16)}`;
        throw new Error(`${one.name}: vector ${v}, column ${j} is ${hex}`);
      }
    }
  }
  const rest = words.subarray(complete * dim);
  assert(rest.every((word) => word === untouched), `${one.name}: wrote past vector ${complete}`);
}

/**
 * FBGEMM's bf16 rounding carries some NaNs over into a zero, by their bits, which are nobody's to
 * choose: where one is NaN, the other may be zero.
 */
function isWrappedNaN(type: OutputType, received: number, expected: number): boolean {
  if (type !== "bf16") return false;
  const NAN = 0x7f81;
  return received === NAN && (expected & 0x7fff) === 0 ||
    expected === NAN && (received & 0x7fff) === 0;
}
