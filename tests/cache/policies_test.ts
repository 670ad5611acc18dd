import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  createClaim,
  EVICTION_POLICIES,
  type EvictionPolicyFactory,
  lru,
  NO_SLOT,
  REMOVAL,
  RowCache,
  sieve,
  type Slots,
} from "@rowtier/rowtier/cache";
import golden from "../golden/cache_lru_sieve.json" with { type: "json" };
import { type GoldenTrace, makeTrace } from "./traces.ts";

/** Slots whose evictability a test sets; all are evictable at first. */
function createSlots(count: number): Slots & { pinned: Set<number> } {
  const pinned = new Set<number>();
  return { count, key: new Uint32Array(count), pinned, evictable: (slot) => !pinned.has(slot) };
}

/** Misses of the bare policy: keys are renumbered, so that an array says where each one is. */
function missesOf(eviction: EvictionPolicyFactory, ids: Uint32Array, size: number): number {
  const slots = createSlots(size);
  const policy = eviction(slots);
  const slotOf = new Int32Array(ids.length).fill(NO_SLOT);
  let misses = 0, filled = 0;
  for (const id of ids) {
    if (slotOf[id] !== NO_SLOT) {
      policy.onHit(slotOf[id]);
      continue;
    }
    misses++;
    policy.onMiss(id);
    let slot = filled;
    if (filled === size) {
      slot = policy.victim(id);
      policy.onRemove(slot, REMOVAL.EVICTED);
      slotOf[slots.key[slot]] = NO_SLOT;
    } else filled++;
    slots.key[slot] = id;
    slotOf[id] = slot;
    policy.onInsert(slot);
  }
  policy.verify();
  return misses;
}

/** Misses of a row cache that sees one key a batch. */
function cacheMisses(eviction: EvictionPolicyFactory, keys: Uint32Array, size: number): number {
  const cache = new RowCache({ partitions: [{ slotCount: size, scratchCount: 0, eviction }] });
  const claim = createClaim();
  const key = new Uint32Array(1);
  const slots = new Int32Array(1);
  for (let i = 0; i < keys.length; i++) {
    key[0] = keys[i];
    const batch = cache.begin();
    if (cache.acquire(0, key, 1, batch, slots) === 1) {
      const slot = cache.claim(0, key[0], batch, claim);
      cache.fill(0, slot, claim.generation);
    }
    cache.retire(batch);
  }
  cache.verify();
  const { misses, evictions, admissions } = cache.counters(0);
  assertStrictEquals(admissions, misses);
  assertStrictEquals(evictions, misses - cache.contents(0).length);
  return misses;
}

const traces: GoldenTrace[] = golden.traces;

for (const [name, eviction] of Object.entries(EVICTION_POLICIES)) {
  Deno.test(`${name}() misses as often as the reference on every trace, at every size`, () => {
    for (const each of traces) {
      const keys = makeTrace(each);
      const ids = new Map<number, number>();
      const renumbered = keys.map((key) => {
        if (!ids.has(key)) ids.set(key, ids.size);
        return ids.get(key)!;
      });
      assertStrictEquals(ids.size, each.uniqueKeys);
      assertEquals(
        each.sizes.map((size) => missesOf(eviction, renumbered, size)),
        each.misses[name],
      );
    }
  });

  Deno.test(`RowCache misses as often as the reference with ${name}, one key a batch`, () => {
    for (const each of traces) {
      const keys = makeTrace(each);
      assertEquals(each.sizes.map((size) => cacheMisses(eviction, keys, size)), each.misses[name]);
    }
  });

  Deno.test(`${name}() gives no victim when nothing is evictable, and else the next one`, () => {
    const slots = createSlots(4);
    const policy = eviction(slots);
    assertStrictEquals(policy.victim(9), NO_SLOT);
    for (let slot = 0; slot < 4; slot++) policy.onInsert(slot);
    for (let slot = 0; slot < 4; slot++) slots.pinned.add(slot);
    assertStrictEquals(policy.victim(9), NO_SLOT);
    slots.pinned.delete(2);
    assertStrictEquals(policy.victim(9), 2);
    policy.onHit(2);
    // Marked or just used, it is still the only one.
    assertStrictEquals(policy.victim(9), 2);
    policy.onRemove(2, REMOVAL.EVICTED);
    assertStrictEquals(policy.victim(9), NO_SLOT);
    policy.verify();
  });

  Deno.test(`${name}() is empty again when every row is removed`, () => {
    const policy = eviction(createSlots(3));
    for (let slot = 0; slot < 3; slot++) policy.onInsert(slot);
    assertEquals(policy.contents(), Uint32Array.of(2, 1, 0));
    for (const slot of [1, 2, 0]) policy.onRemove(slot, REMOVAL.DELETED);
    policy.verify();
    assertEquals(policy.contents(), new Uint32Array(0));
    policy.onInsert(1);
    assertStrictEquals(policy.victim(9), 1);
  });
}

Deno.test("lru() moves a hit to the front and counts 8 bytes a slot", () => {
  const policy = lru(createSlots(3));
  for (let slot = 0; slot < 3; slot++) policy.onInsert(slot);
  policy.onHit(0);
  policy.onHit(0);
  assertEquals(policy.contents(), Uint32Array.of(0, 2, 1));
  assertStrictEquals(policy.victim(9), 1);
  assertStrictEquals(policy.bytes, 4 * 8);
});

Deno.test("sieve() spares a marked row once and moves nothing", () => {
  const policy = sieve(createSlots(3));
  for (let slot = 0; slot < 3; slot++) policy.onInsert(slot);
  policy.onHit(0);
  assertStrictEquals(policy.victim(9), 1);
  assertEquals(policy.contents(), Uint32Array.of(2, 1, 0));
  policy.onRemove(1, REMOVAL.EVICTED);
  policy.onInsert(1);
  // The hand went on to 2; past the newest row it starts again at the oldest, whose mark is gone.
  assertStrictEquals(policy.victim(9), 2);
  assertStrictEquals(policy.bytes, 4 * 8 + 3);
});

Deno.test("sieve() leaves the mark of a row that may not be evicted", () => {
  const slots = createSlots(2);
  const policy = sieve(slots);
  policy.onInsert(0);
  policy.onInsert(1);
  policy.onHit(0);
  slots.pinned.add(0);
  assertStrictEquals(policy.victim(9), 1);
  slots.pinned.clear();
  // The hand stands at 1, whose mark is set now: 0 has to lose its own before 1 can go.
  policy.onHit(1);
  assertStrictEquals(policy.victim(9), 1);
});

Deno.test("EVICTION_POLICIES names each policy as it names itself", () => {
  for (const [name, eviction] of Object.entries(EVICTION_POLICIES)) {
    assertStrictEquals(eviction(createSlots(1)).name, name);
  }
  assert(Object.keys(EVICTION_POLICIES).length >= 2);
});
