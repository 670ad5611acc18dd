import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { createRandom } from "../../base/random.ts";
import {
  adaptive,
  type AdmissionPolicyFactory,
  admitAlways,
  lru,
  type PartitionCounters,
} from "../../cache/mod.ts";
import { type KeyBatch, Pipeline, type PipelineOptions } from "../../pipeline/mod.ts";
import type { VirtualClock } from "../../tiers/mod.ts";
import {
  bits,
  buildTables,
  memoryWorld,
  pipelineIn,
  truthOf,
  virtualWorld,
  type World,
} from "./worlds.ts";

const tables = await buildTables();
const large = await buildTables([3000, 2]);

/** One bag of `keys` of the first table. */
function bagOf(keys: ArrayLike<number>): KeyBatch {
  return {
    parts: [{ table: 0, keys: Uint32Array.from(keys), offsets: Uint32Array.of(0, keys.length) }],
  };
}

/** Counts of the first table after 600 skewed bags with a scan every tenth. */
async function played(pipeline: Pipeline): Promise<PartitionCounters> {
  const random = createRandom(5);
  let scanned = 0;
  for (let i = 0; i < 600; i++) {
    const key = i % 10 === 0 ? () => scanned++ % 3000 : () => Math.floor(random.unit() ** 3 * 3000);
    const batch = bagOf(Array.from({ length: 40 }, key));
    assertEquals(bits(await pipeline.lookup(batch)), bits(truthOf(large, batch)));
  }
  return pipeline.counters().tables[0];
}

Deno.test("Pipeline adapts where nothing is said, and takes LRU below 512 rows", async () => {
  const misses = async (cacheRows: number, eviction?: typeof lru): Promise<number> => {
    using world = memoryWorld(large);
    const options = eviction === undefined ? {} : { eviction };
    return (await played(pipelineIn(world, large, {}, [cacheRows, 1], options))).misses;
  };
  assertEquals(await misses(512), await misses(512, adaptive));
  assertEquals(await misses(511), await misses(511, lru));
  assert(await misses(511, lru) !== await misses(511, adaptive));
  assert(await misses(512) < await misses(512, lru));
});

Deno.test("Pipeline keeps short rows compactly where it is asked to", async () => {
  using world = memoryWorld(large), other = memoryWorld(large);
  const cacheRows = [2048, 1];
  const indexed = pipelineIn(world, large, {}, cacheRows).memory();
  const pipeline = pipelineIn(other, large, { compactRowBytes: 32 }, cacheRows);
  const compact = pipeline.memory();
  assertEquals(compact.cacheBytes, indexed.cacheBytes);
  const overhead = ({ indexBytes, policyBytes, columnBytes }: typeof compact): number =>
    indexBytes + policyBytes + columnBytes;
  // The second table's row of 132 bytes is kept as before.
  assert(overhead(indexed) - overhead(compact) > 2048 * 30);
  const { hits, misses, lookups, hitBytes } = await played(pipeline);
  assert(hits > lookups / 2 && misses > 0);
  assertEquals(hitBytes, 32 * hits);
});

Deno.test("Pipeline refuses wrong options of its cache", () => {
  using world = virtualWorld(tables);
  const create = (options: Partial<PipelineOptions>, everyTable = {}): unknown =>
    pipelineIn(world, tables, options, [12, 5], everyTable);
  const cases: [() => unknown, string][] = [
    [
      () => create({ compactRowBytes: 32 }, { eviction: lru }),
      "compactRowBytes must be below the 32 bytes of a row of table 0, as it has",
    ],
    [() => create({ compactRowBytes: -1 }), "compactRowBytes must be an integer of at least 0"],
    [() => create({}, { writeBytesPerDay: 0 }), "writeBytesPerDay must be above 0: received 0"],
    [() => create({}, { writeBytesPerDay: NaN }), "writeBytesPerDay must be above 0: received NaN"],
    [
      () => create({}, { name: "users" }),
      'every name must be one table\'s: received "users" twice',
    ],
    [() => create({ explain: { sampleSize: 1 } }), "sampleSize must be an integer of at least 16"],
  ];
  for (const [run, message] of cases) assertThrows(run, RangeError, message);
});

Deno.test("Pipeline.setAdmitting() keeps rows out, and lets them in again", async () => {
  using world = memoryWorld(tables);
  const pipeline = pipelineIn(world, tables);
  pipeline.setAdmitting(0, false);
  assertEquals([pipeline.isAdmitting(0), pipeline.isAdmitting(1)], [false, true]);
  const batch = bagOf([1, 2, 3]);
  for (let i = 0; i < 2; i++) {
    assertEquals(bits(await pipeline.lookup(batch)), bits(truthOf(tables, batch)));
  }
  assertEquals(pipeline.counters().tables[0].admissions, 0);
  pipeline.setAdmitting(0, true);
  await pipeline.lookup(bagOf([1, 2, 4]));
  assertEquals(pipeline.counters().tables[0].admissions, 3);
  assertThrows(() => pipeline.setAdmitting(2, true), RangeError, "Cannot switch table: table must");
  assertThrows(() => pipeline.isAdmitting(-1), RangeError, "received -1");
});

/** Rows that entered the first table's cache over bags of new keys, one after the other. */
class Writes {
  readonly #pipeline: Pipeline;
  readonly #clock: VirtualClock;
  #key = 0;

  constructor(world: World, writeBytesPerDay: number, admission?: AdmissionPolicyFactory) {
    const everyTable = { writeBytesPerDay, ...(admission && { admission }) };
    this.#pipeline = pipelineIn(world, tables, {}, [300, 1], everyTable);
    this.#clock = world.clock as VirtualClock;
  }

  /** Admissions among `count` new keys at `seconds`. */
  async at(seconds: number, count: number): Promise<number> {
    this.#clock.advanceTo(seconds * 1e9);
    const before = this.#pipeline.counters().tables[0].admissions;
    await this.#pipeline.lookup(bagOf(Array.from({ length: count }, () => this.#key++)));
    return this.#pipeline.counters().tables[0].admissions - before;
  }
}

Deno.test("Pipeline lets no more rows in than the bytes of a day allow", async () => {
  using world = memoryWorld(tables);
  // Ten rows of 32 bytes a second.
  const writes = new Writes(world, 10 * 32 * 86_400);
  assertEquals(await writes.at(0, 30), 10);
  assertEquals(await writes.at(0.9, 5), 0);
  assertEquals(await writes.at(1, 4), 4);
  assertEquals(await writes.at(1.5, 20), 6);
  // What was not used up is lost, and the windows keep their pace.
  assertEquals(await writes.at(7.5, 15), 10);
  assertEquals(await writes.at(7.9, 15), 0);
  assertEquals(await writes.at(8, 15), 10);
});

Deno.test("Pipeline gives a budget below a row a second out in longer windows", async () => {
  using world = memoryWorld(tables);
  const writes = new Writes(world, 32 * 86_400 / 3);
  const entered: number[] = [];
  for (const seconds of [0, 1, 2, 3, 4, 5.9, 6]) entered.push(await writes.at(seconds, 2));
  assertEquals(entered, [1, 0, 0, 1, 0, 0, 1]);
});

Deno.test("Pipeline's write budget takes only what the admission policy lets in", async () => {
  using world = memoryWorld(tables);
  const odd = { ...admitAlways(), name: "odd", admit: (key: number) => key % 2 === 1 };
  const writes = new Writes(world, 10 * 32 * 86_400, () => odd);
  assertEquals(await writes.at(0, 16), 8);
  assertEquals(await writes.at(0, 16), 2);
});

Deno.test("Pipeline.step() starts a window of writes for prefetched rows as well", () => {
  using world = memoryWorld(tables);
  const clock = world.clock as VirtualClock;
  let key = 0;
  const pipeline = pipelineIn(
    world,
    tables,
    {
      prefetcher: {
        name: "next",
        observe: () => {},
        announce: () => 0,
        settle: () => {},
        predict: (table, keys) => {
          table[0] = 0;
          keys[0] = key++;
          return 1;
        },
      },
    },
    [300, 1],
    { writeBytesPerDay: 32 * 86_400 },
  );
  for (let i = 0; i < 5; i++) pipeline.step(clock.now());
  assertEquals(pipeline.counters().tables[0].prefetches, 1);
  clock.advanceTo(1e9);
  for (let i = 0; i < 5; i++) pipeline.step(clock.now());
  assertEquals(pipeline.counters().tables[0].prefetches, 2);
});

Deno.test("Pipeline.explain() says why lookups had to wait", async () => {
  for (const options of [{}, { compactRowBytes: 32 }]) {
    using world = memoryWorld(tables);
    const pipeline = pipelineIn(world, tables, { explain: { sampleSize: 512 }, ...options });
    // Twelve rows are cached; 40 come in turn.
    for (let i = 0; i < 100; i++) await pipeline.lookup(bagOf([i % 40]));
    const { tables: [first, second], total, advice } = pipeline.explain();
    assertEquals([first.name, first.lookups, first.waits], ["table 0", 100, 100]);
    assertEquals([first.slotCount, second.lookups], [12, 0]);
    assertEquals(first.classes.firstTouch.count, 40);
    assert(first.classes.capacity.count + first.classes.policy.count === 60);
    assertEquals(total.waits, 100);
    assert(advice.length > 0);
    assert(pipeline.memory().explainerBytes > 0);
  }
  using world = memoryWorld(tables);
  assertThrows(
    () => pipelineIn(world, tables).explain(),
    RangeError,
    "explain must be among the pipeline's options: received none",
  );
});

Deno.test("Pipeline.metrics() gives the counters of every table by its name", async () => {
  using world = memoryWorld(tables);
  const [first, second] = tables.tables;
  using pipeline = new Pipeline({
    queue: world.queue,
    clock: world.clock,
    tables: [
      { table: first, offsetBytes: world.offsets[0], cacheRows: 9, name: "users" },
      { table: second, offsetBytes: world.offsets[1], cacheRows: 9 },
    ],
  });
  await pipeline.lookup(bagOf([7, 7, 8]));
  const text = pipeline.metrics();
  assertStringIncludes(text, 'rowtier_cache_lookups_total{table="users",result="miss"} 2\n');
  assertStringIncludes(
    text,
    'rowtier_cache_lookup_size_bytes_total{table="users",result="miss"} 64\n',
  );
  assertStringIncludes(text, 'rowtier_cache_lookups_total{table="table 1",result="hit"} 0\n');
});
