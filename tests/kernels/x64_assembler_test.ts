import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { Assembler, at, CONDITION, GENERAL } from "../../kernels/_x64_assembler.ts";
import { V } from "../../kernels/_x64_instructions.ts";

const { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r15 } = GENERAL;

/**
 * Instructions as Intel writes them, and their bytes, which the GNU assembler and disassembler
 * confirmed. (For operations of two general registers it takes the other of two encodings.)
 */
const ENCODINGS: readonly (readonly [string, string, (a: Assembler) => void])[] = [
  ["mov rbx, r12", "498bdc", (a) => a.move(rbx, r12)],
  ["mov r13, qword ptr [rdi+80]", "4c8b6f50", (a) => a.move(r13, at(rdi, 80))],
  ["mov rax, qword ptr [rsp]", "488b0424", (a) => a.move(rax, at(rsp))],
  ["mov eax, dword ptr [rsi]", "8b06", (a) => a.move32(rax, at(rsi))],
  ["mov r10d, dword ptr [r13]", "458b5500", (a) => a.move32(r10, at(r13))],
  ["movsxd rdi, dword ptr [rsi+r13]", "4a633c2e", (a) => a.moveSigned32(rdi, at(rsi, 0, r13))],
  ["mov qword ptr [rdi+8], r8", "4c894708", (a) => a.store(at(rdi, 8), r8)],
  ["mov dword ptr [rdi+4096], ecx", "898f00100000", (a) => a.store32(at(rdi, 4096), rcx)],
  ["mov eax, 4294967295", "b8ffffffff", (a) => a.immediate32(rax, -1)],
  ["mov r9d, 7", "41b907000000", (a) => a.immediate32(r9, 7)],
  ["lea rdx, [rsi+rax*4]", "488d1486", (a) => a.address(rdx, at(rsi, 0, rax, 4))],
  ["lea rbx, [rbp+r15*8-128]", "4a8d5cfd80", (a) => a.address(rbx, at(rbp, -128, r15, 8))],
  ["add rax, r8", "4903c0", (a) => a.alu("add", rax, r8)],
  ["sub rax, qword ptr [rdi+8]", "482b4708", (a) => a.alu("sub", rax, at(rdi, 8))],
  ["and ebx, ecx", "23d9", (a) => a.alu32("and", rbx, rcx)],
  ["xor r15d, r15d", "4533ff", (a) => a.alu32("xor", r15, r15)],
  ["cmp eax, r10d", "413bc2", (a) => a.alu32("compare", rax, r10)],
  ["add rsi, 4", "4883c604", (a) => a.aluImmediate("add", rsi, 4)],
  ["sub rbp, 1", "4883ed01", (a) => a.aluImmediate("sub", rbp, 1)],
  ["cmp r15, 1000", "4981ffe8030000", (a) => a.aluImmediate("compare", r15, 1000)],
  ["cmp eax, -1", "83f8ff", (a) => a.aluImmediate("compare", rax, -1, false)],
  ["imul rax, r9", "490fafc1", (a) => a.multiply(rax, r9)],
  ["imul rdi, qword ptr [rdi+40]", "480faf7f28", (a) => a.multiply(rdi, at(rdi, 40))],
  ["shr rax, 2", "48c1e802", (a) => a.shiftRight(rax, 2)],
  ["cmovae rdi, rsi", "480f43fe", (a) => a.moveIf(CONDITION.notBelow, rdi, rsi)],
  ["prefetcht0 [r8+rdi+64]", "410f184c3840", (a) => a.prefetch(at(r8, 64, rdi))],
  ["push rbx", "53", (a) => a.push(rbx)],
  ["push r12", "4154", (a) => a.push(r12)],
  ["pop rbp", "5d", (a) => a.pop(rbp)],
  ["pop r15", "415f", (a) => a.pop(r15)],
  ["ret", "c3", (a) => a.ret()],
  ["cpuid", "0fa2", (a) => a.cpuid()],
  ["xgetbv", "0f01d0", (a) => a.xgetbv()],
  ["vzeroupper", "c5f877", (a) => a.vzeroupper()],
  ["kmovw k1, eax", "c5f892c8", (a) => a.kmovw(1, rax)],
  ["kmovw k2, r9d", "c4c17892d1", (a) => a.kmovw(2, r9)],
  [
    "vmovups ymm3, ymmword ptr [rax+32]",
    "c5fc105820",
    (a) => a.vector(V.vmovups, 256, 3, 0, at(rax, 32)),
  ],
  [
    "vmovups zmm24, zmmword ptr [rax+128]",
    "62617c48104002",
    (a) => a.vector(V.vmovups, 512, 24, 0, at(rax, 128)),
  ],
  [
    "vmovups zmm9{k1}{z}, zmmword ptr [r11+100]",
    "62517cc9108b64000000",
    (a) => a.vector(V.vmovups, 512, 9, 0, at(r11, 100), { mask: 1, zero: true }),
  ],
  [
    "vmovups zmmword ptr [r11+64]{k1}, zmm17",
    "62c17c49114b01",
    (a) => a.vector(V.vmovupsStore, 512, 17, 0, at(r11, 64), { mask: 1 }),
  ],
  [
    "vmovups xmmword ptr [r11], xmm2",
    "c4c1781113",
    (a) => a.vector(V.vmovupsStore, 128, 2, 0, at(r11)),
  ],
  ["vmovsd xmm11, qword ptr [rax]", "c57b1018", (a) => a.vector(V.vmovsd, 128, 11, 0, at(rax))],
  [
    "vmovsd xmm25, qword ptr [rax+16]",
    "6261ff08104802",
    (a) => a.vector(V.vmovsd, 128, 25, 0, at(rax, 16)),
  ],
  [
    "vmaskmovps ymm10, ymm11, ymmword ptr [rax+8]",
    "c462252c5008",
    (a) => a.vector(V.vmaskmovps, 256, 10, 11, at(rax, 8)),
  ],
  [
    "vmaskmovps ymmword ptr [r11+32], ymm11, ymm4",
    "c4c2252e6320",
    (a) => a.vector(V.vmaskmovpsStore, 256, 4, 11, at(r11, 32)),
  ],
  [
    "vmovdqu8 xmm24{k2}{z}, xmmword ptr [rax+48]",
    "62617f8a6f4003",
    (a) => a.vector(V.vmovdqu8, 128, 24, 0, at(rax, 48), { mask: 2, zero: true }),
  ],
  [
    "vmovd xmm10, dword ptr [rax+4]",
    "c5796e5004",
    (a) => a.vector(V.vmovd, 128, 10, 0, at(rax, 4)),
  ],
  [
    "vmovd dword ptr [r11+8], xmm10",
    "c441797e5308",
    (a) => a.vector(V.vmovdStore, 128, 10, 0, at(r11, 8)),
  ],
  ["vmovq xmm1, qword ptr [rax]", "c5fa7e08", (a) => a.vector(V.vmovq, 128, 1, 0, at(rax))],
  [
    "vmovq qword ptr [r11], xmm10",
    "c44179d613",
    (a) => a.vector(V.vmovqStore, 128, 10, 0, at(r11)),
  ],
  [
    "vpinsrb xmm10, xmm10, byte ptr [rax+6], 6",
    "c4632920500606",
    (a) => a.vector(V.vpinsrb, 128, 10, 10, at(rax, 6), { immediate: 6 }),
  ],
  [
    "vpinsrw xmm1, xmm1, word ptr [rax+4], 2",
    "c5f1c4480402",
    (a) => a.vector(V.vpinsrw, 128, 1, 1, at(rax, 4), { immediate: 2 }),
  ],
  [
    "vpinsrd xmm10, xmm10, dword ptr [rax+8], 2",
    "c4632922500802",
    (a) => a.vector(V.vpinsrd, 128, 10, 10, at(rax, 8), { immediate: 2 }),
  ],
  [
    "vpextrw word ptr [r11+12], xmm10, 0",
    "c4437915530c00",
    (a) => a.vector(V.vpextrw, 128, 10, 0, at(r11, 12), { immediate: 0 }),
  ],
  [
    "vbroadcastss ymm12, dword ptr [rax+64]",
    "c4627d186040",
    (a) => a.vector(V.vbroadcastss, 256, 12, 0, at(rax, 64)),
  ],
  [
    "vbroadcastss zmm26, dword ptr [rax+68]",
    "62627d48185011",
    (a) => a.vector(V.vbroadcastss, 512, 26, 0, at(rax, 68)),
  ],
  [
    "vbroadcastss zmm28, dword ptr [rsi+r12]",
    "62227d48182426",
    (a) => a.vector(V.vbroadcastss, 512, 28, 0, at(rsi, 0, r12)),
  ],
  ["vbroadcastss zmm25, xmm25", "62027d4818c9", (a) => a.vector(V.vbroadcastss, 512, 25, 0, 25)],
  [
    "vpbroadcastd xmm12, dword ptr [rax+32]",
    "c46279586020",
    (a) => a.vector(V.vpbroadcastd, 128, 12, 0, at(rax, 32)),
  ],
  [
    "vpbroadcastd ymm26, dword ptr [rax+32]",
    "62627d28585008",
    (a) => a.vector(V.vpbroadcastd, 256, 26, 0, at(rax, 32)),
  ],
  [
    "vpbroadcastq zmm24, qword ptr [rax+24]",
    "6262fd48594003",
    (a) => a.vector(V.vpbroadcastq, 512, 24, 0, at(rax, 24)),
  ],
  ["vpbroadcastq zmm24, xmm24", "6202fd4859c0", (a) => a.vector(V.vpbroadcastq, 512, 24, 0, 24)],
  [
    "vpbroadcastw ymm10, word ptr [rax+2]",
    "c4627d795002",
    (a) => a.vector(V.vpbroadcastw, 256, 10, 0, at(rax, 2)),
  ],
  [
    "vpmovzxbd ymm10, qword ptr [rax+8]",
    "c4627d315008",
    (a) => a.vector(V.vpmovzxbd, 256, 10, 0, at(rax, 8)),
  ],
  [
    "vpmovzxbd zmm24, xmmword ptr [rax+48]",
    "62627d48314003",
    (a) => a.vector(V.vpmovzxbd, 512, 24, 0, at(rax, 48)),
  ],
  [
    "vpmovzxbd zmm24, xmmword ptr [rax+r15+32]",
    "62227d4831443802",
    (a) => a.vector(V.vpmovzxbd, 512, 24, 0, at(rax, 32, r15)),
  ],
  [
    "vpmovzxbd zmm25{k1}{z}, xmmword ptr [rax+17]",
    "62627dc9318811000000",
    (a) => a.vector(V.vpmovzxbd, 512, 25, 0, at(rax, 17), { mask: 1, zero: true }),
  ],
  [
    "vpmovsxbd zmm24, xmmword ptr [rax+16]",
    "62627d48214001",
    (a) => a.vector(V.vpmovsxbd, 512, 24, 0, at(rax, 16)),
  ],
  ["vpmovsxbd ymm10, xmm10", "c4427d21d2", (a) => a.vector(V.vpmovsxbd, 256, 10, 0, 10)],
  [
    "vpmovzxwd ymm11, xmmword ptr [rax+16]",
    "c4627d335810",
    (a) => a.vector(V.vpmovzxwd, 256, 11, 0, at(rax, 16)),
  ],
  [
    "vpmovzxwd zmm24, ymmword ptr [rax+32]",
    "62627d48334001",
    (a) => a.vector(V.vpmovzxwd, 512, 24, 0, at(rax, 32)),
  ],
  [
    "vpmovdw ymmword ptr [r11+32], zmm3",
    "62d27e48335b01",
    (a) => a.vector(V.vpmovdw, 512, 3, 0, at(r11, 32)),
  ],
  [
    "vpmovdw ymmword ptr [r11+32]{k1}, zmm3",
    "62d27e49335b01",
    (a) => a.vector(V.vpmovdw, 512, 3, 0, at(r11, 32), { mask: 1 }),
  ],
  ["vcvtdq2ps ymm10, ymm10", "c4417c5bd2", (a) => a.vector(V.vcvtdq2ps, 256, 10, 0, 10)],
  ["vcvtdq2ps zmm24, zmm24", "62017c485bc0", (a) => a.vector(V.vcvtdq2ps, 512, 24, 0, 24)],
  [
    "vcvtph2ps ymm10, xmmword ptr [rax+16]",
    "c4627d135010",
    (a) => a.vector(V.vcvtph2ps, 256, 10, 0, at(rax, 16)),
  ],
  ["vcvtph2ps zmm26, ymm26", "62027d4813d2", (a) => a.vector(V.vcvtph2ps, 512, 26, 0, 26)],
  [
    "vcvtps2ph xmmword ptr [r11+16], ymm4, 0",
    "c4c37d1d631000",
    (a) => a.vector(V.vcvtps2ph, 256, 4, 0, at(r11, 16), { immediate: 0 }),
  ],
  [
    "vcvtps2ph xmm10, ymm4, 0",
    "c4c37d1de200",
    (a) => a.vector(V.vcvtps2ph, 256, 4, 0, 10, { immediate: 0 }),
  ],
  [
    "vcvtps2ph ymmword ptr [r11+32]{k1}, zmm4, 0",
    "62d37d491d630100",
    (a) => a.vector(V.vcvtps2ph, 512, 4, 0, at(r11, 32), { mask: 1, immediate: 0 }),
  ],
  ["vcvtsi2sd xmm10, xmm10, rax", "c461ab2ad0", (a) => a.vector(V.vcvtsi2sd, 128, 10, 10, rax)],
  ["vcvtsi2sd xmm24, xmm24, rax", "6261bf002ac0", (a) => a.vector(V.vcvtsi2sd, 128, 24, 24, rax)],
  ["vcvtsd2ss xmm11, xmm11, xmm11", "c441235adb", (a) => a.vector(V.vcvtsd2ss, 128, 11, 11, 11)],
  ["vcvtsd2ss xmm25, xmm25, xmm25", "6201b7005ac9", (a) => a.vector(V.vcvtsd2ss, 128, 25, 25, 25)],
  ["vdivsd xmm11, xmm11, xmm10", "c441235eda", (a) => a.vector(V.vdivsd, 128, 11, 11, 10)],
  ["vdivsd xmm25, xmm25, xmm24", "6201b7005ec8", (a) => a.vector(V.vdivsd, 128, 25, 25, 24)],
  ["vaddps ymm1, ymm2, ymm13", "c4c16c58cd", (a) => a.vector(V.vaddps, 256, 1, 2, 13)],
  ["vaddps zmm1, zmm2, zmm27", "62916c4858cb", (a) => a.vector(V.vaddps, 512, 1, 2, 27)],
  [
    "vaddps zmm1, zmm1, dword ptr [rax+68]{1to16}",
    "62f17458584811",
    (a) => a.vector(V.vaddps, 512, 1, 1, at(rax, 68), { broadcast: true }),
  ],
  [
    "vaddps zmm31, zmm31, zmmword ptr [rax+256]",
    "62610440587804",
    (a) => a.vector(V.vaddps, 512, 31, 31, at(rax, 256)),
  ],
  [
    "vmulps ymm9, ymm10, ymmword ptr [rax]",
    "c52c5908",
    (a) => a.vector(V.vmulps, 256, 9, 10, at(rax)),
  ],
  ["vmulps zmm26, zmm26, zmm28", "62012c4059d4", (a) => a.vector(V.vmulps, 512, 26, 26, 28)],
  ["vmaxps ymm1, ymm1, ymm10", "c4c1745fca", (a) => a.vector(V.vmaxps, 256, 1, 1, 10)],
  ["vmaxps zmm20, zmm20, zmm24", "62815c405fe0", (a) => a.vector(V.vmaxps, 512, 20, 20, 24)],
  ["vxorps xmm9, xmm9, xmm9", "c4413057c9", (a) => a.vector(V.vxorps, 128, 9, 9, 9)],
  ["vpxord zmm19, zmm19, zmm19", "62a16540efdb", (a) => a.vector(V.vpxord, 512, 19, 19, 19)],
  [
    "vfmadd213ps ymm10, ymm12, ymm13",
    "c4421da8d5",
    (a) => a.vector(V.vfmadd213ps, 256, 10, 12, 13),
  ],
  [
    "vfmadd213ps zmm24, zmm26, zmm27",
    "62022d40a8c3",
    (a) => a.vector(V.vfmadd213ps, 512, 24, 26, 27),
  ],
  [
    "vfmadd231ps ymm1, ymm14, ymmword ptr [rax+96]",
    "c4e20db84860",
    (a) => a.vector(V.vfmadd231ps, 256, 1, 14, at(rax, 96)),
  ],
  [
    "vfmadd231ps zmm23, zmm25, dword ptr [rax+64]{1to16}",
    "62e23550b87810",
    (a) => a.vector(V.vfmadd231ps, 512, 23, 25, at(rax, 64), { broadcast: true }),
  ],
  ["vpand ymm10, ymm10, ymm11", "c4412ddbd3", (a) => a.vector(V.vpand, 256, 10, 10, 11)],
  ["vpandd zmm24, zmm24, zmm29", "62013d40dbc5", (a) => a.vector(V.vpand, 512, 24, 24, 29)],
  ["vpaddd ymm2, ymm2, ymm3", "c5edfed3", (a) => a.vector(V.vpaddd, 256, 2, 2, 3)],
  [
    "vpaddd zmm2, zmm2, zmmword ptr [rax+64]",
    "62f16d48fe5001",
    (a) => a.vector(V.vpaddd, 512, 2, 2, at(rax, 64)),
  ],
  [
    "vpslld ymm10, ymm10, 16",
    "c4c12d72f210",
    (a) => a.vector(V.vpslld, 256, 6, 10, 10, { immediate: 16 }),
  ],
  [
    "vpslld zmm24, zmm24, 20",
    "62913d4072f014",
    (a) => a.vector(V.vpslld, 512, 6, 24, 24, { immediate: 20 }),
  ],
  [
    "vpsrld ymm3, ymm3, 16",
    "c5e572d310",
    (a) => a.vector(V.vpsrld, 256, 2, 3, 3, { immediate: 16 }),
  ],
  [
    "vpsrld zmm3, zmm3, 16",
    "62f1654872d310",
    (a) => a.vector(V.vpsrld, 512, 2, 3, 3, { immediate: 16 }),
  ],
  [
    "vpsrldq xmm10, xmm10, 8",
    "c4c12973da08",
    (a) => a.vector(V.vpsrldq, 128, 3, 10, 10, { immediate: 8 }),
  ],
  [
    "vpsrlvd ymm10, ymm10, ymmword ptr [rax]",
    "c4622d4510",
    (a) => a.vector(V.vpsrlvd, 256, 10, 10, at(rax)),
  ],
  ["vpsrlvd zmm24, zmm24, zmm29", "62023d4045c5", (a) => a.vector(V.vpsrlvd, 512, 24, 24, 29)],
  [
    "vpermps ymm10, ymm10, ymmword ptr [rax]",
    "c4622d1610",
    (a) => a.vector(V.vpermps, 256, 10, 10, at(rax)),
  ],
  ["vpermps zmm24, zmm24, zmm30", "62023d4016c6", (a) => a.vector(V.vpermps, 512, 24, 24, 30)],
  ["vcvtudq2ps zmm24, zmm24", "62017f487ac0", (a) => a.vector(V.vcvtudq2ps, 512, 24, 0, 24)],
  [
    "vpandq zmm24, zmm29, qword ptr [rax+24]{1to8}",
    "62619550db4003",
    (a) => a.vector(V.vpandq, 512, 24, 29, at(rax, 24), { broadcast: true }),
  ],
  [
    "vpandd zmm24, zmm29, dword ptr [rax+12]{1to16}",
    "62611550db4003",
    (a) => a.vector(V.vpand, 512, 24, 29, at(rax, 12), { broadcast: true }),
  ],
  ["vpbroadcastd zmm24, xmm24", "62027d4858c0", (a) => a.vector(V.vpbroadcastd, 512, 24, 0, 24)],
  ["vcvtph2ps xmm26, xmm26", "62027d0813d2", (a) => a.vector(V.vcvtph2ps, 128, 26, 0, 26)],
  ["vmovshdup xmm27, xmm26", "62017e0816da", (a) => a.vector(V.vmovshdup, 128, 27, 0, 26)],
  ["jmp qword ptr [rdi+80]", "ff6750", (a) => a.jumpTo(at(rdi, 80))],
  ["vmovsldup ymm12, ymm12", "c4417e12e4", (a) => a.vector(V.vmovsldup, 256, 12, 0, 12)],
  ["vmovsldup zmm26, zmm26", "62017e4812d2", (a) => a.vector(V.vmovsldup, 512, 26, 0, 26)],
  ["vmovshdup ymm13, ymm12", "c4417e16ec", (a) => a.vector(V.vmovshdup, 256, 13, 0, 12)],
  ["vmovshdup zmm27, zmm26", "62017e4816da", (a) => a.vector(V.vmovshdup, 512, 27, 0, 26)],
  ["vpackusdw xmm1, xmm1, xmm10", "c4c2712bca", (a) => a.vector(V.vpackusdw, 128, 1, 1, 10)],
  [
    "vextracti128 xmm10, ymm1, 1",
    "c4c37d39ca01",
    (a) => a.vector(V.vextracti128, 256, 1, 0, 10, { immediate: 1 }),
  ],
];

Deno.test("Assembler writes every instruction as the manual has it", () => {
  for (const [text, wanted, write] of ENCODINGS) {
    const a = new Assembler();
    write(a);
    assertEquals(a.finish().toHex(), wanted, text);
  }
});

Deno.test("Assembler knows no vector instruction that the encodings above leave out", () => {
  const tested = ENCODINGS.map(([, , write]) => write.toString()).join("\n");
  const missing = Object.keys(V).filter((name) => !tested.includes(`V.${name},`));
  assertEquals(missing, []);
});

Deno.test("jump() and jumpIf() reach labels before and behind", () => {
  const a = new Assembler();
  const [back, ahead] = [a.label(), a.label()];
  a.place(back);
  a.jumpIf(CONDITION.equal, ahead);
  a.jump(ahead);
  a.jump(back);
  a.jumpIf(CONDITION.notEqual, back);
  a.place(ahead);
  a.ret();
  // je +9; jmp +4; jmp -13; jne -15; ret
  assertEquals(a.finish().toHex(), "0f8409000000" + "e904000000" + "ebf3" + "75f1" + "c3");
});

Deno.test("jump() is long when the label lies far behind", () => {
  const a = new Assembler();
  const back = a.label();
  a.place(back);
  for (let i = 0; i < 127; i++) a.ret();
  a.jump(back);
  const code = a.finish();
  assertEquals(code.subarray(127).toHex(), "e97cffffff");
});

Deno.test("constant() gives equal bytes one place, 64 bytes aligned behind the code", () => {
  const a = new Assembler();
  const one = new Uint8Array(8).fill(1);
  a.vector(V.vmovsd, 128, 1, 0, a.constant(one));
  a.vector(V.vcvtps2ph, 256, 1, 0, a.constant(one.slice()), { immediate: 0 });
  const code = a.finish();
  assertStrictEquals(code.length, 72);
  assertEquals(code.subarray(0, 8).toHex(), "c5fb100d38000000"); // 64 - 8
  assertEquals(code.subarray(8, 18).toHex(), "c4e37d1d0d2e00000000"); // 64 - 18
  assertEquals(code.subarray(64), one);
});

Deno.test("align() fills with as few NOPs as will do", () => {
  for (let bytes = 0; bytes < 16; bytes++) {
    const a = new Assembler();
    for (let i = 0; i < bytes; i++) a.ret();
    a.align(16);
    assertStrictEquals(a.length, bytes === 0 ? 0 : 16);
  }
  const a = new Assembler();
  for (let i = 0; i < 5; i++) a.ret();
  a.align(16);
  assertEquals(a.finish().subarray(5).toHex(), "660f1f840000000000" + "6690");
});

Deno.test("finish() grows past its first page, and throws when a label has no place", () => {
  const a = new Assembler();
  for (let i = 0; i < 5000; i++) a.ret();
  assertStrictEquals(a.finish().length, 5000);
  a.jump(a.label());
  assertThrows(() => a.finish(), Error, "has no place");
});
