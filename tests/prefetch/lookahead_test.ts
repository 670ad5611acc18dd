import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { createClaim, lru, NO_BATCH, NO_SLOT, PREFETCH, RowCache } from "@rowtier/rowtier/cache";
import { Lookahead, lookahead, MAX_LOOKAHEAD_ROWS } from "@rowtier/rowtier/prefetch";

function predict(prefetcher: Lookahead, most: number): number[][] {
  const partitions = new Uint32Array(most);
  const keys = new Uint32Array(most);
  const count = prefetcher.predict(partitions, keys);
  return Array.from({ length: count }, (_, i) => [partitions[i], keys[i]]);
}

const key = fc.oneof(fc.nat(12), fc.constantFrom(0x80000000, 0xffffffff));
const operation = fc.record({
  what: fc.constantFrom("announce", "announce", "observe", "predict"),
  partition: fc.nat(2),
  keys: fc.array(key, { maxLength: 12 }),
  most: fc.nat(6),
});

Deno.test("Lookahead hands out what was announced, in order, each once", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.array(operation), (capacity, operations) => {
      const prefetcher = lookahead({ capacity, isCached: (_, key) => key === 7 });
      // The model: an array of the rows that wait, and of gaps, which take room until they are
      // first.
      let waiting: (string | undefined)[] = [];
      const counters = { announced: 0, predicted: 0, dropped: 0, used: 0, late: 0, wasted: 0 };
      const remove = (row: string): void => {
        waiting = waiting.map((each) => each === row ? undefined : each);
        while (waiting.length > 0 && waiting[0] === undefined) waiting.shift();
      };
      for (const { what, partition, keys, most } of operations) {
        const column = Uint32Array.from(keys);
        if (what === "announce") {
          prefetcher.announce(partition, column, keys.length);
          for (const each of keys.map((key) => `${partition},${key}`)) {
            counters.announced++;
            if (waiting.includes(each)) continue;
            if (waiting.length === capacity) counters.dropped++;
            else waiting.push(each);
          }
        } else if (what === "observe") {
          prefetcher.observe(partition, column, keys.length);
          for (const key of keys) remove(`${partition},${key}`);
        } else {
          const expected: string[] = [];
          while (expected.length < most && waiting[0] !== undefined) {
            const first = waiting[0];
            remove(first);
            if (!first.endsWith(",7")) expected.push(first);
          }
          counters.predicted += expected.length;
          assertEquals(predict(prefetcher, most).map(String), expected);
        }
        prefetcher.verify();
        assertStrictEquals(prefetcher.size, waiting.filter((each) => each !== undefined).length);
        assertEquals({ ...prefetcher.counters() }, counters);
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("Lookahead drops the newest when it is full, and takes more when it is not", () => {
  const prefetcher = new Lookahead({ capacity: 3 });
  prefetcher.announce(0, Uint32Array.of(1, 2, 3, 4, 2, 5), 6);
  assertStrictEquals(prefetcher.counters().dropped, 2);
  assertEquals(predict(prefetcher, 1), [[0, 1]]);
  prefetcher.announce(1, Uint32Array.of(6, 1), 2);
  assertEquals(predict(prefetcher, 9), [[0, 2], [0, 3], [1, 6]]);
  assertStrictEquals(prefetcher.counters().dropped, 3);
});

Deno.test("Lookahead.announce() heeds count, and an announced row may come again", () => {
  const prefetcher = new Lookahead({ capacity: 3 });
  prefetcher.announce(0, Uint32Array.of(1, 2), 1);
  assertEquals(predict(prefetcher, 9), [[0, 1]]);
  prefetcher.announce(0, Uint32Array.of(1), 1);
  assertEquals(predict(prefetcher, 9), [[0, 1]]);
});

Deno.test("Lookahead.predict() fills the shorter of its arrays", () => {
  const prefetcher = new Lookahead({ capacity: 3 });
  prefetcher.announce(0, Uint32Array.of(1, 2, 3), 3);
  assertStrictEquals(prefetcher.predict(new Uint32Array(2), new Uint32Array(1)), 1);
  assertStrictEquals(prefetcher.predict(new Uint32Array(0), new Uint32Array(1)), 0);
  assertStrictEquals(prefetcher.size, 2);
});

Deno.test("Lookahead counts how its predictions end", () => {
  const prefetcher = new Lookahead({ capacity: 3 });
  assertStrictEquals(prefetcher.accuracy, 0);
  for (const outcome of [PREFETCH.USED, PREFETCH.USED, PREFETCH.LATE, PREFETCH.WASTED]) {
    prefetcher.settle(0, 1, outcome);
  }
  const { used, late, wasted } = prefetcher.counters();
  assertEquals([used, late, wasted, prefetcher.accuracy], [2, 1, 1, 0.75]);
});

Deno.test("Lookahead throws on a capacity or a count out of range", () => {
  for (const capacity of [0, -1, 1.5, NaN, MAX_LOOKAHEAD_ROWS + 1]) {
    const message = "Cannot create Lookahead: capacity must be an integer of at least 1";
    assertThrows(() => lookahead({ capacity }), RangeError, message);
  }
  const prefetcher = new Lookahead({ capacity: 3 });
  const keys = Uint32Array.of(1);
  for (const count of [2, -1, 0.5]) {
    assertThrows(() => prefetcher.announce(0, keys, count), RangeError, "Cannot announce: count");
    assertThrows(() => prefetcher.observe(0, keys, count), RangeError, "Cannot observe: count");
  }
  assertStrictEquals(prefetcher.size, 0);
});

Deno.test("Lookahead over a row cache has every announced row there, where all rows fit", () => {
  const partition = { slotCount: 200, scratchCount: 16, eviction: lru };
  const prefetcher: Lookahead = lookahead({
    capacity: 32,
    isCached: (partition, key) => cache.has(partition, key),
  });
  const cache = new RowCache({
    partitions: [partition],
    onPrefetch: (partition, key, outcome) => prefetcher.settle(partition, key, outcome),
  });
  const claim = createClaim();
  const slots = new Int32Array(16);
  for (let round = 0; round < 20; round++) {
    const keys = Uint32Array.from({ length: 16 }, (_, i) => (round * 7 + i * i) % 200);
    prefetcher.announce(0, keys, 16);
    for (const [partition, key] of predict(prefetcher, 16)) {
      const slot = cache.claim(partition, key, NO_BATCH, claim);
      assert(slot !== NO_SLOT && claim.fresh);
      cache.fill(partition, slot, claim.generation);
    }
    const batch = cache.begin();
    assertStrictEquals(cache.acquire(0, keys, 16, batch, slots), 0);
    prefetcher.observe(0, keys, 16);
    cache.retire(batch);
  }
  const { predicted, used } = prefetcher.counters();
  assertEquals([predicted, prefetcher.accuracy], [used, 1]);
  assertStrictEquals(cache.counters(0).prefetches, predicted);
});
