import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  e4m3,
  e5m2,
  f32ToFp8,
  type Fp8Coding,
  fp8ToF32,
  hfp8,
  type RowFormat,
} from "../../kernels/mod.ts";
import { anyFloat, fromBits, toBits } from "./_exact.ts";

const HFP8: Fp8Coding = { exponentBits: 4, exponentBias: 7, specials: "none" };
const E4M3: Fp8Coding = { exponentBits: 4, exponentBias: 7, specials: "one NaN" };
const E5M2: Fp8Coding = { exponentBits: 5, exponentBias: 15, specials: "IEEE" };

function valueOf(format: RowFormat, code: number): number {
  const values = new Float32Array(1);
  format.dequantise(Uint8Array.of(code), 0, 1, values, 0);
  return values[0];
}

function codeOf(format: RowFormat, x: number): number {
  const row = new Uint8Array(1);
  format.quantise(Float32Array.of(x), 0, 1, row, 0);
  return row[0];
}

/** OFP8, table 1: value = (-1)^S * 2^(E - bias) * (1 + 2^-M * mantissa), or the subnormal. */
function specified(code: number, mantissaBits: number, bias: number): number {
  const sign = code >= 128 ? -1 : 1, size = code % 128;
  const exponent = Math.floor(size / 2 ** mantissaBits), rest = size % 2 ** mantissaBits;
  return exponent === 0
    ? sign * 2 ** (1 - bias) * rest / 2 ** mantissaBits
    : sign * 2 ** (exponent - bias) * (1 + rest / 2 ** mantissaBits);
}

Deno.test("e4m3 has the values of OFP8 for all 256 codes", () => {
  for (let code = 0; code < 256; code++) {
    const wanted = code % 128 === 127 ? NaN : specified(code, 3, 7);
    assertEquals(toBits(valueOf(e4m3, code)), toBits(wanted), `code ${code}`);
  }
  // The table of extreme values in OFP8.
  assertEquals(
    [0x7e, 0x08, 0x07, 0x01].map((code) => valueOf(e4m3, code)),
    [448, 2 ** -6, 0.875 * 2 ** -6, 2 ** -9],
  );
});

Deno.test("e5m2 has the values of OFP8 for all 256 codes", () => {
  for (let code = 0; code < 256; code++) {
    const size = code % 128, sign = code >= 128 ? -1 : 1;
    const wanted = size > 124 ? NaN : size === 124 ? sign * Infinity : specified(code, 2, 15);
    assertEquals(toBits(valueOf(e5m2, code)), toBits(wanted), `code ${code}`);
  }
  assertEquals(
    [0x7b, 0x04, 0x03, 0x01].map((code) => valueOf(e5m2, code)),
    [57344, 2 ** -14, 0.75 * 2 ** -14, 2 ** -16],
  );
});

Deno.test("hfp8 has a value for each of the 256 codes", () => {
  for (let code = 0; code < 256; code++) {
    assertEquals(toBits(valueOf(hfp8, code)), toBits(specified(code, 3, 7)), `code ${code}`);
  }
});

const CASES: [format: RowFormat, coding: Fp8Coding, top: number][] = [
  [hfp8, HFP8, 0x77],
  [e4m3, E4M3, 0x7e],
  [e5m2, E5M2, 0x7b],
];

for (const [format, coding, top] of CASES) {
  const values = Array.from({ length: top + 1 }, (_, code) => fp8ToF32(code, coding));

  Deno.test(`${format.name} gives back each code it makes, and saturates`, () => {
    for (let code = 0; code <= top; code++) {
      assertEquals(codeOf(format, values[code]), code);
      assertEquals(codeOf(format, -values[code]), code | 128);
    }
    for (const x of [values[top] * 1.01, 1e30, Infinity]) {
      assertEquals([codeOf(format, x), codeOf(format, -x)], [top, top | 128]);
    }
    assertEquals(f32ToFp8(NaN, coding) & 127, top);
  });

  Deno.test(`${format.name} rounds to the nearest value, halves to even`, () => {
    for (let code = 0; code < top; code++) {
      const tie = (values[code] + values[code + 1]) / 2, even = code + code % 2;
      const below = fromBits(toBits(tie) - 1), above = fromBits(toBits(tie) + 1);
      assertEquals([below, tie, above].map((x) => codeOf(format, x)), [code, even, code + 1]);
    }
    const property = fc.property(anyFloat, (x) => {
      const received = Math.abs(valueOf(format, codeOf(format, x)));
      const size = Math.min(Math.abs(x), values[top]);
      assert(values.every((v) => Math.abs(v - size) >= Math.abs(received - size)), `${x}`);
    });
    fc.assert(property, { numRuns: 2_000 });
  });
}
