import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { UnsupportedTargetError } from "../../base/errors.ts";
import { createKernel, type KernelShape } from "../../kernels/create_kernel.ts";
import { f32 } from "../../kernels/f32.ts";
import type { BagBatch } from "../../kernels/kernel.ts";
import { createKernelPool, type KernelPool } from "../../kernels/kernel_pool.ts";
import { q4 } from "../../kernels/nbit.ts";
import { q8 } from "../../kernels/q8.ts";

const DIM = 12, ROWS = 50;
const SENTINEL = -12345.5;

/** Shared rows of ascending values, each row different. */
function sharedRows(format: typeof q8 | typeof f32, rows: number = ROWS): Uint8Array {
  const rowBytes = format.rowBytes(DIM);
  const arena = new Uint8Array(new SharedArrayBuffer(rows * rowBytes));
  const row = new Uint8Array(rowBytes);
  for (let slot = 0; slot < rows; slot++) {
    const values = Float32Array.from({ length: DIM }, (_, j) => (slot * 7 + j * j) % 31 / 7 - 2);
    format.quantise(values, 0, DIM, row, 0);
    arena.set(row, slot * rowBytes);
  }
  return arena;
}

const ARENAS = new Map([q8, q4, f32].map((format) => [format, sharedRows(format)]));

interface Bags {
  readonly lengths: number[];
  readonly slots: number[];
}

/** Bags with a bad slot, an overrun or leftovers now and then. */
const BAGS: fc.Arbitrary<Bags> = fc.record({
  lengths: fc.array(
    fc.oneof(
      { weight: 20, arbitrary: fc.nat(9) },
      { weight: 1, arbitrary: fc.constantFrom(-1, 60, 2 ** 31 - 1) },
    ),
    { maxLength: 30 },
  ),
  slots: fc.array(
    fc.oneof(
      { weight: 60, arbitrary: fc.nat(ROWS - 1) },
      { weight: 1, arbitrary: fc.constantFrom(-1, -2, ROWS, 2 ** 31 - 1) },
    ),
    { maxLength: 150 },
  ),
  extra: fc.boolean(),
}).map(({ lengths, slots, extra }) => {
  const total = lengths.reduce((sum, length) => sum + Math.max(0, length), 0);
  return { lengths, slots: extra ? slots : slots.slice(0, total) };
});

function batchOf(shape: KernelShape, { lengths, slots }: Bags, form: number): BagBatch {
  const { format, weighting = "none", pooling = "sum" } = shape;
  const offsets = new Uint32Array(lengths.length + 1);
  lengths.forEach((length, bag) => offsets[bag + 1] = offsets[bag] + length);
  const weight = (_: unknown, i: number): number => 1 / (1 + i % 5);
  const bags = form % 2 === 0 ? { offsets } : { lengths: Int32Array.from(lengths) };
  return {
    bagCount: lengths.length,
    ...(pooling !== "none" && bags),
    slots: Int32Array.from(slots),
    slotCount: slots.length,
    ...(weighting !== "none" && {
      weights: Float32Array.from({ length: Math.max(200, slots.length) }, weight),
    }),
    ...(form >= 2 && {
      remap: Int32Array.from({ length: ROWS }, (_, slot) => slot % 17 === 3 ? -1 : ROWS - 1 - slot),
    }),
    arena: ARENAS.get(format as typeof q8) as Uint8Array,
    rowStride: format.rowBytes(DIM),
    rowCount: ROWS,
  };
}

const SHAPES: KernelShape[] = [
  { format: q8, dim: DIM },
  { format: q8, dim: DIM, weighting: "sample", pooling: "mean", pruned: true },
  { format: q4, dim: DIM, weighting: "position", output: "f16" },
  { format: f32, dim: DIM, pooling: "max", pruned: true },
  { format: q8, dim: DIM, pooling: "none", weighting: "sample", output: "bf16" },
];

function outputOf({ output }: KernelPool["spec"], values: number): Float32Array | Uint16Array {
  const array = output === "f32" ? new Float32Array(values) : new Uint16Array(values);
  return array.fill(output === "f32" ? SENTINEL : 0x5555);
}

function bitsOf(values: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice();
}

for (const workers of [1, 2, 5]) {
  for (const shape of SHAPES) {
    const { format, pooling = "sum", weighting = "none" } = shape;
    const name = `${format.name} ${pooling} ${weighting}`;
    Deno.test(`pool() of ${workers} workers gives the bits of one kernel: ${name}`, async () => {
      using kernel = createKernel(shape, { target: "scalar" });
      using pool = await createKernelPool(shape, { workers, target: "scalar" });
      await fc.assert(
        fc.asyncProperty(BAGS, fc.nat(3), fc.boolean(), async (bags, form, shared) => {
          const batch = batchOf(shape, bags, form);
          const vectors = Math.max(bags.lengths.length, bags.slots.length) + 1;
          const wanted = outputOf(kernel.spec, vectors * DIM);
          const given = outputOf(kernel.spec, vectors * DIM);
          const output = shared ? toShared(given) : given;
          assertEquals(await pool.pool(batch, output), kernel.pool(batch, wanted));
          assertEquals(bitsOf(output), bitsOf(wanted));
        }),
        { numRuns: 60 },
      );
    });
  }
}

function toShared(array: Float32Array | Uint16Array): Float32Array | Uint16Array {
  const buffer = new SharedArrayBuffer(array.byteLength);
  const shared = array instanceof Float32Array ? new Float32Array(buffer) : new Uint16Array(buffer);
  shared.set(array);
  return shared;
}

const SIMPLE: BagBatch = batchOf(SHAPES[0], { lengths: [2, 1], slots: [0, 1, 2] }, 0);

Deno.test("pool() runs the wasm target over a shared memory", async () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const arena = new Uint8Array(memory.buffer, 0, SIMPLE.arena.length);
  arena.set(SIMPLE.arena);
  using pool = await createKernelPool(SHAPES[0], { workers: 2, target: "wasm", memory });
  assertEquals(pool.target, "wasm");
  const output = new Float32Array(2 * DIM), wanted = new Float32Array(2 * DIM);
  assertEquals(await pool.pool({ ...SIMPLE, arena }, output), -1);
  using kernel = createKernel(SHAPES[0], { target: "scalar" });
  kernel.pool(SIMPLE, wanted);
  assertEquals(output, wanted);
  await assertRejects(() => pool.pool(SIMPLE, output), RangeError, "in the pool's memory");
});

Deno.test("pool() serves batches of many sizes, one after the other", async () => {
  using pool = await createKernelPool(SHAPES[0], { workers: 3, target: "scalar" });
  using kernel = createKernel(SHAPES[0], { target: "scalar" });
  for (const count of [0, 1, 2, 3, 1000, 2, 5000]) {
    const lengths = Array.from({ length: count }, (_, bag) => bag % 3);
    const total = lengths.reduce((sum, length) => sum + length, 0);
    const slots = Array.from({ length: total }, (_, i) => i * 11 % ROWS);
    const batch = batchOf(SHAPES[0], { lengths, slots }, 1);
    const output = new Float32Array(count * DIM), wanted = new Float32Array(count * DIM);
    assertEquals(await pool.pool(batch, output), -1);
    kernel.pool(batch, wanted);
    assertEquals(output, wanted);
  }
});

Deno.test("pool() rejects what Kernel.pool throws, and works on", async () => {
  using pool = await createKernelPool(SHAPES[0], { workers: 2, target: "scalar" });
  const output = new Float32Array(2 * DIM);
  await assertRejects(() => pool.pool(SIMPLE, new Float32Array(DIM)), RangeError, "output.length");
  const weights = new Float32Array(3);
  await assertRejects(() => pool.pool({ ...SIMPLE, weights }, output), TypeError, "weights");
  assertEquals(await pool.pool(SIMPLE, output), -1);
});

Deno.test("pool() rejects an arena that is not shared", async () => {
  using pool = await createKernelPool(SHAPES[0], { workers: 1, target: "scalar" });
  const arena = SIMPLE.arena.slice();
  await assertRejects(
    () => pool.pool({ ...SIMPLE, arena: new Uint8Array(arena) }, new Float32Array(2 * DIM)),
    RangeError,
    "Cannot pool: arena must be in a SharedArrayBuffer",
  );
});

Deno.test("pool() rejects a second batch while one is pooled", async () => {
  using pool = await createKernelPool(SHAPES[0], { workers: 2, target: "scalar" });
  const output = new Float32Array(2 * DIM);
  const first = pool.pool(SIMPLE, output);
  await assertRejects(() => pool.pool(SIMPLE, output), TypeError, "pool must be idle");
  assertEquals(await first, -1);
});

Deno.test("dispose rejects the batch in flight and every later one", async () => {
  const pool = await createKernelPool(SHAPES[0], { workers: 2, target: "scalar" });
  const output = new Float32Array(2 * DIM);
  const flying = pool.pool(SIMPLE, output).then(() => "done", (error: Error) => error.message);
  pool[Symbol.dispose]();
  assertStringIncludes(await flying, "disposed of");
  await assertRejects(() => pool.pool(SIMPLE, output), TypeError, "disposed of");
  pool[Symbol.dispose]();
});

Deno.test("createKernelPool() rejects what it cannot do", async () => {
  const [shape] = SHAPES;
  const rejects = async (
    options: Parameters<typeof createKernelPool>[1],
    message: string,
  ): Promise<void> => {
    await assertRejects(() => createKernelPool(shape, options), RangeError, message);
  };
  await rejects({ workers: 0 }, "workers must be an integer of at least 1");
  await rejects({ workers: 257 }, "workers must be");
  await rejects({ memory: new WebAssembly.Memory({ initial: 1 }) }, "memory must be shared");
  const own = { ...q8, name: "mine", rowBytes: q8.rowBytes };
  await assertRejects(
    () => createKernelPool({ format: own, dim: DIM }, { workers: 1 }),
    RangeError,
    "Cannot create KernelPool: format must be one of",
  );
});

Deno.test("createKernelPool() rejects with the reason when there is no such target", async () => {
  const error = await assertRejects(
    () => createKernelPool(SHAPES[0], { workers: 2, target: "wasm" }),
    UnsupportedTargetError,
  );
  assert(error.message.includes("memory"), error.message);
});
