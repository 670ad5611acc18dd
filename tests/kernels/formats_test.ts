import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { f32, MAX_DIM, q8, ROW_FORMATS, rowFormat } from "../../kernels/mod.ts";
import { anyFloat, bitsOf, exactFma, floatNear } from "./_exact.ts";

const message = (act: () => void): string => assertThrows(act, RangeError).message;

Deno.test("rowFormat() finds every format by its name and by its number", () => {
  for (const format of ROW_FORMATS) {
    assertStrictEquals(rowFormat(format.name), format);
    assertStrictEquals(rowFormat(format.code), format);
  }
  assertEquals(ROW_FORMATS.map(({ name, code }) => [name, code]), [["f32", 1], ["q8", 2]]);
});

Deno.test("rowFormat() throws with what was given and what there is", () => {
  const known = `Cannot find row format: nameOrCode must be one of "f32" (1), "q8" (2): received `;
  assertEquals(message(() => rowFormat("q3")), `${known}"q3"`);
  assertEquals(message(() => rowFormat("2")), `${known}"2"`);
  assertEquals(message(() => rowFormat(0)), `${known}0`);
});

Deno.test("rowBytes() counts values, scale and bias", () => {
  assertEquals([f32.rowBytes(1), f32.rowBytes(100)], [4, 400]);
  assertEquals([q8.rowBytes(1), q8.rowBytes(100)], [9, 108]);
  assertEquals(q8.rowBytes(MAX_DIM), MAX_DIM + 8);
});

Deno.test("RowFormat throws on a dim that no row has", () => {
  for (const format of ROW_FORMATS) {
    for (const dim of [0, -1, 1.5, NaN, MAX_DIM + 1]) {
      const values = new Float32Array(4), row = new Uint8Array(64);
      const ending = `dim must be an integer of at least 1 and at most 65536: received ${dim}`;
      const start = `${format.name} row: ${ending}`;
      assertEquals(message(() => format.rowBytes(dim)), `Cannot size ${start}`);
      assertEquals(
        message(() => format.quantise(values, 0, dim, row, 0)),
        `Cannot quantise ${start}`,
      );
      assertEquals(
        message(() => format.dequantise(row, 0, dim, values, 0)),
        `Cannot dequantise ${start}`,
      );
    }
  }
});

Deno.test("RowFormat throws on arrays that are too short and leaves them alone", () => {
  for (const format of ROW_FORMATS) {
    const bytes = format.rowBytes(4);
    const values = new Float32Array(6).fill(3), row = new Uint8Array(bytes + 2).fill(7);
    const cases: [name: string, at: number, start: number, received: number][] = [
      ["at", -1, 0, -1],
      ["at", 0.5, 0, 0.5],
      ["start", 0, -1, -1],
      ["values.length", 3, 0, 6],
      ["row.length", 0, 3, bytes + 2],
    ];
    for (const [name, at, start, received] of cases) {
      for (
        const text of [
          message(() => format.quantise(values, at, 4, row, start)),
          message(() => format.dequantise(row, start, 4, values, at)),
        ]
      ) {
        assertEquals(text.includes(`row: ${name} must be`), true, text);
        assertEquals(text.endsWith(`received ${received}`), true, text);
      }
    }
    assertEquals([values.every((x) => x === 3), row.every((x) => x === 7)], [true, true]);
  }
});

Deno.test("RowFormat.quantise() throws on NaN and leaves the row alone", () => {
  for (const format of ROW_FORMATS) {
    const row = new Uint8Array(64).fill(7);
    const values = new Float32Array([NaN, 1, 2, NaN, NaN]);
    assertEquals(
      message(() => format.quantise(values, 1, 3, row, 0)),
      `Cannot quantise ${format.name} row: values[3] must be a number: received NaN`,
    );
    assertEquals(row.every((x) => x === 7), true);
    format.quantise(values, 1, 2, row, 0);
  }
});

Deno.test("f32 gives back the bits it was given, at any byte", () => {
  const values = fc.array(anyFloat, { minLength: 1, maxLength: 40 });
  fc.assert(fc.property(values, fc.nat(5), fc.nat(5), (list, at, start) => {
    const given = new Float32Array(at + list.length + 1);
    given.set(list, at);
    const row = new Uint8Array(start + 4 * list.length + 3).fill(0xa5);
    f32.quantise(given, at, list.length, row, start);
    const decoded = new Float32Array(list.length + at + 2).fill(9);
    f32.dequantise(row, start, list.length, decoded, at);
    assertEquals(bitsOf(decoded.subarray(at, at + list.length)), bitsOf(Float32Array.from(list)));
    // Nothing beside the row and the values was written.
    assertEquals([...decoded.subarray(0, at)], Array(at).fill(9));
    assertEquals([...decoded.subarray(at + list.length)], [9, 9]);
    assertEquals([...row.subarray(0, start)], Array(start).fill(0xa5));
    assertEquals([...row.subarray(start + 4 * list.length)], [0xa5, 0xa5, 0xa5]);
  }));
});

Deno.test("f32 stores little-endian words", () => {
  const row = new Uint8Array(4);
  f32.quantise(new Float32Array([-1.5]), 0, 1, row, 0);
  assertEquals([...row], [0, 0, 0xc0, 0xbf]);
});

Deno.test("q8 decodes to within half a scale of what it was given", () => {
  const one = fc.oneof(
    fc.array(floatNear(-6, 3), { minLength: 1, maxLength: 70 }),
    fc.array(floatNear(-20, 20), { minLength: 1, maxLength: 70 }),
    fc.array(floatNear(100, 125), { minLength: 1, maxLength: 20 }),
    fc.array(floatNear(-127, -100), { minLength: 1, maxLength: 20 }),
  );
  fc.assert(
    fc.property(one, fc.nat(3), fc.nat(3), (list, at, start) => {
      const values = new Float32Array([...Array(at).fill(0), ...list, NaN]);
      const row = new Uint8Array(start + list.length + 8 + 2).fill(0xa5);
      q8.quantise(values, at, list.length, row, start);
      assertEquals([...row.subarray(0, start)], Array(start).fill(0xa5));
      assertEquals([...row.subarray(start + list.length + 8)], [0xa5, 0xa5]);
      const decoded = new Float32Array(list.length);
      q8.dequantise(row, start, list.length, decoded, 0);
      const view = new DataView(row.buffer, start + list.length);
      const scale = view.getFloat32(0, true), bias = view.getFloat32(4, true);
      assertEquals(bias, Math.min(...list));
      // Half a step; the epsilon in the codes' divisor; and an ulp or two of the largest value on
      // the way.
      const largest = Math.max(...list.map(Math.abs));
      const slack = scale / 2 + 1e-8 + 2 ** -21 * largest;
      list.forEach((x, j) => {
        const error = Math.abs(decoded[j] - x);
        assertEquals(error <= slack, true, `${x} decodes to ${decoded[j]}, scale ${scale}`);
      });
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("q8.quantise() uses every code of a wide range and one of a constant row", () => {
  const ramp = Float32Array.from({ length: 256 }, (_, code) => code / 4 - 7);
  const row = new Uint8Array(q8.rowBytes(256));
  q8.quantise(ramp, 0, 256, row, 0);
  assertEquals([...row.subarray(0, 256)], Array.from({ length: 256 }, (_, code) => code));

  q8.quantise(new Float32Array(256).fill(0.3), 0, 256, row, 0);
  assertEquals(row.subarray(0, 260).every((byte) => byte === 0), true);
  const decoded = new Float32Array(256);
  q8.dequantise(row, 0, 256, decoded, 0);
  assertEquals(decoded.every((x) => x === Math.fround(0.3)), true);
});

Deno.test("q8.dequantise() is fused in whole groups of eight columns only", () => {
  // scale * code is 2^-24 and at most a few units in 2^-55: half an ulp of the bias, but for what
  // fp64 loses.
  const row = new Uint8Array(q8.rowBytes(12));
  const view = new DataView(row.buffer);
  let found = 0;
  for (let code = 129; code < 256; code += 2) {
    const scale = Math.round(2 ** 31 / code) * 2 ** -55;
    row.fill(code, 0, 12);
    view.setFloat32(12, scale, true);
    for (let m = 0; m < 4; m++) {
      const bias = 1 + m * 2 ** -23;
      view.setFloat32(16, bias, true);
      const values = new Float32Array(12);
      q8.dequantise(row, 0, 12, values, 0);
      const fused = exactFma(scale, code, bias), twice = Math.fround(scale * code + bias);
      assertEquals([...values], [...Array(8).fill(fused), ...Array(4).fill(twice)]);
      if (fused !== twice) found++;
    }
  }
  assertEquals(found > 0, true);
});
