import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import {
  clock,
  EVICTION_POLICIES,
  type EvictionPolicy,
  type EvictionPolicyFactory,
  fifo,
  lfu,
  lfuda,
  lru,
  NO_SLOT,
  random,
  REMOVAL,
  slru,
} from "@rowtier/rowtier/cache";
import { createRandom } from "../../base/random.ts";
import {
  playTwins,
  STEPS,
  type Twin,
  twinCounts,
  twinRing,
  twinSegments,
} from "./_policy_twins.ts";
import { createSlots, missesOf } from "./bare_frame.ts";
import { countedSynthetic } from "./golden.ts";

const COUNT = fc.integer({ min: 1, max: 9 });

/** Asserts that a policy does what its twin does; both are made from a number of their own. */
function assertTwins(
  option: fc.Arbitrary<number>,
  create: (option: number) => EvictionPolicyFactory,
  twin: (count: number, option: number) => Twin,
): void {
  fc.assert(
    fc.property(COUNT, option, STEPS, (count, option, steps) => {
      playTwins(create(option), twin(count, option), count, steps);
    }),
    { numRuns: 400 },
  );
}

Deno.test("fifo() does what a queue does whose holes are filled in place", () => {
  assertTwins(fc.constant(0), () => fifo, (count) => twinRing(count, 0));
});

Deno.test("clock() does what a queue with second chances does", () => {
  assertTwins(
    fc.integer({ min: 1, max: 3 }),
    (bits) => (slots) => clock(slots, { bits }),
    (count, bits) => twinRing(count, 2 ** bits - 1),
  );
});

const LIMIT = fc.constantFrom(1, 2, 3, 2 ** 30);

Deno.test("lfu() does what a search for the lowest count does", () => {
  assertTwins(
    LIMIT,
    (countLimit) => (slots) => lfu(slots, { countLimit }),
    (_, limit) => twinCounts(limit, false),
  );
});

Deno.test("lfuda() does what a search for the lowest priority does", () => {
  assertTwins(
    LIMIT,
    (countLimit) => (slots) => lfuda(slots, { countLimit }),
    (_, limit) => twinCounts(limit, true),
  );
});

const WEIGHTS = [[1, 1, 1, 1], [1, 4], [1], [3, 1, 2], [1, 100]];

Deno.test("slru() does what arrays do", () => {
  assertTwins(
    fc.nat(WEIGHTS.length - 1),
    (i) => (slots) => slru(slots, { weights: WEIGHTS[i] }),
    (count, i) => twinSegments(count, WEIGHTS[i]),
  );
});

const [drift] = countedSynthetic();

Deno.test("lfu() and lfuda() are LRU when every row counts the same", () => {
  for (const size of [1, 13, 100]) {
    const expected = missesOf({ eviction: lru }, drift.ids, size);
    for (const eviction of [lfu, lfuda]) {
      const limited = (slots: Parameters<typeof lfu>[0]) => eviction(slots, { countLimit: 1 });
      assertStrictEquals(missesOf({ eviction: limited }, drift.ids, size), expected);
    }
  }
});

Deno.test("lfuda() finds the rows in use that it passed over first, once they may go", () => {
  const slots = createSlots(3);
  const policy = lfuda(slots);
  for (let slot = 0; slot < 3; slot++) policy.onInsert(slot);
  for (let i = 0; i < 5; i++) policy.onHit(2);
  slots.pinned.add(0).add(1);
  assertStrictEquals(policy.victim(9), 2);
  policy.onRemove(2, REMOVAL.EVICTED);
  policy.onInsert(2);
  slots.pinned.clear();
  // The age is 6 by now; 0 and 1 have priority 1 still, 2 has 7.
  assertEquals(policy.contents(), Uint32Array.of(2, 1, 0));
  assertStrictEquals(policy.victim(9), 0);
  policy.verify();
});

Deno.test("slru() works with fewer slots than segments", () => {
  for (const count of [1, 2, 3]) {
    const { ids } = drift;
    const misses = missesOf({ eviction: slru }, ids, count);
    assert(misses < ids.length && misses >= missesOf({ eviction: lru }, ids, count + 3));
  }
});

/** n keys, the i-th with a chance of 1 / i^a. */
function zipf(n: number, a: number): Float64Array {
  const chances = Float64Array.from({ length: n }, (_, i) => (i + 1) ** -a);
  const sum = chances.reduce((total, chance) => total + chance);
  return chances.map((chance) => chance / sum);
}

function draw(chances: Float64Array, requests: number): Uint32Array {
  const source = createRandom(5);
  let sum = 0;
  const sums = chances.map((chance) => sum += chance);
  return new Uint32Array(requests).map(() => {
    const unit = source.unit();
    let low = 0, high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle] > unit) high = middle;
      else low = middle + 1;
    }
    return low;
  });
}

/** The hit ratio where `hit(p T)` is a key's chance to be there, T so that `slots` keys are. */
function predict(chances: Float64Array, slots: number, hit: (x: number) => number): number {
  const expected = (t: number): number => chances.reduce((sum, p) => sum + hit(p * t), 0);
  let low = 0, high = 1e9;
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (expected(middle) < slots) low = middle;
    else high = middle;
  }
  return chances.reduce((sum, p) => sum + p * hit(p * low), 0);
}

Deno.test("fifo(), random() and clock() hit as often as their formulas say", () => {
  const turnover = (x: number): number => x / (1 + x);
  const second = (x: number): number =>
    Number.isFinite(Math.exp(x)) ? turnover(x * Math.exp(x)) : 1;
  const seeded = [1, 2, 3].map((seed): [EvictionPolicyFactory, (x: number) => number] => {
    return [(slots) => random(slots, { seed }), turnover];
  });
  const cases: [EvictionPolicyFactory, (x: number) => number][] = [
    [fifo, turnover],
    ...seeded,
    [clock, second],
  ];
  for (const [a, size] of [[0.6, 300], [0.9, 30], [0.9, 300]]) {
    const chances = zipf(3000, a);
    const warm = draw(chances, 400_000);
    for (const [eviction, hit] of cases) {
      const cold = missesOf({ eviction }, warm.subarray(0, 100_000), size);
      const misses = missesOf({ eviction }, warm, size) - cold;
      // 300,000 draws: three deviations are 0.003.
      assertAlmostEquals(1 - misses / 300_000, predict(chances, size, hit), 0.005);
    }
  }
});

Deno.test("random() gives every row that may go the same chance", () => {
  const slots = createSlots(10);
  const policy = random(slots, { seed: 3 });
  for (let slot = 0; slot < 10; slot++) policy.onInsert(slot);
  policy.onRemove(4, REMOVAL.DELETED);
  slots.pinned.add(7);
  const victims = new Uint32Array(10);
  for (let i = 0; i < 80_000; i++) victims[policy.victim(0)]++;
  assertEquals([victims[4], victims[7]], [0, 0]);
  // 10,000 each, with a deviation of 94.
  for (const slot of [0, 1, 2, 3, 5, 6, 8, 9]) assertAlmostEquals(victims[slot], 10_000, 450);
});

Deno.test("random() finds the only row that may go, and repeats itself with its seed", () => {
  const slots = createSlots(5000);
  const policies = [7, 7, 8].map((seed) => random(slots, { seed }));
  for (const policy of policies) for (let slot = 0; slot < 5000; slot++) policy.onInsert(slot);
  const [first, same, other] = policies.map((policy) => {
    return Array.from({ length: 20 }, () => policy.victim(0)).join();
  });
  assertStrictEquals(first, same);
  assert(first !== other);
  for (let slot = 0; slot < 5000; slot++) if (slot !== 77) slots.pinned.add(slot);
  for (let i = 0; i < 20; i++) assertStrictEquals(policies[0].victim(0), 77);
});

Deno.test("the queue and counter policies cost the bytes a slot that they say", () => {
  const bytes = (eviction: EvictionPolicyFactory): number => eviction(createSlots(1000)).bytes;
  assertEquals([fifo, clock, random].map(bytes), [1000, 1000, 1000]);
  assertEquals([lfu, lfuda].map(bytes), [24 * 1000 + 8, 16 * 1000 + 33 * 8]);
  assertStrictEquals(bytes(slru), 9 * 1000 + 4 * 16);
});

Deno.test("heat() of the queue and counter policies is what as many hits give again", () => {
  for (const name of ["clock", "fifo", "lfu", "lfuda", "setlfu", "slru"]) {
    const hot = EVICTION_POLICIES[name](createSlots(8));
    for (let slot = 0; slot < 8; slot++) {
      hot.onInsert(slot);
      for (let hit = 0; hit < 3 * slot; hit++) hot.onHit(slot);
    }
    for (let slot = 0; slot < 8; slot++) assertStrictEquals(reheated(name, hot, slot), true);
  }
  const policy = lfu(createSlots(1));
  policy.onInsert(0);
  for (let hit = 0; hit < 300; hit++) policy.onHit(0);
  assertStrictEquals(policy.heat?.(0), 255);
});

function reheated(name: string, hot: EvictionPolicy, slot: number): boolean {
  const heat = hot.heat?.(slot) ?? -1;
  const fresh = EVICTION_POLICIES[name](createSlots(8));
  fresh.onInsert(slot);
  for (let hit = 0; hit < heat; hit++) fresh.onHit(slot);
  return fresh.heat?.(slot) === heat;
}

Deno.test("verify() of the list policies finds a slot that was inserted twice", () => {
  for (const eviction of [lfu, lfuda, slru]) {
    const policy = eviction(createSlots(3));
    for (const slot of [0, 1, 1]) policy.onInsert(slot);
    assertThrows(() => policy.verify(), Error, `Broken invariant: ${policy.name}`);
  }
});

Deno.test("the queue and counter policies throw on options out of range", () => {
  const slots = createSlots(4);
  for (const bits of [0, 8, 1.5, NaN]) {
    assertThrows(() => clock(slots, { bits }), RangeError, "Cannot create clock: bits must be");
  }
  for (const countLimit of [0, 2 ** 30 + 1, 1.5]) {
    const message = "countLimit must be an integer of at least 1 and at most 1073741824: received";
    assertThrows(() => lfu(slots, { countLimit }), RangeError, `Cannot create lfu: ${message}`);
    assertThrows(() => lfuda(slots, { countLimit }), RangeError, `Cannot create lfuda: ${message}`);
  }
  for (const weights of [[], new Array(256).fill(1)]) {
    const message = "Cannot create slru: number of weights must be";
    assertThrows(() => slru(slots, { weights }), RangeError, message);
  }
  for (const weight of [0, -1, NaN, Infinity]) {
    const message = `Cannot create slru: weight must be a number above 0: received ${weight}`;
    assertThrows(() => slru(slots, { weights: [1, weight] }), RangeError, message);
  }
  assertThrows(() => random(slots, { seed: 0.5 }), RangeError, "seed must be a safe integer");
  assertStrictEquals(random(slots).victim(0), NO_SLOT);
});
