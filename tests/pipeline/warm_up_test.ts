import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { join } from "@std/path";
import fc from "fast-check";
import { createRandom, type Random } from "../../base/random.ts";
import { createClaim, lfu, lru, NO_BATCH, RowCache } from "../../cache/mod.ts";
import {
  type KeyBatch,
  type OpenedPipeline,
  openPipeline,
  type Pipeline,
  type PipelineOptions,
} from "../../pipeline/mod.ts";
import { createFaultDevice, ERRNO } from "../../tiers/mod.ts";
import {
  bits,
  buildTables,
  memoryWorld,
  pipelineIn,
  randomBatch,
  truthOf,
  virtualWorld,
  type World,
} from "./worlds.ts";

const tables = await buildTables();
const large = await buildTables([3000, 2]);

/** One bag of 40 keys of the first large table, some much hotter than others. */
function skewed(random: Random): KeyBatch {
  const keys = Uint32Array.from({ length: 40 }, () => Math.floor(random.unit() ** 4 * 3000));
  return { parts: [{ table: 0, keys, offsets: Uint32Array.of(0, 40) }] };
}

/** The share of hits over `count` bags, each compared with the truth. */
async function hitShare(pipeline: Pipeline, random: Random, count: number): Promise<number> {
  const before = pipeline.counters().tables[0];
  for (let i = 0; i < count; i++) {
    const batch = skewed(random);
    assertEquals(bits(await pipeline.lookup(batch)), bits(truthOf(large, batch)));
  }
  const { hits, lookups } = pipeline.counters().tables[0];
  return (hits - before.hits) / (lookups - before.lookups);
}

async function untilWarm(pipeline: Pipeline): Promise<void> {
  while (pipeline.warming > 0 || pipeline.wakeNs < Infinity) await pipeline.idle();
}

/** An order of the first small table: the last of `keys` hottest. */
async function orderOf(keys: readonly number[]): Promise<Uint8Array> {
  using world = memoryWorld(tables);
  const pipeline = pipelineIn(world, tables, {}, [300, 1]);
  for (const key of keys) await pipeline.lookup(bagOf(key));
  return pipeline.exportOrder(0);
}

function bagOf(...keys: number[]): KeyBatch {
  const offsets = Uint32Array.of(0, keys.length);
  return { parts: [{ table: 0, keys: Uint32Array.from(keys), offsets }] };
}

const KEPT: [string, Partial<PipelineOptions>][] = [
  ["by the adaptive policy", {}],
  ["compactly", { compactRowBytes: 32 }],
];

for (const [kept, options] of KEPT) {
  Deno.test(`Pipeline.warm() brings the hit ratio back, rows kept ${kept}`, async () => {
    const cacheRows = [600, 1];
    const random = createRandom(8);
    using first = virtualWorld(large), second = virtualWorld(large), third = virtualWorld(large);
    const running = pipelineIn(first, large, options, cacheRows);
    await hitShare(running, random, 300);
    const before = await hitShare(running, random, 20);
    const order = running.exportOrder(0);

    const warmed = pipelineIn(second, large, options, cacheRows);
    assertEquals(warmed.warm(0, order), 600);
    assert(warmed.warming > 500, "half of the depth at a time");
    await untilWarm(warmed);
    const { tables: [counters], loader } = warmed.counters();
    assertEquals([counters.lookups, counters.prefetches, counters.admissions], [0, 0, 600]);
    assertEquals(loader.rows, 600);

    const cold = await hitShare(pipelineIn(third, large, options, cacheRows), createRandom(9), 20);
    const after = await hitShare(warmed, createRandom(9), 20);
    assert(after > before - 0.03, `${after} after the restart, ${before} before`);
    assert(cold < before - 0.1, `${cold} without the order`);
  });
}

Deno.test("Pipeline serves the truth while it warms up, and batches go first", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.constantFrom({}, { compactRowBytes: 132 }),
      async (seed, kept) => {
        using world = virtualWorld(tables);
        const pipeline = pipelineIn(world, tables, kept, [40, 20]);
        const random = createRandom(seed);
        pipeline.warm(0, await orderOf(Array.from({ length: 60 }, () => random.below(300))));
        for (let i = 0; i < 10; i++) {
          const batch = randomBatch(random);
          assertEquals(bits(await pipeline.lookup(batch)), bits(truthOf(tables, batch)));
        }
        await untilWarm(pipeline);
      },
    ),
    { numRuns: 20 },
  );
});

Deno.test("Pipeline.warm() leaves half of the queue's depth to batches", async () => {
  using world = virtualWorld(tables);
  const pipeline = pipelineIn(world, tables, {}, [300, 1]);
  pipeline.warm(0, await orderOf([...Array(50).keys()]));
  // Eight reads may be in flight.
  assertEquals([pipeline.counters().loader.reads, pipeline.warming], [4, 46]);
  pipeline.stage(bagOf(200, 201, 202));
  assertEquals(pipeline.counters().loader.reads, 7);
  await untilWarm(pipeline);
  assertEquals(pipeline.counters().loader.reads, 53);
});

Deno.test("Pipeline.warm() takes the hottest where there are fewer slots", async () => {
  using world = memoryWorld(tables);
  const pipeline = pipelineIn(world, tables, {}, [3, 1]);
  assertEquals(pipeline.warm(0, await orderOf([1, 2, 3, 4, 5])), 3);
  await untilWarm(pipeline);
  await pipeline.lookup(bagOf(3, 4, 5));
  assertEquals(pipeline.counters().tables[0].hits, 3);
});

Deno.test("Pipeline.warm() tells the policy how hot rows were", async () => {
  const serve = (world: World): Pipeline =>
    pipelineIn(world, tables, {}, [2, 1], { eviction: lfu });
  using first = memoryWorld(tables), second = memoryWorld(tables);
  const running = serve(first), warmed = serve(second);
  for (const key of [1, 1, 1, 2]) await running.lookup(bagOf(key));
  warmed.warm(0, running.exportOrder(0));
  await untilWarm(warmed);
  for (const key of [3, 4, 1]) await warmed.lookup(bagOf(key));
  assertEquals(warmed.counters().tables[0].hits, 1);
});

Deno.test("Pipeline.warm() replaces an earlier order, and skips what is there", async () => {
  using world = virtualWorld(tables);
  const pipeline = pipelineIn(world, tables, {}, [300, 1]);
  await pipeline.lookup(bagOf(10, 11));
  pipeline.warm(0, await orderOf([...Array(50).keys()]));
  pipeline.warm(0, await orderOf([10, 11, 100, 101]));
  await untilWarm(pipeline);
  // Four of the first order were on their way already.
  assertEquals(pipeline.counters().loader.rows, 2 + 4 + 2);
});

Deno.test("Pipeline.warm() has no place in a table that is switched off", async () => {
  using world = memoryWorld(tables);
  const pipeline = pipelineIn(world, tables, {}, [300, 1]);
  pipeline.setAdmitting(0, false);
  assertEquals(pipeline.warm(0, await orderOf([1, 2])), 2);
  assertEquals([pipeline.warming, pipeline.counters().loader.reads], [0, 0]);
});

Deno.test("Pipeline.warm() gives up rows that cannot be read", async () => {
  const order = await orderOf([1, 2, 3]);
  using world = virtualWorld(tables, (device, clock) => {
    const faults = [{ kind: "error" as const, share: 1, errno: ERRNO.EIO }];
    return createFaultDevice({ device, clock, faults });
  });
  const pipeline = pipelineIn(world, tables, {}, [300, 1]);
  pipeline.warm(0, order);
  await untilWarm(pipeline);
  assertEquals(pipeline.counters().tables[0].failures, 3);
});

Deno.test("Pipeline.warm() refuses an order that is damaged or of another file", async () => {
  using world = memoryWorld(tables);
  const pipeline = pipelineIn(world, tables);
  const order = await orderOf([1, 2, 3]);
  const refused = (bytes: Uint8Array, message: string): void => {
    assertThrows(() => pipeline.warm(0, bytes), RangeError, message);
    assertEquals([pipeline.warming, pipeline.counters().loader.reads], [0, 0]);
  };
  fc.assert(fc.property(fc.nat(order.length - 1), fc.nat(7), (at, bit) => {
    const bytes = order.slice();
    bytes[at] ^= 1 << bit;
    refused(bytes, at < 16 ? "must begin with the id of its file: received another" : "Cannot");
  }));
  for (let length = 0; length < order.length; length++) {
    refused(order.subarray(0, length), length < 16 ? `received ${length} bytes` : "Cannot import");
  }
  // Whole, and of keys that the table has not.
  const cache = new RowCache({ partitions: [{ slotCount: 1, scratchCount: 0, eviction: lru }] });
  cache.claim(0, 300, NO_BATCH, createClaim());
  const beyond = Uint8Array.of(...tables.tables[0].id, ...cache.exportOrder(0));
  refused(beyond, "keys must be below 300: received 300");
  assertThrows(() => pipeline.warm(1, order), RangeError, "Cannot warm table 1");
  assertThrows(() => pipeline.warm(2, order), RangeError, "table must be an integer");
  assertThrows(() => pipeline.exportOrder(2), RangeError, "table must be an integer");
});

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "rowtier-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function openLarge(orderPath: string): OpenedPipeline {
  const [{ path }, { path: second }] = large.tables;
  return openPipeline({
    tables: [
      { path, cacheShare: 0.2, pooling: "mean", orderPath },
      { path: second, weighted: true },
    ],
    maxBatchKeys: 64,
    depth: 16,
  });
}

Deno.test("openPipeline() comes back as warm as it was saved", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "rows.order");
    const random = createRandom(8);
    let before = 0;
    {
      using opened = openLarge(path);
      assertEquals(opened.ignoredOrders, []);
      await hitShare(opened.pipeline, random, 300);
      before = await hitShare(opened.pipeline, random, 20);
      await opened.saveOrders();
      await opened.saveOrders();
    }
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["rows.order"]);
    using opened = openLarge(path);
    assertEquals(opened.ignoredOrders, []);
    while (opened.pipeline.warming > 0) await opened.pipeline.idle();
    const after = await hitShare(opened.pipeline, random, 20);
    assert(after > before - 0.03, `${after} after the restart, ${before} before`);
  });
});

Deno.test("openPipeline() ignores a bad order file, and says so in a line", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "rows.order");
    const foreign = await orderOf([1, 2, 3]);
    const cases: [Uint8Array | "folder", string][] = [
      [new Uint8Array(0), "received 0 bytes"],
      [foreign, "must begin with the id of its file: received another"],
      [new Uint8Array(5 * 3000 + 33), "15033 bytes are more than its table needs"],
      ["folder", path],
    ];
    for (const [bytes, message] of cases) {
      if (bytes === "folder") {
        Deno.removeSync(path);
        Deno.mkdirSync(path);
      } else Deno.writeFileSync(path, bytes);
      using opened = openLarge(path);
      assertEquals(opened.ignoredOrders.length, 1);
      assertStringIncludes(opened.ignoredOrders[0], `Order file ${path} is ignored: `);
      assertStringIncludes(opened.ignoredOrders[0], message);
      assertEquals(opened.pipeline.warming, 0);
      await hitShare(opened.pipeline, createRandom(1), 2);
    }
  });
});

Deno.test("saveOrders() leaves the file as it was when the disk fails", async () => {
  await inFolder(async (folder) => {
    using nowhere = openLarge(join(folder, "none", "rows.order"));
    const message = "rows.order: creating failed";
    const error = await assertRejects(() => nowhere.saveOrders(), Error, message);
    assertEquals((error as Error).name, "DeviceError");
    const taken = join(folder, "taken");
    Deno.mkdirSync(taken);
    using opened = openLarge(taken);
    await assertRejects(() => opened.saveOrders(), Error, "renaming failed");
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["taken"]);
  });
});
