/**
 * What the processor can do, told by CPUID and XGETBV (Intel SDM volume 2A, "CPUID"; volume 1,
 * 13.3 and 15.2).
 *
 * @module
 */

import { type Assembler, at, CONDITION, GENERAL } from "./_x64_assembler.ts";
import type { Isa } from "./_x64_plan.ts";

/** Words that {@linkcode emitCpuid} writes. */
export const CPU_WORDS = 5;

/**
 * Writes a function of one argument, the address of five 32-bit words: the highest leaf, leaf 1's
 * ecx, leaf 7's ebx and ecx (0 where there is none), and the low half of XCR0 (0 where the system
 * saves no vector registers).
 */
export function emitCpuid(a: Assembler): number {
  const { rax, rcx, rdx, rbx, rdi } = GENERAL;
  const position = a.length;
  const [noLeaf, noSave] = [a.label(), a.label()];
  a.push(rbx);
  const store = (word: number, reg: number) => a.store32(at(rdi, 4 * word), reg);
  a.alu32("xor", rax, rax);
  for (let word = 0; word < CPU_WORDS; word++) store(word, rax);
  a.cpuid();
  store(0, rax);
  a.immediate32(rax, 1);
  a.alu32("xor", rcx, rcx);
  a.cpuid();
  store(1, rcx);
  // Bit 27, OSXSAVE: xgetbv exists.
  a.move32(rdx, rcx);
  a.shiftRight(rdx, 27);
  a.aluImmediate("and", rdx, 1, false);
  a.jumpIf(CONDITION.equal, noSave);
  a.alu32("xor", rcx, rcx);
  a.xgetbv();
  store(4, rax);
  a.place(noSave);
  a.move32(rax, at(rdi));
  a.aluImmediate("compare", rax, 7, false);
  a.jumpIf(CONDITION.below, noLeaf);
  a.immediate32(rax, 7);
  a.alu32("xor", rcx, rcx);
  a.cpuid();
  store(2, rbx);
  store(3, rcx);
  a.place(noLeaf);
  a.pop(rbx);
  a.ret();
  return position;
}

const FMA = 1 << 12;
const AVX = 1 << 28;
const F16C = 1 << 29;
const AVX2 = 1 << 5;
/** F, DQ, BW, VL. */
const AVX512 = 1 << 16 | 1 << 17 | 1 << 30 | 1 << 31;
/** XCR0: xmm and ymm. */
const YMM_STATE = 0b110;
/** Opmasks, zmm and zmm16 to zmm31 besides. */
const ZMM_STATE = 0b1110_0110;

/** True when every bit of `bits` is set in `word`. */
function has(word: number, bits: number): boolean {
  return (word & bits) === bits;
}

/** The instruction sets that those words allow, best last; none where AVX2 will not do. */
export function isasOf(words: Uint32Array): readonly Isa[] {
  const [, ecx1, ebx7, , xcr0] = words;
  if (!has(ecx1, FMA | AVX | F16C) || !has(ebx7, AVX2) || !has(xcr0, YMM_STATE)) return [];
  return has(ebx7, AVX512) && has(xcr0, ZMM_STATE) ? ["avx2", "avx512"] : ["avx2"];
}
