import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { bf16, bf16ToF32, f16, f16ToF32, f32ToBf16, f32ToF16 } from "../../kernels/mod.ts";
import { anyFloat, fromBits, toBits } from "./_exact.ts";
import { bf16Bits, halfBits, halfValue } from "./_twin.ts";

const isHalfNaN = (bits: number): boolean => (bits & 0x7fff) > 0x7c00;

Deno.test("f16ToF32() and f32ToF16() are right for all 65,536 patterns", () => {
  for (let bits = 0; bits < 65_536; bits++) {
    const value = f16ToF32(bits);
    assertEquals(toBits(value), toBits(halfValue(bits)));
    const back = f32ToF16(value);
    if (isHalfNaN(bits)) assert(isHalfNaN(back));
    else assertEquals(back, bits);
  }
});

Deno.test("f32ToF16() rounds to the nearest, halves to even", () => {
  for (let bits = 0; bits < 0x7c00; bits++) {
    const low = f16ToF32(bits), high = bits === 0x7bff ? 65536 : f16ToF32(bits + 1);
    const tie = (low + high) / 2, even = bits % 2 === 0 ? bits : bits + 1;
    const below = fromBits(toBits(tie) - 1), above = fromBits(toBits(tie) + 1);
    const wanted = [bits, even, bits + 1];
    assertEquals([below, tie, above].map(f32ToF16), wanted);
    assertEquals([-below, -tie, -above].map(f32ToF16), wanted.map((to) => to | 0x8000));
  }
  fc.assert(fc.property(anyFloat, (x) => assertEquals(f32ToF16(x), halfBits(x))), {
    numRuns: 20_000,
  });
  assert(isHalfNaN(f32ToF16(NaN)));
});

Deno.test("bf16ToF32() and f32ToBf16() are right for all 65,536 patterns", () => {
  for (let bits = 0; bits < 65_536; bits++) {
    const value = bf16ToF32(bits);
    assertEquals(toBits(value), toBits(fromBits(bits * 65_536)));
    assertEquals(f32ToBf16(value), value !== value ? 0x7fc0 : bits);
  }
});

Deno.test("f32ToBf16() rounds to the nearest, halves away from zero", () => {
  fc.assert(fc.property(anyFloat, (x) => assertEquals(f32ToBf16(x), bf16Bits(x))), {
    numRuns: 20_000,
  });
  assertEquals(f32ToBf16(fromBits(0x3f808000)), 0x3f81);
  assertEquals(f32ToBf16(fromBits(0xbf808000)), 0xbf81);
  assertEquals(f32ToBf16(fromBits(0x3f807fff)), 0x3f80);
  assertEquals(f32ToBf16(fromBits(0x7f7fffff)), 0x7f80);
});

Deno.test("f16 and bf16 store little-endian patterns", () => {
  for (const [format, bytes] of [[f16, [0, 0xbe]], [bf16, [0xc0, 0xbf]]] as const) {
    const row = new Uint8Array(2);
    format.quantise(Float32Array.of(-1.5), 0, 1, row, 0);
    assertEquals([...row], [...bytes]);
  }
});
