import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { createRandom } from "../../base/random.ts";
import { sieve } from "../../cache/mod.ts";
import {
  COST,
  createCosts,
  type KeyBatch,
  NO_TICKET,
  openPipeline,
  type Pipeline,
  type PipelineOptions,
  type PipelineTable,
  TICKET_STATE,
} from "../../pipeline/mod.ts";
import { lookahead } from "../../prefetch/mod.ts";
import { VirtualClock } from "../../tiers/mod.ts";
import {
  bits,
  buildTables,
  memoryWorld,
  pipelineIn,
  randomBatch,
  realWorld,
  type Tables,
  truthOf,
  untilReady,
  virtualWorld,
  type World,
} from "./worlds.ts";

const tables: Tables = await buildTables();

/**
 * A random run with up to three batches in flight, pooled and cancelled in any order; every vector
 * is compared with the truth, bit for bit.
 */
async function randomRun(pipeline: Pipeline, seed: number, steps: number): Promise<void> {
  const random = createRandom(seed);
  const flying: { ticket: number; batch: KeyBatch }[] = [];
  for (let i = 0; i < steps; i++) {
    const move = random.below(8);
    if (move < 4) {
      const batch = randomBatch(random);
      const ticket = pipeline.stage(batch);
      if (ticket === NO_TICKET) await pipeline.idle();
      else flying.push({ ticket, batch });
    } else if (move < 5) {
      await pipeline.idle();
    } else if (flying.length > 0) {
      const [{ ticket, batch }] = flying.splice(random.below(flying.length), 1);
      if (move === 7) {
        pipeline.cancel(ticket);
        continue;
      }
      await untilReady(pipeline, ticket);
      const wanted = truthOf(tables, batch);
      const output = new Float32Array(wanted.length + 1).fill(42);
      assertEquals(pipeline.pool(ticket, output), 0);
      assertEquals(bits(output.subarray(0, -1)), bits(wanted));
      assertEquals(output[wanted.length], 42);
      pipeline.release(ticket);
    }
  }
}

/** Ways to keep rows; those of the first table have 32 bytes, those of the second 132. */
const KEPT: readonly { options?: Partial<PipelineOptions>; everyTable?: Partial<PipelineTable> }[] =
  [
    {},
    { everyTable: { eviction: sieve } },
    { options: { compactRowBytes: 32 } },
    { options: { compactRowBytes: 132 } },
  ];

const WORLDS: Record<string, () => World> = {
  "a drive that answers at once": () => memoryWorld(tables),
  "a simulated drive": () => virtualWorld(tables),
  "a real disk": () => realWorld(tables),
};

for (const [name, open] of Object.entries(WORLDS)) {
  Deno.test(`Pipeline gives the truth on ${name}, several batches in flight`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.constantFrom(...KEPT),
        fc.constantFrom([12, 5], [1, 1], [300, 200]),
        async (seed, { options, everyTable }, cacheRows) => {
          using world = open();
          const pipeline = pipelineIn(world, tables, options, cacheRows, everyTable);
          await randomRun(pipeline, seed, 120);
        },
      ),
      { numRuns: 25 },
    );
  });

  Deno.test(`Pipeline.lookup() does it all in one call on ${name}`, async () => {
    using world = open();
    const pipeline = pipelineIn(world, tables);
    const random = createRandom(3);
    for (let i = 0; i < 50; i++) {
      const batch = randomBatch(random);
      assertEquals(bits(await pipeline.lookup(batch)), bits(truthOf(tables, batch)));
    }
    const [first] = pipeline.counters().tables;
    assert(first.hits > 0 && first.misses > 0);
    assertEquals(first.hits + first.delayedHits + first.misses, first.lookups);
  });
}

Deno.test("openPipeline() serves files from disk", async () => {
  const paths = tables.tables.map(({ path }) => path);
  using opened = openPipeline({
    tables: [
      { path: paths[0], cacheShare: 0.05, pooling: "mean" },
      { path: paths[1], cacheShare: 1, weighted: true },
    ],
    maxBatchKeys: 64,
    depth: 16,
  });
  const random = createRandom(4);
  for (let i = 0; i < 30; i++) {
    const batch = randomBatch(random);
    const vectors = await opened.pipeline.lookup(batch);
    assertEquals(bits(vectors), bits(truthOf(tables, batch)));
  }
  assertThrows(
    () => openPipeline({ tables: [{ path: paths[0], cacheShare: 2 }] }),
    RangeError,
    "cacheShare must be above 0 and at most 1: received 2",
  );
});

Deno.test("Pipeline reads a key that repeats once, and shares reads between batches", async () => {
  using world = virtualWorld(tables);
  const pipeline = pipelineIn(world, tables);
  const keys = Uint32Array.of(7, 7, 8, 7), offsets = Uint32Array.of(0, 2, 4);
  const batch = { parts: [{ table: 0, keys, offsets }] };
  const first = pipeline.stage(batch), second = pipeline.stage(batch);
  await untilReady(pipeline, first);
  await untilReady(pipeline, second);
  const { tables: [counters], loader } = pipeline.counters();
  assertEquals(loader.reads, 2);
  assertEquals([counters.misses, counters.delayedHits, counters.hits], [2, 6, 0]);
  assertEquals(loader.readBytes, 2 * tables.tables[0].blockBytes);
});

Deno.test("Pipeline.stage() refuses a wrong batch before it touches anything", () => {
  using world = virtualWorld(tables);
  const pipeline = pipelineIn(world, tables);
  const part = (over: Record<string, unknown>) => ({
    parts: [{ table: 0, keys: Uint32Array.of(1, 2), offsets: Uint32Array.of(0, 2), ...over }],
  });
  const cases: [KeyBatch, string][] = [
    [part({ table: 2 }), "part 0: table must be below 2: received 2"],
    [
      part({ keys: Uint32Array.of(1, 300) }),
      "key 1 must be below the table's 300 rows: received 300",
    ],
    [part({ offsets: Uint32Array.of(1, 2) }), "offsets must start with 0: received 1"],
    [part({ offsets: new Uint32Array(0) }), "offsets must start with 0: received undefined"],
    [part({ offsets: Uint32Array.of(0, 2, 1) }), "offsets must not decrease: received 1 after 2"],
    [part({ offsets: Uint32Array.of(0, 3) }), "offsets end at 3: received 2 keys"],
    [part({ weights: Float32Array.of(1, 1) }), "part 0 must have no weights"],
    [part({ table: 1 }), "part 0 must have weights, as the table is weighted"],
    [part({ table: 1, weights: Float32Array.of(1) }), "weights must be at least 2: received 1"],
    [
      part({ keys: new Uint32Array(65), offsets: Uint32Array.of(0, 65) }),
      "number of keys must be an integer of at least 0 and at most 64: received 65",
    ],
    [part({ offsets: new Uint32Array(66) }), "number of bags must be"],
  ];
  for (const [batch, message] of cases) {
    assertThrows(() => pipeline.stage(batch), RangeError, message);
  }
  assertEquals(pipeline.counters().tables[0].lookups, 0);
  assertEquals(pipeline.wakeNs, Infinity);
});

Deno.test("Pipeline hands out as many tickets as it holds, and refuses stale ones", async () => {
  using world = virtualWorld(tables);
  const pipeline = pipelineIn(world, tables);
  const batch = (key: number): KeyBatch => ({
    parts: [{ table: 0, keys: Uint32Array.of(key), offsets: Uint32Array.of(0, 1) }],
  });
  const tickets = [1, 2, 3].map((key) => pipeline.stage(batch(key)));
  assertEquals(new Set(tickets).size, 3);
  assertEquals(pipeline.stage(batch(4)), NO_TICKET);
  await assertRejects(() => pipeline.lookup(batch(4)), RangeError, "at most 3 batches");
  const output = new Float32Array(24);
  assertEquals(pipeline.state(tickets[1]), TICKET_STATE.LOADING);
  assertThrows(() => pipeline.pool(tickets[1], output), RangeError, "still loading");
  await untilReady(pipeline, tickets[1]);
  assertThrows(() => pipeline.pool(tickets[1], new Float32Array(23)), RangeError, "output.length");
  const flags = new Uint8Array(0);
  assertThrows(() => pipeline.pool(tickets[1], output, flags), RangeError, "incomplete.length");
  pipeline.release(tickets[1]);
  for (
    const use of [
      () => pipeline.state(tickets[1]),
      () => pipeline.pool(tickets[1], output),
      () => pipeline.release(tickets[1]),
      () => pipeline.cancel(NO_TICKET),
    ]
  ) assertThrows(use, RangeError, "must be in flight");
  assert(pipeline.stage(batch(5)) !== NO_TICKET);
});

Deno.test("Pipeline holds a cancelled batch's place until its reads are over", async () => {
  using world = virtualWorld(tables);
  const pipeline = pipelineIn(world, tables, { maxBatches: 1 });
  const parts = [{ table: 0, keys: Uint32Array.of(9), offsets: Uint32Array.of(0, 1) }];
  pipeline.cancel(pipeline.stage({ parts }));
  assertEquals(pipeline.stage({ parts }), NO_TICKET);
  await pipeline.idle();
  const again = pipeline.stage({ parts });
  assertEquals(pipeline.state(again), TICKET_STATE.READY);
  assertEquals(pipeline.counters().tables[0].hits, 1);
});

Deno.test("Pipeline with lookahead reads announced rows before they are asked for", async () => {
  using world = virtualWorld(tables);
  const prefetcher = lookahead({ capacity: 64 });
  const pipeline = pipelineIn(world, tables, { prefetcher }, [100, 50]);
  const batch = {
    parts: [{ table: 0, keys: Uint32Array.of(1, 2, 3, 2), offsets: Uint32Array.of(0, 4) }],
  };
  pipeline.announce(batch);
  pipeline.step(0);
  while (pipeline.wakeNs < Infinity) await pipeline.idle();
  const ticket = pipeline.stage(batch);
  assertEquals(pipeline.state(ticket), TICKET_STATE.READY);
  const { tables: [counters], loader } = pipeline.counters();
  assertEquals([counters.hits, counters.misses, loader.reads], [4, 0, 3]);
  assertEquals([counters.prefetches, counters.prefetchUsed], [3, 3]);
  await randomRun(pipeline, 11, 100);
});

Deno.test("Pipeline charges measured costs to virtual time", async () => {
  const run = async (free: boolean): Promise<number> => {
    using world = virtualWorld(tables);
    const clock = world.clock as VirtualClock;
    const costs = createCosts(clock, { lookupNs: 50, readNs: 3000, poolNs: 300 });
    const pipeline = pipelineIn(world, tables, free ? {} : { costs });
    await randomRun(pipeline, 5, 100);
    return clock.now();
  };
  const [free, charged] = [await run(true), await run(false)];
  assert(charged > free, `${charged} ns with costs, ${free} without`);
  assertEquals(await run(false), charged);
  assertThrows(
    () => createCosts(new VirtualClock(), { lookupNs: -1, readNs: 0, poolNs: 0 }),
    RangeError,
    "received -1",
  );
  assertEquals(Object.values(COST).length, 3);
});

Deno.test("Pipeline.memory() adds up what it holds", () => {
  using world = virtualWorld(tables);
  const memory = pipelineIn(world, tables).memory();
  const { totalBytes, ...parts } = memory;
  assertEquals(Object.values(parts).reduce((a, b) => a + b, 0), totalBytes);
  // 24 codes and two floats fill 32 bytes; 33 floats fill 132.
  assertEquals(memory.cacheBytes, 12 * 32 + 5 * 132);
  assertEquals(memory.scratchBytes, (3 * 64 + 1) * (32 + 132));
  assertEquals(memory.bounceBytes, 8 * 512);
});
