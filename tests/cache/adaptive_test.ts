import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  adaptive,
  type AdaptiveOptions,
  type AdaptivePolicy,
  createZipf,
  EVICTION_CASES,
  type EvictionPolicyFactory,
  lru,
  NO_SLOT,
  REMOVAL,
  sieve,
} from "@rowtier/rowtier/cache";
import fc from "fast-check";
import { AdaptiveTwin } from "./_adaptive_twin.ts";
import { createSlots, missesOf } from "./bare_frame.ts";
import { renumber } from "./golden.ts";

/** The policy in a cache that checks each of its choices against the twin's. */
class Pair {
  readonly slots: ReturnType<typeof createSlots>;
  readonly policy: AdaptivePolicy;
  readonly twin: AdaptiveTwin;
  readonly slotOf: Map<number, number> = new Map();
  readonly #free: number[];

  constructor(count: number, options: AdaptiveOptions = {}) {
    this.slots = createSlots(count);
    this.policy = adaptive(this.slots, options);
    this.twin = new AdaptiveTwin(count, options.seed ?? 0);
    this.#free = Array.from({ length: count }, (_, i) => count - 1 - i);
  }

  #heldKeys(): Set<number> {
    return new Set([...this.slots.pinned].map((slot) => this.slots.key[slot]));
  }

  access(key: number): void {
    const { isHit, toMain } = this.twin.lookUp(key);
    const found = this.slotOf.get(key);
    assertStrictEquals(found !== undefined, isHit, `a hit of ${key}`);
    if (found === undefined) this.#enter(key, toMain);
    else assertStrictEquals(this.policy.onHit(found), NO_SLOT);
    assertStrictEquals(this.policy.setting, this.twin.setting);
  }

  #enter(key: number, toMain: boolean): void {
    this.policy.onMiss(key);
    if (this.#free.length === 0) {
      const slot = this.policy.victim(key);
      const wanted = this.twin.live.victim(this.#heldKeys());
      assertStrictEquals(slot === NO_SLOT ? undefined : this.slots.key[slot], wanted);
      if (slot === NO_SLOT) return;
      this.remove(slot, REMOVAL.EVICTED);
    }
    const slot = this.#free.pop()!;
    this.slots.key[slot] = key;
    this.policy.onInsert(slot);
    this.twin.live.insert(key, toMain);
    this.slotOf.set(key, slot);
  }

  remove(slot: number, cause: 0 | 1 | 2): void {
    const key = this.slots.key[slot];
    this.policy.onRemove(slot, cause);
    this.twin.live.remove(key, this.twin.hash(key), cause === REMOVAL.EVICTED);
    this.slotOf.delete(key);
    this.slots.pinned.delete(slot);
    this.#free.push(slot);
  }

  /** No row lost or doubled, in the twin's order, next victim last. */
  verify(): void {
    this.policy.verify();
    const { main, small } = this.twin.live;
    const wanted = [...main.toReversed(), ...small.toReversed()];
    assertEquals([...this.policy.contents()].map((slot) => this.slots.key[slot]), wanted);
    assertStrictEquals(this.slotOf.size, wanted.length);
    assertStrictEquals(this.policy.moves, this.twin.moves);
  }
}

/** Keys of four kinds in turns, so that each setting has its time. */
function phases(count: number, requests: number, seed: number): Uint32Array {
  const zipf = createZipf({ keyCount: 20 * count, exponent: 1, seed });
  const keys = new Uint32Array(4 * requests);
  zipf.fill(keys, 0, requests);
  for (let i = 0; i < requests; i++) {
    keys[requests + i] = 10 ** 6 + i % (2 * count); // a loop
    keys[2 * requests + i] = 2 * 10 ** 6 + (i >> 1) + (i & 1) * (count >> 1); // all twice, soon
  }
  zipf.fill(keys, 3 * requests, 4 * requests);
  return keys;
}

for (const count of [1, 2, 3, 5, 40, 100, 300]) {
  Deno.test(`adaptive() chooses as its slow twin does when it has ${count} slots`, () => {
    const pair = new Pair(count, { seed: count });
    const keys = phases(count, 20 * count + 200, 7);
    for (let i = 0; i < keys.length; i++) {
      pair.access(keys[i]);
      if (i % 997 === 0) pair.verify();
    }
    pair.verify();
    if (count >= 40) assert(pair.policy.moves >= 1, "the settings must have changed");
  });
}

Deno.test("adaptive() chooses as its slow twin does when rows are held and deleted", () => {
  const act = fc.record({
    kind: fc.constantFrom("look", "look", "look", "hot", "hold", "free", "delete", "fail"),
    at: fc.nat(10 ** 6),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 80 }),
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      fc.array(act, { minLength: 200, maxLength: 1000, size: "max" }),
      (count, seed, acts) => {
        const pair = new Pair(count, { seed });
        const { pinned } = pair.slots;
        for (const { kind, at } of acts) {
          const held = [...pair.slotOf.values()];
          if (kind === "look") pair.access((at % (3 * count)) * 0x9e3779b1 >>> 0);
          else if (kind === "hot") pair.access(at % (count + 2));
          else if (held.length === 0) continue;
          else if (kind === "hold") pinned.add(held[at % held.length]);
          else if (kind === "free") pinned.clear();
          else {
            const cause = kind === "delete" ? REMOVAL.DELETED : REMOVAL.FAILED;
            pair.remove(held[at % held.length], cause);
          }
        }
        pair.verify();
      },
    ),
    { numRuns: 60 },
  );
});

for (const { name, run } of EVICTION_CASES) {
  Deno.test(`adaptive() conforms: ${name}`, () => {
    for (const seed of [1, 2, 3]) run(adaptive, seed);
  });
}

Deno.test("adaptive() takes a row whose miss it was not told of", () => {
  const slots = createSlots(100);
  const policy = adaptive(slots);
  policy.onMiss(5);
  for (let slot = 0; slot < 100; slot++) {
    slots.key[slot] = slot * 7919;
    policy.onInsert(slot);
  }
  policy.verify();
  assertStrictEquals(policy.contents().length, 100);
});

/** What the policy misses on `keys`, and the policy. */
function play(keys: Uint32Array, count: number, options: AdaptiveOptions = {}) {
  let policy: AdaptivePolicy | undefined;
  const eviction: EvictionPolicyFactory = (slots) => policy = adaptive(slots, options);
  const misses = missesOf({ eviction }, renumber(keys), count);
  return { misses, setting: policy!.setting, moves: policy!.moves };
}

function missesOfBest(keys: Uint32Array, count: number): number {
  return Math.min(...[lru, sieve].map((eviction) => missesOf({ eviction }, renumber(keys), count)));
}

Deno.test("adaptive() pins rows when keys come in a loop", () => {
  const keys = new Uint32Array(200_000).map((_, i) => i % 1500);
  const { misses, setting } = play(keys, 1000);
  assertStrictEquals(setting, "frequency");
  assertStrictEquals(missesOfBest(keys, 1000), keys.length);
  // At best a third: two slots for three keys. Until the loop is seen all keys miss.
  assert(misses < 0.37 * keys.length, `${misses} misses`);
});

Deno.test("adaptive() lets go of what was hot when a loop comes after it", () => {
  const count = 4096;
  const keys = new Uint32Array(80 * count);
  createZipf({ keyCount: 20 * count, exponent: 0.6, seed: 1 }).fill(keys, 0, 40 * count);
  for (let i = 40 * count; i < keys.length; i++) keys[i] = 10 ** 6 + i % (2 * count);
  const before = play(keys.subarray(0, 40 * count), count);
  const { misses, setting } = play(keys, count);
  assertStrictEquals(setting, "frequency");
  // At best half of the loop's lookups: one slot for two keys.
  assert(misses - before.misses < 0.87 * 40 * count, `${misses - before.misses} misses`);
});

Deno.test("adaptive() follows recency when the hot keys change all the time", () => {
  const near = createZipf({ keyCount: 1500, exponent: 0.7, seed: 5 });
  const keys = new Uint32Array(300_000);
  near.fill(keys, 0, keys.length);
  for (let i = 0; i < keys.length; i++) keys[i] = (i >> 4) + keys[i] % 1500;
  const { misses, setting } = play(keys, 800);
  assert(setting !== "frequency", setting);
  const best = missesOfBest(keys, 800);
  assert(misses < 1.05 * best, `${misses} misses, of ${best}`);
});

Deno.test("adaptive() misses less than lru() and sieve() when popularity does not change", () => {
  const keys = new Uint32Array(300_000);
  createZipf({ keyCount: 50_000, exponent: 0.9, seed: 3 }).fill(keys, 0, keys.length);
  const { misses } = play(keys, 1000);
  const best = missesOfBest(keys, 1000);
  assert(misses < best, `${misses} misses, of ${best}`);
});

Deno.test("adaptive() moves on when the keys do, and loses no row by it", () => {
  const keys = phases(1000, 80_000, 1);
  const seen = new Set<string>();
  const slots = createSlots(1000);
  const policy = adaptive(slots);
  const slotOf = new Map<number, number>();
  let filled = 0;
  for (const key of keys) {
    const { setting } = policy;
    const found = slotOf.get(key);
    const before = policy.moves;
    let slot = found ?? NO_SLOT;
    if (found !== undefined) policy.onHit(found);
    else {
      policy.onMiss(key);
      if (policy.moves !== before) assertStrictEquals(policy.contents().length, filled);
      slot = filled < 1000 ? filled++ : policy.victim(key);
      if (slotOf.size === 1000) {
        slotOf.delete(slots.key[slot]);
        policy.onRemove(slot, REMOVAL.EVICTED);
      }
      slots.key[slot] = key;
      slotOf.set(key, slot);
      policy.onInsert(slot);
    }
    if (policy.moves === before) continue;
    seen.add(setting).add(policy.setting);
    assertEquals(policy.contents().sort(), Uint32Array.from(slotOf.values()).sort());
  }
  assert(seen.size >= 3, `settings: ${[...seen]}`);
});

Deno.test("adaptive() is the same for the same seed, and another sample for another", () => {
  const keys = phases(2000, 30_000, 2);
  const runs = [1, 1, 2, 3, 4].map((seed) => play(keys, 2000, { seed }));
  assertEquals(runs[0], runs[1]);
  assertEquals(play(keys, 2000), play(keys, 2000, { seed: 0 }));
  const misses = runs.map((each) => each.misses);
  assert(new Set(misses).size > 2, `misses: ${misses}`);
  assert(Math.max(...misses) < 1.15 * Math.min(...misses), `misses: ${misses}`);
});

Deno.test("adaptive() says how hot a row is", () => {
  const slots = createSlots(2);
  const policy = adaptive(slots);
  policy.onInsert(0);
  assertStrictEquals(policy.heat!(0), 0);
  for (let i = 1; i <= 20; i++) {
    policy.onHit(0);
    assertStrictEquals(policy.heat!(0), Math.min(i, 15));
  }
});

Deno.test("adaptive() costs 19 to 28 bytes a slot when there are 2,048 or more", () => {
  for (const count of [2048, 2500, 4096, 5000, 9000, 14_563, 14_564, 65_536, 100_000]) {
    const bytes = adaptive(createSlots(count)).bytes / count;
    assert(bytes > 19 && bytes < 28, `${bytes} bytes a slot of ${count}`);
  }
});

Deno.test("adaptive() refuses a seed that is no unsigned 32-bit integer", () => {
  for (const seed of [-1, 2 ** 32, 0.5, NaN]) {
    assertThrows(
      () => adaptive(createSlots(4), { seed }),
      RangeError,
      "Cannot create adaptive: seed must be an integer of at least 0 and at most 4294967295: " +
        `received ${seed}`,
    );
  }
});
