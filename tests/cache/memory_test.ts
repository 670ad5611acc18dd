import { assert } from "@std/assert";
import { createClaim, lru, NO_SLOT, RowCache, sieve } from "@rowtier/rowtier/cache";
import { createRandom } from "../../base/random.ts";

const BATCH = 1000;

Deno.test("RowCache allocates nothing in five million lookups", () => {
  const partition = { slotCount: 2000, scratchCount: BATCH };
  const cache = new RowCache({
    partitions: [{ ...partition, eviction: lru }, { ...partition, eviction: sieve }],
  });
  const random = createRandom(7);
  const keys = new Uint32Array(BATCH);
  const slots = new Int32Array(BATCH);
  const claim = createClaim();
  const run = (lookups: number): void => {
    for (let done = 0; done < lookups; done += BATCH) {
      const partition = done / BATCH & 1;
      // Skewed: half of the keys are among the lowest 1,250.
      for (let i = 0; i < BATCH; i++) keys[i] = (random.u32() & random.u32()) % 5000;
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
  // The lowest of several samples: what is left after a collection, were it a minor one.
  const lowest = (): number => {
    let heap = Infinity;
    for (let i = 0; i < 10; i++) {
      run(100_000);
      heap = Math.min(heap, Deno.memoryUsage().heapUsed);
    }
    return heap;
  };
  run(1_000_000);
  const before = lowest();
  run(3_000_000);
  const growth = lowest() - before;
  cache.verify();
  assert(growth < 1_000_000, `the heap grew by ${growth} bytes`);
});
