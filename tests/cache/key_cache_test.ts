import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  type AdmissionPolicy,
  clock,
  EVICTION_POLICIES,
  type EvictionPolicyFactory,
  KeyCache,
  lru,
  MAX_PARTITION_SLOTS,
  NO_SLOT,
  secondAccess,
  sieve,
} from "@rowtier/rowtier/cache";
import { missesOf } from "./bare_frame.ts";
import { type GoldenTrace, makeTrace } from "./traces.ts";
import { readSynthetic, renumber } from "./golden.ts";

const goldenTraces: GoldenTrace[] = readSynthetic();

for (const [name, eviction] of Object.entries({ lru, sieve, clock })) {
  Deno.test(`KeyCache misses as often as the reference with ${name}, scattered and dense`, () => {
    for (const golden of goldenTraces) {
      const keys = makeTrace(golden);
      const ids = renumber(keys);
      const keyCount = golden.uniqueKeys;
      const misses = (trace: Uint32Array, slotCount: number, dense: boolean): number => {
        const cache = new KeyCache({ slotCount, eviction, ...(dense ? { keyCount } : {}) });
        return cache.replay(trace);
      };
      // Every third size, as each is played twice.
      for (let i = 0; i < golden.sizes.length; i += 3) {
        const slotCount = golden.sizes[i];
        assertStrictEquals(misses(keys, slotCount, false), golden.misses[name][i]);
        assertStrictEquals(misses(ids, slotCount, true), golden.misses[name][i]);
      }
    }
  });
}

Deno.test("KeyCache.replay() does what get() and insert() do key by key", () => {
  const keys = makeTrace(goldenTraces[0]).subarray(0, 20_000);
  for (const roomy of [false, true]) {
    const options = { slotCount: 500, eviction: lru, admission: secondAccess, roomy };
    const whole = new KeyCache(options);
    const single = new KeyCache(options);
    const missed = whole.replay(keys, 0, 700) + whole.replay(keys, 700);
    for (const key of keys) if (single.get(key) === NO_SLOT) single.insert(key);
    assertEquals(whole.counters(), single.counters());
    assertStrictEquals(missed, single.counters().misses);
    assertEquals(whole.contents(), single.contents());
    whole.verify();
  }
});

Deno.test("KeyCache.lookup() does what get() does key by key", () => {
  // Above 1 MiB, the index is touched ahead.
  for (const slotCount of [4, 300_000]) {
    for (const dense of [{}, { keyCount: 700_000 }]) {
      const create = (): KeyCache => {
        const cache = new KeyCache({ slotCount, eviction: lru, ...dense });
        for (let key = 0; key < 600_000; key += 2) cache.insert(key);
        return cache;
      };
      const keys = Uint32Array.from({ length: 1000 }, (_, i) => 599_001 + i);
      const slots = new Int32Array(1000);
      const [batched, single] = [create(), create()];
      const absent = batched.lookup(keys, 1000, slots);
      assertEquals(slots, Int32Array.from(keys, (key) => single.get(key)));
      assertEquals(batched.counters(), single.counters());
      assertStrictEquals(absent, single.counters().misses);
      batched.verify();
    }
  }
});

Deno.test("KeyCache gives slots 0 to slotCount - 1, and a newcomer the slot of its victim", () => {
  const cache = new KeyCache({ slotCount: 3, eviction: lru });
  assertEquals([7, 8, 9].map((key) => cache.insert(key)), [0, 1, 2]);
  assertStrictEquals(cache.get(7), 0);
  assertStrictEquals(cache.insert(10), 1);
  assertStrictEquals(cache.has(8), false);
  assertEquals(cache.contents(), Uint32Array.of(10, 7, 9));
  assertStrictEquals(cache.size, 3);
});

Deno.test("KeyCache.insert() gives the slot of a key that is there, and counts nothing", () => {
  const cache = new KeyCache({ slotCount: 2, eviction: lru });
  cache.insert(5);
  const before = cache.counters();
  assertStrictEquals(cache.insert(5), 0);
  assertEquals(cache.counters(), before);
  cache.verify();
});

Deno.test("KeyCache.delete() frees a slot, which the next key gets", () => {
  for (const dense of [{}, { keyCount: 3 }]) {
    const cache = new KeyCache({ slotCount: 5, eviction: sieve, ...dense });
    for (const key of [0, 1, 2]) cache.insert(key);
    assertStrictEquals(cache.delete(1), true);
    assertStrictEquals(cache.delete(1), false);
    cache.verify();
    assertStrictEquals(cache.insert(1), 1);
    cache.clear();
    assertStrictEquals(cache.size, 0);
    assertStrictEquals(cache.counters().deletions, 4);
    cache.verify();
  }
});

Deno.test("KeyCache takes every u32 for a key, and slot 0 for a slot", () => {
  const cache = new KeyCache({ slotCount: 3, eviction: lru });
  const keys = [0, 0x80000000, 0xffffffff];
  assertEquals(keys.map((key) => cache.get(key)), [NO_SLOT, NO_SLOT, NO_SLOT]);
  assertEquals(keys.map((key) => cache.insert(key)), [0, 1, 2]);
  assertEquals(keys.map((key) => cache.get(key)), [0, 1, 2]);
  assertEquals(cache.contents(), Uint32Array.of(0xffffffff, 0x80000000, 0));
});

/** Admits and prefers as told, and notes what it is asked. */
function noting(calls: unknown[][], admits: boolean, prefers: boolean): AdmissionPolicy {
  return {
    name: "noting",
    onAccess: (key) => void calls.push(["access", key]),
    admit(key) {
      calls.push(["admit", key]);
      return admits;
    },
    prefers(candidate, victimKey) {
      calls.push(["prefers", candidate, victimKey]);
      return prefers;
    },
  };
}

Deno.test("KeyCache asks the admission before the policy moves, and before a victim leaves", () => {
  const calls: unknown[][] = [];
  const admission = () => noting(calls, true, false);
  const cache = new KeyCache({ slotCount: 1, eviction: lru, admission });
  cache.replay(Uint32Array.of(1, 2, 1));
  assertEquals(calls, [
    ["access", 1],
    ["admit", 1],
    ["access", 2],
    ["admit", 2],
    ["prefers", 2, 1],
    ["access", 1],
  ]);
  const { hits, misses, admissions, refusals } = cache.counters();
  assertEquals([hits, misses, admissions, refusals], [1, 2, 1, 1]);
  cache.verify();
  calls.length = 0;
  cache.get(1);
  cache.get(2);
  cache.insert(2);
  assertEquals(calls, [["access", 1], ["access", 2], ["admit", 2], ["prefers", 2, 1]]);
});

Deno.test("KeyCache.insert() gives NO_SLOT when the key is refused", () => {
  const admission = () => noting([], false, true);
  const cache = new KeyCache({ slotCount: 1, eviction: lru, admission });
  assertStrictEquals(cache.insert(1), NO_SLOT);
  assertStrictEquals(cache.counters().refusals, 1);
  assertStrictEquals(cache.size, 0);
});

/** LRU that holds at most `most` keys, and pushes slot `out` out by a hit. */
function bounded(most: number, out: () => number = () => NO_SLOT): EvictionPolicyFactory {
  return (slots) => {
    const inner = lru(slots);
    return {
      name: "bounded",
      bytes: inner.bytes,
      onMiss: (key) => inner.onMiss(key),
      onInsert: (slot) => inner.onInsert(slot),
      onHit: (slot) => {
        inner.onHit(slot);
        return out();
      },
      onRemove: (slot, cause) => inner.onRemove(slot, cause),
      victim: (key) => most === 0 ? NO_SLOT : inner.victim(key),
      crowded: () => inner.contents().length >= most,
      contents: () => inner.contents(),
      verify: () => inner.verify(),
    };
  };
}

Deno.test("KeyCache evicts for a crowded policy though slots are free, and loses none", () => {
  const cache = new KeyCache({ slotCount: 4, eviction: bounded(2) });
  cache.replay(Uint32Array.of(1, 2, 3, 4));
  cache.verify();
  assertEquals(cache.contents(), Uint32Array.of(4, 3));
  assertStrictEquals(cache.counters().evictions, 2);
  const full = new KeyCache({ slotCount: 4, eviction: bounded(0) });
  assertStrictEquals(full.insert(1), NO_SLOT);
  full.verify();
});

Deno.test("KeyCache removes what a hit pushes out", () => {
  let out = NO_SLOT;
  const cache = new KeyCache({ slotCount: 3, eviction: bounded(3, () => out) });
  for (const key of [1, 2, 3]) cache.insert(key);
  out = 0;
  assertStrictEquals(cache.get(2), 1);
  assertStrictEquals(cache.has(1), false);
  assertStrictEquals(cache.counters().evictions, 1);
  cache.verify();
});

Deno.test("KeyCache costs at most 22 bytes a slot with LRU, and 15 with CLOCK", () => {
  for (const slotCount of [1000, 2731, 10_000, 1_000_000]) {
    const bytes = (eviction: EvictionPolicyFactory, roomy = false): number => {
      const cache = new KeyCache({ slotCount, eviction, roomy });
      const { indexBytes, policyBytes, columnBytes } = cache.memoryBytes();
      return (indexBytes + policyBytes + columnBytes) / slotCount;
    };
    // The sentinel of LRU's list is not one of the slots.
    const lruBytes = bytes(lru);
    assert(lruBytes <= 22 + 8 / slotCount, `${slotCount} slots: ${lruBytes} bytes`);
    assert(bytes(clock) <= 15, `${slotCount} slots: ${bytes(clock)} bytes`);
    assert(bytes(lru, true) > lruBytes && bytes(lru, true) <= 33, `${bytes(lru, true)} bytes`);
  }
});

Deno.test("KeyCache misses with every registered policy as often as the bare frame", () => {
  const ids = renumber(makeTrace(goldenTraces[0]).subarray(0, 30_000));
  for (const [name, eviction] of Object.entries(EVICTION_POLICIES)) {
    for (const dense of [{}, { keyCount: ids.length }]) {
      const cache = new KeyCache({ slotCount: 300, eviction, ...dense });
      const misses = cache.replay(ids);
      assertStrictEquals(misses, missesOf({ eviction }, ids, 300), name);
      assertStrictEquals(cache.counters().hits + misses, ids.length, name);
      cache.verify();
    }
  }
});

Deno.test("KeyCache throws on counts and keys out of range", () => {
  for (const slotCount of [0, 1.5, MAX_PARTITION_SLOTS + 1]) {
    const create = () => new KeyCache({ slotCount, eviction: lru });
    assertThrows(create, RangeError, "Cannot create KeyCache: slotCount must be an integer of");
  }
  for (const keyCount of [0, 2 ** 32]) {
    const create = () => new KeyCache({ slotCount: 1, eviction: lru, keyCount });
    assertThrows(create, RangeError, "Cannot create KeyCache: keyCount must be an integer of");
  }
  const cache = new KeyCache({ slotCount: 2, eviction: lru, keyCount: 10 });
  const keys = Uint32Array.of(1, 10);
  const refused = "Cannot look up key: it must be below 10: received 10";
  assertThrows(() => cache.get(10), RangeError, refused);
  assertThrows(() => cache.insert(10), RangeError, refused);
  assertThrows(() => cache.replay(keys), RangeError, refused);
  assertThrows(() => cache.replay(keys, 0, 3), RangeError, "Cannot replay: end must be");
  assertThrows(() => cache.replay(keys, 2, 1), RangeError, "Cannot replay: start must be");
  const slots = new Int32Array(1);
  assertThrows(() => cache.lookup(keys, 2, slots), RangeError, "Cannot look up: count must be");
  cache.verify();
});
