/**
 * Code that turns a row's bytes into vectors of four fp32 values, in registers, for every layout.
 *
 * No byte outside the row is read, as an arena may end with its memory: a chunk that is no whole
 * vector is read by a vector that ends where the row does, and moved into place by the shuffle that
 * widens it anyway.
 *
 * @module
 */

import type { CodeWriter } from "./_wasm_assembler.ts";
import type { RowLayout } from "./row_format.ts";

/** Where a row's codes are. */
export interface CodesPlace {
  /** The local that holds an address. */
  readonly address: number;
  /** Bytes from it to the first code. */
  readonly offset: number;
  /** Bytes from it to the row's end. */
  readonly end: number;
}

/** Bits that a value takes. */
export const CODE_BITS: Readonly<Record<RowLayout["codes"], number>> = {
  f32: 32,
  f16: 16,
  bf16: 16,
  fp8: 8,
  u8: 8,
  u4: 4,
  u2: 2,
};

/** A byte index that `i8x16.swizzle` turns into 0. */
const ZERO = 0x80;
const LOW_BYTES = [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23];
const HIGH_BYTES = LOW_BYTES.map((lane) => lane + 8);
const LOW_PAIRS = [0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23];
const HIGH_PAIRS = LOW_PAIRS.map((lane) => lane + 8);

/** The two halves of a vector change places. */
const SWAP = Array.from({ length: 16 }, (_, i) => i ^ 8);
/** The lower or upper four of eight bytes, each the low byte of a 32-bit lane; the top one. */
const LOW_BYTE = [0, 4].map((from) => lanes((i) => i % 4 === 0 ? from + (i >> 2) : ZERO));
const TOP_BYTE = [0, 4].map((from) => lanes((i) => i % 4 === 3 ? from + (i >> 2) : ZERO));
/** Halves 0 to 3 as the upper halves of 32-bit lanes. */
const TOP_HALF = lanes((i) => i % 4 < 2 ? ZERO : 2 * (i >> 2) + i % 2);

function lanes(byteOf: (i: number) => number): number[] {
  return Array.from({ length: 16 }, (_, i) => byteOf(i));
}

/** Writes decoding into one function. */
export class Decoder {
  readonly #code: CodeWriter;
  readonly #bytes: number;
  readonly #parts: readonly number[];

  /** For the function that `code` writes: adds its scratch locals. */
  constructor(code: CodeWriter) {
    this.#code = code;
    this.#bytes = code.local("v128");
    this.#parts = Array.from({ length: 4 }, () => code.local("v128"));
  }

  /**
   * Decodes `columns` values. `combine` is called for each group of four, in order, to write what
   * is done with the vector on top of the stack; lanes past the last column hold anything.
   */
  decode(
    codes: RowLayout["codes"],
    place: CodesPlace,
    columns: number,
    combine: (group: number) => void,
  ): void {
    const bits = CODE_BITS[codes];
    // What a vector holds; but halves are widened four at a time.
    const chunk = bits === 16 ? 4 : 128 / bits;
    for (let first = 0; first < columns; first += chunk) {
      const count = Math.min(columns - first, chunk);
      const at = { ...place, offset: place.offset + first * bits / 8 };
      this.#load(at, Math.ceil(count * bits / 8));
      this.#chunk(codes, count, (group) => combine(first / 4 + group));
    }
  }

  /** The halves on top of the stack, four fp16 values in its lower half, to fp32. */
  widenF16(): void {
    const code = this.#code;
    const bits = this.#parts[0];
    // The exponent's field moves to where fp32's is, the sign stays by the arithmetic shift; a
    // multiplication by 2^112 corrects the bias, and normalises subnormals on the way.
    code.constant(TOP_HALF).op("i8x16.swizzle").i32(3).op("i32x4.shr_s");
    code.constant32(0x8fffe000 | 0).op("v128.and").tee(bits);
    code.constant32((127 + 112) << 23).op("f32x4.mul");
    // Infinities and NaN have the largest exponent there and here.
    code.get(bits).constant32(0x0f800000).op("v128.and").constant32(0x0f800000).op("i32x4.eq");
    code.constant32(0x7f800000).op("v128.and", "v128.or");
  }

  /** Widens what is on top of the stack. */
  #chunk(codes: RowLayout["codes"], count: number, combine: (group: number) => void): void {
    if (codes === "f32") combine(0);
    else if (codes === "f16") {
      this.widenF16();
      combine(0);
    } else if (codes === "bf16") {
      this.#code.constant(TOP_HALF).op("i8x16.swizzle");
      combine(0);
    } else if (codes === "fp8") this.#widenBytes(TOP_BYTE, count, () => this.#f8(), combine);
    else if (codes === "u8") this.#widenU8(count, combine);
    else if (codes === "u4") this.#unpack4(count, combine);
    else this.#unpack2(count, combine);
  }

  /**
   * Pushes a vector that begins with `count` bytes from `place` on. What follows them is not from
   * outside of the row.
   */
  #load({ address, offset, end }: CodesPlace, count: number): void {
    const code = this.#code;
    if (count === 4 || count === 8 || count === 16) {
      const name = count === 4
        ? "v128.load32_zero"
        : count === 8
        ? "v128.load64_zero"
        : "v128.load";
      code.get(address).memory(name, 0, offset);
    } else if (end >= 16) {
      // The last vector of the row, or one that goes on past the bytes.
      const start = Math.min(offset, end - 16);
      code.get(address).memory("v128.load", 0, start);
      const move = offset - start;
      if (move > 0) code.constant(lanes((i) => i + move)).op("i8x16.swizzle");
    } else {
      this.#loadPieces(address, offset, count);
    }
  }

  /** From a row below 16 bytes. */
  #loadPieces(address: number, offset: number, count: number): void {
    const code = this.#code;
    const bytes = this.#bytes;
    code.i32x4(0).set(bytes);
    let done = 0;
    for (const size of [8, 4, 2, 1]) {
      if (count - done < size) continue;
      const name = `v128.load${8 * size as 8 | 16 | 32 | 64}_lane` as const;
      code.get(address, bytes).lane(name, 0, offset + done, done / size).set(bytes);
      done += size;
    }
    code.get(bytes);
  }

  /**
   * The first `count` bytes of the vector on top of the stack, by fours, each byte to where `masks`
   * says. Two masks and a swap of the halves instead of four masks: registers are fewer than eight
   * accumulators and those would need, and what is spilled is an accumulator. (q8 rows of dim 64 in
   * cache, AMD EPYC (Zen 4), Deno 2.9.6, ns a row: 7.9; two loads of 8 bytes 8.0; four masks 9.2;
   * unpacking with zeros 8.9.)
   */
  #widenBytes(
    masks: readonly number[][],
    count: number,
    convert: () => void,
    combine: (group: number) => void,
  ): void {
    const code = this.#code;
    code.set(this.#bytes);
    for (let group = 0; 4 * group < count; group++) {
      code.get(this.#bytes);
      if (group === 2) code.get(this.#bytes).shuffle(SWAP).tee(this.#bytes);
      code.constant(masks[group % 2]).op("i8x16.swizzle");
      convert();
      combine(group);
    }
  }

  #widenU8(count: number, combine: (group: number) => void): void {
    const convert = () => this.#code.op("f32x4.convert_i32x4_s");
    this.#widenBytes(LOW_BYTE, count, convert, combine);
  }

  /** A sign, four bits of exponent with bias 7, three of mantissa; as {@linkcode widenF16} does. */
  #f8(): void {
    this.#code.i32(4).op("i32x4.shr_s").constant32(0x87f00000 | 0).op("v128.and");
    this.#code.constant32((127 + 120) << 23).op("f32x4.mul");
  }

  #unpack4(count: number, combine: (group: number) => void): void {
    const code = this.#code;
    const [low, high] = this.#parts;
    code.set(this.#bytes);
    this.#field(0, 4, low);
    this.#field(4, 4, high);
    for (let first = 0; first < count; first += 16) {
      code.get(low, high).shuffle(first === 0 ? LOW_BYTES : HIGH_BYTES);
      this.#widenU8(Math.min(count - first, 16), (group) => combine(first / 4 + group));
    }
  }

  #unpack2(count: number, combine: (group: number) => void): void {
    const code = this.#code;
    const parts = this.#parts;
    code.set(this.#bytes);
    parts.forEach((part, i) => this.#field(2 * i, 2, part));
    for (let first = 0; first < count; first += 16) {
      const bytes = first < 32 ? LOW_BYTES : HIGH_BYTES;
      code.get(parts[0], parts[1]).shuffle(bytes).get(parts[2], parts[3]).shuffle(bytes);
      code.shuffle(first % 32 === 0 ? LOW_PAIRS : HIGH_PAIRS);
      this.#widenU8(Math.min(count - first, 16), (group) => combine(first / 4 + group));
    }
  }

  /** Bits [from, from + width) of every byte. There is no shift of bytes: 16 bits and a mask. */
  #field(from: number, width: number, to: number): void {
    const code = this.#code;
    code.get(this.#bytes);
    if (from > 0) code.i32(from).op("i16x8.shr_u");
    code.constant(new Array(16).fill(2 ** width - 1)).op("v128.and").set(to);
  }
}
