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
} from "@rowtier/rowtier/cache";
import { createSlots, missesOf } from "./bare_frame.ts";
import { countedSynthetic } from "./golden.ts";

/** Misses of a row cache that sees one key a batch. */
function cacheMisses(eviction: EvictionPolicyFactory, keys: Uint32Array, size: number): number {
  const cache = new RowCache({ partitions: [{ slotCount: size, scratchCount: 1, eviction }] });
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
  const { misses, evictions, admissions, scratchClaims } = cache.counters(0);
  assertStrictEquals(admissions + scratchClaims, misses);
  assertStrictEquals(evictions, admissions - cache.contents(0).length);
  return misses;
}

const traces = countedSynthetic().filter(({ trace }) => trace === "loop" || trace === "drift");

const SIZES = [3, 20, 67, 399];

for (const [name, eviction] of Object.entries(EVICTION_POLICIES)) {
  Deno.test(`RowCache misses as often with ${name} as the bare policy, one key a batch`, () => {
    for (const { ids } of traces) {
      assertEquals(
        SIZES.map((size) => cacheMisses(eviction, ids, size)),
        SIZES.map((size) => missesOf({ eviction }, ids, size)),
      );
    }
  });

  Deno.test(`${name}() gives no victim when nothing is evictable, and else the only one`, () => {
    const slots = createSlots(4);
    const policy = eviction(slots);
    slots.key.set([1, 2, 3, 4]);
    policy.onMiss(9);
    assertStrictEquals(policy.victim(9), NO_SLOT);
    for (let slot = 0; slot < 4; slot++) {
      policy.onInsert(slot);
      slots.pinned.add(slot);
    }
    assertStrictEquals(policy.victim(9), NO_SLOT);
    slots.pinned.delete(2);
    assertStrictEquals(policy.victim(9), 2);
    policy.onRemove(2, REMOVAL.EVICTED);
    assertStrictEquals(policy.victim(9), NO_SLOT);
    policy.verify();
  });

  Deno.test(`${name}() is empty again when every row is removed`, () => {
    const slots = createSlots(3);
    const policy = eviction(slots);
    slots.key.set([1, 2, 3]);
    for (let slot = 0; slot < 3; slot++) policy.onInsert(slot);
    assertEquals(policy.contents().sort(), Uint32Array.of(0, 1, 2));
    for (const slot of [1, 2, 0]) policy.onRemove(slot, REMOVAL.DELETED);
    policy.verify();
    assertEquals(policy.contents(), new Uint32Array(0));
    policy.onMiss(9);
    policy.onInsert(1);
    assertStrictEquals(policy.victim(9), 1);
  });
}

Deno.test("lru() and sieve() list the next victim last", () => {
  for (const eviction of [lru, sieve]) {
    const policy = eviction(createSlots(3));
    for (let slot = 0; slot < 3; slot++) policy.onInsert(slot);
    assertEquals(policy.contents(), Uint32Array.of(2, 1, 0));
    assertStrictEquals(policy.victim(9), 0);
  }
});

Deno.test("lru() and sieve() give the next evictable one, marked or just used as it may be", () => {
  for (const eviction of [lru, sieve]) {
    const slots = createSlots(4);
    const policy = eviction(slots);
    for (let slot = 0; slot < 4; slot++) policy.onInsert(slot);
    for (const slot of [0, 1, 3]) slots.pinned.add(slot);
    assertStrictEquals(policy.victim(9), 2);
    policy.onHit(2);
    assertStrictEquals(policy.victim(9), 2);
  }
});

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
  assert(Object.keys(EVICTION_POLICIES).length >= 10);
});
