/**
 * What every row cache does, as cases to run on each of them: none foretells an order of eviction
 * that only some of them have.
 *
 * @module
 */

import { assertEquals, assertNotEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  type AdmissionPolicy,
  admitAlways,
  type AnyRowCache,
  type CommonPartitionOptions,
  createClaim,
  LOOKUP,
  MAX_BATCH_WINDOW,
  MAX_PARTITION_SLOTS,
  MAX_PARTITIONS,
  NO_BATCH,
  NO_SLOT,
  PREFETCH,
  SLOT_STATE,
  SLOT_STATE_MASK,
  type WatchOptions,
} from "@rowtier/rowtier/cache";

/** A kind of row cache. */
export interface Kind {
  /** The class, as its errors name it. */
  readonly name: string;
  /** A cache of it, for keys below 1000. */
  create(
    partitions: readonly CommonPartitionOptions[],
    watch?: WatchOptions,
  ): AnyRowCache;
}

/** A case: what its test is called after the class, and what it runs. */
export type Case = readonly [name: string, run: (kind: Kind) => void];

const claim = createClaim();

function createCache(kind: Kind, options: Partial<CommonPartitionOptions> = {}): AnyRowCache {
  return kind.create([{ slotCount: 2, scratchCount: 2, ...options }]);
}

/** Looks one key up for a batch and loads it where it is absent; what acquire said of it. */
function look(cache: AnyRowCache, key: number, batch: number, fill = true): number {
  const slots = new Int32Array(1);
  if (cache.acquire(0, Uint32Array.of(key), 1, batch, slots) === 0) return slots[0];
  const slot = cache.claim(0, key, batch, claim);
  if (fill && claim.fresh) cache.fill(0, slot, claim.generation);
  return NO_SLOT;
}

/** The states of the only partition. */
function statesOf(cache: AnyRowCache): number[] {
  return [...cache.states(0)].map((byte) => byte & SLOT_STATE_MASK);
}

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

/** The cases. */
export const ROW_CACHE_CASES: readonly Case[] = [
  ["throws on options out of range", (kind) => {
    const what = `Cannot create ${kind.name}`;
    const of = (options: object): () => AnyRowCache => () => createCache(kind, options);
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
      assertThrows(() => kind.create(partitions), RangeError, `${what}: number of partitions`);
    }
  }],
  ["throws on a partition out of range, naming the call", (kind) => {
    const cache = createCache(kind);
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
        "Cannot switch": () => cache.setAdmitting(p, false),
        "Cannot tell whether it admits": () => cache.isAdmitting(p),
        "Cannot export order": () => cache.exportOrder(p),
        "Cannot import order": () => cache.importOrder(p, new Uint8Array(16)),
        "Cannot warm": () => cache.warm(p, 1, 0, claim),
      };
      for (const [what, call] of Object.entries(calls)) {
        assertThrows(call, RangeError, `${what}: partition must be an integer of at least 0`);
      }
    }
  }],
  ["throws on a batch that is not live, and touches nothing", (kind) => {
    const cache = createCache(kind);
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
  }],
  [".acquire() throws when an array is too short, and touches nothing", (kind) => {
    const cache = createCache(kind);
    const batch = cache.begin();
    const keys = new Uint32Array(2);
    const slots = new Int32Array(1);
    const count = (n: number) => () => cache.acquire(0, keys, n, batch, slots);
    for (const n of [3, -1, 1.5]) {
      assertThrows(count(n), RangeError, "Cannot acquire: count must be");
    }
    assertThrows(
      count(2),
      RangeError,
      "Cannot acquire: slots.length must be an integer of at least 2",
    );
    assertStrictEquals(cache.counters(0).lookups, 0);
  }],
  [".fill() and abandon() throw on a slot out of range", (kind) => {
    const cache = createCache(kind);
    for (const slot of [-1, 4, 0.5, NO_SLOT]) {
      assertThrows(() => cache.fill(0, slot, 1), RangeError, "Cannot fill: slot must be");
      assertThrows(() => cache.abandon(0, slot, 1), RangeError, "Cannot abandon: slot must be");
    }
  }],
  [".begin() counts up, and says NO_BATCH while the window is full", (kind) => {
    const cache = createCache(kind);
    for (let i = 0; i < MAX_BATCH_WINDOW; i++) assertStrictEquals(cache.begin(), i);
    assertStrictEquals(cache.begin(), NO_BATCH);
    // A younger batch's end makes no room: the window reaches back to the oldest.
    cache.retire(7);
    assertStrictEquals(cache.begin(), NO_BATCH);
    cache.retire(0);
    assertStrictEquals(cache.begin(), MAX_BATCH_WINDOW);
    assertStrictEquals(cache.begin(), NO_BATCH);
  }],
  ["never evicts a row of a batch for another row of it", (kind) => {
    const cache = createCache(kind, { slotCount: 2, scratchCount: 1 });
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
  }],
  ["keeps a row for a young batch when an older one uses it later and ends", (kind) => {
    const cache = createCache(kind, { slotCount: 1, scratchCount: 0 });
    const old = cache.begin();
    const young = cache.begin();
    look(cache, 1, young);
    assertStrictEquals(look(cache, 1, old), 0);
    cache.retire(old);
    assertStrictEquals(cache.claim(0, 2, young, claim), NO_SLOT);
    cache.retire(young);
    assertStrictEquals(cache.claim(0, 2, cache.begin(), claim), 0);
  }],
  ["reads a missing key that repeats once, the others are delayed hits", (kind) => {
    const cache = createCache(kind);
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
  }],
  ["shows a loading row to a second batch as a delayed hit", (kind) => {
    const cache = createCache(kind);
    const first = cache.begin();
    look(cache, 5, first, false);
    const { generation } = claim;
    const second = cache.begin();
    assertStrictEquals(look(cache, 5, second), ~0);
    assertStrictEquals(statesOf(cache)[0], SLOT_STATE.LOADING);
    assertStrictEquals(cache.fill(0, 0, generation), true);
    assertStrictEquals(statesOf(cache)[0], SLOT_STATE.READY);
    assertStrictEquals(look(cache, 5, second), 0);
    assertStrictEquals(cache.fill(0, 0, generation), false);
  }],
  [".abandon() shows FAILED to who waits, and the next claim reads anew", (kind) => {
    const cache = createCache(kind, { slotCount: 2, scratchCount: 0 });
    const batch = cache.begin();
    look(cache, 5, batch, false);
    assertStrictEquals(cache.abandon(0, 0, claim.generation), true);
    assertStrictEquals(cache.abandon(0, 0, claim.generation), false);
    assertStrictEquals(statesOf(cache)[0], SLOT_STATE.FAILED);
    assertStrictEquals(cache.has(0, 5), false);
    // The slot is not used again while the batch may look at its state.
    assertStrictEquals(cache.claim(0, 5, batch, claim), 1);
    assertStrictEquals(cache.claim(0, 6, batch, claim), NO_SLOT);
    cache.retire(batch);
    assertStrictEquals(cache.claim(0, 6, cache.begin(), claim), 0);
    assertStrictEquals(cache.counters(0).failures, 1);
  }],
  [".delete() leaves the bytes to live batches, and voids a claim", (kind) => {
    const cache = createCache(kind, { slotCount: 2, scratchCount: 0 });
    const batch = cache.begin();
    look(cache, 1, batch);
    look(cache, 2, batch, false);
    const { generation } = claim;
    assertStrictEquals(cache.delete(0, 1), true);
    assertStrictEquals(cache.delete(0, 1), false);
    assertStrictEquals(cache.delete(0, 2), true);
    assertStrictEquals(cache.fill(0, 1, generation), false);
    assertEquals(statesOf(cache).slice(0, 2), [SLOT_STATE.READY, SLOT_STATE.FAILED]);
    assertStrictEquals(cache.claim(0, 3, batch, claim), NO_SLOT);
    cache.retire(batch);
    const next = cache.begin();
    const slots = [3, 4].map((key) => cache.claim(0, key, next, claim));
    assertEquals(slots.sort(), [0, 1]);
    assertStrictEquals(cache.counters(0).deletions, 2);
    cache.verify();
  }],
  [".clear() deletes what is in cache and in scratch", (kind) => {
    const cache = createCache(kind, { slotCount: 1, scratchCount: 2 });
    const batch = cache.begin();
    for (const key of [1, 2, 3]) look(cache, key, batch);
    cache.clear(0);
    for (const key of [1, 2, 3]) assertStrictEquals(cache.has(0, key), false);
    assertStrictEquals(cache.counters(0).deletions, 3);
    cache.verify();
  }],
  ["drops a scratch row with its last batch", (kind) => {
    const cache = createCache(kind, { slotCount: 1, scratchCount: 1 });
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
  }],
  ["finds every free scratch slot, wherever its hand is", (kind) => {
    const cache = createCache(kind, {
      slotCount: 1,
      scratchCount: 3,
      admission: () => refusing([]),
    });
    const old = cache.begin();
    const young = cache.begin();
    cache.claim(0, 1, old, claim);
    cache.claim(0, 2, young, claim);
    cache.claim(0, 3, old, claim);
    assertStrictEquals(cache.claim(0, 4, old, claim), NO_SLOT);
    cache.retire(old);
    assertEquals([cache.claim(0, 5, young, claim), cache.claim(0, 6, young, claim)], [1, 3]);
    assertStrictEquals(cache.claim(0, 7, young, claim), NO_SLOT);
  }],
  ["asks the admission before the policy moves, even when slots are free", (kind) => {
    const calls: unknown[][] = [];
    const cache = createCache(kind, { admission: () => refusing(calls) });
    assertStrictEquals(look(cache, 1, cache.begin()), NO_SLOT);
    assertEquals(calls, [["access", 1], ["admit", 1]]);
    assertEquals([cache.counters(0).refusals, cache.counters(0).scratchClaims], [1, 1]);
    assertStrictEquals(cache.claim(0, 2, NO_BATCH, claim), NO_SLOT);
    assertStrictEquals(cache.counters(0).refusals, 2);
  }],
  ["asks if a candidate deserves the victim's place before it goes", (kind) => {
    const calls: unknown[][] = [];
    const cache = createCache(kind, { slotCount: 1, admission: () => refusing(calls, true) });
    const first = cache.begin();
    look(cache, 1, first);
    cache.retire(first);
    calls.length = 0;
    const batch = cache.begin();
    look(cache, 2, batch);
    assertEquals(calls, [["access", 2], ["admit", 2], ["prefers", 2, 1]]);
    assertEquals(cache.contents(0), Uint32Array.of(1));
    assertStrictEquals(claim.evictedKey, -1);
  }],
  ["admitAlways() changes nothing", (kind) => {
    const cache = createCache(kind, { slotCount: 1, admission: admitAlways });
    for (const key of [1, 2]) {
      const batch = cache.begin();
      look(cache, key, batch);
      cache.retire(batch);
    }
    assertEquals(cache.contents(0), Uint32Array.of(2));
    assertStrictEquals(cache.counters(0).refusals, 0);
  }],
  ["tells how each prefetched row ended, once", (kind) => {
    const told: number[][] = [];
    const sizes = [{ slotCount: 1, scratchCount: 0 }, { slotCount: 4, scratchCount: 0 }];
    const cache = kind.create(sizes, {
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
    const counted = [prefetches, prefetchUsed, prefetchLate, prefetchWasted, lookups];
    assertEquals(counted, [4, 1, 1, 2, 4]);
  }],
  ["gives copies of its counters, and its own states", (kind) => {
    const cache = createCache(kind);
    const before = cache.counters(0);
    const states = cache.states(0);
    look(cache, 1, cache.begin());
    assertNotEquals(before, cache.counters(0));
    assertStrictEquals(statesOf(cache)[0], SLOT_STATE.READY);
    assertStrictEquals(states, cache.states(0));
  }],
  ["tells an observer once how each lookup ended, and what was deleted", (kind) => {
    const seen: unknown[] = [];
    const cache = kind.create([{ slotCount: 3, scratchCount: 1 }], {
      observer: {
        observe: (partition, key, outcome) => seen.push([partition, key, outcome]),
        forget: (partition, key) => seen.push(["forget", partition, key]),
        forgetAll: (partition) => seen.push(["forget all", partition]),
      },
    });
    const batch = cache.begin();
    const take = (): unknown[] => seen.splice(0, seen.length);
    cache.claim(0, 1, NO_BATCH, claim);
    assertEquals(take(), []);
    cache.acquire(0, Uint32Array.of(1, 2, 1), 3, batch, new Int32Array(3));
    assertEquals(take(), [[0, 1, LOOKUP.LATE], [0, 1, LOOKUP.DELAYED]]);
    const slot = cache.claim(0, 2, batch, claim);
    const { generation } = claim;
    cache.claim(0, 2, batch, claim);
    cache.fill(0, slot, generation);
    cache.claim(0, 2, batch, claim);
    assertEquals(take(), [[0, 2, LOOKUP.MISS], [0, 2, LOOKUP.DELAYED], [0, 2, LOOKUP.HIT]]);
    cache.acquire(0, Uint32Array.of(3, 4, 5, 2), 4, batch, new Int32Array(4));
    cache.claim(0, 3, NO_BATCH, claim);
    for (const key of [3, 4, 5]) cache.claim(0, key, batch, claim);
    assertEquals(take(), [
      [0, 2, LOOKUP.HIT],
      [0, 3, LOOKUP.LATE],
      [0, 4, LOOKUP.REFUSED],
      [0, 5, LOOKUP.REFUSED],
    ]);
    cache.delete(0, 9);
    cache.delete(0, 2);
    cache.clear(0);
    assertEquals(take(), [["forget", 0, 2], ["forget all", 0]]);
  }],
  ["forgets a stamp before it comes round, however long its batch lived", (kind) => {
    for (const end of [101, 200, 254, 255, 256, 300, 353]) {
      const cache = createCache(kind, { slotCount: 1, scratchCount: 1 });
      let batch = NO_BATCH;
      // Batch 100 uses the only slot of either kind, and lives until batch `end` has begun.
      while (batch < 354) {
        batch = cache.begin();
        if (batch === 100) { for (const key of [1, 2]) look(cache, key, batch); }
        else cache.retire(batch);
        if (batch === end) cache.retire(100);
      }
      // Batch 355 has the stamp that batch 100 had.
      batch = cache.begin();
      assertStrictEquals(batch, 355);
      assertStrictEquals(cache.has(0, 2), false);
      assertStrictEquals(cache.claim(0, 3, batch, claim), 0, `retired at ${end}`);
      assertStrictEquals(claim.evictedKey, 1);
      assertStrictEquals(cache.claim(0, 4, batch, claim), 1);
      cache.verify();
    }
  }],
  ["admits nothing while switched off, and keeps and counts what it has", (kind) => {
    const cache = createCache(kind);
    const batch = cache.begin();
    look(cache, 1, batch);
    assertStrictEquals(cache.isAdmitting(0), true);
    cache.setAdmitting(0, false);
    assertStrictEquals(cache.isAdmitting(0), false);
    assertStrictEquals(look(cache, 1, batch), 0);
    look(cache, 2, batch);
    assertStrictEquals(look(cache, 2, batch), 2, "in scratch");
    assertStrictEquals(cache.claim(0, 3, NO_BATCH, claim), NO_SLOT);
    assertStrictEquals(cache.warm(0, 3, 0, claim), NO_SLOT);
    const { hits, misses, scratchClaims, refusals } = cache.counters(0);
    assertEquals([hits, misses, scratchClaims, refusals], [2, 2, 1, 0]);
    cache.setAdmitting(0, true);
    look(cache, 3, batch);
    assertEquals(cache.contents(0).toSorted(), Uint32Array.of(1, 3));
    cache.verify();
  }],
  ["lets a younger batch's stamp stand when an older batch uses a scratch row later", (kind) => {
    const cache = createCache(kind, { slotCount: 1, scratchCount: 1 });
    const old = cache.begin();
    const young = cache.begin();
    look(cache, 1, young);
    look(cache, 2, young);
    assertStrictEquals(look(cache, 2, old), 1);
    cache.retire(old);
    assertStrictEquals(cache.claim(0, 3, young, claim), NO_SLOT);
    assertStrictEquals(look(cache, 2, young), 1);
  }],
];
