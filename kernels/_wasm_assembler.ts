/**
 * A small assembler of WebAssembly modules: what the SIMD kernels need and no more. Instructions
 * have the names of the text format; the binary form is that of the WebAssembly 3.0 specification
 * (5.4 instructions, 5.5 modules), which has several memories, SIMD and relaxed SIMD.
 *
 * @module
 */

/** The value types in use. */
export type ValueType = "i32" | "f32" | "v128";

const TYPE_BYTES: Readonly<Record<ValueType, number>> = { i32: 0x7f, f32: 0x7d, v128: 0x7b };
/** Instructions from here on are 0xfd and the rest as LEB128. */
const SIMD = 0x1000;
const SIMD_PREFIX = 0xfd;

/** Instructions without immediates. */
export const OPS = {
  "end": 0x0b,
  "select": 0x1b,
  "i32.eqz": 0x45,
  "i32.lt_s": 0x48,
  "i32.lt_u": 0x49,
  "i32.gt_u": 0x4b,
  "i32.ge_u": 0x4f,
  "i32.add": 0x6a,
  "i32.sub": 0x6b,
  "i32.mul": 0x6c,
  "i32.shl": 0x74,
  "f64.div": 0xa3,
  "f32.demote_f64": 0xb6,
  "f64.convert_i32_u": 0xb8,
  "i8x16.swizzle": SIMD + 0x0e,
  "i32x4.splat": SIMD + 0x11,
  "f32x4.splat": SIMD + 0x13,
  "i32x4.eq": SIMD + 0x37,
  "i32x4.lt_u": SIMD + 0x3a,
  "i32x4.gt_u": SIMD + 0x3c,
  "i32x4.ge_u": SIMD + 0x40,
  "f64x2.lt": SIMD + 0x49,
  "f64x2.gt": SIMD + 0x4a,
  "v128.and": SIMD + 0x4e,
  "v128.or": SIMD + 0x50,
  "v128.xor": SIMD + 0x51,
  "v128.bitselect": SIMD + 0x52,
  "v128.any_true": SIMD + 0x53,
  "f32x4.demote_f64x2_zero": SIMD + 0x5e,
  "f64x2.promote_low_f32x4": SIMD + 0x5f,
  "i16x8.narrow_i32x4_u": SIMD + 0x86,
  "i16x8.shr_u": SIMD + 0x8d,
  "i32x4.shr_s": SIMD + 0xac,
  "i32x4.shr_u": SIMD + 0xad,
  "i32x4.add": SIMD + 0xae,
  "i32x4.sub": SIMD + 0xb1,
  "i32x4.min_u": SIMD + 0xb7,
  "i64x2.shr_s": SIMD + 0xcc,
  "i64x2.add": SIMD + 0xce,
  "i64x2.sub": SIMD + 0xd1,
  "f32x4.add": SIMD + 0xe4,
  "f32x4.mul": SIMD + 0xe6,
  "f32x4.pmax": SIMD + 0xeb,
  "f64x2.add": SIMD + 0xf0,
  "f64x2.sub": SIMD + 0xf1,
  "f64x2.mul": SIMD + 0xf2,
  "f32x4.convert_i32x4_s": SIMD + 0xfa,
  "f32x4.relaxed_madd": SIMD + 0x105,
} as const;

/** Loads and stores of whole values. */
export const MEMORY_OPS = {
  "i32.load": 0x28,
  "i32.load8_u": 0x2d,
  "v128.load": SIMD + 0x00,
  "v128.load32_splat": SIMD + 0x09,
  "v128.store": SIMD + 0x0b,
  "v128.load32_zero": SIMD + 0x5c,
  "v128.load64_zero": SIMD + 0x5d,
} as const;

/** Loads and stores of one lane. */
export const LANE_OPS = {
  "v128.load8_lane": SIMD + 0x54,
  "v128.load16_lane": SIMD + 0x55,
  "v128.load32_lane": SIMD + 0x56,
  "v128.load64_lane": SIMD + 0x57,
  "v128.store16_lane": SIMD + 0x59,
  "v128.store32_lane": SIMD + 0x5a,
  "v128.store64_lane": SIMD + 0x5b,
} as const;

/** Branches and locals: instructions with one index. */
export const INDEX_OPS = {
  "br": 0x0c,
  "br_if": 0x0d,
  "local.get": 0x20,
  "local.set": 0x21,
  "local.tee": 0x22,
} as const;

const BLOCK_OPS = { "block": 0x02, "loop": 0x03, "if": 0x04 } as const;
const NO_RESULT = 0x40;
/** In a memory argument: the alignment is followed by the memory's index. */
const HAS_MEMORY_INDEX = 0x40;

/** Appends `value` as unsigned LEB128. */
export function unsigned(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
}

/** Appends the 32-bit `value` as signed LEB128. */
export function signed(bytes: number[], value: number): void {
  let rest = value | 0;
  while (rest < -0x40 || rest > 0x3f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>= 7;
  }
  bytes.push(rest & 0x7f);
}

/** The locals and the instructions of one function, written in order. */
export class CodeWriter {
  /** The instructions so far. */
  readonly bytes: number[] = [];
  readonly #locals: ValueType[] = [];
  readonly #paramCount: number;
  readonly #constants = new Map<string, number>();

  /** For a function with `paramCount` parameters, which are its first locals. */
  constructor(paramCount: number) {
    this.#paramCount = paramCount;
  }

  /** A new local, zero at first. */
  local(type: ValueType): number {
    return this.#paramCount + this.#locals.push(type) - 1;
  }

  /** Instructions without immediates. */
  op(...names: (keyof typeof OPS)[]): this {
    for (const name of names) this.#opcode(OPS[name]);
    return this;
  }

  /** An instruction with one index: a local, or how many blocks outwards to branch. */
  index(name: keyof typeof INDEX_OPS, index: number): this {
    this.#opcode(INDEX_OPS[name]);
    unsigned(this.bytes, index);
    return this;
  }

  /** Pushes locals, in order. */
  get(...locals: number[]): this {
    for (const local of locals) this.index("local.get", local);
    return this;
  }

  /** Pops into a local. */
  set(local: number): this {
    return this.index("local.set", local);
  }

  /** Copies the top of the stack into a local. */
  tee(local: number): this {
    return this.index("local.tee", local);
  }

  /** Begins a block without parameters and results. */
  open(name: keyof typeof BLOCK_OPS): this {
    this.bytes.push(BLOCK_OPS[name], NO_RESULT);
    return this;
  }

  /** `i32.const`. */
  i32(value: number): this {
    this.bytes.push(0x41);
    signed(this.bytes, value);
    return this;
  }

  /** `f64.const`. */
  f64(value: number): this {
    this.bytes.push(0x44, ...new Uint8Array(new Float64Array([value]).buffer));
    return this;
  }

  /** `v128.const` of 16 bytes. */
  v128(lanes: ArrayLike<number>): this {
    this.#opcode(SIMD + 0x0c);
    for (let i = 0; i < 16; i++) this.bytes.push(lanes[i]);
    return this;
  }

  /** `v128.const i32x4` of one value in four lanes. */
  i32x4(value: number): this {
    return this.v128(new Uint8Array(new Int32Array(4).fill(value).buffer));
  }

  /**
   * A vector as {@linkcode CodeWriter.v128}, but out of a local that is set when the function
   * begins: engines build a vector anew wherever it is written, in four instructions and more.
   */
  constant(lanes: ArrayLike<number>): this {
    const key = Array.from(lanes).join();
    let local = this.#constants.get(key);
    if (local === undefined) this.#constants.set(key, local = this.local("v128"));
    return this.get(local);
  }

  /** As {@linkcode CodeWriter.constant}, of one value in four lanes. */
  constant32(value: number): this {
    return this.constant(new Uint8Array(new Int32Array(4).fill(value).buffer));
  }

  /** `i8x16.shuffle`: byte i of the result is byte `lanes[i]` of the two operands. */
  shuffle(lanes: ArrayLike<number>): this {
    this.#opcode(SIMD + 0x0d);
    for (let i = 0; i < 16; i++) this.bytes.push(lanes[i]);
    return this;
  }

  /** A load or store in memory `memory`, `offset` bytes after the address on the stack. */
  memory(name: keyof typeof MEMORY_OPS, memory: number, offset: number): this {
    this.#opcode(MEMORY_OPS[name]);
    this.#memoryArgument(memory, offset);
    return this;
  }

  /** As {@linkcode CodeWriter.memory}, of one lane of the vector on top of the stack. */
  lane(name: keyof typeof LANE_OPS, memory: number, offset: number, lane: number): this {
    this.#opcode(LANE_OPS[name]);
    this.#memoryArgument(memory, offset);
    this.bytes.push(lane);
    return this;
  }

  /** The function's entry of the code section: its size, its locals, its instructions, `end`. */
  finish(): number[] {
    const body: number[] = [];
    unsigned(body, this.#locals.length);
    for (const type of this.#locals) body.push(1, TYPE_BYTES[type]);
    const prologue = new CodeWriter(0);
    for (const [key, local] of this.#constants) {
      prologue.v128(key.split(",").map(Number)).set(local);
    }
    body.push(...prologue.bytes);
    // Not spread: bodies are longer than what an engine takes as arguments.
    for (const byte of this.bytes) body.push(byte);
    body.push(OPS.end);
    const entry: number[] = [];
    unsigned(entry, body.length);
    return entry.concat(body);
  }

  #opcode(opcode: number): void {
    if (opcode >= SIMD) {
      this.bytes.push(SIMD_PREFIX);
      unsigned(this.bytes, opcode - SIMD);
    } else {
      this.bytes.push(opcode);
    }
  }

  /** Alignment 2^0: a mere hint, and rows lie anywhere. */
  #memoryArgument(memory: number, offset: number): void {
    if (memory === 0) {
      this.bytes.push(0);
    } else {
      this.bytes.push(HAS_MEMORY_INDEX);
      unsigned(this.bytes, memory);
    }
    unsigned(this.bytes, offset);
  }
}

/** A memory that a module imports, of any maximum. */
export interface MemoryImport {
  /** Its name, in the namespace "env". */
  readonly name: string;
  /** A shared memory and one that is not are different types. */
  readonly shared: boolean;
  /** Pages that it has at least: engines need no check of addresses below. */
  readonly pages: number;
}

/** A function of a module. */
export interface ModuleFunction {
  /** The name that it is exported by; none when left out. */
  readonly name?: string;
  /** Types of its parameters. */
  readonly params: readonly ValueType[];
  /** Types of its results. */
  readonly results: readonly ValueType[];
  /** What it does. */
  readonly code: CodeWriter;
}

/** Most pages of a 32-bit memory; an import with this maximum takes every shared memory. */
const MAX_PAGES = 65_536;

/** The bytes of a module that imports `memories` and defines `functions`, in these orders. */
export function assemble(
  memories: readonly MemoryImport[],
  functions: readonly ModuleFunction[],
): Uint8Array<ArrayBuffer> {
  const exported = functions.flatMap(({ name }, i) => name === undefined ? [] : [{ name, i }]);
  const types = functions.map(({ params, results }) => [
    0x60,
    ...vector(params.map((type) => [TYPE_BYTES[type]])),
    ...vector(results.map((type) => [TYPE_BYTES[type]])),
  ]);
  const imports = memories.map(({ name, shared, pages }) => {
    const limits = [shared ? 3 : 0, ...leb(pages)];
    if (shared) unsigned(limits, MAX_PAGES);
    return [...text("env"), ...text(name), 2, ...limits];
  });
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    section(1, vector(types)),
    section(2, vector(imports)),
    section(3, vector(functions.map((_, i) => leb(i)))),
    section(7, vector(exported.map(({ name, i }) => [...text(name), 0, ...leb(i)]))),
    section(10, vector(functions.map(({ code }) => code.finish()))),
  ].flat());
}

function leb(value: number): number[] {
  const bytes: number[] = [];
  unsigned(bytes, value);
  return bytes;
}

function text(name: string): number[] {
  const bytes = new TextEncoder().encode(name);
  return [...leb(bytes.length), ...bytes];
}

function vector(items: readonly number[][]): number[] {
  return leb(items.length).concat(...items);
}

function section(id: number, content: number[]): number[] {
  return [id, ...leb(content.length)].concat(content);
}
