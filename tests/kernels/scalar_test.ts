import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type BagBatch,
  createKernel,
  f32,
  type KernelSpec,
  q4,
  q8,
  ROW_FORMATS,
  type RowFormat,
} from "../../kernels/mod.ts";
import { anyCall, anyRows, type Call, compareWithTwin, outputBits, outputFor } from "./_bags.ts";
import { floatNear, toBits } from "./_exact.ts";
import { termOf } from "./_twin.ts";

for (const format of ROW_FORMATS) {
  Deno.test(`Kernel.pool() equals exact arithmetic over ${format.name} rows`, () => {
    const call = anyRows(format).chain((rows) => anyCall(rows, false));
    const property = fc.property(call, (one) => {
      using kernel = createKernel(one.spec, { target: "scalar" });
      assertEquals(compareWithTwin(kernel, one), -1);
    });
    fc.assert(property, { numRuns: 1_000 });
  });

  Deno.test(`Kernel.pool() stops at the first bad slot of ${format.name} rows`, () => {
    const call = anyRows(format).chain((rows) => anyCall(rows, true));
    let stopped = 0;
    const property = fc.property(call, (one) => {
      using kernel = createKernel(one.spec, { target: "scalar" });
      if (compareWithTwin(kernel, one) !== -1) stopped++;
    });
    fc.assert(property, { numRuns: 300 });
    assert(stopped > 60, `only ${stopped} batches were faulty`);
  });

  Deno.test(`Kernel.accumulate() and finish() give the unsplit bags of ${format.name} rows`, () => {
    const call = anyRows(format).chain((rows) => anyCall(rows, false)).filter(({ spec }) =>
      (spec.pooling === "sum" || spec.pooling === "mean") && spec.weighting !== "position"
    );
    fc.assert(
      fc.property(call, fc.array(fc.nat(7), { minLength: 6, maxLength: 6 }), checkSplit),
      { numRuns: 200 },
    );
  });
}

/** Pools the first cuts[b] rows of each bag b, then the rest, and compares with all at once. */
function checkSplit({ spec, batch }: Call, cuts: readonly number[]): void {
  using kernel = createKernel(spec, { target: "scalar" });
  const { bagCount, slots, weights } = batch;
  const lengths = batch.lengths ??
    Int32Array.from({ length: bagCount }, (_, b) => batch.offsets![b + 1] - batch.offsets![b]);
  const accumulators = new Float32Array(bagCount * spec.dim);
  for (const later of [false, true]) {
    const picked: number[] = [];
    let first = 0;
    const parts = Int32Array.from(lengths, (length, b) => {
      const cut = Math.min(cuts[b], length);
      const [from, to] = later ? [first + cut, first + length] : [first, first + cut];
      for (let i = from; i < to; i++) picked.push(i);
      first += length;
      return to - from;
    });
    const { offsets: _, lengths: __, weights: ___, ...rest } = batch;
    const result = kernel.accumulate({
      ...rest,
      lengths: parts,
      slots: Int32Array.from(picked, (i) => slots[i]),
      slotCount: picked.length,
      ...(weights && { weights: Float32Array.from(picked, (i) => weights[i]) }),
    }, accumulators);
    assertEquals(result, -1);
  }
  const actual = outputFor(spec, bagCount), wanted = outputFor(spec, bagCount);
  kernel.finish(accumulators, bagCount, lengths, actual);
  kernel.pool(batch, wanted);
  assertEquals(outputBits(actual, spec.output), outputBits(wanted, spec.output));
}

/**
 * Two rows whose sum is a trap: the first leaves 1 + m 2^-23 in the accumulator, the second adds
 * 2^-24 and a little that fp64 cannot hold beside it.
 */
Deno.test("Kernel.pool() rounds once where scales are far apart", () => {
  const dim = 8, rowStride = q8.rowBytes(dim);
  const arena = new Uint8Array(2 * rowStride);
  const view = new DataView(arena.buffer);
  const spec: KernelSpec = { ...small, format: q8, dim };
  let traps = 0;
  for (let code = 129; code < 256; code += 2) {
    for (let m = 0; m < 4; m++) {
      const scale = Math.round(2 ** 31 / code) * 2 ** -55;
      view.setFloat32(dim, 0, true);
      view.setFloat32(dim + 4, 1 + m * 2 ** -23, true);
      arena.fill(code, rowStride, rowStride + dim);
      view.setFloat32(rowStride + dim, scale, true);
      view.setFloat32(rowStride + dim + 4, 0, true);
      const batch: BagBatch = {
        bagCount: 2,
        offsets: new Uint32Array([0, 2, 5]),
        slots: new Int32Array([0, 1, 0, 1, 1]),
        slotCount: 5,
        arena,
        rowStride,
        rowCount: 2,
      };
      using kernel = createKernel(spec, { target: "scalar" });
      compareWithTwin(kernel, { spec, batch });
      const output = new Float32Array(2 * dim);
      kernel.pool(batch, output);
      if (output[0] !== Math.fround(scale * code + 1 + m * 2 ** -23)) traps++;
      // What a bag began with counts as much as a row.
      const sums = new Float32Array(dim);
      for (const slot of [0, 1]) {
        const slots = Int32Array.of(slot), offsets = Uint32Array.of(0, 1);
        kernel.accumulate({ ...batch, bagCount: 1, offsets, slots, slotCount: 1 }, sums);
      }
      assertEquals(sums, output.subarray(0, dim));
    }
  }
  assert(traps > 0);
});

/**
 * A batch of two bags, slots 0 1 and 2, over three f32 rows of two values, with whatever a test
 * changes.
 */
function smallBatch(changes: Partial<BagBatch> = {}): BagBatch {
  return {
    bagCount: 2,
    offsets: new Uint32Array([0, 2, 3]),
    slots: new Int32Array([0, 1, 2]),
    slotCount: 3,
    arena: new Uint8Array(new Float32Array([1, 2, 10, 20, 100, 200]).buffer),
    rowStride: 8,
    rowCount: 3,
    ...changes,
  };
}

const small: KernelSpec = {
  format: f32,
  dim: 2,
  pooling: "sum",
  weighting: "none",
  output: "f32",
  pruned: false,
  numerics: "exact",
};

function poolSmall(changes: Partial<BagBatch>, spec: KernelSpec = small): [number, number[]] {
  using kernel = createKernel(spec, { target: "scalar" });
  const output = new Float32Array(4).fill(-1);
  return [kernel.pool(smallBatch(changes), output), [...output]];
}

Deno.test("Kernel.pool() says where it stopped", () => {
  assertEquals(poolSmall({}), [-1, [11, 22, 100, 200]]);
  assertEquals(poolSmall({ slots: new Int32Array([0, 3, 2]) }), [1, [-1, -1, -1, -1]]);
  assertEquals(poolSmall({ slots: new Int32Array([0, 1, -1]) }), [2, [11, 22, -1, -1]]);
  // The bags want more slots than there are.
  assertEquals(poolSmall({ slotCount: 2 }), [2, [11, 22, -1, -1]]);
  assertEquals(poolSmall({ offsets: new Uint32Array([0, 2, 9]) }), [3, [11, 22, -1, -1]]);
  assertEquals(poolSmall({ offsets: new Uint32Array([0, 2, 1]) }), [3, [11, 22, -1, -1]]);
  // Slots are left over: every bag is complete.
  assertEquals(poolSmall({ offsets: new Uint32Array([0, 1, 2]) }), [2, [1, 2, 10, 20]]);
  assertEquals(poolSmall({ bagCount: 0 }), [0, [-1, -1, -1, -1]]);
});

Deno.test("Kernel.pool() gives +0 for an empty bag and reads nothing", () => {
  for (const pooling of ["sum", "mean"] as const) {
    const empty = { offsets: new Uint32Array([7, 7, 7]), slotCount: 0, rowCount: 0 };
    const [result, output] = poolSmall({ ...empty, arena: new Uint8Array(0) }, {
      ...small,
      pooling,
    });
    assertEquals([result, output.map(toBits)], [-1, [0, 0, 0, 0]]);
  }
  assertEquals(poolSmall({ bagCount: 0, slotCount: 0 })[0], -1);
});

Deno.test("Kernel.pool() divides a mean by the length and not by the weights", () => {
  const spec: KernelSpec = { ...small, pooling: "mean", weighting: "sample" };
  const weights = new Float32Array([2, 0.5, 3]);
  assertEquals(poolSmall({ weights }, spec), [-1, [3.5, 7, 300, 600]]);
});

Deno.test("Kernel.pool() throws before it writes when an array is too short", () => {
  const short: [changes: Partial<BagBatch>, ending: string][] = [
    [{ bagCount: -1 }, "bagCount must be an integer of at least 0: received -1"],
    [{ bagCount: 1.5 }, "bagCount must be an integer of at least 0: received 1.5"],
    [{ slotCount: -1 }, "slotCount must be an integer of at least 0: received -1"],
    [{ slotCount: 4 }, "slots.length must be an integer of at least 4: received 3"],
    [
      { rowCount: -1 },
      "rowCount must be an integer of at least 0 and at most 2147483648: received -1",
    ],
    [{ rowCount: 4 }, "arena.length must be an integer of at least 32: received 24"],
    [{ rowStride: 7 }, "rowStride must be an integer of at least 8: received 7"],
    [{ rowStride: 9 }, "arena.length must be an integer of at least 26: received 24"],
    [{ bagCount: 3 }, "offsets.length must be an integer of at least 4: received 3"],
  ];
  using kernel = createKernel(small, { target: "scalar" });
  const output = new Float32Array(4).fill(-1);
  for (const [changes, ending] of short) {
    const error = assertThrows(() => kernel.pool(smallBatch(changes), output), RangeError);
    assertEquals(error.message, `Cannot pool: ${ending}`);
    assertEquals([...output], [-1, -1, -1, -1]);
  }
  const error = assertThrows(() => kernel.pool(smallBatch(), new Float32Array(3)), RangeError);
  assertEquals(
    error.message,
    "Cannot pool: output.length must be an integer of at least 4: received 3",
  );
});

Deno.test("Kernel.pool() throws unless weights are given exactly to a weighted kernel", () => {
  const weighted: KernelSpec = { ...small, weighting: "sample" };
  const text = (changes: Partial<BagBatch>, spec: KernelSpec): string =>
    assertThrows(() => poolSmall(changes, spec), Error).message;
  assertEquals(
    text({}, weighted),
    "Cannot pool: weights must be given for a weighted kernel: received undefined",
  );
  assertEquals(
    text({ weights: new Float32Array(3) }, small),
    "Cannot pool: weights must be undefined for an unweighted kernel: received a Float32Array",
  );
  assertEquals(
    text({ weights: new Float32Array(2) }, weighted),
    "Cannot pool: weights.length must be an integer of at least 3: received 2",
  );
});

Deno.test("Kernel.pool() follows from arena to arena", () => {
  using kernel = createKernel(small, { target: "scalar" });
  const output = new Float32Array(4);
  const pool = (arena: Uint8Array, last: number): number[] => {
    const slots = new Int32Array([0, 1, last]);
    assertEquals(kernel.pool(smallBatch({ arena, slots, rowCount: last + 1 }), output), -1);
    return [...output];
  };
  const values = new Float32Array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
  const bytes = new Uint8Array(values.buffer);
  const other = new Uint8Array(values.map((x) => 10 * x).buffer);
  assertEquals(pool(bytes.subarray(0, 24), 2), [1, 1, 2, 2]);
  // Another offset, another buffer, another length: one at a time.
  assertEquals(pool(bytes.subarray(8, 32), 2), [3, 3, 3, 3]);
  assertEquals(pool(other.subarray(8, 32), 2), [30, 30, 30, 30]);
  assertEquals(pool(other.subarray(8, 40), 3), [30, 30, 40, 40]);

  const shared = new Uint8Array(new SharedArrayBuffer(40));
  shared.set(bytes);
  assertEquals(pool(shared.subarray(8), 3), [3, 3, 4, 4]);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const wide = new Uint8Array(memory.buffer);
  wide.set(other);
  assertEquals(pool(wide, 4), [10, 10, 40, 40]);
});

Deno.test("Kernel.pool() sees rows that changed, and throws after it was disposed of", () => {
  const kernel = createKernel(small, { target: "scalar" });
  const batch = smallBatch();
  const output = new Float32Array(4);
  kernel.pool(batch, output);
  new Float32Array(batch.arena.buffer)[0] = 5;
  kernel.pool(batch, output);
  assertStrictEquals(output[0], 15);
  kernel[Symbol.dispose]();
  kernel[Symbol.dispose]();
  const wanted = "Cannot pool: kernel must be in use: received one that was disposed of";
  for (const act of [() => kernel.pool(batch, output), () => kernel.accumulate(batch, output)]) {
    assertEquals(assertThrows(act, TypeError).message, wanted);
  }
});

Deno.test("Kernel.pool() takes lengths or offsets, not both and not neither", () => {
  const offsets = new Uint32Array([0, 2, 3]), lengths = new Int32Array([2, 1]);
  using kernel = createKernel(small, { target: "scalar" });
  const { offsets: _, ...bare } = smallBatch();
  const output = new Float32Array(4);
  assertEquals([kernel.pool({ ...bare, lengths }, output), ...output], [-1, 11, 22, 100, 200]);
  for (const [given, received] of [[{}, "neither"], [{ offsets, lengths }, "both"]] as const) {
    assertEquals(
      assertThrows(() => kernel.pool({ ...bare, ...given }, output), TypeError).message,
      `Cannot pool: batch must have either offsets or lengths: received ${received}`,
    );
  }
  const short = () => kernel.pool({ ...bare, lengths: lengths.subarray(1) }, output);
  assertEquals(
    assertThrows(short, RangeError).message,
    "Cannot pool: lengths.length must be an integer of at least 2: received 1",
  );
  // A negative length is a bag that runs past the slots, also where the sum comes back.
  for (const list of [[-1, 4], [2, -(2 ** 31)], [2 ** 31 - 1, 2 ** 31 - 1]]) {
    assertEquals(kernel.pool({ ...bare, lengths: Int32Array.from(list) }, output), 3);
  }
});

Deno.test("Kernel.pool() throws on an output of another type", () => {
  const text = (spec: KernelSpec, output: Float32Array | Uint16Array): string => {
    using kernel = createKernel(spec, { target: "scalar" });
    return assertThrows(() => kernel.pool(smallBatch(), output), TypeError).message;
  };
  assertEquals(
    text(small, new Uint16Array(4)),
    "Cannot pool: output must be a Float32Array for f32: received Uint16Array",
  );
  assertEquals(
    text({ ...small, output: "bf16" }, new Float32Array(4)),
    "Cannot pool: output must be a Uint16Array for bf16: received Float32Array",
  );
});

Deno.test("Kernel.pool() needs as many position weights as the longest bag it pools", () => {
  const spec: KernelSpec = { ...small, weighting: "position" };
  assertEquals(poolSmall({ weights: new Float32Array([1, 0.5]) }, spec), [-1, [6, 12, 100, 200]]);
  assertEquals(
    assertThrows(() => poolSmall({ weights: new Float32Array(1) }, spec), RangeError).message,
    "Cannot pool: weights.length must be an integer of at least 2: received 1",
  );
  // A bag that runs past the slots is never pooled.
  const far = { offsets: new Uint32Array([0, 1, 900]), weights: new Float32Array([1]) };
  assertEquals(poolSmall(far, spec), [3, [1, 2, -1, -1]]);
});

Deno.test("Kernel.pool() with pooling none gives a vector for each slot", () => {
  const spec: KernelSpec = { ...small, pooling: "none", weighting: "sample" };
  using kernel = createKernel(spec, { target: "scalar" });
  const { offsets: _, ...bare } = smallBatch({ weights: new Float32Array([1, 2, 3]) });
  const output = new Float32Array(6);
  assertEquals([kernel.pool(bare, output), ...output], [-1, 1, 2, 20, 40, 300, 600]);
  assertEquals(
    assertThrows(() => kernel.pool(bare, output.subarray(1)), RangeError).message,
    "Cannot pool: output.length must be an integer of at least 6: received 5",
  );
});

Deno.test("Kernel.accumulate() throws where a bag cannot go on", () => {
  const wrong: Partial<KernelSpec>[] = [
    { pooling: "max" },
    { pooling: "none" },
    { weighting: "position" },
  ];
  for (const change of wrong) {
    const spec = { ...small, ...change };
    using kernel = createKernel(spec, { target: "scalar" });
    assertEquals(
      assertThrows(() => kernel.accumulate(smallBatch(), new Float32Array(4)), RangeError).message,
      "Cannot accumulate: kernel must be of sums or means, not weighted by position: received " +
        `pooling ${spec.pooling}, weighting ${spec.weighting}`,
    );
  }
});

Deno.test("Kernel.finish() divides by whole lengths, narrows, and checks its arrays", () => {
  const spec: KernelSpec = { ...small, pooling: "mean", output: "f16" };
  using kernel = createKernel(spec, { target: "scalar" });
  const sums = new Float32Array([3, 6, 0, 0]), lengths = new Int32Array([3, 0]);
  const output = new Uint16Array(4);
  kernel.finish(sums, 2, lengths, output);
  assertEquals([...output], [0x3c00, 0x4000, 0, 0]);
  const text = (act: () => void): string => assertThrows(act, Error).message;
  const least = "must be an integer of at least";
  assertEquals(
    text(() => kernel.finish(sums, 3, lengths, output)),
    `Cannot pool: lengths.length ${least} 3: received 2`,
  );
  assertEquals(
    text(() => kernel.finish(sums.subarray(1), 2, lengths, output)),
    `Cannot pool: accumulators.length ${least} 4: received 3`,
  );
  assertEquals(
    text(() => kernel.finish(sums, 2, lengths, output.subarray(1))),
    `Cannot pool: output.length ${least} 4: received 3`,
  );
  assertEquals(
    text(() => kernel.finish(sums, 2, lengths, sums)),
    "Cannot pool: output must be a Uint16Array for f16: received Float32Array",
  );
  using same = createKernel({ ...spec, output: "f32" }, { target: "scalar" });
  same.finish(sums, 2, lengths, sums);
  assertEquals([...sums], [1, 2, 0, 0]);
});

Deno.test("Kernel.pool() stays within its bound of the exact sum with fast numerics", () => {
  const call = fc.constantFrom(q8, q4, f32).chain((format) => {
    const size = { minLength: 40, maxLength: 40 };
    return fc.tuple(
      fc.array(fc.array(floatNear(-6, 3), { minLength: 8, maxLength: 8 }), size),
      fc.array(floatNear(-3, 3), size),
    ).map(([rows, weights]) => ({ format, rows, weights }));
  });
  fc.assert(
    fc.property(call, ({ format, rows, weights }) => {
      const dim = 8, rowStride = format.rowBytes(dim), n = rows.length;
      const arena = new Uint8Array(n * rowStride);
      rows.forEach((row, i) =>
        format.quantise(Float32Array.from(row), 0, dim, arena, i * rowStride)
      );
      using kernel = createKernel({ format, dim, weighting: "sample", numerics: "fast" }, {
        target: "scalar",
      });
      const output = new Float32Array(dim);
      kernel.pool({
        bagCount: 1,
        lengths: Int32Array.of(n),
        slots: Int32Array.from(rows.keys()),
        slotCount: n,
        weights: Float32Array.from(weights),
        arena,
        rowStride,
        rowCount: n,
      }, output);
      for (let j = 0; j < dim; j++) {
        const { sum, size } = exactSum(format, dim, j, arena, weights);
        const slack = (2 * n + 8) * 2 ** -24 * size;
        assert(Math.abs(output[j] - sum) <= slack, `${format.name}: ${output[j]}, not ${sum}`);
      }
    }),
    { numRuns: 200 },
  );
});

/** One column's weighted sum in fp64, and the sum of its terms' sizes. */
function exactSum(
  format: RowFormat,
  dim: number,
  j: number,
  arena: Uint8Array,
  weights: readonly number[],
): { sum: number; size: number } {
  let sum = 0, size = 0;
  const rowStride = format.rowBytes(dim);
  weights.forEach((weight, i) => {
    const term = termOf(format, new DataView(arena.buffer, i * rowStride), dim, j);
    const [product, bias] = "x" in term ? [term.x, 0] : [term.scale * term.code, term.bias];
    sum += weight * (product + bias);
    size += Math.abs(weight) * (Math.abs(product) + Math.abs(bias));
  });
  return { sum, size };
}
