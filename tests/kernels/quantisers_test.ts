import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  codebookFormat,
  createKernel,
  f32,
  greedy,
  greedyRange,
  km2,
  km4,
  q2,
  q4,
  q8,
  rowErrors,
  tbe4,
  trainCodebook,
} from "../../kernels/mod.ts";
import { floatNear } from "./_exact.ts";

const message = (act: () => void): string => assertThrows(act, RangeError).message;
/** Values with a few far ones, as rows of trained tables have. */
const peaked = Float32Array.from({ length: 6400 }, (_, j) => Math.sin(j * j) ** 5);

Deno.test("greedyRange() stays within the row's range and stops where nothing moves", () => {
  fc.assert(
    fc.property(
      fc.array(floatNear(-6, 3), { minLength: 1, maxLength: 40 }),
      fc.constantFrom<4 | 2>(4, 2),
      (list, bits) => {
        const values = Float32Array.from([NaN, ...list]);
        const [least, greatest] = greedyRange(values, 1, list.length, bits);
        assert(least >= Math.min(...list) && greatest <= Math.max(...list) && least <= greatest);
      },
    ),
    { numRuns: 300 },
  );
  // A bin is below half an ulp: PyTorch's loop never ends.
  const tight = Float32Array.from({ length: 16 }, (_, j) => 1000 + (j - 8) * 1.25e-4);
  const [least, greatest] = greedyRange(tight, 0, 16, 4);
  assert(least >= tight[0] && greatest <= tight[15]);
  // Across a power of two a bin can be below half an ulp of one end alone.
  for (const sign of [1, -1]) {
    for (let shift = 0; shift < 64; shift++) {
      const row = Float32Array.from({ length: 8 }, (_, j) => sign * (8 + (j * 9 - shift) * 1e-6));
      for (const bits of [4, 2] as const) {
        const [least, greatest] = greedyRange(row, 0, 8, bits);
        assert(least >= Math.min(...row) && greatest <= Math.max(...row));
      }
    }
  }
  assertEquals(greedyRange(Float32Array.of(3, 3, 3), 0, 3, 4), [3, 3]);
});

Deno.test("greedy() loses less than the row's own range, and its rows read alike", () => {
  for (const format of [q4, q2, tbe4]) {
    const own = rowErrors(format, peaked, 64), searched = rowErrors(greedy(format), peaked, 64);
    assert(searched.meanL2 < own.meanL2, `${format.name}: ${searched.meanL2}, ${own.meanL2}`);
    const { name, code, layout } = greedy(format);
    assertEquals([name, code, layout], [format.name, format.code, format.layout]);
  }
});

Deno.test("greedyRange() and greedy() throw on what they cannot search", () => {
  const values = Float32Array.of(0, 1, NaN, 2);
  const search = "Cannot search range: ";
  assertEquals(
    message(() => greedyRange(values, 1, 2, 4)),
    `${search}values[2] must be a number: received NaN`,
  );
  assertEquals(
    message(() => greedyRange(values, 3, 2, 4)),
    `${search}values.length must be an integer of at least 5: received 4`,
  );
  assertEquals(
    message(() => greedyRange(values, 0, 2, 4, { bins: 0 })),
    `${search}bins must be an integer of at least 1 and at most 10000: received 0`,
  );
  assertEquals(
    message(() => greedyRange(values, 0, 2, 4, { ratio: 1.5 })),
    `${search}ratio must be at least 0 and at most 1: received 1.5`,
  );
  assertEquals(
    message(() => greedy(q8)),
    "Cannot make greedy format: format must have 4-bit or 2-bit codes: received q8",
  );
});

Deno.test("trainCodebook() ends where each entry is the mean of what is nearest to it", () => {
  for (const bits of [2, 4] as const) {
    const book = trainCodebook(peaked, { bits, rounds: 1000 });
    assertEquals(book.length, 2 ** bits);
    const sums = new Float64Array(book.length), counts = new Float64Array(book.length);
    for (const x of peaked) {
      let best = 0;
      book.forEach((entry, k) => {
        if (Math.abs(entry - x) < Math.abs(book[best] - x)) best = k;
      });
      sums[best] += x;
      counts[best]++;
    }
    book.forEach((entry, k) => {
      assert(k === 0 || entry >= book[k - 1]);
      if (counts[k] > 0) assertAlmostEquals(entry, sums[k] / counts[k], 1e-5);
    });
  }
  // Values few enough to have an entry each.
  assertEquals([...trainCodebook(Float32Array.of(7, -1, 3, 7), { bits: 2 })], [-1, 3, 7, 7]);
  assertEquals(trainCodebook(Float32Array.of(5)), new Float32Array(16).fill(5));
});

Deno.test("trainCodebook() throws on values and options it cannot use", () => {
  const what = "Cannot train codebook: ", one = Float32Array.of(1, Infinity);
  const field: string = "bits";
  assertEquals(
    message(() => trainCodebook(one)),
    `${what}values[1] must be finite: received Infinity`,
  );
  assertEquals(
    message(() => trainCodebook(new Float32Array(0))),
    `${what}values.length must be an integer of at least 1: received 0`,
  );
  assertEquals(
    message(() => trainCodebook(one, Object.assign({}, { [field]: 3 }))),
    `${what}bits must be 8, 4 or 2: received 3`,
  );
  assertEquals(
    message(() => trainCodebook(one, { rounds: 0 })),
    `${what}rounds must be an integer of at least 1 and at most 1000: received 0`,
  );
});

Deno.test("km4 and km2 lose less than the best ranges", () => {
  assert(rowErrors(km4, peaked, 64).meanL2 < rowErrors(greedy(q4), peaked, 64).meanL2);
  assert(rowErrors(km2, peaked, 64).meanL2 < rowErrors(greedy(q2), peaked, 64).meanL2);
  assertEquals(
    message(() => km4.quantise(Float32Array.of(1, -Infinity), 0, 2, new Uint8Array(33), 0)),
    "Cannot quantise km4 row: values[1] must be finite: received -Infinity",
  );
});

Deno.test("codebookFormat() stores the number of the nearest entry", () => {
  const any = fc.tuple(
    fc.constantFrom<8 | 4 | 2>(8, 4, 2),
    fc.array(floatNear(-6, 3), { minLength: 1, maxLength: 40 }),
  );
  fc.assert(
    fc.property(any, ([bits, list]) => {
      const codebook = trainCodebook(peaked, { bits, rounds: 3 });
      const format = codebookFormat({ name: "own", code: 1000, codebook });
      const dim = list.length, row = new Uint8Array(format.rowBytes(dim));
      assertEquals(row.length, Math.ceil(dim * bits / 8));
      format.quantise(Float32Array.from(list), 0, dim, row, 0);
      const decoded = new Float32Array(dim);
      format.dequantise(row, 0, dim, decoded, 0);
      list.forEach((x, j) => {
        const least = Math.min(...Array.from(codebook, (entry) => Math.abs(entry - x)));
        assertEquals(Math.abs(decoded[j] - x), least);
      });
    }),
    { numRuns: 300 },
  );
});

Deno.test("codebookFormat() throws on a codebook that is none, and keeps a copy", () => {
  const make = (codebook: Float32Array) => codebookFormat({ name: "own", code: 1000, codebook });
  const what = "Cannot make codebook format: ";
  assertEquals(
    message(() => make(new Float32Array(5))),
    `${what}codebook.length must be 256, 16 or 4: received 5`,
  );
  assertEquals(
    message(() => make(Float32Array.of(1, 2, NaN, 4))),
    `${what}values[2] must be finite: received NaN`,
  );
  assertEquals(
    message(() => make(Float32Array.of(1, 3, 2, 4))),
    `${what}codebook must be ascending: received 2 at 2`,
  );
  const book = Float32Array.of(1, 2, 3, 4), format = make(book), row = Uint8Array.of(0b11100100);
  book.fill(0);
  const values = new Float32Array(4);
  format.dequantise(row, 0, 4, values, 0);
  assertEquals([...values], [1, 2, 3, 4]);
  using kernel = createKernel({ format, dim: 4 });
  const slots = Int32Array.of(0, 0), lengths = Int32Array.of(2);
  const rows = { arena: row, rowStride: 1, rowCount: 1 };
  kernel.pool({ bagCount: 1, lengths, slots, slotCount: 2, ...rows }, values);
  assertEquals([...values], [2, 4, 6, 8]);
});

Deno.test("rowErrors() measures by its definitions", () => {
  const rowL2 = new Float64Array(3);
  // 2 bits over 0 to 3: 0.5 rounds to 0 and 2.25 to 2.
  const values = Float32Array.of(0, 3, 0.5, 2.25, 0, 1, 2, 3, 0, 0, 3, 0.25);
  assertEquals(rowErrors(q2, values, 4, rowL2), {
    rowCount: 3,
    rowBytes: 5,
    meanL2: (Math.sqrt(0.3125) + 0.25) / 3,
    maxL2: Math.sqrt(0.3125),
    maxError: 0.5,
    sqnrDb: 10 * Math.log10((14.3125 + 14 + 9.0625) / 0.375),
  });
  assertEquals([...rowL2], [Math.sqrt(0.3125), 0, 0.25]);
  assertEquals(rowErrors(f32, values, 6).sqnrDb, Infinity);
});

Deno.test("rowErrors() throws unless values are whole rows", () => {
  const what = "Cannot measure errors: ", values = new Float32Array(6);
  assertEquals(
    message(() => rowErrors(f32, values, 4)),
    `${what}values.length / dim must be an integer of at least 1: received 1.5`,
  );
  assertEquals(
    message(() => rowErrors(f32, values.subarray(0, 0), 4)),
    `${what}values.length / dim must be an integer of at least 1: received 0`,
  );
  assertEquals(
    message(() => rowErrors(f32, values, 2, new Float64Array(2))),
    `${what}rowL2.length must be an integer of at least 3: received 2`,
  );
});
