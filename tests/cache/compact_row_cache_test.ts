import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  type BucketOrder,
  type CompactPartitionOptions,
  CompactRowCache,
  createClaim,
  MAX_PARTITION_SLOTS,
  NO_BATCH,
  NO_SLOT,
} from "@rowtier/rowtier/cache";
import fc from "fast-check";
import { createRandom } from "../../base/random.ts";
import { BucketTwin } from "./compact_twin.ts";

const WAYS = 16;

const claim = createClaim();

function createCache(options: Partial<CompactPartitionOptions> = {}): CompactRowCache {
  return new CompactRowCache({ partitions: [{ slotCount: 4096, scratchCount: 2, ...options }] });
}

/** Puts a key into the cache for no batch; returns its slot. */
function put(cache: CompactRowCache, key: number): number {
  const slot = cache.claim(0, key, NO_BATCH, claim);
  if (claim.fresh) cache.fill(0, slot, claim.generation);
  return slot;
}

/** Uses a key that is there, in a batch of its own. */
function use(cache: CompactRowCache, key: number): void {
  const batch = cache.begin();
  assertStrictEquals(cache.acquire(0, Uint32Array.of(key), 1, batch, new Int32Array(1)), 0);
  cache.retire(batch);
}

Deno.test("CompactRowCache throws on options out of range", () => {
  const what = "Cannot create CompactRowCache: partition 0";
  const refuse = (options: Partial<CompactPartitionOptions>, message: string): void => {
    assertThrows(() => createCache(options), RangeError, `${what}: ${message}`);
  };
  for (const keyCount of [0, 2 ** 32 + 1, 0.5, NaN]) refuse({ keyCount }, "keyCount must be");
  for (const loadingCount of [0, 1.5, MAX_PARTITION_SLOTS + 1]) {
    refuse({ loadingCount }, "loadingCount must be");
  }
  refuse({ rowBytes: -1 }, "rowBytes must be");
  const order = "mru" as BucketOrder;
  assertThrows(
    () => createCache({ order }),
    TypeError,
    `${what}: order must be "lru" or "clock": received mru`,
  );
});

Deno.test("CompactRowCache takes as many keys as its slots can tell apart, and no more", () => {
  const most = new Map([[1, 24], [16, 24], [31, 24], [32, 25], [63, 25], [2048, 31], [4095, 31]]);
  for (const [slotCount, bits] of most) {
    const keyCount = 2 ** bits;
    createCache({ slotCount, keyCount });
    assertThrows(
      () => createCache({ slotCount, keyCount: keyCount + 1 }),
      RangeError,
      `keyCount must be an integer of at least 1 and at most ${keyCount}`,
    );
  }
  createCache({ slotCount: 4096, keyCount: 2 ** 32 });
  createCache({ slotCount: 2 ** 20 });
});

Deno.test("CompactRowCache throws on a key that it would take for another", () => {
  const cache = createCache({ slotCount: 8, keyCount: 1000 });
  const batch = cache.begin();
  const message = "keys must be below 1000: received 1000";
  const keys = Uint32Array.of(1, 1000);
  const slots = Int32Array.of(7, 7);
  assertThrows(
    () => cache.acquire(0, keys, 2, batch, slots),
    RangeError,
    `Cannot acquire: ${message}`,
  );
  assertEquals([...slots, cache.counters(0).lookups], [7, 7, 0]);
  assertStrictEquals(cache.acquire(0, keys, 1, batch, slots), 1);
  assertThrows(() => cache.claim(0, 1000, batch, claim), RangeError, `Cannot claim: ${message}`);
  assertThrows(() => cache.warm(0, 1000, 0, claim), RangeError, `Cannot warm: ${message}`);
  for (let key = 0; key < 1000; key++) put(cache, key);
  // 1024 and more are beyond the permuted numbers, 1000 to 1023 are among them.
  for (const key of [1000, 1023, 1024, 2 ** 32 - 1]) {
    assertEquals([cache.has(0, key), cache.delete(0, key)], [false, false]);
  }
});

Deno.test("CompactRowCache tells every key from every other, whatever its size", () => {
  const bits = fc.integer({ min: 0, max: 24 });
  const size = fc.oneof(
    fc.record({ slotCount: fc.integer({ min: 1, max: 200 }), bits }),
    fc.record({ slotCount: fc.integer({ min: 4096, max: 9000 }), bits: fc.constant(32) }),
    fc.record({ slotCount: fc.constantFrom(4096, 4097, 65536), bits: fc.constant(32) }),
  );
  const run = ({ slotCount, bits }: { slotCount: number; bits: number }, seed: number): void => {
    const random = createRandom(seed);
    const keyCount = 2 ** bits - random.below(Math.max(1, 2 ** (bits - 2)));
    const cache = createCache({ slotCount, keyCount });
    const slotOf = new Map<number, number>();
    for (let i = 0; i < 300; i++) {
      // Few keys, so that some come again, and the ends of the range among them.
      const pick = random.below(100);
      const key = pick === 0 ? keyCount - 1 : Math.floor(pick / 100 * keyCount);
      const slot = put(cache, key);
      assert(slot >= 0 && slot < slotCount);
      if (claim.fresh) {
        assert(!slotOf.has(key));
        if (claim.evictedKey !== -1) assertStrictEquals(slotOf.get(claim.evictedKey), slot);
        slotOf.delete(claim.evictedKey);
      } else assertStrictEquals(slotOf.get(key), slot);
      slotOf.set(key, slot);
    }
    cache.verify();
    assertEquals(new Set(cache.contents(0)), new Set(slotOf.keys()));
  };
  fc.assert(fc.property(size, fc.nat(), run), { numRuns: 200 });
});

Deno.test("CompactRowCache finds runs of keys and any u32 again", () => {
  const cache = createCache({ slotCount: 2 ** 16, keyCount: 2 ** 32 });
  const random = createRandom(3);
  const there = new Map<number, number>();
  for (let i = 0; i < 200_000; i++) {
    const key = i % 2 === 0 ? random.u32() : i >>> 1;
    const slot = put(cache, key);
    there.delete(claim.evictedKey);
    there.set(key, slot);
  }
  cache.verify();
  assertEquals(new Set(cache.contents(0)), new Set(there.keys()));
});

Deno.test("CompactRowCache evicts as LRU or CLOCK over each bucket would", () => {
  const run = (order: BucketOrder, slotCount: number, seed: number): void => {
    const cache = createCache({ slotCount, keyCount: 4 * slotCount, order });
    // Where a key belongs, the cache itself says: alone in an empty one.
    const bucketOf = Array.from({ length: 4 * slotCount }, (_, key) => {
      const slot = put(cache, key);
      cache.delete(0, key);
      return Math.floor(slot / WAYS);
    });
    const fresh = createCache({ slotCount, keyCount: 4 * slotCount, order });
    const twins = Array.from({ length: Math.ceil(slotCount / WAYS) }, (_, bucket) => {
      return new BucketTwin(order, Math.min(WAYS, slotCount - bucket * WAYS));
    });
    const random = createRandom(seed);
    for (let i = 0; i < 30 * slotCount; i++) {
      const key = Math.min(random.below(4 * slotCount), random.below(4 * slotCount));
      const bucket = bucketOf[key];
      const twin = twins[bucket];
      const there = twin.has(key);
      assertStrictEquals(fresh.has(0, key), there);
      if (there && random.below(10) === 0) {
        twin.delete(key);
        fresh.delete(0, key);
      } else if (there) {
        twin.use(key);
        use(fresh, key);
      } else {
        const expected = twin.insert(key);
        const slot = put(fresh, key);
        assertStrictEquals(Math.floor(slot / WAYS), bucket);
        assertStrictEquals(claim.evictedKey, expected);
      }
    }
    fresh.verify();
    const listed = [...fresh.contents(0)];
    for (const [bucket, twin] of twins.entries()) {
      assertEquals(listed.filter((key) => bucketOf[key] === bucket), twin.order());
    }
  };
  const order = fc.constantFrom<BucketOrder>("lru", "clock");
  fc.assert(fc.property(order, fc.integer({ min: 1, max: 70 }), fc.nat(), run), { numRuns: 60 });
});

Deno.test("CompactRowCache passes over the rows of a batch in a full bucket", () => {
  const run = (order: BucketOrder, batches: number[][]): void => {
    const cache = createCache({ slotCount: WAYS, scratchCount: 20, keyCount: 100, order });
    // Youngest first; a batch's hits come before its claims.
    const byUse: number[] = [];
    const touch = (key: number): void => {
      if (byUse.includes(key)) byUse.splice(byUse.indexOf(key), 1);
      byUse.unshift(key);
    };
    for (const keys of batches) {
      const batch = cache.begin();
      const slots = new Int32Array(keys.length);
      cache.acquire(0, Uint32Array.from(keys), keys.length, batch, slots);
      keys.filter((_, i) => slots[i] !== NO_SLOT).forEach(touch);
      keys.filter((_, i) => slots[i] === NO_SLOT).forEach((key) => {
        const slot = cache.claim(0, key, batch, claim);
        if (claim.fresh) cache.fill(0, slot, claim.generation);
        if (claim.evictedKey !== -1) {
          assert(!keys.includes(claim.evictedKey));
          if (order === "lru") {
            assertStrictEquals(claim.evictedKey, byUse.findLast((old) => !keys.includes(old)));
          }
          byUse.splice(byUse.indexOf(claim.evictedKey), 1);
        }
        if (slot < WAYS) touch(key);
        else assert(byUse.length === WAYS && byUse.every((held) => keys.includes(held)));
      });
      cache.retire(batch);
      cache.verify();
      assertEquals(new Set(cache.contents(0)), new Set(byUse));
    }
  };
  const batch = fc.array(fc.nat(40), { minLength: 1, maxLength: 20, size: "max" });
  const batches = fc.array(batch, { maxLength: 20, size: "max" });
  fc.assert(fc.property(fc.constantFrom<BucketOrder>("lru", "clock"), batches, run));
});

Deno.test("CompactRowCache takes a deleted row's place again before it evicts", () => {
  for (const order of ["lru", "clock"] as const) {
    for (let gone = 0; gone < WAYS; gone++) {
      const cache = createCache({ slotCount: WAYS, keyCount: 100, order });
      const slots = Array.from({ length: WAYS }, (_, key) => put(cache, key));
      const batch = cache.begin();
      cache.acquire(0, Uint32Array.of(gone), 1, batch, new Int32Array(1));
      cache.delete(0, gone);
      // While the batch may read it, another row leaves; then its place is free.
      assert(put(cache, 50) !== slots[gone]);
      assert(claim.evictedKey !== -1);
      cache.retire(batch);
      assertStrictEquals(put(cache, 51), slots[gone]);
      assertStrictEquals(claim.evictedKey, -1);
      cache.verify();
    }
  }
});

Deno.test("CompactRowCache spreads runs and strides of keys over its buckets", () => {
  const slotCount = 8192;
  for (const stride of [1, 2, 3, 16, 1000, 4096, 2 ** 16, 2 ** 18 + 1]) {
    const cache = createCache({ slotCount });
    for (let i = 0; i < slotCount; i++) put(cache, i * stride);
    const share = cache.contents(0).length / slotCount;
    // Of balls thrown at random into buckets of 16, 0.90 find a place.
    assert(share > 0.88, `stride ${stride}: ${share} of the keys found a place`);
  }
});

Deno.test("CompactRowCache gives a last bucket of few slots few of the keys", () => {
  const slotCount = 17;
  const cache = createCache({ slotCount, keyCount: 10_000 });
  let last = 0;
  for (let key = 0; key < 10_000; key++) last += Number(put(cache, key) === 16);
  assert(last > 10_000 / slotCount * 0.8 && last < 10_000 / slotCount * 1.2, `${last} keys`);
});

Deno.test("CompactRowCache costs 5 bytes a row, and a bounded rest", () => {
  const bytes = (slotCount: number): number => {
    const { indexBytes, policyBytes, columnBytes } = createCache({ slotCount }).memoryBytes(0);
    assertStrictEquals(policyBytes, 0);
    return indexBytes + columnBytes;
  };
  assertStrictEquals(bytes(2 ** 21) - bytes(2 ** 20), 5 * 2 ** 20);
  assert(bytes(2 ** 20) < 5 * 2 ** 20 + 100_000);
});

Deno.test("CompactRowCache reads no more rows into cache slots at a time than it was told", () => {
  const cache = createCache({ slotCount: 64, keyCount: 1000, loadingCount: 2 });
  const batch = cache.begin();
  cache.claim(0, 1, batch, claim);
  const slot = cache.claim(0, 2, NO_BATCH, claim);
  const { generation } = claim;
  assertStrictEquals(cache.claim(0, 3, batch, claim), 64);
  assertEquals([claim.fresh, cache.counters(0).scratchClaims], [true, 1]);
  assertStrictEquals(cache.claim(0, 4, NO_BATCH, claim), NO_SLOT);
  assertStrictEquals(cache.warm(0, 4, 0, claim), NO_SLOT);
  cache.fill(0, slot, generation);
  assert(put(cache, 4) < 64);
  // A deleted claim makes room, too.
  cache.delete(0, 1);
  cache.claim(0, 5, NO_BATCH, claim);
  assert(cache.claim(0, 6, NO_BATCH, claim) < 64);
  assertStrictEquals(cache.claim(0, 7, NO_BATCH, claim), NO_SLOT);
  cache.verify();
});

Deno.test("CompactRowCache never takes an old claim for a new one of the same slot", () => {
  const cache = createCache({ slotCount: 1, keyCount: 10, scratchCount: 0 });
  const stale: number[] = [];
  for (let key = 0; key < 10; key++) {
    assertStrictEquals(cache.claim(0, key, NO_BATCH, claim), 0);
    for (const generation of [...stale, 0]) {
      assertStrictEquals(cache.fill(0, 0, generation), false);
      assertStrictEquals(cache.abandon(0, 0, generation), false);
    }
    stale.push(claim.generation);
    if (key % 2 === 0) cache.delete(0, key);
    else cache.abandon(0, 0, claim.generation);
  }
  assertStrictEquals(cache.contents(0).length, 0);
});
