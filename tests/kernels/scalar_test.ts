import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type BagBatch,
  createKernel,
  f32,
  type KernelSpec,
  type Pooling,
  q8,
  type RowFormat,
} from "../../kernels/mod.ts";
import { anyFloat, bitsOf, floatNear, naivePool, toBits } from "./_exact.ts";

/** What `output` is full of before a call; past the end it must stay. */
const SENTINEL = 0x55555555;

interface Rows {
  readonly format: RowFormat;
  readonly dim: number;
  readonly arena: Uint8Array;
  readonly rowStride: number;
  readonly rowCount: number;
}

const anyCode = fc.oneof(fc.constantFrom(0, 1, 128, 255), fc.nat(255));

/**
 * A q8 row with any scale and bias that `term` gives: not what quantising gives, but what a file
 * may hold.
 */
function q8Row(dim: number, term: fc.Arbitrary<number>): fc.Arbitrary<Uint8Array> {
  return fc.tuple(fc.array(anyCode, { minLength: dim, maxLength: dim }), term, term)
    .map(([codes, scale, bias]) => {
      const row = new Uint8Array([...codes, ...Array(8).fill(0)]);
      new DataView(row.buffer).setFloat32(dim, scale, true);
      new DataView(row.buffer).setFloat32(dim + 4, bias, true);
      return row;
    });
}

function f32Row(dim: number, term: fc.Arbitrary<number>): fc.Arbitrary<Uint8Array> {
  return fc.array(term, { minLength: dim, maxLength: dim })
    .map((values) => new Uint8Array(Float32Array.from(values).buffer));
}

/** Exponents side by side; 30 binades apart, around the proof's bound; anything. */
const terms: fc.Arbitrary<fc.Arbitrary<number>> = fc.constantFrom(
  floatNear(-8, 0),
  fc.oneof(floatNear(-25, -20), floatNear(0, 6)),
  fc.oneof(floatNear(-32, -26), floatNear(-2, 2), fc.constantFrom(0, -0)),
  fc.oneof(floatNear(-127, -120), fc.constantFrom(0, -0)),
  fc.oneof(floatNear(118, 127), floatNear(100, 101)),
  anyFloat,
);

function rowsOf(format: RowFormat): fc.Arbitrary<Rows> {
  return fc.tuple(fc.integer({ min: 1, max: 19 }), fc.integer({ min: 1, max: 9 }), terms)
    .chain(([dim, rowCount, term]) => {
      const row = format === q8 ? q8Row(dim, term) : f32Row(dim, term);
      const list = fc.array(row, { minLength: rowCount, maxLength: rowCount });
      return fc.tuple(list, fc.nat(7), fc.nat(3)).map(([rows, padding, shift]) => {
        const rowStride = format.rowBytes(dim) + padding;
        // Unaligned, and no byte longer than it must be.
        const bytes = (rowCount - 1) * rowStride + format.rowBytes(dim);
        const arena = new Uint8Array(shift + bytes).fill(0xee).subarray(shift);
        rows.forEach((one, slot) => arena.set(one, slot * rowStride));
        return { format, dim, arena, rowStride, rowCount };
      });
    });
}

interface Call {
  readonly spec: KernelSpec;
  readonly batch: BagBatch;
}

/** Bags over any rows; with `faults`, slots and lengths that may be wrong. */
function callOf(rows: Rows, faults: boolean): fc.Arbitrary<Call> {
  const valid = fc.nat(rows.rowCount - 1);
  const slot = faults
    ? fc.oneof({ weight: 30, arbitrary: valid }, fc.constantFrom(-1, -(2 ** 31), rows.rowCount))
    : valid;
  return fc.record({
    bags: fc.array(fc.array(slot, { maxLength: 7 }), { maxLength: 6 }),
    weight: fc.constantFrom(floatNear(-3, 3), anyFloat),
    weighted: fc.boolean(),
    pooling: fc.constantFrom<Pooling>("sum", "mean"),
    origin: fc.nat(50),
    cut: faults ? fc.integer({ min: -2, max: 2 }) : fc.constant(0),
  }).chain(({ bags, weight, weighted, pooling, origin, cut }) => {
    const list = [...bags.flat(), 0, 0];
    const offsets = new Uint32Array(bags.length + 1).fill(origin);
    bags.forEach((bag, b) => offsets[b + 1] = offsets[b] + bag.length);
    const size = { minLength: list.length, maxLength: list.length };
    return fc.array(weight, size).map((weights) => ({
      spec: { format: rows.format, dim: rows.dim, pooling, weighted },
      batch: {
        bagCount: bags.length,
        offsets,
        slots: Int32Array.from(list),
        slotCount: Math.max(0, list.length - 2 + cut),
        arena: rows.arena,
        rowStride: rows.rowStride,
        rowCount: rows.rowCount,
        ...(weighted && { weights: Float32Array.from(weights) }),
      },
    }));
  });
}

/**
 * The kernel and the twin, on outputs of the same kind: a sentinel in every word, two words too
 * long.
 */
function compare({ spec, batch }: Call): number {
  using kernel = createKernel(spec);
  const length = batch.bagCount * spec.dim + 2;
  const [actual, wanted] = [new Float32Array(length), new Float32Array(length)];
  new Uint32Array(actual.buffer).fill(SENTINEL);
  new Uint32Array(wanted.buffer).fill(SENTINEL);
  const result = kernel.pool(batch, actual);
  assertEquals(result, naivePool(spec, batch, wanted));
  assertEquals(bitsOf(actual), bitsOf(wanted));
  return result;
}

for (const format of [f32, q8]) {
  Deno.test(`Kernel.pool() equals exact arithmetic over ${format.name} rows`, () => {
    const call = rowsOf(format).chain((rows) => callOf(rows, false));
    fc.assert(fc.property(call, (one) => assertEquals(compare(one), -1)), { numRuns: 4_000 });
  });

  Deno.test(`Kernel.pool() stops at the first bad slot of ${format.name} rows`, () => {
    const call = rowsOf(format).chain((rows) => callOf(rows, true));
    let stopped = 0;
    const property = fc.property(call, (one) => {
      if (compare(one) !== -1) stopped++;
    });
    fc.assert(property, { numRuns: 1_500 });
    assert(stopped > 300, `only ${stopped} batches were faulty`);
  });
}

/**
 * Two rows whose sum is a trap: the first leaves 1 + m 2^-23 in the accumulator, the second adds
 * 2^-24 and a little that fp64 cannot hold beside it.
 */
Deno.test("Kernel.pool() rounds once where scales are far apart", () => {
  const dim = 8, rowStride = q8.rowBytes(dim);
  const arena = new Uint8Array(2 * rowStride);
  const view = new DataView(arena.buffer);
  const spec: KernelSpec = { format: q8, dim, pooling: "sum", weighted: false };
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
      compare({ spec, batch });
      const output = new Float32Array(2 * dim);
      using kernel = createKernel(spec);
      kernel.pool(batch, output);
      if (output[0] !== Math.fround(scale * code + 1 + m * 2 ** -23)) traps++;
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

const small: KernelSpec = { format: f32, dim: 2, pooling: "sum", weighted: false };

function poolSmall(changes: Partial<BagBatch>, spec: KernelSpec = small): [number, number[]] {
  using kernel = createKernel(spec);
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
  const spec: KernelSpec = { ...small, pooling: "mean", weighted: true };
  const weights = new Float32Array([2, 0.5, 3]);
  assertEquals(poolSmall({ weights }, spec), [-1, [3.5, 7, 300, 600]]);
});

Deno.test("Kernel.pool() throws before it writes when an array is too short", () => {
  const short: [changes: Partial<BagBatch>, ending: string][] = [
    [{ bagCount: -1 }, "bagCount must be an integer of at least 0: received -1"],
    [{ bagCount: 1.5 }, "bagCount must be an integer of at least 0: received 1.5"],
    [{ slotCount: -1 }, "slotCount must be an integer of at least 0: received -1"],
    [{ slotCount: 4 }, "slots.length must be an integer of at least 4: received 3"],
    [{ rowCount: -1 }, "rowCount must be an integer of at least 0: received -1"],
    [{ rowCount: 4 }, "arena.length must be an integer of at least 32: received 24"],
    [{ rowStride: 7 }, "rowStride must be an integer of at least 8: received 7"],
    [{ rowStride: 9 }, "arena.length must be an integer of at least 26: received 24"],
    [{ bagCount: 3 }, "offsets.length must be an integer of at least 4: received 3"],
  ];
  using kernel = createKernel(small);
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
  const weighted = { ...small, weighted: true };
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
  using kernel = createKernel(small);
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

Deno.test("Kernel.pool() sees rows that changed, and works after it was disposed of", () => {
  const kernel = createKernel(small);
  const batch = smallBatch();
  const output = new Float32Array(4);
  kernel.pool(batch, output);
  new Float32Array(batch.arena.buffer)[0] = 5;
  kernel.pool(batch, output);
  assertStrictEquals(output[0], 15);
  kernel[Symbol.dispose]();
  kernel.pool(batch, output);
  assertStrictEquals(output[0], 15);
});

/**
 * The middle of what the heap grew by in eleven tries: a collection in between makes a few of them
 * negative.
 */
function growthBytes(act: () => void): number {
  const growths: number[] = [];
  for (let i = 0; i < 11; i++) {
    const before = Deno.memoryUsage().heapUsed;
    act();
    growths.push(Deno.memoryUsage().heapUsed - before);
  }
  return growths.sort((a, b) => a - b)[5];
}

Deno.test("Kernel.pool() allocates nothing once it is warm", () => {
  const dim = 16, rowCount = 64, bagCount = 32, length = 8;
  for (const format of [f32, q8]) {
    for (const weighted of [false, true]) {
      const rowStride = format.rowBytes(dim);
      const arena = new Uint8Array(rowCount * rowStride);
      // Values of very different size, so that the bags take the careful loop too.
      for (let slot = 0; slot < rowCount; slot++) {
        const size = slot % 3 === 0 ? 2 ** -40 : 1;
        const values = Float32Array.from({ length: dim }, (_, j) => size * Math.sin(slot + j));
        format.quantise(values, 0, dim, arena, slot * rowStride);
      }
      const slotCount = bagCount * length;
      const batch: BagBatch = {
        bagCount,
        offsets: Uint32Array.from({ length: bagCount + 1 }, (_, bag) => bag * length),
        slots: Int32Array.from({ length: slotCount }, (_, i) => (i * 37) % rowCount),
        slotCount,
        arena,
        rowStride,
        rowCount,
        ...(weighted && { weights: new Float32Array(slotCount).fill(0.7) }),
      };
      using kernel = createKernel({ format, dim, pooling: "mean", weighted });
      const output = new Float32Array(bagCount * dim);
      const many = () => {
        for (let i = 0; i < 200; i++) kernel.pool(batch, output);
      };
      // One number boxed a row would be 800 KB, a view a call 20 KB. Warm is when the compiler is
      // done, which other work on the machine delays; a kernel that allocates never gets there.
      let grown = Infinity;
      for (let i = 0; i < 40 && grown >= 8_192; i++) grown = growthBytes(many);
      assert(grown < 8_192, `${format.name}, weighted ${weighted}: ${grown} bytes`);
    }
  }
});
