import { assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import {
  clock,
  createClaim,
  lru,
  NO_SLOT,
  RowCache,
  SharedRowCache,
  SLOT_STATE,
} from "@rowtier/rowtier/cache";
import { createRandom } from "../../base/random.ts";
import { shardsOf, Twin, type TwinCounts, type TwinRow } from "./shared_twin.ts";

const KEY_COUNT = 24;
const SHARDS = new Map([1, 2, 4].map((count) => [count, shardsOf(KEY_COUNT, count)]));

interface Shape {
  slotCount: number;
  shardCount: number;
  order: "lru" | "clock";
}

interface Operation {
  what: string;
  /** Which attachment does it. */
  worker: number;
  partition: number;
  keys: number[];
  /** Picks among what there is. */
  pick: number;
}

/** What one worker holds: a batch's slots, or the single slot of a claim. */
interface Pinned {
  partition: number;
  slots: Int32Array;
}

/** A cache with several attachments, and twins of its partitions. */
class Workers {
  readonly caches: SharedRowCache[];
  readonly twins: Twin[];
  readonly pinned: Pinned[] = [];
  /** Every claim ever made; ended ones are filled and abandoned again, in vain. */
  readonly claims: { partition: number; row: TwinRow }[] = [];
  readonly #claim = createClaim();

  constructor(shapes: Shape[], workers: number) {
    const first = SharedRowCache.create({ partitions: shapes });
    const others = Array.from({ length: workers - 1 }, () => SharedRowCache.attach(first.handle));
    this.caches = [first, ...others];
    this.twins = shapes.map(({ slotCount, shardCount, order }) =>
      new Twin(slotCount, shardCount, order, SHARDS.get(shardCount)!)
    );
  }

  run({ what, worker, partition, keys, pick }: Operation): void {
    const cache = this.caches[worker % this.caches.length];
    const twin = this.twins[partition];
    if (what === "batch") this.#batch(cache, partition, keys, pick);
    else if (what === "claim") this.#claimOne(cache, partition, keys[0], true);
    else if (what === "fill" || what === "abandon") this.#end(cache, what, pick);
    else if (what === "release") this.#release(cache, pick);
    else if (what === "delete") {
      assertStrictEquals(cache.delete(partition, keys[0]), twin.delete(keys[0]));
    } else if (pick % 8 === 0) {
      cache.clear(partition);
      twin.clear();
    }
  }

  #batch(cache: SharedRowCache, partition: number, keys: number[], pick: number): void {
    const twin = this.twins[partition];
    const slots = new Int32Array(keys.length + 1).fill(77);
    const absent = cache.acquire(partition, Uint32Array.from(keys), keys.length, slots);
    const expected = keys.map((key) => twin.acquire(key));
    assertEquals([...slots], [...expected, 77]);
    assertStrictEquals(absent, expected.filter((slot) => slot === NO_SLOT).length);
    // Between lookup and claim another worker may claim the same key.
    const other = this.caches[pick % this.caches.length];
    if (pick % 3 === 0 && slots[0] === NO_SLOT) this.#claimOne(other, partition, keys[0], true);
    keys.forEach((key, i) => {
      if (slots[i] === NO_SLOT) slots[i] = this.#claimOne(cache, partition, key, false);
    });
    this.pinned.push({ partition, slots: slots.subarray(0, keys.length) });
  }

  /** Claims a key that a lookup missed; looks it up first where none did, and then pins it. */
  #claimOne(cache: SharedRowCache, partition: number, key: number, isAlone: boolean): number {
    const claim = this.#claim;
    const twin = this.twins[partition];
    if (isAlone) {
      const slots = new Int32Array(1);
      cache.acquire(partition, Uint32Array.of(key), 1, slots);
      assertStrictEquals(slots[0], twin.acquire(key));
      if (slots[0] !== NO_SLOT) this.pinned.push({ partition, slots });
      if (slots[0] !== NO_SLOT) return slots[0];
    }
    const slot = cache.claim(partition, key, claim);
    const { row, fresh, evictedKey } = twin.claim(key);
    assertStrictEquals(slot, row?.slot ?? NO_SLOT);
    assertStrictEquals(claim.fresh, fresh);
    assertStrictEquals(claim.evictedKey, evictedKey);
    if (row === undefined) return NO_SLOT;
    assertStrictEquals(claim.generation, row.generation);
    if (fresh) this.claims.push({ partition, row });
    if (isAlone) this.pinned.push({ partition, slots: Int32Array.of(slot) });
    return slot;
  }

  #end(cache: SharedRowCache, what: "fill" | "abandon", pick: number): void {
    if (this.claims.length === 0) return;
    const { partition, row } = this.claims[pick % this.claims.length];
    const isOpen = this.twins[partition].end(row, what === "fill");
    assertStrictEquals(cache[what](partition, row.slot, row.generation), isOpen);
  }

  #release(cache: SharedRowCache, pick: number): void {
    if (this.pinned.length === 0) return;
    const [{ partition, slots }] = this.pinned.splice(pick % this.pinned.length, 1);
    for (const slot of slots) {
      if (slot !== NO_SLOT) this.twins[partition].release(slot < 0 ? ~slot : slot);
    }
    cache.release(partition, slots, slots.length);
    assertEquals([...slots], [...slots].fill(NO_SLOT));
  }

  check(): void {
    const cache = this.caches.at(-1)!;
    cache.verify();
    this.twins.forEach((twin, p) => {
      const counters = cache.counters(p);
      for (const [name, count] of Object.entries(twin.counts)) {
        assertStrictEquals(counters[name as keyof TwinCounts], count, name);
      }
      assertEquals([...cache.contents(p)], twin.contents());
      assertStrictEquals(cache.pinCount(p), twin.pinCount);
      for (let key = 0; key < KEY_COUNT; key++) {
        assertStrictEquals(cache.has(p, key), twin.rows.has(key));
      }
    });
    for (const { partition, slots } of this.pinned) {
      for (const written of slots) {
        if (written === NO_SLOT) continue;
        const slot = written < 0 ? ~written : written;
        const state = this.twins[partition].stateOf(slot);
        assertStrictEquals(cache.state(partition, slot), state);
        assertStrictEquals(cache.waitReady(partition, slot, 0), state);
      }
    }
  }
}

const shape: fc.Arbitrary<Shape> = fc.record({
  shardCount: fc.constantFrom(1, 2, 4),
  extra: fc.nat(7),
  order: fc.constantFrom("lru", "clock"),
}).map(({ shardCount, extra, order }) => ({ slotCount: shardCount + extra, shardCount, order }));

// Pins and releases about balance, reads end more often than they fail.
const WHATS = [
  ...["batch", "batch", "batch", "release", "release", "release", "release", "claim"],
  ...["fill", "fill", "fill", "fill", "abandon", "delete", "clear"],
];

const operation: fc.Arbitrary<Operation> = fc.record({
  what: fc.constantFrom(...WHATS),
  worker: fc.nat(2),
  partition: fc.nat(1),
  keys: fc.array(fc.nat(KEY_COUNT - 1), { minLength: 1, maxLength: 8 }),
  pick: fc.nat(1 << 16),
});

Deno.test("SharedRowCache does what a model does, whichever attachment is asked", () => {
  const operations = fc.array(operation, { maxLength: 100, size: "max" });
  fc.assert(
    fc.property(fc.tuple(shape, shape), fc.integer({ min: 1, max: 3 }), operations, run),
    { numRuns: 1000 },
  );
});

function run(shapes: Shape[], count: number, operations: Operation[]): void {
  const workers = new Workers(shapes, count);
  for (const each of operations) {
    workers.run(each);
    workers.check();
  }
}

for (const [order, eviction] of Object.entries({ lru, clock })) {
  Deno.test(`SharedRowCache with one shard misses as RowCache does with ${order}`, () => {
    const slotCount = 300;
    const shared = SharedRowCache.create({
      partitions: [{ slotCount, shardCount: 1, order: order as "lru" | "clock" }],
    });
    const single = new RowCache({ partitions: [{ slotCount, scratchCount: 0, eviction }] });
    const random = createRandom(11);
    const claim = createClaim();
    const keys = new Uint32Array(40);
    const slots = new Int32Array(40);
    for (let round = 0; round < 500; round++) {
      for (let i = 0; i < keys.length; i++) keys[i] = Math.floor(1000 * random.unit() ** 2);
      const batch = single.begin();
      single.acquire(0, keys, keys.length, batch, slots);
      for (let i = 0; i < keys.length; i++) {
        if (slots[i] !== NO_SLOT) continue;
        const slot = single.claim(0, keys[i], batch, claim);
        if (claim.fresh) single.fill(0, slot, claim.generation);
      }
      single.retire(batch);
      shared.acquire(0, keys, keys.length, slots);
      for (let i = 0; i < keys.length; i++) {
        if (slots[i] !== NO_SLOT) continue;
        slots[i] = shared.claim(0, keys[i], claim);
        if (claim.fresh) shared.fill(0, slots[i], claim.generation);
      }
      shared.release(0, slots, keys.length);
      assertEquals(shared.contents(0), single.contents(0));
    }
    const { unplaced, ...counters } = shared.counters(0);
    assertStrictEquals(unplaced, 0);
    assertEquals(counters, single.counters(0));
    assertStrictEquals(shared.state(0, 0), SLOT_STATE.READY);
  });
}
