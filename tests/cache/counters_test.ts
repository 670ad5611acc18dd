import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  createClaim,
  hitRatio,
  lru,
  missByteRatio,
  missRatio,
  NO_BATCH,
  type PartitionCounters,
  RowCache,
  sumCounters,
  toOpenTelemetry,
  toPrometheus,
} from "@rowtier/rowtier/cache";
import { KINDS } from "./row_cache_kinds.ts";

const claim = createClaim();

/** Counters that are all different, of rows of 10 bytes. */
function sample(): PartitionCounters {
  return {
    lookups: 100,
    hits: 60,
    delayedHits: 15,
    misses: 25,
    admissions: 23,
    refusals: 2,
    scratchClaims: 3,
    evictions: 17,
    pushedOut: 4,
    deletions: 5,
    failures: 1,
    prefetches: 12,
    prefetchUsed: 6,
    prefetchLate: 7,
    prefetchWasted: 8,
    rowBytes: 10,
    lookupBytes: 1000,
    hitBytes: 600,
    missBytes: 250,
  };
}

Deno.test("AnyRowCache.counters() counts the bytes of rows where they are known", () => {
  for (const [name, kind] of Object.entries(KINDS)) {
    if (name === "DualRowCache") continue; // the size of its rows says where they are kept
    const size = { slotCount: 4, scratchCount: 1 };
    const cache = kind.create([{ ...size, rowBytes: 72 }, size]);
    for (const p of [0, 1]) {
      const batch = cache.begin();
      const keys = Uint32Array.of(1, 2, 1);
      const slots = new Int32Array(3);
      cache.acquire(p, keys, 3, batch, slots);
      for (const key of keys) cache.claim(p, key, batch, claim);
      cache.acquire(p, keys, 3, batch, slots);
      cache.fill(p, cache.claim(p, 3, NO_BATCH, claim), claim.generation);
      cache.acquire(p, Uint32Array.of(3), 1, batch, slots);
      const { rowBytes, lookupBytes, hitBytes, missBytes } = cache.counters(p);
      const unit = p === 0 ? 72 : 0;
      assertEquals([rowBytes, lookupBytes, hitBytes, missBytes], [1, 7, 1, 2].map((n) => n * unit));
    }
  }
});

Deno.test("hitRatio(), missRatio() and missByteRatio() are shares of what was looked up", () => {
  const counters = sample();
  assertEquals([hitRatio(counters), missRatio(counters)], [0.6, 0.25]);
  assertStrictEquals(missByteRatio({ ...counters, missBytes: 500 }), 0.5);
  const [none] = [new RowCache({ partitions: [{ slotCount: 1, scratchCount: 0, eviction: lru }] })];
  assertStrictEquals(hitRatio(none.counters(0)), NaN);
});

Deno.test("sumCounters() weighs tables by their bytes", () => {
  const small = { ...sample(), rowBytes: 1, lookupBytes: 100, hitBytes: 60, missBytes: 25 };
  const sum = sumCounters([sample(), small]);
  assertEquals([sum.lookups, sum.misses, sum.lookupBytes, sum.rowBytes], [200, 50, 1100, 0]);
  assertStrictEquals(missByteRatio(sum), 275 / 1100);
  assertStrictEquals(sumCounters([sample(), sample()]).rowBytes, 10);
  assertThrows(
    () => sumCounters([]),
    RangeError,
    "Cannot sum counters: their number must be at least 1: received 0",
  );
});

Deno.test("toOpenTelemetry() names every count once, in parts that add up", () => {
  const metrics = toOpenTelemetry({ users: sample(), items: sample() });
  assertStrictEquals(metrics.length, 2 * (3 + 3 + 1 + 1 + 1 + 4 + 1 + 3));
  const of = (name: string): number[] =>
    metrics.filter((each) =>
      each.name === `rowtier.cache.${name}` && each.attributes["rowtier.table"] === "users"
    ).map(({ value }) => value);
  assertEquals(of("lookups"), [60, 15, 25]);
  assertEquals(of("lookup.size"), [600, 150, 250]);
  assertEquals(of("removals"), [13, 4, 5, 1]);
  assertEquals(of("prefetch.outcomes"), [6, 7, 8]);
  assertEquals(metrics[1], {
    name: "rowtier.cache.lookups",
    unit: "{lookup}",
    description: "Keys looked up, by what was found: the row, its read on the way, or nothing.",
    kind: "counter",
    value: 15,
    attributes: { "rowtier.table": "users", "rowtier.cache.result": "delayed_hit" },
  });
});

Deno.test("toPrometheus() writes the text format, one HELP and TYPE a metric", () => {
  const lines = toPrometheus({ users: sample(), items: sample() }).split("\n");
  assertStrictEquals(lines.pop(), "");
  assertEquals(lines.slice(1, 5), [
    "# TYPE rowtier_cache_lookups_total counter",
    'rowtier_cache_lookups_total{table="users",result="hit"} 60',
    'rowtier_cache_lookups_total{table="users",result="delayed_hit"} 15',
    'rowtier_cache_lookups_total{table="users",result="miss"} 25',
  ]);
  assertEquals(lines.filter((line) => line.includes("admissions_total{")), [
    'rowtier_cache_admissions_total{table="users"} 23',
    'rowtier_cache_admissions_total{table="items"} 23',
  ]);
  assertStrictEquals(
    lines.filter((line) => line === "# TYPE rowtier_cache_lookup_size_bytes_total counter").length,
    1,
  );
  const format =
    /^(?:# (?:HELP|TYPE) [a-z_]+ .+|[a-z_]+\{table="[a-z]+"(?:,[a-z]+="[a-z_]+")?\} \d+)$/;
  for (const line of lines) assertStrictEquals(format.test(line), true, line);
});

Deno.test("toPrometheus() escapes the names of tables", () => {
  const text = toPrometheus({ 'a"b\\c\nd': sample() });
  assertStrictEquals(
    text.includes('rowtier_cache_refusals_total{table="a\\"b\\\\c\\nd"} 2\n'),
    true,
  );
});
