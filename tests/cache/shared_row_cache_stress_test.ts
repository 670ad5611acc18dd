import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { NO_SLOT, SharedRowCache, SLOT_STATE } from "@rowtier/rowtier/cache";
import { type Job, ROW_WORDS, type Tallies, wordOf } from "./shared_hammer.ts";
import { runWorkers } from "./shared_workers.ts";

const KEYS = 1000;

function createJobs(
  cache: SharedRowCache,
  slotCount: number,
  workers: number,
  deletes: boolean,
): Job[] {
  const arena = new Int32Array(new SharedArrayBuffer(4 * ROW_WORDS * slotCount));
  const reading = new Int32Array(new SharedArrayBuffer(4 * KEYS));
  const present = new Int32Array(new SharedArrayBuffer(4));
  const size = { batches: 12_000, batchKeys: 32 };
  return Array.from({ length: workers }, (_, seed): Job => {
    const { handle } = cache;
    return { handle, arena, reading, present, workers, seed, deletes, ...size };
  });
}

/** Checks what the cache counted against what the workers did, and its rows against their keys. */
function checkOutcome(cache: SharedRowCache, { arena }: Job, tallies: readonly Tallies[]): void {
  cache.verify();
  const total = (name: keyof Tallies): number => tallies.reduce((sum, each) => sum + each[name], 0);
  const counters = cache.counters(0);
  assertStrictEquals(counters.lookups, total("lookups"));
  assertStrictEquals(counters.misses, total("fresh") + total("unplaced"));
  assertStrictEquals(counters.admissions, total("fresh"));
  assertStrictEquals(counters.unplaced, total("unplaced"));
  assertStrictEquals(counters.failures, total("abandoned"));
  assertStrictEquals(counters.deletions, total("deleted"));
  assertStrictEquals(cache.pinCount(0), 0);
  const keys = cache.contents(0);
  const left = counters.evictions + counters.deletions + counters.failures;
  assertStrictEquals(keys.length, counters.admissions - left);
  assertStrictEquals(new Set(keys).size, keys.length);
  const slots = new Int32Array(keys.length);
  assertStrictEquals(cache.acquire(0, keys, keys.length, slots), 0);
  keys.forEach((key, i) => {
    assertStrictEquals(cache.state(0, slots[i]), SLOT_STATE.READY);
    const row = arena.subarray(ROW_WORDS * slots[i], ROW_WORDS * (slots[i] + 1));
    assertEquals([...row], [...row].map((_, word) => wordOf(key, word)));
  });
  cache.release(0, slots, keys.length);
  assert(slots.every((slot) => slot === NO_SLOT));
}

const CASES = [
  { order: "clock", slotCount: 64, shardCount: 4, workers: 4, deletes: false },
  { order: "lru", slotCount: 256, shardCount: 1, workers: 2, deletes: false },
  { order: "lru", slotCount: 256, shardCount: 2, workers: 3, deletes: true },
] as const;

for (const { order, slotCount, shardCount, workers, deletes } of CASES) {
  const what = `${order}, ${shardCount} shards${deletes ? " and deletions" : ""}`;
  const name = `SharedRowCache keeps pinned rows whole when ${workers} workers use it: ${what}`;
  Deno.test(name, async () => {
    const cache = SharedRowCache.create({
      partitions: [{ slotCount, shardCount, order }],
      lockTimeoutMs: 20_000,
    });
    const jobs = createJobs(cache, slotCount, workers, deletes);
    const tallies = await runWorkers(jobs);
    checkOutcome(cache, jobs[0], tallies);
    // One more attachment for each.
    assertStrictEquals(SharedRowCache.attach(cache.handle).attachment, workers + 2);
  });
}
