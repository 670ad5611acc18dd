import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import {
  ADMISSION_POLICIES,
  admitAlways,
  createClaim,
  lru,
  probabilistic,
  RowCache,
  secondAccess,
  tinyLfu,
  WriteBudget,
  writeBudget,
} from "@rowtier/rowtier/cache";

Deno.test("ADMISSION_POLICIES names each policy as it names itself", () => {
  for (const [name, factory] of Object.entries(ADMISSION_POLICIES)) {
    assertStrictEquals(factory(10).name, name);
  }
  assertStrictEquals(admitAlways().admit(1), true);
});

Deno.test("probabilistic() admits its share, and all or none at the ends", () => {
  for (const probability of [0, 0.1, 0.5, 1]) {
    const policy = probabilistic(10, { probability, seed: 3 });
    let admitted = 0;
    for (let i = 0; i < 20_000; i++) if (policy.admit(i)) admitted++;
    // Five standard deviations of the binomial distribution.
    const tolerance = 5 * Math.sqrt(probability * (1 - probability) / 20_000);
    assertAlmostEquals(admitted / 20_000, probability, tolerance + 1e-12);
  }
  for (const probability of [-0.1, 1.1, NaN]) {
    assertThrows(
      () => probabilistic(1, { probability }),
      RangeError,
      `probability must be from 0 to 1: received ${probability}`,
    );
  }
});

Deno.test("secondAccess() with an exact memory admits what it was asked for before", () => {
  const key = fc.oneof(fc.nat(20), fc.integer({ min: 2 ** 32 - 4, max: 2 ** 32 - 1 }), fc.nat());
  fc.assert(fc.property(fc.array(key, { size: "large" }), (keys) => {
    const policy = secondAccess(4, { exact: true });
    const seen = new Set<number>();
    for (const each of keys) {
      assertStrictEquals(policy.admit(each), seen.has(each));
      seen.add(each);
    }
  }));
});

Deno.test("secondAccess() remembers its share of keys, and forgets older ones", () => {
  const policy = secondAccess(1, { memoryKeys: 1000, falsePositives: 0.01 });
  for (let key = 0; key < 1000; key++) policy.admit(key);
  for (let key = 0; key < 1000; key++) assert(policy.admit(key), `key ${key} must be remembered`);
  let wrong = 0;
  for (let key = 10_000; key < 30_000; key++) if (policy.admit(key)) wrong++;
  assert(wrong < 2 * 0.01 * 20_000, `${wrong} of 20000 new keys passed for known ones`);
  // Two turns of the filters later, nothing of the first keys is left.
  let left = 0;
  for (let key = 0; key < 1000; key++) if (policy.admit(key)) left++;
  assert(left < 50, `${left} of 1000 keys must be forgotten`);
});

Deno.test("secondAccess() keeps a key that returns, however long ago it came first", () => {
  const policy = secondAccess(1, { memoryKeys: 100, falsePositives: 1e-9 });
  policy.admit(1);
  for (let key = 100; key < 1000; key++) {
    policy.admit(key);
    if (key % 50 === 0) assert(policy.admit(1));
  }
});

Deno.test("secondAccess() refuses options out of range", () => {
  assertThrows(() => secondAccess(1, { memoryKeys: 0 }), RangeError, "memoryKeys");
  for (const falsePositives of [0, 1, NaN]) {
    assertThrows(() => secondAccess(1, { falsePositives }), RangeError, "falsePositives");
  }
});

Deno.test("tinyLfu() prefers what was looked up more often, and the old row on a draw", () => {
  const policy = tinyLfu(100);
  for (let i = 0; i < 3; i++) policy.onAccess(1);
  for (let i = 0; i < 2; i++) policy.onAccess(2);
  assertStrictEquals(policy.prefers(1, 2), true);
  assertStrictEquals(policy.prefers(2, 1), false);
  assertStrictEquals(policy.prefers(1, 1), false);
  assertStrictEquals(policy.admit(9), true);
});

Deno.test("writeBudget() admits so many rows a window, over all partitions that share it", () => {
  const budget = new WriteBudget(3);
  const admission = (slotCount: number) => writeBudget(slotCount, { budget });
  const partition = { slotCount: 10, scratchCount: 10, eviction: lru, admission };
  const cache = new RowCache({ partitions: [partition, partition] });
  const claim = createClaim();
  const admitted = (): number[] => [0, 1].map((p) => cache.counters(p).admissions);
  const claimAll = (first: number): void => {
    const batch = cache.begin();
    for (let key = first; key < first + 4; key++) cache.claim(key & 1, key, batch, claim);
    cache.retire(batch);
  };
  claimAll(0);
  assertEquals(admitted(), [2, 1]);
  assertStrictEquals(budget.left, 0);
  budget.startWindow();
  assertStrictEquals(budget.left, 3);
  claimAll(100);
  assertEquals(admitted(), [4, 2]);
  assertThrows(() => new WriteBudget(-1), RangeError, "admissionsPerWindow");
  assertThrows(() => new WriteBudget(0.5), RangeError, "admissionsPerWindow");
});
