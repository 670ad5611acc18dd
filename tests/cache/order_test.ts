import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  type AdmissionPolicy,
  type AnyRowCache,
  CompactRowCache,
  createClaim,
  EVICTION_POLICIES,
  lru,
  NO_BATCH,
  NO_SLOT,
  RowCache,
} from "@rowtier/rowtier/cache";
import fc from "fast-check";
import { createRandom } from "../../base/random.ts";
import { KEY_COUNT, KINDS } from "./row_cache_kinds.ts";

const claim = createClaim();

/** Looks keys up one after the other, and loads what is absent. */
function run(cache: AnyRowCache, keys: readonly number[]): void {
  const slots = new Int32Array(1);
  for (const key of keys) {
    const batch = cache.begin();
    if (cache.acquire(0, Uint32Array.of(key), 1, batch, slots) === 1) {
      const slot = cache.claim(0, key, batch, claim);
      cache.fill(0, slot, claim.generation);
    }
    cache.retire(batch);
  }
}

/** Warms a cache up as its documentation says. */
function warmUp(cache: AnyRowCache, bytes: Uint8Array): void {
  const { keys, heat } = cache.importOrder(0, bytes);
  for (let i = 0; i < keys.length; i++) {
    const slot = cache.warm(0, keys[i], heat[i], claim);
    if (claim.fresh) cache.fill(0, slot, claim.generation);
  }
}

const skewedKeys = fc.array(
  fc.tuple(fc.nat(KEY_COUNT - 1), fc.nat(KEY_COUNT - 1)).map(([a, b]) => Math.min(a, b) % 90),
  { maxLength: 300, size: "max" },
);

Deno.test("AnyRowCache.importOrder() and warm() give a cache the order and heat exported", () => {
  for (const [name, kind] of Object.entries(KINDS)) {
    fc.assert(fc.property(fc.integer({ min: 1, max: 40 }), skewedKeys, (slotCount, keys) => {
      const size = [{ slotCount, scratchCount: 1 }];
      const [cold, warm] = [kind.create(size), kind.create(size)];
      run(cold, keys);
      const bytes = cold.exportOrder(0);
      warmUp(warm, bytes);
      warm.verify();
      assertEquals(warm.exportOrder(0), bytes, name);
      assertEquals(warm.contents(0), cold.contents(0), name);
      const before = cold.contents(0).length;
      const { admissions, prefetches, lookups } = warm.counters(0);
      assertEquals([admissions, prefetches, lookups], [before, 0, 0]);
    }));
  }
});

Deno.test("AnyRowCache.exportOrder() tells every policy's keys, which warm() takes", () => {
  for (const [name, eviction] of Object.entries(EVICTION_POLICIES)) {
    const create = (): RowCache =>
      new RowCache({ partitions: [{ slotCount: 200, scratchCount: 1, eviction }] });
    const [cold, warm] = [create(), create()];
    const random = createRandom(11);
    run(cold, Array.from({ length: 3000 }, () => random.below(1 + random.below(600))));
    warmUp(warm, cold.exportOrder(0));
    warm.verify();
    const kept = new Set(cold.contents(0)).intersection(new Set(warm.contents(0)));
    // A policy with sets or segments of its own may have put them elsewhere.
    assert(kept.size >= 0.75 * cold.contents(0).length, `${name} keeps ${kept.size} rows`);
  }
});

Deno.test("AnyRowCache.exportOrder() takes 4 bytes a row, or 5 with heat", () => {
  const size = { slotCount: 8, scratchCount: 1, keyCount: 100 };
  const lengthOf = (cache: AnyRowCache): number => {
    run(cache, [1, 2, 3]);
    return cache.exportOrder(0).length;
  };
  const compact = (order: "lru" | "clock") =>
    new CompactRowCache({ partitions: [{ ...size, order }] });
  assertStrictEquals(lengthOf(compact("lru")), 16 + 3 * 4);
  assertStrictEquals(lengthOf(compact("clock")), 16 + 3 * 5);
});

Deno.test("AnyRowCache.importOrder() refuses whatever was damaged, and changes nothing", () => {
  for (const name of ["RowCache", "CompactRowCache with CLOCK"]) {
    const cache = KINDS[name].create([{ slotCount: 8, scratchCount: 1 }]);
    run(cache, [1, 2, 3, 2, 4]);
    const bytes = cache.exportOrder(0);
    const flips = Array.from({ length: bytes.length * 8 }, (_, bit) => {
      const damaged = bytes.slice();
      damaged[bit >> 3] ^= 1 << (bit & 7);
      return damaged;
    });
    const cuts = Array.from({ length: bytes.length }, (_, length) => bytes.slice(0, length));
    const longer = new Uint8Array([...bytes, 0]);
    for (const damaged of [...flips, ...cuts, longer]) {
      assertThrows(() => cache.importOrder(0, damaged), RangeError, "Cannot import order: ");
    }
    assertEquals(cache.exportOrder(0), bytes);
    assertEquals(cache.importOrder(0, bytes).keys, Uint32Array.of(...cache.contents(0)).reverse());
  }
});

Deno.test("AnyRowCache.importOrder() says what is wrong", () => {
  const cache = KINDS["RowCache"].create([{ slotCount: 8, scratchCount: 1 }]);
  run(cache, [1, 2]);
  const refused = (change: (bytes: Uint8Array) => Uint8Array | void, message: string): void => {
    const bytes = cache.exportOrder(0);
    const changed = change(bytes) ?? bytes;
    assertThrows(
      () => cache.importOrder(0, changed),
      RangeError,
      `Cannot import order: ${message}`,
    );
  };
  refused((bytes) => bytes.slice(0, 15), "bytes.length must be at least 16: received 15");
  refused((bytes) => void bytes[0]++, "the first word must be 0x524f5452: received 0x524f5453");
  refused((bytes) => void bytes[4]++, "the version must be 1: received 2");
  refused((bytes) => bytes.slice(0, 20), "bytes.length must be 24 for 2 rows: received 20");
  refused((bytes) => void bytes[20]++, "the checksum must be 0x");
});

Deno.test("AnyRowCache.importOrder() reads a view into a larger buffer", () => {
  const cache = KINDS["RowCache"].create([{ slotCount: 8, scratchCount: 1 }]);
  run(cache, [5, 6]);
  const larger = new Uint8Array(100);
  larger.set(cache.exportOrder(0), 33);
  assertEquals(cache.importOrder(0, larger.subarray(33, 57)).keys, Uint32Array.of(5, 6));
});

Deno.test("AnyRowCache.importOrder() gives a smaller cache the rows that leave last", () => {
  const large = KINDS["RowCache"].create([{ slotCount: 8, scratchCount: 1 }]);
  run(large, [1, 2, 3, 4, 5]);
  const small = KINDS["RowCache"].create([{ slotCount: 3, scratchCount: 1 }]);
  const { keys, heat } = small.importOrder(0, large.exportOrder(0));
  assertEquals([keys, heat], [Uint32Array.of(3, 4, 5), new Uint8Array(3)]);
});

Deno.test("AnyRowCache.importOrder() throws on a key beyond the partition's", () => {
  const cache = KINDS["RowCache"].create([{ slotCount: 8, scratchCount: 1 }]);
  run(cache, [5, KEY_COUNT]);
  const compact = KINDS["CompactRowCache"].create([{ slotCount: 8, scratchCount: 1 }]);
  assertThrows(
    () => compact.importOrder(0, cache.exportOrder(0)),
    RangeError,
    `Cannot import order: keys must be below ${KEY_COUNT}: received ${KEY_COUNT}`,
  );
});

Deno.test("AnyRowCache.warm() leaves a row that is there alone, and asks no admission", () => {
  const never: AdmissionPolicy = {
    name: "never",
    onAccess: () => {},
    admit: () => false,
    prefers: () => false,
  };
  for (const [name, kind] of Object.entries(KINDS)) {
    const cache = kind.create([{ slotCount: 2, scratchCount: 0, admission: () => never }]);
    for (const key of [1, 2, 3]) {
      const slot = cache.warm(0, key, 0, claim);
      assert(claim.fresh && slot !== NO_SLOT, name);
      assertStrictEquals(cache.warm(0, key, 3, claim), slot);
      assertStrictEquals(claim.fresh, false);
      cache.fill(0, slot, claim.generation);
    }
    assertStrictEquals(cache.has(0, 1), false);
    assertEquals(cache.contents(0), Uint32Array.of(3, 2));
    assertStrictEquals(cache.claim(0, 4, NO_BATCH, claim), NO_SLOT);
    const { refusals, admissions, evictions } = cache.counters(0);
    assertEquals([refusals, admissions, evictions], [1, 3, 1]);
  }
});

Deno.test("AnyRowCache.warm() gives a policy of frequencies its heat again", () => {
  const create = (): RowCache =>
    new RowCache({
      partitions: [{ slotCount: 5, scratchCount: 1, eviction: EVICTION_POLICIES["lfu"] }],
    });
  const [cold, warm] = [create(), create()];
  run(cold, [1, 2, 2, 3, 3, 3, 4, 4, 4, 4, ...new Array(300).fill(5)]);
  const bytes = cold.exportOrder(0);
  warmUp(warm, bytes);
  const { keys, heat } = warm.importOrder(0, bytes);
  assertEquals(keys, Uint32Array.of(1, 2, 3, 4, 5));
  assert(heat[1] < heat[2] && heat[2] < heat[3] && heat[4] === 255, `${heat}`);
  assertEquals(warm.exportOrder(0), bytes);
});

Deno.test("AnyRowCache.warm() tells the policy the heat, and throws when it is no byte", () => {
  const partition = { slotCount: 3, scratchCount: 0 };
  const compact = new CompactRowCache({
    partitions: [{ ...partition, keyCount: 9, order: "clock" }],
  });
  const plain = new RowCache({ partitions: [{ ...partition, eviction: lru }] });
  for (const heat of [-1, 256, 0.5, NaN]) {
    for (const cache of [compact, plain]) {
      assertThrows(() => cache.warm(0, 1, heat, claim), RangeError, "Cannot warm: heat must be");
    }
  }
  for (const key of [1, 2, 3]) {
    const slot = compact.warm(0, key, 3 - key, claim);
    compact.fill(0, slot, claim.generation);
  }
  assertEquals(compact.importOrder(0, compact.exportOrder(0)).heat, Uint8Array.of(2, 1, 0));
  // The hand takes a use from each, and one again from those that had two.
  compact.claim(0, 4, NO_BATCH, claim);
  assertStrictEquals(claim.evictedKey, 3);
});
