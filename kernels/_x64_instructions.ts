/**
 * The vector instructions that generated kernels use, as the Intel SDM (volume 2) has them.
 *
 * @module
 */

/** How an instruction is encoded. */
export interface VectorInstruction {
  /** The implied prefix: 0 none, 1 66, 2 F3, 3 F2. */
  readonly prefix: 0 | 1 | 2 | 3;
  /** The opcode map: 1 0F, 2 0F38, 3 0F3A. */
  readonly map: 1 | 2 | 3;
  /** The opcode byte. */
  readonly opcode: number;
  /** W of the EVEX form, and of the VEX form but for `vexWide`. */
  readonly wide: 0 | 1;
  /** W of the VEX form where it is another. */
  readonly vexWide?: 0 | 1;
  /**
   * What the memory operand is: the whole vector, a half or a quarter of it, or so many bytes; the
   * unit of one-byte displacements in EVEX.
   */
  readonly tuple: "full" | "half" | "quarter" | number;
  /** The only encoding that there is, or that is used. */
  readonly only?: "vex" | "evex";
}

type Names =
  | "vmovups"
  | "vmovupsStore"
  | "vmovsd"
  | "vmaskmovps"
  | "vmaskmovpsStore"
  | "vmovdqu8"
  | "vmovd"
  | "vmovq"
  | "vmovqStore"
  | "vmovdStore"
  | "vpinsrb"
  | "vpinsrw"
  | "vpinsrd"
  | "vpextrw"
  | "vbroadcastss"
  | "vpbroadcastd"
  | "vpbroadcastq"
  | "vpbroadcastw"
  | "vpmovzxbd"
  | "vpmovsxbd"
  | "vpmovzxwd"
  | "vpmovdw"
  | "vcvtdq2ps"
  | "vcvtudq2ps"
  | "vcvtph2ps"
  | "vcvtps2ph"
  | "vcvtsi2sd"
  | "vcvtsd2ss"
  | "vdivsd"
  | "vaddps"
  | "vmulps"
  | "vmaxps"
  | "vxorps"
  | "vfmadd213ps"
  | "vfmadd231ps"
  | "vpxord"
  | "vpand"
  | "vpandq"
  | "vpaddd"
  | "vpslld"
  | "vpsrld"
  | "vpsrldq"
  | "vpsrlvd"
  | "vpermps"
  | "vmovsldup"
  | "vmovshdup"
  | "vpackusdw"
  | "vextracti128";

const NP = 0;
const P66 = 1;
const PF3 = 2;
const PF2 = 3;

/** By mnemonic; a "Store" form has its memory operand as the destination. */
export const V: Readonly<Record<Names, VectorInstruction>> = {
  vmovups: { prefix: NP, map: 1, opcode: 0x10, wide: 0, tuple: "full" },
  vmovupsStore: { prefix: NP, map: 1, opcode: 0x11, wide: 0, tuple: "full" },
  vmovsd: { prefix: PF2, map: 1, opcode: 0x10, wide: 1, vexWide: 0, tuple: 8 },
  vmaskmovps: { prefix: P66, map: 2, opcode: 0x2c, wide: 0, tuple: "full", only: "vex" },
  vmaskmovpsStore: { prefix: P66, map: 2, opcode: 0x2e, wide: 0, tuple: "full", only: "vex" },
  vmovdqu8: { prefix: PF2, map: 1, opcode: 0x6f, wide: 0, tuple: "full", only: "evex" },
  vmovd: { prefix: P66, map: 1, opcode: 0x6e, wide: 0, tuple: 4 },
  vmovq: { prefix: PF3, map: 1, opcode: 0x7e, wide: 1, vexWide: 0, tuple: 8 },
  vmovqStore: { prefix: P66, map: 1, opcode: 0xd6, wide: 1, vexWide: 0, tuple: 8 },
  vmovdStore: { prefix: P66, map: 1, opcode: 0x7e, wide: 0, tuple: 4 },
  vpinsrb: { prefix: P66, map: 3, opcode: 0x20, wide: 0, tuple: 1 },
  vpinsrw: { prefix: P66, map: 1, opcode: 0xc4, wide: 0, tuple: 2 },
  vpinsrd: { prefix: P66, map: 3, opcode: 0x22, wide: 0, tuple: 4 },
  vpextrw: { prefix: P66, map: 3, opcode: 0x15, wide: 0, tuple: 2 },
  vbroadcastss: { prefix: P66, map: 2, opcode: 0x18, wide: 0, tuple: 4 },
  vpbroadcastd: { prefix: P66, map: 2, opcode: 0x58, wide: 0, tuple: 4 },
  vpbroadcastq: { prefix: P66, map: 2, opcode: 0x59, wide: 1, vexWide: 0, tuple: 8 },
  vpbroadcastw: { prefix: P66, map: 2, opcode: 0x79, wide: 0, tuple: 2 },
  vpmovzxbd: { prefix: P66, map: 2, opcode: 0x31, wide: 0, tuple: "quarter" },
  vpmovsxbd: { prefix: P66, map: 2, opcode: 0x21, wide: 0, tuple: "quarter" },
  vpmovzxwd: { prefix: P66, map: 2, opcode: 0x33, wide: 0, tuple: "half" },
  vpmovdw: { prefix: PF3, map: 2, opcode: 0x33, wide: 0, tuple: "half", only: "evex" },
  vcvtdq2ps: { prefix: NP, map: 1, opcode: 0x5b, wide: 0, tuple: "full" },
  vcvtudq2ps: { prefix: PF2, map: 1, opcode: 0x7a, wide: 0, tuple: "full", only: "evex" },
  vcvtph2ps: { prefix: P66, map: 2, opcode: 0x13, wide: 0, tuple: "half" },
  vcvtps2ph: { prefix: P66, map: 3, opcode: 0x1d, wide: 0, tuple: "half" },
  vcvtsi2sd: { prefix: PF2, map: 1, opcode: 0x2a, wide: 1, tuple: 8 },
  vcvtsd2ss: { prefix: PF2, map: 1, opcode: 0x5a, wide: 1, vexWide: 0, tuple: 8 },
  vdivsd: { prefix: PF2, map: 1, opcode: 0x5e, wide: 1, vexWide: 0, tuple: 8 },
  vaddps: { prefix: NP, map: 1, opcode: 0x58, wide: 0, tuple: "full" },
  vmulps: { prefix: NP, map: 1, opcode: 0x59, wide: 0, tuple: "full" },
  vmaxps: { prefix: NP, map: 1, opcode: 0x5f, wide: 0, tuple: "full" },
  vxorps: { prefix: NP, map: 1, opcode: 0x57, wide: 0, tuple: "full", only: "vex" },
  vfmadd213ps: { prefix: P66, map: 2, opcode: 0xa8, wide: 0, tuple: "full" },
  vfmadd231ps: { prefix: P66, map: 2, opcode: 0xb8, wide: 0, tuple: "full" },
  vpxord: { prefix: P66, map: 1, opcode: 0xef, wide: 0, tuple: "full" },
  vpand: { prefix: P66, map: 1, opcode: 0xdb, wide: 0, tuple: "full" },
  vpandq: { prefix: P66, map: 1, opcode: 0xdb, wide: 1, tuple: "full", only: "evex" },
  vpaddd: { prefix: P66, map: 1, opcode: 0xfe, wide: 0, tuple: "full" },
  /** ModRM.reg is 6; the destination is in vvvv. */
  vpslld: { prefix: P66, map: 1, opcode: 0x72, wide: 0, tuple: "full" },
  /** ModRM.reg is 2. */
  vpsrld: { prefix: P66, map: 1, opcode: 0x72, wide: 0, tuple: "full" },
  /** ModRM.reg is 3. */
  vpsrldq: { prefix: P66, map: 1, opcode: 0x73, wide: 0, tuple: "full", only: "vex" },
  vpsrlvd: { prefix: P66, map: 2, opcode: 0x45, wide: 0, tuple: "full" },
  vpermps: { prefix: P66, map: 2, opcode: 0x16, wide: 0, tuple: "full" },
  vmovsldup: { prefix: PF3, map: 1, opcode: 0x12, wide: 0, tuple: "full" },
  vmovshdup: { prefix: PF3, map: 1, opcode: 0x16, wide: 0, tuple: "full" },
  vpackusdw: { prefix: P66, map: 2, opcode: 0x2b, wide: 0, tuple: "full", only: "vex" },
  vextracti128: { prefix: P66, map: 3, opcode: 0x39, wide: 0, tuple: 16, only: "vex" },
};
