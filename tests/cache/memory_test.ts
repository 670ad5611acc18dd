import { assert } from "@std/assert";
import {
  type AnyRowCache,
  CompactRowCache,
  createClaim,
  createZipf,
  EVICTION_POLICIES,
  KeyCache,
  lru,
  NO_SLOT,
  RowCache,
  sieve,
} from "@rowtier/rowtier/cache";
import { createRandom } from "../../base/random.ts";
import { heapGrowth } from "../tiers/allocation.ts";

const BATCH = 1000;
const PARTITION = { slotCount: 2000, scratchCount: BATCH };

/** What a run may leave: an object for each access would be ten times as much and more. */
const MOST_BYTES = 20_000;

/** Plays batches of lookups, claims, failures and deletes, by turns in two partitions. */
function player(cache: AnyRowCache): (batches: number) => void {
  const random = createRandom(7);
  const keys = new Uint32Array(BATCH);
  const slots = new Int32Array(BATCH);
  const claim = createClaim();
  let turn = 0;
  return (batches) => {
    for (let done = 0; done < batches; done++) {
      const partition = turn++ & 1;
      // Skewed: half of the keys are among the lowest 1,250.
      for (let i = 0; i < BATCH; i++) keys[i] = ((random.u32() & random.u32()) >>> 0) % 5000;
      const batch = cache.begin();
      cache.acquire(partition, keys, BATCH, batch, slots);
      for (let i = 0; i < BATCH; i++) {
        if (slots[i] !== NO_SLOT) continue;
        const slot = cache.claim(partition, keys[i], batch, claim);
        if (!claim.fresh) continue;
        if (i % 16 === 0) cache.abandon(partition, slot, claim.generation);
        else cache.fill(partition, slot, claim.generation);
      }
      cache.delete(partition, keys[0]);
      cache.retire(batch);
    }
  };
}

Deno.test("RowCache allocates nothing in five million lookups", () => {
  const cache = new RowCache({
    partitions: [{ ...PARTITION, eviction: lru }, { ...PARTITION, eviction: sieve }],
  });
  const growth = heapGrowth(player(cache), 40);
  cache.verify();
  assert(growth < MOST_BYTES, `the heap grew by ${growth} bytes in 40,000 lookups`);
});

Deno.test("CompactRowCache allocates nothing in five million lookups", () => {
  const partition = { ...PARTITION, keyCount: 5000 };
  const cache = new CompactRowCache({
    partitions: [{ ...partition, order: "lru" }, { ...partition, order: "clock" }],
  });
  const growth = heapGrowth(player(cache), 40);
  cache.verify();
  assert(growth < MOST_BYTES, `the heap grew by ${growth} bytes in 40,000 lookups`);
});

Deno.test("KeyCache allocates nothing in ten million accesses, over all policies", () => {
  const slotCount = 500;
  // Dense, and so small numbers: one above 2^31 that is passed on is boxed by the engine, and short
  // lived, where the call is not inlined.
  const keys = new Uint32Array(5000);
  createZipf({ keyCount: 10 * slotCount, exponent: 0.9, seed: 3 }).fill(keys);
  const caches = Object.values(EVICTION_POLICIES).map((eviction) =>
    new KeyCache({ slotCount, eviction })
  );
  const slots = new Int32Array(keys.length);
  const growth = heapGrowth((rounds) => {
    for (let round = 0; round < rounds; round++) {
      for (const cache of caches) {
        cache.replay(keys);
        cache.lookup(keys, 100, slots);
        for (let i = 0; i < 50; i++) cache.delete(keys[i]);
      }
    }
  }, 1);
  for (const cache of caches) cache.verify();
  assert(growth < MOST_BYTES, `the heap grew by ${growth} bytes in ${keys.length} accesses each`);
});
