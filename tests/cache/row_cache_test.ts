import {
  assert,
  assertEquals,
  assertNotEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  type AdmissionPolicy,
  admitAlways,
  createClaim,
  type EvictionPolicy,
  type EvictionPolicyFactory,
  lru,
  MAX_BATCH_WINDOW,
  MAX_PARTITION_SLOTS,
  MAX_PARTITIONS,
  NO_BATCH,
  NO_SLOT,
  type PartitionOptions,
  PREFETCH,
  RowCache,
  sieve,
  SLOT_STATE,
  type Slots,
} from "@rowtier/rowtier/cache";

function createCache(options: Partial<PartitionOptions> = {}): RowCache {
  return new RowCache({
    partitions: [{ slotCount: 2, scratchCount: 2, eviction: lru, ...options }],
  });
}

const claim = createClaim();

/** Looks one key up for a batch and loads it where it is absent; what acquire said of it. */
function look(cache: RowCache, key: number, batch: number, fill = true): number {
  const slots = new Int32Array(1);
  if (cache.acquire(0, Uint32Array.of(key), 1, batch, slots) === 0) return slots[0];
  const slot = cache.claim(0, key, batch, claim);
  if (fill && claim.fresh) cache.fill(0, slot, claim.generation);
  return NO_SLOT;
}

Deno.test("RowCache throws on options out of range", () => {
  const what = "Cannot create RowCache";
  const of = (options: object): () => RowCache => () => createCache(options);
  for (const slotCount of [0, -1, 0.5, NaN]) {
    const message = `${what}: partition 0: slotCount must be an integer of at least 1`;
    assertThrows(of({ slotCount }), RangeError, message);
  }
  assertThrows(of({ scratchCount: -1 }), RangeError, `${what}: partition 0: scratchCount must`);
  const slotCount = MAX_PARTITION_SLOTS;
  assertThrows(
    of({ slotCount, scratchCount: 1 }),
    RangeError,
    `${what}: partition 0: scratchCount`,
  );
  const many = new Array(MAX_PARTITIONS + 1);
  for (const partitions of [[], many]) {
    assertThrows(() => new RowCache({ partitions }), RangeError, `${what}: number of partitions`);
  }
});

Deno.test("RowCache throws on a partition out of range, naming the call", () => {
  const cache = createCache();
  const batch = cache.begin();
  const one = new Uint32Array(1);
  for (const p of [-1, 1, 0.5, NaN]) {
    const calls: Record<string, () => unknown> = {
      "Cannot acquire": () => cache.acquire(p, one, 1, batch, new Int32Array(1)),
      "Cannot claim": () => cache.claim(p, 1, batch, claim),
      "Cannot fill": () => cache.fill(p, 0, 1),
      "Cannot abandon": () => cache.abandon(p, 0, 1),
      "Cannot delete": () => cache.delete(p, 1),
      "Cannot clear": () => cache.clear(p),
      "Cannot look up": () => cache.has(p, 1),
      "Cannot show states": () => cache.states(p),
      "Cannot count": () => cache.counters(p),
      "Cannot measure memory": () => cache.memoryBytes(p),
      "Cannot list contents": () => cache.contents(p),
    };
    for (const [what, call] of Object.entries(calls)) {
      assertThrows(call, RangeError, `${what}: partition must be an integer of at least 0`);
    }
  }
});

Deno.test("RowCache throws on a batch that is not live, and touches nothing", () => {
  const cache = createCache();
  const ended = cache.begin();
  cache.retire(ended);
  const batch = cache.begin();
  const slots = Int32Array.of(5);
  for (const wrong of [ended, batch + 1, -2, 0.5, NaN]) {
    const message = `batch must be live: received ${wrong}`;
    assertThrows(() => cache.retire(wrong), RangeError, `Cannot retire: ${message}`);
    assertThrows(
      () => cache.acquire(0, Uint32Array.of(1), 1, wrong, slots),
      RangeError,
      `Cannot acquire: ${message}`,
    );
    assertThrows(() => cache.claim(0, 1, wrong, claim), RangeError, `Cannot claim: ${message}`);
  }
  assertThrows(() => cache.retire(NO_BATCH), RangeError, "Cannot retire: batch must be live");
  assertEquals(slots, Int32Array.of(5));
  assertStrictEquals(cache.counters(0).lookups, 0);
});

Deno.test("RowCache.acquire() throws when an array is too short, and touches nothing", () => {
  const cache = createCache();
  const batch = cache.begin();
  const keys = new Uint32Array(2);
  const slots = new Int32Array(1);
  const count = (n: number) => () => cache.acquire(0, keys, n, batch, slots);
  for (const n of [3, -1, 1.5]) assertThrows(count(n), RangeError, "Cannot acquire: count must be");
  assertThrows(
    count(2),
    RangeError,
    "Cannot acquire: slots.length must be an integer of at least 2",
  );
  assertStrictEquals(cache.counters(0).lookups, 0);
});

Deno.test("RowCache.fill() and abandon() throw on a slot out of range", () => {
  const cache = createCache();
  for (const slot of [-1, 4, 0.5, NO_SLOT]) {
    assertThrows(() => cache.fill(0, slot, 1), RangeError, "Cannot fill: slot must be");
    assertThrows(() => cache.abandon(0, slot, 1), RangeError, "Cannot abandon: slot must be");
  }
});

Deno.test("RowCache.begin() counts up, and says NO_BATCH while the window is full", () => {
  const cache = createCache();
  for (let i = 0; i < MAX_BATCH_WINDOW; i++) assertStrictEquals(cache.begin(), i);
  assertStrictEquals(cache.begin(), NO_BATCH);
  // A younger batch's end makes no room: the window reaches back to the oldest.
  cache.retire(7);
  assertStrictEquals(cache.begin(), NO_BATCH);
  cache.retire(0);
  assertStrictEquals(cache.begin(), MAX_BATCH_WINDOW);
  assertStrictEquals(cache.begin(), NO_BATCH);
});

Deno.test("RowCache never evicts a row of a batch for another row of it", () => {
  const cache = createCache({ slotCount: 2, scratchCount: 1 });
  const first = cache.begin();
  look(cache, 1, first);
  look(cache, 2, first);
  cache.retire(first);
  const batch = cache.begin();
  const slots = new Int32Array(3);
  // 1 is the least recently used, but this batch uses it.
  assertStrictEquals(cache.acquire(0, Uint32Array.of(3, 1, 4), 3, batch, slots), 2);
  const three = cache.claim(0, 3, batch, claim);
  assertStrictEquals(claim.evictedKey, 2);
  const four = cache.claim(0, 4, batch, claim);
  assertEquals([claim.evictedKey, claim.fresh, four], [-1, true, 2]);
  assertEquals(new Set([slots[1], three, four]).size, 3);
  assertStrictEquals(cache.claim(0, 5, batch, claim), NO_SLOT);
  assertStrictEquals(claim.fresh, false);
  assertEquals(cache.contents(0), Uint32Array.of(3, 1));
  cache.verify();
});

Deno.test("RowCache keeps a row for a young batch when an older one uses it later and ends", () => {
  const cache = createCache({ slotCount: 1, scratchCount: 0 });
  const old = cache.begin();
  const young = cache.begin();
  look(cache, 1, young);
  assertStrictEquals(look(cache, 1, old), 0);
  cache.retire(old);
  assertStrictEquals(cache.claim(0, 2, young, claim), NO_SLOT);
  cache.retire(young);
  assertStrictEquals(cache.claim(0, 2, cache.begin(), claim), 0);
});

Deno.test("RowCache reads a missing key that repeats once, the others are delayed hits", () => {
  const cache = createCache();
  const batch = cache.begin();
  const slots = new Int32Array(3);
  assertStrictEquals(cache.acquire(0, Uint32Array.of(9, 9, 9), 3, batch, slots), 3);
  const slot = cache.claim(0, 9, batch, claim);
  const { generation } = claim;
  assertStrictEquals(cache.claim(0, 9, batch, claim), slot);
  assertEquals([claim.fresh, claim.generation], [false, generation]);
  cache.fill(0, slot, generation);
  assertStrictEquals(cache.claim(0, 9, batch, claim), slot);
  const { lookups, hits, delayedHits, misses, admissions } = cache.counters(0);
  assertEquals([lookups, hits, delayedHits, misses, admissions], [3, 1, 1, 1, 1]);
});

Deno.test("RowCache shows a loading row to a second batch as a delayed hit", () => {
  const cache = createCache();
  const first = cache.begin();
  look(cache, 5, first, false);
  const { generation } = claim;
  const second = cache.begin();
  assertStrictEquals(look(cache, 5, second), ~0);
  assertStrictEquals(cache.states(0)[0], SLOT_STATE.LOADING);
  assertStrictEquals(cache.fill(0, 0, generation), true);
  assertStrictEquals(cache.states(0)[0], SLOT_STATE.READY);
  assertStrictEquals(look(cache, 5, second), 0);
  assertStrictEquals(cache.fill(0, 0, generation), false);
});

Deno.test("RowCache.abandon() shows FAILED to who waits, and the next claim reads anew", () => {
  const cache = createCache({ slotCount: 2, scratchCount: 0 });
  const batch = cache.begin();
  look(cache, 5, batch, false);
  assertStrictEquals(cache.abandon(0, 0, claim.generation), true);
  assertStrictEquals(cache.abandon(0, 0, claim.generation), false);
  assertStrictEquals(cache.states(0)[0], SLOT_STATE.FAILED);
  assertStrictEquals(cache.has(0, 5), false);
  // The slot is not used again while the batch may look at its state.
  assertStrictEquals(cache.claim(0, 5, batch, claim), 1);
  assertStrictEquals(cache.claim(0, 6, batch, claim), NO_SLOT);
  cache.retire(batch);
  assertStrictEquals(cache.claim(0, 6, cache.begin(), claim), 0);
  assertStrictEquals(cache.counters(0).failures, 1);
});

Deno.test("RowCache.delete() leaves the bytes to live batches, and voids a claim", () => {
  const cache = createCache({ slotCount: 2, scratchCount: 0 });
  const batch = cache.begin();
  look(cache, 1, batch);
  look(cache, 2, batch, false);
  const { generation } = claim;
  assertStrictEquals(cache.delete(0, 1), true);
  assertStrictEquals(cache.delete(0, 1), false);
  assertStrictEquals(cache.delete(0, 2), true);
  assertStrictEquals(cache.fill(0, 1, generation), false);
  assertEquals(cache.states(0), Uint8Array.of(SLOT_STATE.READY, SLOT_STATE.FAILED));
  assertStrictEquals(cache.claim(0, 3, batch, claim), NO_SLOT);
  cache.retire(batch);
  const next = cache.begin();
  const slots = [3, 4].map((key) => cache.claim(0, key, next, claim));
  assertEquals(slots.sort(), [0, 1]);
  assertStrictEquals(cache.counters(0).deletions, 2);
  cache.verify();
});

Deno.test("RowCache.clear() deletes what is in cache and in scratch", () => {
  const cache = createCache({ slotCount: 1, scratchCount: 2 });
  const batch = cache.begin();
  for (const key of [1, 2, 3]) look(cache, key, batch);
  cache.clear(0);
  for (const key of [1, 2, 3]) assertStrictEquals(cache.has(0, key), false);
  assertStrictEquals(cache.counters(0).deletions, 3);
  cache.verify();
});

Deno.test("RowCache drops a scratch row with its last batch", () => {
  const cache = createCache({ slotCount: 1, scratchCount: 1 });
  const first = cache.begin();
  look(cache, 1, first);
  look(cache, 2, first);
  const second = cache.begin();
  assertStrictEquals(look(cache, 2, second), 1);
  cache.retire(first);
  assertStrictEquals(cache.has(0, 2), true);
  assertStrictEquals(look(cache, 2, second), 1);
  cache.retire(second);
  assertStrictEquals(cache.has(0, 2), false);
  // 1 is evictable now: the row that was in scratch gets a cache slot this time.
  assertStrictEquals(look(cache, 2, cache.begin()), NO_SLOT);
  assertEquals(cache.contents(0), Uint32Array.of(2));
  assertStrictEquals(cache.counters(0).scratchClaims, 1);
});

Deno.test("RowCache finds every free scratch slot, wherever its hand is", () => {
  const cache = createCache({ slotCount: 1, scratchCount: 3, admission: () => refusing([]) });
  const old = cache.begin();
  const young = cache.begin();
  cache.claim(0, 1, old, claim);
  cache.claim(0, 2, young, claim);
  cache.claim(0, 3, old, claim);
  assertStrictEquals(cache.claim(0, 4, old, claim), NO_SLOT);
  cache.retire(old);
  assertEquals([cache.claim(0, 5, young, claim), cache.claim(0, 6, young, claim)], [1, 3]);
  assertStrictEquals(cache.claim(0, 7, young, claim), NO_SLOT);
});

/** Admits nothing, and notes what it is asked. */
function refusing(calls: unknown[][], admits = false): AdmissionPolicy {
  const note = (...call: unknown[]): boolean => {
    calls.push(call);
    return call[0] === "admit" && admits;
  };
  return {
    name: "refusing",
    onAccess: (key) => void note("access", key),
    admit: (key) => note("admit", key),
    prefers: (candidate, victimKey) => note("prefers", candidate, victimKey),
  };
}

Deno.test("RowCache asks the admission before the policy moves, even when slots are free", () => {
  const calls: unknown[][] = [];
  const cache = createCache({ admission: () => refusing(calls) });
  assertStrictEquals(look(cache, 1, cache.begin()), NO_SLOT);
  assertEquals(calls, [["access", 1], ["admit", 1]]);
  assertEquals([cache.counters(0).refusals, cache.counters(0).scratchClaims], [1, 1]);
  assertStrictEquals(cache.claim(0, 2, NO_BATCH, claim), NO_SLOT);
  assertStrictEquals(cache.counters(0).refusals, 2);
});

Deno.test("RowCache asks if a candidate deserves the victim's place before it goes", () => {
  const calls: unknown[][] = [];
  const cache = createCache({ slotCount: 1, admission: () => refusing(calls, true) });
  const first = cache.begin();
  look(cache, 1, first);
  cache.retire(first);
  calls.length = 0;
  const batch = cache.begin();
  look(cache, 2, batch);
  assertEquals(calls, [["access", 2], ["admit", 2], ["prefers", 2, 1]]);
  assertEquals(cache.contents(0), Uint32Array.of(1));
  assertStrictEquals(claim.evictedKey, -1);
});

Deno.test("admitAlways() changes nothing", () => {
  const cache = createCache({ slotCount: 1, admission: admitAlways });
  for (const key of [1, 2]) {
    const batch = cache.begin();
    look(cache, key, batch);
    cache.retire(batch);
  }
  assertEquals(cache.contents(0), Uint32Array.of(2));
  assertStrictEquals(cache.counters(0).refusals, 0);
});

Deno.test("RowCache tells how each prefetched row ended, once", () => {
  const told: number[][] = [];
  const cache = new RowCache({
    partitions: [
      { slotCount: 1, scratchCount: 0, eviction: lru },
      { slotCount: 4, scratchCount: 0, eviction: sieve },
    ],
    onPrefetch: (...outcome) => told.push(outcome),
  });
  const prefetch = (key: number, fill: boolean): void => {
    const slot = cache.claim(1, key, NO_BATCH, claim);
    assertStrictEquals(claim.fresh, true);
    if (fill) cache.fill(1, slot, claim.generation);
  };
  prefetch(10, true);
  prefetch(11, false);
  prefetch(12, true);
  prefetch(13, false);
  const slot = cache.claim(1, 13, NO_BATCH, claim);
  assertEquals([claim.fresh, slot], [false, 3]);
  const batch = cache.begin();
  for (let i = 0; i < 2; i++) {
    cache.acquire(1, Uint32Array.of(10, 11), 2, batch, new Int32Array(2));
  }
  cache.delete(1, 12);
  cache.abandon(1, slot, claim.generation);
  assertEquals(told, [
    [1, 10, PREFETCH.USED],
    [1, 11, PREFETCH.LATE],
    [1, 12, PREFETCH.WASTED],
    [1, 13, PREFETCH.WASTED],
  ]);
  const { prefetches, prefetchUsed, prefetchLate, prefetchWasted, lookups } = cache.counters(1);
  assertEquals([prefetches, prefetchUsed, prefetchLate, prefetchWasted, lookups], [4, 1, 1, 2, 4]);
});

/** LRU whose every hit pushes out the slot that `out` names, and whose victim that is, too. */
function pushing(out: () => number, onVictim: () => void = () => {}): EvictionPolicyFactory {
  return (slots: Slots): EvictionPolicy => {
    const inner = lru(slots);
    return {
      name: "pushing",
      bytes: inner.bytes,
      onMiss: (key) => inner.onMiss(key),
      onInsert: (slot) => inner.onInsert(slot),
      onHit: (slot) => {
        inner.onHit(slot);
        return out();
      },
      onRemove: (slot, cause) => inner.onRemove(slot, cause),
      victim: () => {
        onVictim();
        return out();
      },
      contents: () => inner.contents(),
      verify: () => inner.verify(),
    };
  };
}

Deno.test("RowCache removes what a hit pushes out, unless a live batch uses it", () => {
  let out = NO_SLOT;
  const cache = createCache({ slotCount: 3, eviction: pushing(() => out) });
  const first = cache.begin();
  for (const key of [1, 2, 3]) look(cache, key, first);
  out = 0;
  look(cache, 2, first);
  assertStrictEquals(cache.has(0, 1), true);
  cache.retire(first);
  look(cache, 2, cache.begin());
  assertStrictEquals(cache.has(0, 1), false);
  assertStrictEquals(cache.states(0)[0], SLOT_STATE.FREE);
  assertStrictEquals(cache.counters(0).evictions, 1);
  cache.verify();
});

Deno.test("RowCache throws when a policy gives up a row that is in use", () => {
  const cache = createCache({ slotCount: 1, eviction: pushing(() => 0) });
  const batch = cache.begin();
  look(cache, 1, batch);
  assertThrows(
    () => look(cache, 2, batch),
    Error,
    "Broken invariant: partition 0: slot 0 must be evictable",
  );
});

Deno.test("RowCache asks a policy without a victim again only when something came free", () => {
  let asked = 0;
  const counting = pushing(() => NO_SLOT, () => asked++);
  const cache = createCache({ slotCount: 1, scratchCount: 4, eviction: counting });
  const batch = cache.begin();
  for (const key of [1, 2, 3, 4]) look(cache, key, batch);
  assertStrictEquals(asked, 1);
  cache.retire(batch);
  const next = cache.begin();
  look(cache, 5, next);
  look(cache, 6, next);
  assertStrictEquals(asked, 2);
});

Deno.test("RowCache counts its memory from its arrays", () => {
  const cache = createCache({ slotCount: 1000, scratchCount: 24 });
  const { indexBytes, policyBytes, columnBytes } = cache.memoryBytes(0);
  assertStrictEquals(indexBytes, 2048 * 8);
  assertStrictEquals(policyBytes, 1001 * 8);
  assertStrictEquals(columnBytes, 1000 * 15 + 24 * 11);
});

Deno.test("RowCache gives copies of its counters, and its own states", () => {
  const cache = createCache();
  const before = cache.counters(0);
  const states = cache.states(0);
  look(cache, 1, cache.begin());
  assertNotEquals(before, cache.counters(0));
  assertStrictEquals(states[0], SLOT_STATE.READY);
  assertStrictEquals(states, cache.states(0));
});

Deno.test("RowCache keeps keys of partitions apart, and takes every u32 for a key", () => {
  const partition = { slotCount: 3, scratchCount: 0, eviction: lru };
  const cache = new RowCache({ partitions: [partition, partition] });
  assertStrictEquals(cache.partitionCount, 2);
  const batch = cache.begin();
  for (const key of [0, 0x80000000, 0xffffffff]) {
    cache.claim(0, key, batch, claim);
    assertEquals([cache.has(0, key), cache.has(1, key)], [true, false]);
  }
  assertEquals(cache.contents(0), Uint32Array.of(0xffffffff, 0x80000000, 0));
  assert(cache.contents(1).length === 0);
});
