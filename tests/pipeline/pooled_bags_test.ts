import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { createRandom, type Random } from "../../base/random.ts";
import { type BatchPart, type KeyBatch, NO_TICKET, type Pipeline } from "../../pipeline/mod.ts";
import { createFaultDevice, ERRNO, type Fault } from "../../tiers/mod.ts";
import {
  bits,
  buildTables,
  memoryWorld,
  pipelineIn,
  SERVED,
  truthOf,
  untilReady,
  virtualWorld,
  type World,
} from "./worlds.ts";

const tables = await buildTables();

/** Room for some ten bags of each table, so that they are evicted, too. */
const POOLED = { pooledCache: { bytes: 4000, minimumLength: 2 } };

/** Bags that come again and again: keys, and weights where the table is weighted. */
const BAGS = [0, 1].map((table) => {
  const random = createRandom(table);
  return Array.from({ length: 30 }, () => {
    const count = random.below(8);
    return {
      keys: Array.from({ length: count }, () => random.below(200)),
      weights: Array.from({ length: count }, () => random.unit() * 4 - 2),
    };
  });
});

function partOf(table: number, bags: typeof BAGS[number]): BatchPart {
  const offsets = Uint32Array.of(0, ...bags.map(({ keys }) => keys.length));
  for (let b = 1; b < offsets.length; b++) offsets[b] += offsets[b - 1];
  const keys = Uint32Array.from(bags.flatMap(({ keys }) => keys));
  const weights = Float32Array.from(bags.flatMap(({ weights }) => weights));
  return { table, keys, offsets, ...(SERVED[table].weighted && { weights }) };
}

/** Up to three parts of up to three of the bags, some of them hotter than others. */
function familiar(random: Random): KeyBatch {
  const parts = Array.from({ length: 1 + random.below(3) }, () => {
    const table = random.below(2);
    const bag = () => BAGS[table][Math.floor(random.unit() ** 2 * 30)];
    return partOf(table, Array.from({ length: random.below(4) }, bag));
  });
  return { parts };
}

function bagOf(...keys: number[]): KeyBatch {
  return { parts: [partOf(0, [{ keys, weights: [] }])] };
}

function poolReady(pipeline: Pipeline, ticket: number, batch: KeyBatch): Float32Array {
  const output = new Float32Array(truthOf(tables, batch).length).fill(7);
  assertEquals(pipeline.pool(ticket, output), 0);
  return output;
}

Deno.test("Pipeline answers a bag that comes again without looking its rows up", async () => {
  using world = virtualWorld(tables);
  const pipeline = pipelineIn(world, tables, POOLED);
  const batch: KeyBatch = {
    parts: [
      partOf(0, [{ keys: [1, 2, 3], weights: [] }, { keys: [9], weights: [] }]),
      partOf(1, [{ keys: [1, 2], weights: [0.5, 2] }]),
    ],
  };
  const wanted = bits(truthOf(tables, batch));
  assertEquals(bits(await pipeline.lookup(batch)), wanted);
  const before = pipeline.counters();
  assertEquals(bits(await pipeline.lookup(batch)), wanted);
  const { tables: [first, second], pooled, loader } = pipeline.counters();
  // The bag of one key is too short.
  assertEquals(first.lookups - before.tables[0].lookups, 1);
  assertEquals([second.lookups, loader.reads], [2, before.loader.reads]);
  assertEquals(pooled.map(({ hits, stores }) => [hits, stores]), [[1, 1], [1, 1]]);
  // With other weights it is another bag.
  const other = { parts: [partOf(1, [{ keys: [1, 2], weights: [2, 0.5] }])] };
  assertEquals(bits(await pipeline.lookup(other)), bits(truthOf(tables, other)));
  assertEquals(pipeline.counters().pooled[1].hits, 1);
  assert(pipeline.memory().pooledBytes > 1000);
  using without = memoryWorld(tables);
  assertEquals(pipelineIn(without, tables).counters().pooled, []);
});

Deno.test("Pipeline has room for as many found bags as a batch can have", async () => {
  using world = memoryWorld(tables);
  const pipeline = pipelineIn(world, tables, { ...POOLED, maxBatchKeys: 4 });
  const found = [{ keys: [1, 2], weights: [] }, { keys: [3, 4], weights: [] }];
  const batch = { parts: [partOf(0, [...found, { keys: [], weights: [] }])] };
  for (let i = 0; i < 2; i++) {
    assertEquals(bits(await pipeline.lookup(batch)), bits(truthOf(tables, batch)));
  }
  assertEquals(pipeline.counters().pooled[0].hits, 2);
});

Deno.test("Pipeline finds a bag whose keys come in another order, to the last bits", async () => {
  using world = memoryWorld(tables);
  const pipeline = pipelineIn(world, tables, POOLED);
  await pipeline.lookup(bagOf(1, 2, 3, 3));
  const found = await pipeline.lookup(bagOf(3, 2, 3, 1));
  const wanted = truthOf(tables, bagOf(3, 2, 3, 1));
  assertEquals(pipeline.counters().pooled[0].hits, 1);
  for (const [i, value] of found.entries()) assert(Math.abs(value - wanted[i]) < 1e-6);
});

Deno.test("Pipeline with pooled bags gives the truth, several batches in flight", async () => {
  const kept = fc.constantFrom({}, { compactRowBytes: 132 });
  await fc.assert(
    fc.asyncProperty(fc.nat(), kept, async (seed, options) => {
      using world = virtualWorld(tables);
      const pipeline = pipelineIn(world, tables, { ...POOLED, ...options });
      const random = createRandom(seed);
      const flying: { ticket: number; batch: KeyBatch }[] = [];
      for (let i = 0; i < 150; i++) {
        const batch = familiar(random);
        const ticket = flying.length < 3 ? pipeline.stage(batch) : NO_TICKET;
        if (ticket !== NO_TICKET) flying.push({ ticket, batch });
        if (flying.length < 3 && random.below(2) === 0) continue;
        const [{ ticket: ready, batch: pooled }] = flying.splice(random.below(flying.length), 1);
        await untilReady(pipeline, ready);
        const wanted = bits(truthOf(tables, pooled));
        assertEquals(bits(poolReady(pipeline, ready, pooled)), wanted);
        pipeline.release(ready);
      }
      const { pooled } = pipeline.counters();
      for (const { hits, evictions } of pooled) assert(hits > 0 && evictions > 0);
    }),
    { numRuns: 20 },
  );
});

Deno.test("Pipeline hands a found bag out though it was evicted since", async () => {
  using world = memoryWorld(tables);
  const pipeline = pipelineIn(world, tables, POOLED);
  const batch = bagOf(1, 2, 3);
  const wanted = bits(await pipeline.lookup(batch));
  const ticket = pipeline.stage(batch);
  assertEquals(pipeline.counters().pooled[0].hits, 1);
  for (let key = 10; key < 200; key += 2) await pipeline.lookup(bagOf(key, key + 1));
  await pipeline.lookup(batch);
  assertEquals(pipeline.counters().pooled[0].hits, 1, "it is gone");
  for (let i = 0; i < 2; i++) assertEquals(bits(poolReady(pipeline, ticket, batch)), wanted);
});

function faultyWorld(faults: Fault[], seed = 1): World {
  return virtualWorld(
    tables,
    (device, clock) => createFaultDevice({ device, clock, faults, seed }),
  );
}

Deno.test("Pipeline never keeps a bag that misses a row", async () => {
  const failing: Fault[] = [0, 1, 2].map((at) => ({ kind: "error", at, errno: ERRNO.EIO }));
  const late: Fault[] = [{ kind: "late", at: 0, delayNs: 1e6 }];
  for (const [faults, deadlineNs] of [[failing, Infinity], [late, 2e5]] as const) {
    using world = faultyWorld([...faults]);
    const pipeline = pipelineIn(world, tables, POOLED);
    const part = partOf(0, [{ keys: [5, 5], weights: [] }]);
    const ticket = pipeline.stage({ parts: [part] }, deadlineNs);
    await untilReady(pipeline, ticket);
    assertEquals(pipeline.pool(ticket, new Float32Array(24)), 1);
    pipeline.release(ticket);
    assertEquals(pipeline.counters().pooled[0].stores, 0);
    const again = { parts: [part] };
    assertEquals(bits(await pipeline.lookup(again)), bits(truthOf(tables, again)));
  }
});

Deno.test("Pipeline with pooled bags under faults: every bag is true, or marked", async () => {
  const share = fc.double({ min: 0, max: 0.3, noNaN: true });
  await fc.assert(
    fc.asyncProperty(fc.nat(), share, share, async (seed, a, b) => {
      using world = faultyWorld([
        { kind: "error", share: a, errno: ERRNO.EIO },
        { kind: "late", share: b, delayNs: 1e5 },
      ], seed);
      const pipeline = pipelineIn(world, tables, { ...POOLED, readTimeoutNs: 1e6 });
      const random = createRandom(seed);
      for (let i = 0; i < 60; i++) {
        const batch = familiar(random);
        const ticket = pipeline.stage(batch, world.clock.now() + random.below(5e4));
        if (ticket === NO_TICKET) {
          await pipeline.idle();
          continue;
        }
        await untilReady(pipeline, ticket);
        checkMarked(pipeline, ticket, batch);
        pipeline.release(ticket);
      }
    }),
    { numRuns: 30 },
  );
});

function checkMarked(pipeline: Pipeline, ticket: number, batch: KeyBatch): void {
  const wanted = truthOf(tables, batch);
  const output = new Float32Array(wanted.length);
  const dims = batch.parts.flatMap(({ table, offsets }) =>
    Array.from({ length: offsets.length - 1 }, () => tables.tables[table].dim)
  );
  const incomplete = new Uint8Array(dims.length);
  pipeline.pool(ticket, output, incomplete);
  let at = 0;
  for (const [bag, dim] of dims.entries()) {
    if (incomplete[bag] === 0) {
      assertEquals(bits(output.subarray(at, at + dim)), bits(wanted.subarray(at, at + dim)));
    }
    at += dim;
  }
}

Deno.test("Pipeline refuses a budget that holds no bag", () => {
  using world = memoryWorld(tables);
  assertThrows(
    () => pipelineIn(world, tables, { pooledCache: { bytes: 100 } }),
    RangeError,
    "bytes must hold an entry of each dim: received 100",
  );
});
