import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  bf16,
  e4m3,
  e5m2,
  f16,
  f32,
  hfp8,
  MAX_DIM,
  q2,
  q4,
  q8,
  ROW_FORMATS,
  type RowFormat,
  rowFormat,
  tbe2,
  tbe4,
  tbe8,
} from "../../kernels/mod.ts";
import { anyFloat, bitsOf, exactFma, floatNear } from "./_exact.ts";

const message = (act: () => void): string => assertThrows(act, RangeError).message;

Deno.test("rowFormat() finds every format by its name and by its number", () => {
  for (const format of ROW_FORMATS) {
    assertStrictEquals(rowFormat(format.name), format);
    assertStrictEquals(rowFormat(format.code), format);
  }
  // Numbers are stored in table files: they never change.
  assertEquals(
    ROW_FORMATS.map(({ name, code }) => `${code} ${name}`).join(", "),
    "1 f32, 2 q8, 3 f16, 4 bf16, 5 q4, 6 q2, 7 tbe8, 8 tbe4, 9 tbe2, 10 hfp8, 11 e4m3, 12 e5m2, " +
      "13 km4, 14 km2",
  );
});

Deno.test("rowFormat() throws with what was given and what there is", () => {
  const list = ROW_FORMATS.map(({ name, code }) => `"${name}" (${code})`).join(", ");
  const known = `Cannot find row format: nameOrCode must be one of ${list}: received `;
  assertEquals(message(() => rowFormat("q3")), `${known}"q3"`);
  assertEquals(message(() => rowFormat("2")), `${known}"2"`);
  assertEquals(message(() => rowFormat(0)), `${known}0`);
});

Deno.test("rowBytes() counts values, scale and bias", () => {
  const bytes: Record<string, [number, number, number]> = {
    f32: [4, 20, 400],
    q8: [9, 13, 108],
    f16: [2, 10, 200],
    bf16: [2, 10, 200],
    q4: [5, 7, 54],
    q2: [5, 6, 29],
    tbe8: [5, 9, 104],
    tbe4: [5, 7, 54],
    tbe2: [5, 6, 29],
    hfp8: [1, 5, 100],
    e4m3: [1, 5, 100],
    e5m2: [1, 5, 100],
    km4: [33, 35, 82],
    km2: [9, 10, 33],
  };
  for (const format of ROW_FORMATS) {
    assertEquals([1, 5, 100].map((dim) => format.rowBytes(dim)), bytes[format.name], format.name);
  }
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

Deno.test("RowFormat reads and writes its row and its values, and nothing beside them", () => {
  const list = fc.array(floatNear(-6, 3), { minLength: 1, maxLength: 70 });
  const any = fc.tuple(fc.constantFrom(...ROW_FORMATS), list, fc.nat(5), fc.nat(5));
  fc.assert(
    fc.property(any, ([format, list, at, start]) => {
      const dim = list.length, bytes = format.rowBytes(dim);
      const values = new Float32Array(at + dim + 1).fill(NaN);
      values.set(list, at);
      const rows = [0xa5, 0x5a].map((fill) => new Uint8Array(start + bytes + 3).fill(fill));
      for (const [i, row] of rows.entries()) {
        format.quantise(values, at, dim, row, start);
        const beside = [...row.subarray(0, start), ...row.subarray(start + bytes)];
        assertEquals(beside, Array(start + 3).fill([0xa5, 0x5a][i]));
      }
      // Every bit of the row is written: it does not depend on what was there.
      const [one, other] = rows.map((row) => row.subarray(start, start + bytes));
      assertEquals(one, other);
      const decoded = rows.map((row) => {
        const values = new Float32Array(at + dim + 2).fill(9);
        format.dequantise(row, start, dim, values, at);
        assertEquals([...values.subarray(0, at)], Array(at).fill(9));
        assertEquals([...values.subarray(at + dim)], [9, 9]);
        return values;
      });
      assertEquals(decoded[0], decoded[1]);
    }),
    { numRuns: 2_000 },
  );
});

/** Units of the largest value, or of the range, that a value may be off by. */
const BOUNDS: [format: RowFormat, ofLargest: number, ofRange: number][] = [
  [f16, 2 ** -11, 0],
  [bf16, 2 ** -8, 0],
  [hfp8, 2 ** -4, 0],
  [e4m3, 2 ** -4, 0],
  [e5m2, 2 ** -3, 0],
  // The bias is off by 2^-11 of itself, the scale too, which is the whole range in the last code;
  // and a range that starts below the least value is cut at the top.
  [q4, 2 ** -10, 1 / 30 + 2 ** -9],
  [q2, 2 ** -10, 1 / 6 + 2 ** -9],
  [tbe4, 2 ** -10, 1 / 30 + 2 ** -9],
  [tbe2, 2 ** -10, 1 / 6 + 2 ** -9],
  [tbe8, 2 ** -10, 1 / 510 + 2 ** -10],
];

for (const [format, ofLargest, ofRange] of BOUNDS) {
  Deno.test(`${format.name} decodes to within its bound of what it was given`, () => {
    // Nothing that saturates, and nothing so small that it is subnormal.
    const list = fc.array(floatNear(-6, 6), { minLength: 1, maxLength: 70 });
    fc.assert(
      fc.property(list, (list) => {
        const dim = list.length, row = new Uint8Array(format.rowBytes(dim));
        const decoded = new Float32Array(dim);
        format.quantise(Float32Array.from(list), 0, dim, row, 0);
        format.dequantise(row, 0, dim, decoded, 0);
        const range = Math.max(...list) - Math.min(...list);
        const largest = Math.max(...list.map(Math.abs));
        list.forEach((x, j) => {
          const size = ofRange === 0 ? Math.abs(x) : largest;
          const slack = (ofLargest * size + ofRange * range) * (1 + 2 ** -20) + 2 ** -20;
          const error = Math.abs(decoded[j] - x);
          assertEquals(error <= slack, true, `${x} decodes to ${decoded[j]}, slack ${slack}`);
        });
      }),
      { numRuns: 1_000 },
    );
  });
}

Deno.test("quantiseIn() covers the given range and throws on one that is no range", () => {
  const values = Float32Array.of(-5, 0, 0.5, 1, 5), decoded = new Float32Array(5);
  for (const format of [q8, q4, q2, tbe8, tbe4, tbe2]) {
    const row = new Uint8Array(format.rowBytes(5));
    format.quantiseIn([0, 1], values, 0, 5, row, 0);
    format.dequantise(row, 0, 5, decoded, 0);
    assertEquals([decoded[0], decoded[1]], [0, 0], format.name);
    assertEquals(Math.abs(decoded[3] - 1) < 1e-3 && decoded[3] === decoded[4], true, format.name);
    for (const [end, range] of [[0, [NaN, 1]], [1, [0, NaN]]] as const) {
      assertEquals(
        message(() => format.quantiseIn(range, values, 0, 5, row, 0)),
        `Cannot quantise ${format.name} row: range[${end}] must be a number: received NaN`,
      );
    }
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
