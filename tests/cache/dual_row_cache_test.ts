import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  createClaim,
  type DualPartitionOptions,
  DualRowCache,
  type DualRowCacheOptions,
  lru,
} from "@rowtier/rowtier/cache";

function createCache(
  rowBytes: number[],
  options: Partial<DualPartitionOptions> = {},
  rest: Partial<DualRowCacheOptions> = {},
): DualRowCache {
  const partition = { slotCount: 5000, scratchCount: 2, eviction: lru, ...options };
  return new DualRowCache({
    partitions: rowBytes.map((each) => ({ ...partition, rowBytes: each })),
    ...rest,
  });
}

function layouts(cache: DualRowCache): boolean[] {
  return Array.from({ length: cache.partitionCount }, (_, p) => cache.isCompact(p));
}

Deno.test("DualRowCache keeps small rows compactly, up to 255 bytes or what it is told", () => {
  assertEquals(layouts(createCache([0, 255, 256, 4096])), [true, true, false, false]);
  const sizes = [0, 64, 65];
  assertEquals(layouts(createCache(sizes, {}, { compactRowBytes: 64 })), [true, true, false]);
  assertEquals(layouts(createCache(sizes, {}, { compactRowBytes: 0 })), [true, false, false]);
});

Deno.test("DualRowCache keeps small rows as large ones where slots are too few", () => {
  assertEquals(layouts(createCache([64], { slotCount: 4095 })), [false]);
  assertEquals(layouts(createCache([64], { slotCount: 4095, keyCount: 2 ** 31 })), [true]);
});

Deno.test("DualRowCache throws on options out of range", () => {
  const what = "Cannot create DualRowCache";
  assertThrows(
    () => createCache([1], {}, { compactRowBytes: -1 }),
    RangeError,
    `${what}: compactRowBytes must be`,
  );
  assertThrows(() => createCache([-1]), RangeError, `${what}: partition 0: rowBytes must be`);
  const keyCount = 0;
  const message = `${what}: partition 1: keyCount must be`;
  assertThrows(() => createCache([256, 1], { keyCount }), RangeError, message);
  const order = "fifo" as "lru";
  assertThrows(() => createCache([1], { order }), TypeError, `${what}: partition 0: order must be`);
});

Deno.test("DualRowCache.isCompact() throws on a partition out of range", () => {
  for (const p of [-1, 1, 0.5]) {
    assertThrows(
      () => createCache([1]).isCompact(p),
      RangeError,
      "Cannot tell whether it is compact: partition must be",
    );
  }
});

Deno.test("DualRowCache holds rows of both layouts for the same batch", () => {
  const cache = createCache([64, 512], { slotCount: 1, scratchCount: 0, keyCount: 100 });
  const claim = createClaim();
  const batch = cache.begin();
  for (const p of [0, 1]) {
    assertStrictEquals(cache.claim(p, 7, batch, claim), 0);
    cache.fill(p, 0, claim.generation);
    assertStrictEquals(cache.claim(p, 8, batch, claim) < 0, true);
  }
  cache.retire(batch);
  const next = cache.begin();
  for (const p of [0, 1]) assertStrictEquals(cache.claim(p, 8, next, claim), 0);
  cache.verify();
});
