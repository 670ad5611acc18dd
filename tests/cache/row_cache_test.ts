import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  createClaim,
  type EvictionPolicy,
  type EvictionPolicyFactory,
  lru,
  NO_SLOT,
  type PartitionOptions,
  RowCache,
  SLOT_STATE,
  type Slots,
} from "@rowtier/rowtier/cache";
import { ROW_CACHE_CASES } from "./row_cache_cases.ts";
import { KINDS } from "./row_cache_kinds.ts";

for (const [name, kind] of Object.entries(KINDS)) {
  for (const [what, run] of ROW_CACHE_CASES) {
    Deno.test(what.startsWith(".") ? `${name}${what}` : `${name} ${what}`, () => run(kind));
  }
}

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
  assertStrictEquals(asked, 2);
});

Deno.test("RowCache counts its memory from its arrays", () => {
  const cache = createCache({ slotCount: 1000, scratchCount: 24 });
  const { indexBytes, policyBytes, columnBytes } = cache.memoryBytes(0);
  assertStrictEquals(indexBytes, 2048 * 8);
  assertStrictEquals(policyBytes, 1001 * 8);
  assertStrictEquals(columnBytes, 1024 * 10);
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
