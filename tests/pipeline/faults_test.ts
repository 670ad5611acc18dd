import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { createRandom } from "../../base/random.ts";
import { type KeyBatch, NO_TICKET, type Pipeline } from "../../pipeline/mod.ts";
import {
  createEventLog,
  createFaultDevice,
  createTraceDevice,
  ERRNO,
  type EventLog,
  type Fault,
  PROFILES,
} from "../../tiers/mod.ts";
import {
  bits,
  buildTables,
  pipelineIn,
  randomBatch,
  type Tables,
  truthOf,
  untilReady,
  virtualWorld,
  type World,
} from "./worlds.ts";

const tables: Tables = await buildTables();

function faultyWorld(faults: Fault[], seed = 1): World {
  return virtualWorld(
    tables,
    (device, clock) => createFaultDevice({ device, clock, faults, seed }),
  );
}

/** One bag each of keys 10, 11, 12, ...: one read each, numbered from 0. */
function bags(count: number): KeyBatch {
  const keys = Uint32Array.from({ length: count }, (_, i) => 10 + i);
  const offsets = Uint32Array.from({ length: count + 1 }, (_, i) => i);
  return { parts: [{ table: 0, keys, offsets }] };
}

async function poolOnce(
  pipeline: Pipeline,
  batch: KeyBatch,
): Promise<{ output: Float32Array; incomplete: Uint8Array; marked: number }> {
  const ticket = pipeline.stage(batch);
  await untilReady(pipeline, ticket);
  const output = new Float32Array(truthOf(tables, batch).length).fill(7);
  const incomplete = new Uint8Array(batch.parts[0].offsets.length - 1).fill(9);
  const marked = pipeline.pool(ticket, output, incomplete);
  pipeline.release(ticket);
  return { output, incomplete, marked };
}

const PASSING: [string, Fault][] = [
  ["a short read", { kind: "short", at: 1 }],
  ["EAGAIN", { kind: "error", at: 1, errno: ERRNO.EAGAIN }],
  ["EIO on one read", { kind: "error", at: 1, errno: ERRNO.EIO }],
  ["a flipped byte", { kind: "corrupt", at: 1 }],
];

for (const [name, fault] of PASSING) {
  Deno.test(`Pipeline reads again after ${name}, and gives the truth`, async () => {
    using world = faultyWorld([fault]);
    const pipeline = pipelineIn(world, tables);
    const batch = bags(4);
    const { output, incomplete, marked } = await poolOnce(pipeline, batch);
    assertEquals([marked, ...incomplete], [0, 0, 0, 0, 0]);
    assertEquals(bits(output), bits(truthOf(tables, batch)));
    const { loader } = pipeline.counters();
    assertEquals([loader.reads, loader.retries, loader.failures], [5, 1, 0]);
    assertEquals(loader.checksumFailures, fault.kind === "corrupt" ? 1 : 0);
  });
}

for (const [kept, options] of [["", {}], [", kept compactly", { compactRowBytes: 132 }]] as const) {
  Deno.test(`Pipeline gives a row up after three tries, and marks its bag${kept}`, async () => {
    // Read 0 is that of key 10, beforehand; 1, 4 and 5 are those of key 11.
    const faults: Fault[] = [1, 4, 5].map((at) => ({ kind: "error", at, errno: ERRNO.EIO }));
    using world = faultyWorld(faults);
    const pipeline = pipelineIn(world, tables, options);
    await pipeline.lookup(bags(1));
    const batch = bags(4);
    const { output, incomplete, marked } = await poolOnce(pipeline, batch);
    assertEquals([marked, ...incomplete], [1, 0, 1, 0, 0]);
    const wanted = truthOf(tables, batch);
    wanted.fill(0, 24, 48);
    assertEquals(bits(output), bits(wanted));
    assertEquals(pipeline.counters().tables[0].failures, 1);
    // The failure is not remembered: the next batch reads the row again.
    const again = await poolOnce(pipeline, batch);
    assertEquals(bits(again.output), bits(truthOf(tables, batch)));
  });
}

Deno.test("Pipeline.lookup() rejects when a row cannot be read", async () => {
  using world = faultyWorld([{ kind: "error", share: 1, errno: ERRNO.EIO }]);
  const pipeline = pipelineIn(world, tables);
  await assertRejects(() => pipeline.lookup(bags(2)), Error, "2 bags miss a row");
  assert(pipeline.stage(bags(1)) !== NO_TICKET, "the ticket was released");
});

Deno.test("Pipeline makes a batch ready at its deadline; another gets the late row", async () => {
  using world = faultyWorld([{ kind: "late", at: 1, delayNs: 1e6 }]);
  const pipeline = pipelineIn(world, tables);
  const batch = bags(3);
  const hurried = pipeline.stage(batch, 2e5), patient = pipeline.stage(batch);
  await untilReady(pipeline, hurried);
  assertEquals(world.clock.now(), 2e5);
  const output = new Float32Array(72), incomplete = new Uint8Array(3);
  assertEquals(pipeline.pool(hurried, output, incomplete), 1);
  assertEquals([...incomplete], [0, 1, 0]);
  pipeline.release(hurried);
  await untilReady(pipeline, patient);
  assert(world.clock.now() >= 1e6);
  assertEquals(pipeline.pool(patient, output, incomplete), 0);
  assertEquals(bits(output), bits(truthOf(tables, batch)));
});

Deno.test("Pipeline cancels a read that never completes, and goes on", async () => {
  using world = faultyWorld([{ kind: "lost", at: 1 }]);
  const pipeline = pipelineIn(world, tables, { readTimeoutNs: 5e5, maxBatches: 1 });
  const batch = bags(3);
  const { incomplete, marked } = await poolOnce(pipeline, batch);
  assertEquals([marked, ...incomplete], [1, 0, 1, 0]);
  assert(world.clock.now() >= 5e5);
  const again = await poolOnce(pipeline, batch);
  assertEquals(bits(again.output), bits(truthOf(tables, batch)));
});

Deno.test("Pipeline.lookup() says so when a read is lost and may wait for ever", async () => {
  using world = faultyWorld([{ kind: "lost", at: 0 }]);
  const pipeline = pipelineIn(world, tables, { readTimeoutNs: Infinity });
  await assertRejects(() => pipeline.lookup(bags(1)), Error, "a read was lost");
});

Deno.test("Pipeline under all faults: every bag is whole and true, or marked", async () => {
  const share = fc.double({ min: 0, max: 0.4, noNaN: true });
  const kept = fc.constantFrom({}, { compactRowBytes: 132 });
  await fc.assert(
    fc.asyncProperty(fc.nat(), kept, share, share, share, async (seed, kept, a, b, c) => {
      using world = faultyWorld([
        { kind: "error", share: a, errno: ERRNO.EIO },
        { kind: "short", share: b },
        { kind: "corrupt", share: c },
        { kind: "lost", share: a / 4 },
        { kind: "late", share: b, delayNs: 1e5 },
      ], seed);
      const pipeline = pipelineIn(world, tables, { readTimeoutNs: 1e6, ...kept });
      await faultyRun(pipeline, world, seed);
    }),
    { numRuns: 40 },
  );
});

/** Batches with and without deadlines; unmarked bags must be true, marked ones finite. */
async function faultyRun(pipeline: Pipeline, world: World, seed: number): Promise<void> {
  const random = createRandom(seed);
  const flying: { ticket: number; batch: KeyBatch }[] = [];
  for (let i = 0; i < 60; i++) {
    const batch = randomBatch(random);
    const deadlineNs = random.below(3) === 0 ? world.clock.now() + random.below(5e4) : Infinity;
    const ticket = pipeline.stage(batch, deadlineNs);
    if (ticket !== NO_TICKET) flying.push({ ticket, batch });
    else await pipeline.idle();
    if (flying.length === 3 || random.below(3) === 0) {
      const chosen = flying.splice(random.below(flying.length), 1);
      for (const { ticket, batch } of chosen) {
        await untilReady(pipeline, ticket);
        checkMarked(pipeline, ticket, batch);
        pipeline.release(ticket);
      }
    }
  }
}

function checkMarked(pipeline: Pipeline, ticket: number, batch: KeyBatch): void {
  const wanted = truthOf(tables, batch);
  const output = new Float32Array(wanted.length);
  const bagCounts = batch.parts.map(({ offsets }) => offsets.length - 1);
  const incomplete = new Uint8Array(bagCounts.reduce((sum, count) => sum + count, 0));
  const marked = pipeline.pool(ticket, output, incomplete);
  assertEquals(incomplete.reduce((sum, flag) => sum + flag, 0), marked);
  let at = 0, bag = 0;
  batch.parts.forEach(({ table }, p) => {
    const { dim } = tables.tables[table];
    for (let b = 0; b < bagCounts[p]; b++, bag++, at += dim) {
      const vector = output.subarray(at, at + dim);
      if (incomplete[bag] === 0) assertEquals(bits(vector), bits(wanted.subarray(at, at + dim)));
      else assert(vector.every(Number.isFinite));
    }
  });
}

Deno.test("the same seed gives the same event log, byte for byte", async () => {
  const run = async (seed: number): Promise<EventLog> => {
    const log = createEventLog(100_000);
    using world = virtualWorld(
      tables,
      (device, clock) => {
        const faults: Fault[] = [{ kind: "error", share: 0.1, errno: ERRNO.EIO }];
        const faulty = createFaultDevice({ device, clock, faults, seed });
        return createTraceDevice({ device: faulty, log, clock });
      },
      { seed, profile: PROFILES.p3700 },
    );
    await faultyRun(pipelineIn(world, tables), world, 99);
    return log;
  };
  const [first, second, other] = [await run(5), await run(5), await run(6)];
  assert(first.count > 100 && first.dropped === 0);
  assertEquals(first.bytes(), second.bytes());
  assert(first.bytes().some((byte, i) => byte !== other.bytes()[i]));
});
