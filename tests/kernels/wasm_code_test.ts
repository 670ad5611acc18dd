import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UnsupportedTargetError } from "../../base/errors.ts";
import { CheckedKernel } from "../../kernels/_checked_kernel.ts";
import {
  type BagBatch,
  createKernel,
  type Kernel,
  type KernelSpec,
  type OutputType,
  type Pooling,
  rowFormat,
  type Weighting,
} from "../../kernels/mod.ts";
import { createWasmCode } from "../../kernels/wasm_code.ts";
import { checkGoldenBag, goldenBags } from "./golden_cases.ts";

const PAGE_BYTES = 65_536;
const FORMATS = ["f32", "f16", "bf16", "hfp8", "q8", "q4", "q2", "tbe8", "tbe4", "tbe2"];
/** A NaN that no kernel makes, and a bit pattern for halves. */
const UNTOUCHED = 0x7fabcdef;

/** A kernel that does without a fused multiply-add, as on engines or processors that have none. */
function unfused(spec: KernelSpec, memory: WebAssembly.Memory, prefetchRows?: number): Kernel {
  const pooled: KernelSpec = spec.pooling === "none" ? { ...spec, pooling: "sum" } : spec;
  return new CheckedKernel(spec, createWasmCode(pooled, memory, { prefetchRows, fused: false }));
}

function fused(spec: KernelSpec, memory: WebAssembly.Memory, prefetchRows?: number): Kernel {
  const options = prefetchRows === undefined ? {} : { prefetchRows };
  return createKernel(spec, { target: "wasm", memory, ...options });
}

/** The batch with its arena moved into `memory`, its last byte the memory's last. */
function moved(batch: BagBatch, memory: WebAssembly.Memory): BagBatch {
  const { arena } = batch;
  const start = memory.buffer.byteLength - arena.length;
  const copy = new Uint8Array(memory.buffer, start, arena.length);
  copy.set(arena);
  return { ...batch, arena: copy };
}

for (const [name, make] of [["with", fused], ["without", unfused]] as const) {
  Deno.test(`createWasmCode() gives FBGEMM's bits ${name} a fused multiply-add`, () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    for (const one of goldenBags()) {
      assert(one.batch.arena.length <= PAGE_BYTES);
      using kernel = make(one.spec, memory);
      assertStrictEquals(kernel.target, "wasm");
      checkGoldenBag(one, kernel, moved(one.batch, memory));
    }
  });
}

/** What a property needs to build a spec and a batch; everything else comes from the seed. */
interface World {
  readonly format: string;
  readonly dim: number;
  readonly pooling: Pooling;
  readonly weighting: Weighting;
  readonly output: OutputType;
  readonly pruned: boolean;
  readonly rows: number;
  readonly padding: number;
  readonly lengths: number[];
  readonly prefetchRows: number;
  readonly bad: boolean;
  /** Whether rows are any bytes, infinities and NaN among them, or quantised numbers. */
  readonly raw: boolean;
  readonly seed: number;
}

const worlds: fc.Arbitrary<World> = fc.record({
  format: fc.constantFrom(...FORMATS),
  dim: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 200 })),
  pooling: fc.constantFrom<Pooling>("sum", "mean", "max", "none"),
  weighting: fc.constantFrom<Weighting>("none", "sample", "position"),
  output: fc.constantFrom<OutputType>("f32", "f16", "bf16"),
  pruned: fc.boolean(),
  rows: fc.integer({ min: 1, max: 30 }),
  padding: fc.integer({ min: 0, max: 20 }),
  lengths: fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 8 }),
  prefetchRows: fc.constantFrom(0, 1, 3, 64),
  bad: fc.boolean(),
  raw: fc.boolean(),
  seed: fc.integer(),
}).map((world) => {
  const { pooling, weighting } = world;
  const none = pooling === "max" || pooling === "none" && weighting === "position";
  // What bf16 makes of a NaN depends on its bits, which are nobody's to choose.
  const output = world.raw && world.output === "bf16" ? "f32" : world.output;
  return { ...world, output, weighting: none ? "none" : weighting };
});

function specOf(world: World, numerics: "exact" | "fast"): KernelSpec {
  const { dim, pooling, weighting, output, pruned } = world;
  return { format: rowFormat(world.format), dim, pooling, weighting, output, pruned, numerics };
}

function batchOf(world: World, memory: WebAssembly.Memory): BagBatch {
  const random = randomOf(world.seed);
  const format = rowFormat(world.format);
  const rowBytes = format.rowBytes(world.dim);
  const rowStride = rowBytes + world.padding;
  const values = new Float32Array(world.dim);
  // The last row has no padding: its end is the memory's end.
  const bytes = world.rows * rowStride;
  const arena = new Uint8Array(memory.buffer, memory.buffer.byteLength - bytes, bytes);
  for (let row = 0; row < world.rows; row++) {
    for (let j = 0; j < world.dim; j++) values[j] = (random() - 0.5) * 2 ** (random() * 12 - 6);
    format.quantise(values, 0, world.dim, arena, row * rowStride);
  }
  if (world.raw) arena.forEach((_, i) => arena[i] = random() * 256);
  const slotCount = world.lengths.reduce((sum, length) => sum + length, 0);
  const least = world.pruned ? -1 : 0;
  const slots = Int32Array.from(
    { length: slotCount },
    () => Math.floor(random() * (world.rows - least)) + least,
  );
  if (world.bad && slotCount > 0) {
    const wrong = [-1, -2, world.rows, 2 ** 31 - 1, -(2 ** 31)];
    slots[Math.floor(random() * slotCount)] = wrong[Math.floor(random() * wrong.length)];
  }
  return {
    bagCount: world.lengths.length,
    ...(world.pooling !== "none" && { lengths: Int32Array.from(world.lengths) }),
    slots,
    slotCount,
    ...(world.weighting !== "none" &&
      { weights: Float32Array.from({ length: slotCount + 12 }, () => random() * 4 - 2) }),
    arena,
    rowStride,
    rowCount: world.rows,
  };
}

/** A small generator: what is drawn only has to differ. */
function randomOf(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

function outputOf(type: OutputType, length: number): Float32Array | Uint16Array {
  const output = type === "f32" ? new Float32Array(length) : new Uint16Array(length);
  wordsOf(output).fill(UNTOUCHED);
  return output;
}

function wordsOf(output: Float32Array | Uint16Array): Uint32Array | Uint16Array {
  return output instanceof Uint16Array ? output : new Uint32Array(output.buffer);
}

/** Bits, but all NaNs are alike; those that mark what is untouched are left as they are. */
function bitsOf(type: OutputType, output: Float32Array | Uint16Array): Uint32Array | Uint16Array {
  if (type === "bf16") return wordsOf(output);
  const [rest, infinity] = type === "f32" ? [0x7fffffff, 0x7f800000] : [0x7fff, 0x7c00];
  return wordsOf(output).map((word) =>
    word !== UNTOUCHED && (word & rest) > infinity ? infinity + 1 : word
  );
}

function vectorsOf(world: World, batch: BagBatch): number {
  return world.pooling === "none" ? batch.slotCount : batch.bagCount;
}

Deno.test("createWasmCode() gives the scalar code's bits for any spec and batch", () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  fc.assert(
    fc.property(worlds, (world) => {
      const spec = specOf(world, "exact");
      const batch = batchOf(world, memory);
      const length = vectorsOf(world, batch) * world.dim + 5;
      using scalar = createKernel(spec, { target: "scalar" });
      const wanted = outputOf(world.output, length);
      const result = scalar.pool(batch, wanted);
      for (const make of [fused, unfused]) {
        using kernel = make(spec, memory, world.prefetchRows);
        const received = outputOf(world.output, length);
        assertStrictEquals(kernel.pool(batch, received), result);
        assertEquals(bitsOf(world.output, received), bitsOf(world.output, wanted));
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("createWasmCode() goes on with bags as the scalar code does", () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
  fc.assert(
    fc.property(worlds, fc.constantFrom("exact", "fast"), (world, numerics) => {
      const { weighting, pooling } = world;
      const sums: World = {
        ...world,
        pooling: pooling === "mean" ? "mean" : "sum",
        weighting: weighting === "sample" ? "sample" : "none",
      };
      const spec = specOf(sums, numerics as "exact" | "fast");
      const batch = batchOf(sums, memory);
      const length = batch.bagCount * world.dim + 5;
      const start = Float32Array.from({ length }, (_, i) => Math.fround(Math.sin(i)));
      using scalar = createKernel(spec, { target: "scalar" });
      using kernel = fused(spec, memory);
      const wanted = start.slice();
      const received = start.slice();
      const result = scalar.accumulate(batch, wanted);
      assertStrictEquals(kernel.accumulate(batch, received), result);
      assertEquals(bitsOf("f32", received), bitsOf("f32", wanted));
    }),
    { numRuns: 200 },
  );
});

Deno.test("createWasmCode() keeps to the bound of fast numerics", () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  fc.assert(
    fc.property(worlds, (world) => {
      const sums: World = { ...world, pooling: "sum", weighting: "sample", output: "f32" };
      const batch = batchOf({ ...sums, pruned: false, bad: false, raw: false }, memory);
      const { format, dim } = specOf(sums, "fast");
      const output = new Float32Array(batch.bagCount * dim);
      const row = new Float32Array(dim);
      for (const make of [fused, unfused]) {
        using kernel = make(specOf(sums, "fast"), memory);
        assertStrictEquals(kernel.pool(batch, output), -1);
        let position = 0;
        world.lengths.forEach((count, bag) => {
          const sum = new Float64Array(dim);
          const size = new Float64Array(dim);
          for (const end = position + count; position < end; position++) {
            const start = batch.slots[position] * batch.rowStride;
            const weight = batch.weights![position];
            format.dequantise(batch.arena, start, dim, row, 0);
            // For values of [-32, 32], |scale| * code + |bias| is at most 128.
            row.forEach((x, j) => {
              sum[j] += weight * x;
              size[j] += Math.abs(weight) * 128;
            });
          }
          const bound = (2 * count + 9) * 2 ** -24;
          for (let j = 0; j < dim; j++) {
            const error = Math.abs(output[bag * dim + j] - sum[j]);
            assert(error <= bound * size[j], `${world.format}: ${error} over ${bound * size[j]}`);
          }
        });
      }
    }),
    { numRuns: 200 },
  );
});

/** q8 rows of one column whose value is their slot. */
function numbered(
  memory: WebAssembly.Memory,
  rows: number,
): Pick<BagBatch, "arena" | "rowStride" | "rowCount"> {
  const { buffer } = memory;
  const arena = new Uint8Array(buffer, buffer.byteLength - rows * 9, rows * 9);
  const view = new DataView(buffer, arena.byteOffset);
  for (let slot = 0; slot < rows; slot++) view.setFloat32(slot * 9 + 5, slot, true);
  return { arena, rowStride: 9, rowCount: rows };
}

Deno.test("createWasmCode() pools batches of many chunks, and bags of more than one", () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const rows = 1000;
  const lengths = Int32Array.from(
    { length: 5000 },
    (_, bag) => bag === 2500 ? 50_000 : bag % 7,
  );
  const slotCount = lengths.reduce((sum, length) => sum + length, 0);
  const slots = Int32Array.from({ length: slotCount }, (_, i) => (i * 7919) % rows);
  const arena = numbered(memory, rows);
  using scalar = createKernel({ format: rowFormat("q8"), dim: 1 }, { target: "scalar" });
  for (const bad of [-1, 0, 5, 8191, 8192, 40_000, slotCount - 1]) {
    const marred = slots.slice();
    if (bad >= 0) marred[bad] = rows;
    const batch: BagBatch = { ...arena, bagCount: 5000, lengths, slots: marred, slotCount };
    const wanted = outputOf("f32", 5001);
    const received = outputOf("f32", 5001);
    assertStrictEquals(scalar.pool(batch, wanted), bad);
    for (const prefetchRows of [0, 16]) {
      using kernel = fused(scalar.spec, memory, prefetchRows);
      assertStrictEquals(kernel.pool(batch, received), bad);
      assertEquals(wordsOf(received), wordsOf(wanted));
    }
  }
});

Deno.test("createWasmCode() takes no slot of an arena without rows but a pruned one", () => {
  const memory = new WebAssembly.Memory({ initial: 0 });
  const slots = new Int32Array(9);
  const batch: BagBatch = {
    bagCount: 2,
    lengths: new Int32Array([1, 8]),
    slots,
    slotCount: 9,
    arena: new Uint8Array(memory.buffer),
    rowStride: 16,
    rowCount: 0,
  };
  for (const pruned of [false, true]) {
    const shape = { format: rowFormat("q4"), dim: 4, pruned };
    using kernel = createKernel(shape, { target: "wasm", memory, prefetchRows: 8 });
    assertStrictEquals(kernel.pool({ ...batch, slots: slots.fill(0) }, new Float32Array(8)), 0);
    const all = kernel.pool({ ...batch, slots: slots.fill(-1) }, new Float32Array(8));
    assertStrictEquals(all, pruned ? -1 : 0);
  }
});

Deno.test("createWasmCode() reads rows above 2 GiB", () => {
  // Only the pages that are touched take memory.
  const pages = 40_000;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const top = new Uint8Array(memory.buffer, (pages - 1) * PAGE_BYTES);
  new DataView(top.buffer, top.byteOffset).setFloat32(PAGE_BYTES - 4, 42, true);
  using kernel = fused(createKernel({ format: rowFormat("q8"), dim: 1 }).spec, memory);
  const output = new Float32Array(1);
  const rowCount = Math.floor(pages * PAGE_BYTES / 9);
  const batch: BagBatch = {
    bagCount: 1,
    lengths: new Int32Array([1]),
    slots: new Int32Array([rowCount - 1]),
    slotCount: 1,
    arena: new Uint8Array(memory.buffer, pages * PAGE_BYTES - rowCount * 9),
    rowStride: 9,
    rowCount,
  };
  assertStrictEquals(kernel.pool(batch, output), -1);
  assertStrictEquals(output[0], 42);
});

Deno.test("createWasmCode() follows a memory that grows, and refuses another one's arena", () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 2 });
  using kernel = fused(createKernel({ format: rowFormat("q8"), dim: 1 }).spec, memory);
  const bags = { bagCount: 1, lengths: new Int32Array([2]), slots: new Int32Array([3, 4]) };
  const output = new Float32Array(1);
  memory.grow(1);
  kernel.pool({ ...bags, slotCount: 2, ...numbered(memory, 5) }, output);
  assertStrictEquals(output[0], 7);
  const other = numbered(new WebAssembly.Memory({ initial: 1 }), 5);
  assertThrows(
    () => kernel.pool({ ...bags, slotCount: 2, ...other }, output),
    RangeError,
    "arena must be a view of the kernel's memory",
  );
});

Deno.test("createWasmCode() throws for wrong formats and options, and once disposed of", () => {
  const memory = new WebAssembly.Memory({ initial: 0 });
  const { layout: _, ...format } = rowFormat("f32");
  const { spec } = createKernel({ format: rowFormat("f32"), dim: 4 }, { target: "scalar" });
  assertThrows(
    () => createWasmCode({ ...spec, format }, memory),
    UnsupportedTargetError,
    "must have a format with a layout",
  );
  // A memory of another kind than modules import.
  const wide = Reflect.construct(WebAssembly.Memory, [{ address: "i64", initial: 1n }]);
  assertThrows(
    () => createWasmCode(spec, wide),
    UnsupportedTargetError,
    "target wasm is not to be had here: ",
  );
  assertThrows(
    () => createWasmCode(spec, memory, { prefetchRows: -1 }),
    RangeError,
    "prefetchRows must be an integer of at least 0 and at most 65536: received -1",
  );
  const code = createWasmCode(spec, memory);
  code[Symbol.dispose]();
  const call = { bagCount: 0, offsets: new Uint32Array(1), slots: new Int32Array(0), slotCount: 0 };
  const rows = { arena: new Uint8Array(memory.buffer), rowStride: 16, rowCount: 0 };
  assertThrows(
    () => code.pool({ ...call, ...rows, weights: undefined }, new Float32Array(0)),
    TypeError,
    "disposed of",
  );
});

Deno.test("createWasmCode() makes a shape's module and instance once", () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const { spec } = createKernel({ format: rowFormat("q8"), dim: 48 }, { target: "scalar" });
  const { Module, Instance } = WebAssembly;
  let made = 0;
  const counting = <Constructor extends object>(constructor: Constructor): Constructor =>
    new Proxy(constructor, {
      construct(target, args) {
        made += 1;
        return Reflect.construct(target as never, args);
      },
    });
  WebAssembly.Module = counting(Module);
  WebAssembly.Instance = counting(Instance);
  try {
    for (let i = 0; i < 10_000; i++) createWasmCode(spec, memory)[Symbol.dispose]();
  } finally {
    Object.assign(WebAssembly, { Module, Instance });
  }
  // One of each; and one more of each where nothing has asked for the multiply-add before.
  assert(made <= 4, `${made} made`);
});
