/**
 * A small assembler for x86-64: the integer instructions, jumps and constants that generated
 * kernels need, and the VEX and EVEX encodings (Intel SDM volume 2, 2.3 and 2.7). What the vector
 * instructions are is in `_x64_instructions.ts`.
 *
 * @module
 */

import type { VectorInstruction } from "./_x64_instructions.ts";

/** General registers by their numbers in encodings. */
export const GENERAL = {
  rax: 0,
  rcx: 1,
  rdx: 2,
  rbx: 3,
  rsp: 4,
  rbp: 5,
  rsi: 6,
  rdi: 7,
  r8: 8,
  r9: 9,
  r10: 10,
  r11: 11,
  r12: 12,
  r13: 13,
  r14: 14,
  r15: 15,
} as const;

/** Condition codes of jcc and cmovcc; unsigned comparisons. */
export const CONDITION = { below: 2, notBelow: 3, equal: 4, notEqual: 5, above: 7 } as const;

/** A place in memory: [base + index * scale + displacement], or a label's address. */
export interface MemoryOperand {
  /** A general register; -1 for a label. */
  readonly base: number;
  /** A general register but rsp, or -1. */
  readonly index: number;
  /** 1, 2, 4 or 8. */
  readonly scale: number;
  /** Bytes, 32 bits with sign. */
  readonly displacement: number;
  /** What {@linkcode Assembler.label} gave, or -1. */
  readonly label: number;
}

/** [base + displacement + index * scale]. */
export function at(base: number, displacement = 0, index = -1, scale = 1): MemoryOperand {
  return { base, index, scale, displacement, label: -1 };
}

/** What a vector instruction may have besides its operands. */
export interface VectorModifiers {
  /** Opmask k1 to k7: elements whose bit is 0 are neither loaded nor stored. EVEX only. */
  readonly mask?: number;
  /** With `mask`: elements left out become 0; else they stay as they were. */
  readonly zero?: boolean;
  /** The memory operand is one element, for all. EVEX only. */
  readonly broadcast?: boolean;
  /** The immediate byte. */
  readonly immediate?: number;
}

/** Width of a vector instruction. */
export type VectorBits = 128 | 256 | 512;

/** Operations of two general registers, or a register and memory: reg = reg OP rm. */
const ALU = { add: 0x03, and: 0x23, sub: 0x2b, xor: 0x33, compare: 0x3b } as const;
/** The same with an immediate: the digit in ModRM.reg. */
const ALU_DIGIT = { add: 0, and: 4, sub: 5, xor: 6, compare: 7 } as const;

/** NOPs of 1 to 9 bytes (Intel SDM volume 2, "NOP"). */
const NOPS: readonly (readonly number[])[] = [
  [0x90],
  [0x66, 0x90],
  [0x0f, 0x1f, 0x00],
  [0x0f, 0x1f, 0x40, 0x00],
  [0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x0f, 0x1f, 0x80, 0, 0, 0, 0],
  [0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
  [0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
];

/** A jump or constant whose label was not placed when it was written. */
interface Fixup {
  readonly label: number;
  /** Where the four bytes of the distance are. */
  readonly position: number;
  /** What the distance counts from: the end of the instruction. */
  readonly end: number;
}

/**
 * Machine code being written. Constants asked for are placed behind the code by
 * {@linkcode Assembler.finish}.
 */
export class Assembler {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(4096);
  #length = 0;
  /** Positions of labels; -1 until placed. */
  readonly #labels: number[] = [];
  readonly #fixups: Fixup[] = [];
  /** Constants by their bytes in hex, so that equal ones share a place. */
  readonly #constants: Map<string, { label: number; bytes: Uint8Array }> = new Map();

  /** Bytes written. */
  get length(): number {
    return this.#length;
  }

  /** A new label, to be placed once. */
  label(): number {
    return this.#labels.push(-1) - 1;
  }

  /** Places `label` here. */
  place(label: number): void {
    this.#labels[label] = this.#length;
  }

  /** A place that holds `bytes`, behind the code, aligned to 64 bytes. */
  constant(bytes: Uint8Array): MemoryOperand {
    const key = bytes.toHex();
    let entry = this.#constants.get(key);
    if (entry === undefined) {
      entry = { label: this.label(), bytes };
      this.#constants.set(key, entry);
    }
    return { base: -1, index: -1, scale: 1, displacement: 0, label: entry.label };
  }

  /** The code with its constants; every label must have been placed. */
  finish(): Uint8Array<ArrayBuffer> {
    for (const { label, bytes } of this.#constants.values()) {
      this.align(64);
      this.place(label);
      for (const byte of bytes) this.#byte(byte);
    }
    this.#constants.clear();
    const view = new DataView(this.#bytes.buffer);
    for (const { label, position, end } of this.#fixups) {
      if (this.#labels[label] < 0) throw new Error(`label ${label} has no place`);
      view.setInt32(position, this.#labels[label] - end, true);
    }
    return this.#bytes.slice(0, this.#length);
  }

  /** NOPs up to a multiple of `bytes`. */
  align(bytes: number): void {
    for (let left = -this.#length & (bytes - 1); left > 0;) {
      const nop = NOPS[Math.min(left, NOPS.length) - 1];
      for (const byte of nop) this.#byte(byte);
      left -= nop.length;
    }
  }

  /** reg = rm, 64 bits. */
  move(reg: number, rm: number | MemoryOperand): void {
    this.#general([0x8b], true, reg, rm);
  }

  /** reg = rm, 32 bits, zero-extended. */
  move32(reg: number, rm: number | MemoryOperand): void {
    this.#general([0x8b], false, reg, rm);
  }

  /** reg = rm, 32 bits, sign-extended to 64. */
  moveSigned32(reg: number, rm: number | MemoryOperand): void {
    this.#general([0x63], true, reg, rm);
  }

  /** memory = reg, 64 bits. */
  store(memory: MemoryOperand, reg: number): void {
    this.#general([0x89], true, reg, memory);
  }

  /** memory = reg, 32 bits. */
  store32(memory: MemoryOperand, reg: number): void {
    this.#general([0x89], false, reg, memory);
  }

  /** reg = value, 32 bits, zero-extended. */
  immediate32(reg: number, value: number): void {
    if (reg > 7) this.#byte(0x41);
    this.#byte(0xb8 | (reg & 7));
    this.#int32(value);
  }

  /** reg = the address of `memory`. */
  address(reg: number, memory: MemoryOperand): void {
    this.#general([0x8d], true, reg, memory);
  }

  /** reg = reg OP rm, 64 bits, or flags alone for "compare". */
  alu(operation: keyof typeof ALU, reg: number, rm: number | MemoryOperand): void {
    this.#general([ALU[operation]], true, reg, rm);
  }

  /** The same in 32 bits. */
  alu32(operation: keyof typeof ALU, reg: number, rm: number | MemoryOperand): void {
    this.#general([ALU[operation]], false, reg, rm);
  }

  /** reg = reg OP value, 64 bits; the value is sign-extended. */
  aluImmediate(operation: keyof typeof ALU, reg: number, value: number, wide = true): void {
    const short = value >= -128 && value <= 127;
    this.#general([short ? 0x83 : 0x81], wide, ALU_DIGIT[operation], reg);
    if (short) this.#byte(value);
    else this.#int32(value);
  }

  /** reg = reg * rm, low 64 bits. */
  multiply(reg: number, rm: number | MemoryOperand): void {
    this.#general([0x0f, 0xaf], true, reg, rm);
  }

  /** reg = reg >> count, 64 bits, without sign. */
  shiftRight(reg: number, count: number): void {
    this.#general([0xc1], true, 5, reg);
    this.#byte(count);
  }

  /** reg = rm where the condition holds, 64 bits. */
  moveIf(condition: number, reg: number, rm: number): void {
    this.#general([0x0f, 0x40 | condition], true, reg, rm);
  }

  /** Brings the cache line of `memory` near; never faults. */
  prefetch(memory: MemoryOperand): void {
    this.#general([0x0f, 0x18], false, 1, memory);
  }

  /** Pushes a register. */
  push(reg: number): void {
    if (reg > 7) this.#byte(0x41);
    this.#byte(0x50 | (reg & 7));
  }

  /** Pops a register. */
  pop(reg: number): void {
    if (reg > 7) this.#byte(0x41);
    this.#byte(0x58 | (reg & 7));
  }

  /** Returns. */
  ret(): void {
    this.#byte(0xc3);
  }

  /** cpuid: eax and ecx choose, eax, ebx, ecx, edx answer. */
  cpuid(): void {
    this.#byte(0x0f);
    this.#byte(0xa2);
  }

  /** xgetbv: what the system saves, register ecx, in edx:eax. */
  xgetbv(): void {
    for (const byte of [0x0f, 0x01, 0xd0]) this.#byte(byte);
  }

  /** Zeros the upper halves, so that legacy SSE code behind runs at full speed. */
  vzeroupper(): void {
    for (const byte of [0xc5, 0xf8, 0x77]) this.#byte(byte);
  }

  /** Opmask = low 16 bits of a general register. */
  kmovw(mask: number, reg: number): void {
    this.#vex({ prefix: 0, map: 1, opcode: 0x92, wide: 0, tuple: 4 }, 128, mask, 0, reg, -1);
  }

  /** Jumps. */
  jump(label: number): void {
    this.#branch([0xeb], [0xe9], label);
  }

  /** Jumps to the address that is in memory. */
  jumpTo(memory: MemoryOperand): void {
    this.#general([0xff], false, 4, memory);
  }

  /** Jumps where the condition holds. */
  jumpIf(condition: number, label: number): void {
    this.#branch([0x70 | condition], [0x0f, 0x80 | condition], label);
  }

  /**
   * A vector instruction. `reg` is ModRM.reg, `vvvv` the register in the prefix (0 where there is
   * none), `rm` a register or memory. VEX where it will do: it is shorter.
   */
  vector(
    instruction: VectorInstruction,
    bits: VectorBits,
    reg: number,
    vvvv: number,
    rm: number | MemoryOperand,
    modifiers: VectorModifiers = {},
  ): void {
    const immediate = modifiers.immediate ?? -1;
    const high = reg > 15 || vvvv > 15 || (typeof rm === "number" && rm > 15);
    if (
      instruction.only !== "vex" &&
      (instruction.only === "evex" || bits === 512 || high || modifiers.mask !== undefined ||
        modifiers.broadcast === true)
    ) {
      this.#evex(instruction, bits, reg, vvvv, rm, modifiers, immediate);
    } else this.#vex(instruction, bits, reg, vvvv, rm, immediate);
  }

  #vex(
    { prefix, map, opcode, wide, vexWide }: VectorInstruction,
    bits: VectorBits,
    reg: number,
    vvvv: number,
    rm: number | MemoryOperand,
    immediate: number,
  ): void {
    const [x, b] = extensions(rm);
    const w = vexWide ?? wide;
    const last = (~vvvv & 15) << 3 | (bits === 256 ? 4 : 0) | prefix;
    if (map === 1 && w === 0 && x === 0 && b === 0) {
      this.#byte(0xc5);
      this.#byte((reg > 7 ? 0 : 0x80) | last);
    } else {
      this.#byte(0xc4);
      this.#byte((reg > 7 ? 0 : 0x80) | (x ? 0 : 0x40) | (b ? 0 : 0x20) | map);
      this.#byte(w << 7 | last);
    }
    this.#byte(opcode);
    this.#modrm(reg, rm, 1, immediate >= 0 ? 1 : 0);
    if (immediate >= 0) this.#byte(immediate);
  }

  #evex(
    { prefix, map, opcode, wide, tuple }: VectorInstruction,
    bits: VectorBits,
    reg: number,
    vvvv: number,
    rm: number | MemoryOperand,
    { mask = 0, zero = false, broadcast = false }: VectorModifiers,
    immediate: number,
  ): void {
    const [index, b] = extensions(rm);
    const x = typeof rm === "number" ? rm >> 4 & 1 : index;
    this.#byte(0x62);
    this.#byte(
      (reg & 8 ? 0 : 0x80) | (x ? 0 : 0x40) | (b ? 0 : 0x20) | (reg & 16 ? 0 : 0x10) | map,
    );
    this.#byte(wide << 7 | (~vvvv & 15) << 3 | 4 | prefix);
    const length = bits === 512 ? 0x40 : bits === 256 ? 0x20 : 0;
    this.#byte(
      (zero ? 0x80 : 0) | length | (broadcast ? 0x10 : 0) | (vvvv & 16 ? 0 : 8) | mask,
    );
    this.#byte(opcode);
    // Displacements of one byte count in units of what the instruction reads (SDM 2.7.5).
    const whole = bits / 8;
    const unit = broadcast
      ? (wide ? 8 : 4)
      : typeof tuple === "number"
      ? tuple
      : { full: whole, half: whole / 2, quarter: whole / 4 }[tuple];
    this.#modrm(reg, rm, unit, immediate >= 0 ? 1 : 0);
    if (immediate >= 0) this.#byte(immediate);
  }

  #general(opcode: readonly number[], wide: boolean, reg: number, rm: number | MemoryOperand) {
    const [x, b] = extensions(rm);
    const rex = (wide ? 8 : 0) | (reg > 7 ? 4 : 0) | x << 1 | b;
    if (rex !== 0) this.#byte(0x40 | rex);
    for (const byte of opcode) this.#byte(byte);
    // The immediates of the few instructions that have one never meet a label.
    this.#modrm(reg, rm, 1, 0);
  }

  /** ModRM, SIB, displacement; `unit` scales one-byte displacements, `after` bytes still follow. */
  #modrm(reg: number, rm: number | MemoryOperand, unit: number, after: number): void {
    const middle = (reg & 7) << 3;
    if (typeof rm === "number") return this.#byte(0xc0 | middle | (rm & 7));
    if (rm.label >= 0) {
      this.#byte(middle | 5);
      this.#distance(rm.label, after);
      return;
    }
    const { base, index, displacement } = rm;
    const short = displacement / unit;
    const fits = Number.isInteger(short) && short >= -128 && short <= 127;
    // mod 0 with base 5 or 13 means something else.
    const mod = displacement === 0 && (base & 7) !== 5 ? 0 : fits ? 0x40 : 0x80;
    if (index >= 0 || (base & 7) === 4) {
      this.#byte(mod | middle | 4);
      const scale = 31 - Math.clz32(rm.scale);
      this.#byte(scale << 6 | (index < 0 ? 4 : index & 7) << 3 | (base & 7));
    } else this.#byte(mod | middle | (base & 7));
    if (mod === 0x40) this.#byte(short);
    else if (mod === 0x80) this.#int32(displacement);
  }

  #branch(short: readonly number[], long: readonly number[], label: number): void {
    const distance = this.#labels[label] - (this.#length + 2);
    // One byte where the label lies close behind us; those ahead are not known yet.
    if (this.#labels[label] >= 0 && distance >= -128) {
      for (const byte of short) this.#byte(byte);
      return this.#byte(distance);
    }
    for (const byte of long) this.#byte(byte);
    this.#distance(label, 0);
  }

  #distance(label: number, after: number): void {
    this.#fixups.push({ label, position: this.#length, end: this.#length + 4 + after });
    this.#int32(0);
  }

  #int32(value: number): void {
    for (let shift = 0; shift < 32; shift += 8) this.#byte(value >> shift);
  }

  #byte(value: number): void {
    if (this.#length === this.#bytes.length) {
      const longer = new Uint8Array(2 * this.#length);
      longer.set(this.#bytes);
      this.#bytes = longer;
    }
    this.#bytes[this.#length++] = value;
  }
}

/** The bits that extend index and base, or a register in ModRM.rm, past 7. */
function extensions(rm: number | MemoryOperand): [number, number] {
  if (typeof rm === "number") return [0, rm >> 3 & 1];
  return [rm.index > 7 ? 1 : 0, rm.base > 7 ? 1 : 0];
}
