import { assertEquals } from "@std/assert";
import {
  bf16ToF32,
  createKernel,
  f16ToF32,
  f32ToBf16,
  f32ToF16,
  f32ToFp8,
  type Fp8Coding,
  fp8ToF32,
  greedy,
  greedyRange,
  q2,
  q4,
  q8,
  type RangeRowFormat,
  remapBags,
  requantise,
  rowFormat,
  tbe2,
  tbe4,
  tbe8,
} from "../../kernels/mod.ts";
import { bitsOf, toBits } from "./_exact.ts";
import {
  checkGoldenBag,
  dequantizeFormat,
  floats,
  goldenBags,
  type GoldenCase,
  goldenCases,
  halves,
  integers,
  octets,
} from "./golden_cases.ts";

const FUSED: Readonly<Record<number, RangeRowFormat>> = { 8: q8, 4: q4, 2: q2 };
const BATCHED: Readonly<Record<number, RangeRowFormat>> = { 8: tbe8, 4: tbe4, 2: tbe2 };
const FLT_16 = 65504;

/** fp16 patterns with all NaNs alike. */
const half = (bits: number): number => (bits & 0x7fff) > 0x7c00 ? 0x7e00 : bits;

/** The two conversions of a case, as functions of bits or values. */
function converted(one: GoldenCase): { received: number[]; wanted: number[]; skip: number[] } {
  const { from, to } = one;
  const coding: Fp8Coding = {
    exponentBits: one.exponentBits as number,
    exponentBias: one.exponentBias as number,
    specials: "none",
  };
  if (from !== "f32") {
    const input = from === "fp8" ? octets(one.input) : halves(one.input);
    const convert = from === "f16"
      ? f16ToF32
      : from === "bf16"
      ? bf16ToF32
      : (code: number) => fp8ToF32(code, coding);
    const received = [...input].map((bits) => toBits(convert(bits)));
    return { received, wanted: [...bitsOf(floats(one.wanted))], skip: [] };
  }
  const input = [...floats(one.input)];
  const nans = input.flatMap((x, i) => x !== x ? [i] : []);
  if (to === "fp8") {
    const received = input.map((x) => f32ToFp8(x, coding));
    return { received, wanted: [...octets(one.wanted)], skip: [] };
  }
  if (to === "bf16") {
    return { received: input.map(f32ToBf16), wanted: [...halves(one.wanted)], skip: nans };
  }
  const clip = (x: number): number => Math.min(Math.max(x, -FLT_16), FLT_16);
  const received = input.map((x) => half(f32ToF16(one.clip ? clip(x) : x)));
  return { received, wanted: [...halves(one.wanted)].map(half), skip: one.clip ? nans : [] };
}

Deno.test("conversions between fp32, fp16, bf16 and fp8 give FBGEMM's bits", () => {
  let count = 0, values = 0;
  for (const one of goldenCases("convert")) {
    const { received, wanted, skip } = converted(one);
    for (const i of skip) received[i] = wanted[i];
    assertEquals(received, wanted, `${one.from} to ${one.to}`);
    count++;
    values += wanted.length - skip.length;
  }
  assertEquals(count, 13);
  assertEquals(values > 50_000, true);
});

/** The input of a quantize case, fp16 widened. */
function inputOf(one: GoldenCase): Float32Array {
  return one.input[1] === "f32"
    ? floats(one.input)
    : Float32Array.from(halves(one.input), f16ToF32);
}

/** Bytes of a row with the fp16 scale and bias at `at` as classes: NaN is NaN. */
function withNaNs(row: Uint8Array, at: number | undefined): number[] {
  const bytes = [...row];
  for (const i of at === undefined ? [] : [at, at + 2]) {
    const bits = half(bytes[i] | (bytes[i + 1] << 8));
    [bytes[i], bytes[i + 1]] = [bits & 255, bits >> 8];
  }
  return bytes;
}

/** Compares one encoded row with row `r` of a section of rows. */
function checkRow(
  one: GoldenCase,
  r: number,
  row: Uint8Array,
  rows: Uint8Array,
  bits: number,
): void {
  const wanted = rows.subarray(r * row.length, (r + 1) * row.length);
  const at = bits === 8 ? undefined : row.length - 4;
  const name = (one.rowNames as string[] | undefined)?.[r];
  const what = `${one.kind}, ${bits} bits, dim ${one.dim}, row ${r} (${name})`;
  assertEquals(withNaNs(row, at), withNaNs(wanted, at), what);
}

Deno.test("quantise() of q8, q4 and q2 gives FBGEMM's rows", () => {
  let count = 0, rows = 0;
  for (const one of goldenCases("quantize")) {
    const format = FUSED[one.bits], input = inputOf(one);
    for (let r = 0; r < one.rows; r++) {
      const row = new Uint8Array(format.rowBytes(one.dim));
      format.quantise(input, r * one.dim, one.dim, row, 0);
      checkRow(one, r, row, octets(one.wanted), one.bits);
      rows++;
    }
    count++;
  }
  assertEquals([count, rows > 1_500], [66, true]);
});

Deno.test("quantiseIn() gives FBGEMM's rows for a given range", () => {
  let count = 0, saturated = 0;
  for (const one of goldenCases("quantizeRange")) {
    const format = FUSED[one.bits], input = inputOf(one), ranges = floats(one.range);
    for (let r = 0; r < one.rows; r++) {
      const range = [ranges[2 * r], ranges[2 * r + 1]] as const;
      const row = new Uint8Array(format.rowBytes(one.dim));
      format.quantiseIn(range, input, r * one.dim, one.dim, row, 0, "wrap");
      checkRow(one, r, row, octets(one.wanted), one.bits);
      const kept = row.slice();
      format.quantiseIn(range, input, r * one.dim, one.dim, kept, 0);
      for (let j = 0; j < one.dim; j++) {
        if (one.bits === 8 && kept[j] !== row[j]) {
          const x = input[r * one.dim + j];
          assertEquals(kept[j], x > range[1] ? 255 : 0);
          saturated++;
        }
      }
    }
    count++;
  }
  assertEquals([count, saturated > 100], [27, true]);
});

Deno.test("greedyRange() finds PyTorch's range, and greedy() makes the rows of it", () => {
  let count = 0;
  for (const one of goldenCases("greedyRange")) {
    const bits = one.bits as 4 | 2, format = FUSED[bits];
    const options = { bins: one.bins as number, ratio: one.ratio as number };
    const input = floats(one.input), ranges = floats(one.range);
    for (let r = 0; r < one.rows; r++) {
      const range = greedyRange(input, r * one.dim, one.dim, bits, options);
      assertEquals(range, [ranges[2 * r], ranges[2 * r + 1]], `${bits} bits, dim ${one.dim}, ${r}`);
      const row = new Uint8Array(format.rowBytes(one.dim));
      greedy(format, options).quantise(input, r * one.dim, one.dim, row, 0);
      checkRow(one, r, row, octets(one.fused), bits);
    }
    count++;
  }
  assertEquals(count, 8);
});

Deno.test("table-batched rows are the fused ones with fp16 terms in front", () => {
  let count = 0;
  for (const one of goldenCases("tbeRows")) {
    const fused = octets(one.fused), wanted = octets(one.tbe);
    const [from, to] = [FUSED[one.bits], BATCHED[one.bits]];
    const fromBytes = from.rowBytes(one.dim), toBytes = to.rowBytes(one.dim);
    assertEquals(toBytes, one.rowBytes);
    // The same input rows as the quantize case that the fused rows came from.
    const source = goldenCases("quantize").find(({ wanted: [at] }) =>
      at === (one.fused as number[])[0]
    )!;
    for (let r = 0; r < one.rows; r++) {
      const row = new Uint8Array(toBytes);
      to.quantise(inputOf(source), r * one.dim, one.dim, row, 0);
      const expected = wanted.subarray(r * toBytes, (r + 1) * toBytes);
      assertEquals(withNaNs(row, 0), withNaNs(expected, 0), `${one.bits}, ${one.dim}, ${r}`);
      const codes = fused.subarray(r * fromBytes, (r + 1) * fromBytes - (one.bits === 8 ? 8 : 4));
      assertEquals(row.subarray(4), codes);
    }
    count++;
  }
  assertEquals(count, 28);
});

Deno.test("dequantise() gives FBGEMM's values", () => {
  let count = 0, rows = 0;
  for (const one of goldenCases("dequantize")) {
    const format = rowFormat(dequantizeFormat(one));
    const input = octets(one.input), rowBytes = one.input[3], dim = one.wanted[3];
    const values = new Float32Array(dim);
    for (let r = 0; r < one.rows; r++) {
      format.dequantise(input, r * rowBytes, dim, values, 0);
      const range = [r * dim, (r + 1) * dim] as const;
      const what = `${format.name}, dim ${dim}, row ${r}, ${one.out}`;
      if (one.out === "f32") {
        assertEquals(bitsOf(values), bitsOf(floats(one.wanted).subarray(...range)), what);
      } else {
        const wanted = [...halves(one.wanted).subarray(...range)];
        const received = [...values].map(one.out === "f16" ? f32ToF16 : f32ToBf16);
        // bf16 of a NaN may be anything there.
        values.forEach((x, j) => {
          if (x !== x) received[j] = wanted[j];
        });
        assertEquals(received, wanted, what);
      }
      rows++;
    }
    count++;
  }
  assertEquals([count, rows > 4_000], [125, true]);
});

Deno.test("Kernel.pool() on target scalar gives FBGEMM's vectors", () => {
  const counts: Record<string, number> = {};
  let failed = 0, vectors = 0;
  for (const one of goldenBags()) {
    using kernel = createKernel(one.spec, { target: "scalar" });
    checkGoldenBag(one, kernel);
    counts[one.kind] = (counts[one.kind] ?? 0) + 1;
    vectors += one.complete;
    if (!one.ok) failed++;
  }
  assertEquals(counts, { bag: 2206, sparseBag: 150, noBag: 72, dequantize: 125 });
  assertEquals([failed, vectors], [54, 14_817]);
});

Deno.test("remapBags() gives FBGEMM's bags", () => {
  const cases = goldenCases("remap");
  for (const one of cases) {
    const slots = integers(one.indices);
    const output = {
      offsets: new Uint32Array(integers(one.offsets).length),
      slots: new Int32Array(slots.length),
      weights: new Float32Array(slots.length),
    };
    const left = remapBags({
      bagCount: output.offsets.length - 1,
      offsets: Uint32Array.from(integers(one.offsets)),
      slots,
      slotCount: slots.length,
      weights: floats(one.weights),
      remap: integers(one.compressed),
    }, output);
    assertEquals(Int32Array.from(output.offsets), integers(one.outOffsets));
    assertEquals(output.slots.subarray(0, left), integers(one.outIndices));
    assertEquals(output.weights.subarray(0, left), floats(one.outWeights));
  }
  assertEquals(cases.length, 1);
});

Deno.test("requantise() gives FBGEMM's bytes", () => {
  const cases = goldenCases("requantize");
  for (const one of cases) {
    const [rows, columns] = [one.m as number, one.n as number];
    const output = new Uint8Array(rows * columns);
    requantise({
      rows,
      columns,
      sums: integers(one.input),
      rowSums: integers(one.rowOffsets),
      columnSums: integers(one.colOffsets),
      bias: integers(one.bias),
      zeroPoints: {
        a: one.aZeroPoint as number,
        b: one.bZeroPoint as number,
        output: one.outZeroPoint as number,
      },
      multiplier: floats(one.multiplier)[0],
      relu: one.relu === true,
    }, output);
    assertEquals(output, octets(one.wanted));
  }
  assertEquals(cases.length, 2);
});
