import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import {
  createDrift,
  createLoop,
  createPoisson,
  createScan,
  createUniform,
  createZipf,
  generate,
  type KeySource,
} from "@rowtier/rowtier/cache";

function take(source: KeySource, count: number): Uint32Array {
  const keys = new Uint32Array(count);
  source.fill(keys);
  return keys;
}

/** Every source, made anew at each call. */
const SOURCES: Record<string, () => KeySource> = {
  uniform: () => createUniform({ keyCount: 77, seed: 5 }),
  zipf: () => createZipf({ keyCount: 77, exponent: 0.7, seed: 5 }),
  scan: () => createScan({ first: 12 }),
  loop: () => createLoop({ length: 13, first: 4 }),
  drift: () => createDrift({ keyCount: 77, hotCount: 9, hotShare: 0.8, stepRequests: 7, seed: 5 }),
};

for (const [name, create] of Object.entries(SOURCES)) {
  Deno.test(`${name} gives one stream, however it is cut, and keys below its keyCount`, () => {
    const whole = take(create(), 200);
    assertEquals(take(create(), 200), whole);
    assert(whole.every((key) => key < create().keyCount));
    fc.assert(fc.property(fc.nat(200), fc.nat(200), (a, b) => {
      const source = create();
      const keys = new Uint32Array(200);
      source.fill(keys, 0, Math.min(a, b));
      source.fill(keys, Math.min(a, b), Math.max(a, b));
      source.fill(keys, Math.max(a, b));
      assertEquals(keys, whole);
    }));
    assertThrows(() => create().fill(new Uint32Array(3), 2, 4), RangeError, "Cannot fill array");
  });
}

Deno.test("createUniform() gives each key its share", () => {
  const seen = new Uint32Array(50);
  for (const key of take(createUniform({ keyCount: 50, seed: 2 }), 500_000)) seen[key]++;
  const chi2 = seen.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
  assert(chi2 < 95, `chi-square ${chi2} of 49 degrees`);
  const far = take(createUniform({ keyCount: 2 ** 32, seed: 2 }), 100_000);
  assertAlmostEquals(far.reduce((sum, key) => sum + key, 0) / 100_000 / 2 ** 31, 1, 0.01);
});

Deno.test("createScan() and createLoop() go in order, and wrap where they must", () => {
  assertEquals([...take(createScan(), 3)], [0, 1, 2]);
  assertEquals([...take(createScan({ first: 2 ** 32 - 2 }), 4)], [2 ** 32 - 2, 2 ** 32 - 1, 0, 1]);
  assertEquals([...take(createLoop({ length: 3, first: 7 }), 7)], [7, 8, 9, 7, 8, 9, 7]);
  assertEquals([...take(createLoop({ length: 1 }), 3)], [0, 0, 0]);
  const end = createLoop({ length: 2, first: 2 ** 32 - 2 });
  assertEquals([...take(end, 3)], [2 ** 32 - 2, 2 ** 32 - 1, 2 ** 32 - 2]);
  assertThrows(() => createScan({ first: 2 ** 32 }), RangeError, "Cannot create Scan: first");
  assertThrows(() => createScan({ first: -1 }), RangeError, "Cannot create Scan: first");
  assertThrows(() => createLoop({ length: 0 }), RangeError, "Cannot create Loop: length");
  assertThrows(() => createLoop({ length: 2, first: 2 ** 32 - 1 }), RangeError, "length");
  assertThrows(() => createLoop({ length: 2, first: 0.5 }), RangeError, "first");
});

Deno.test("createDrift() keeps to the hot set, and moves it step by step round all keys", () => {
  const options = { keyCount: 100, hotCount: 10, hotShare: 1, stepRequests: 50, seed: 3 };
  const keys = take(createDrift({ ...options, stepKeys: 7 }), 5000);
  keys.forEach((key, i) => {
    const hot = 7 * Math.floor(i / 50) % 100;
    assert((key - hot + 100) % 100 < 10, `key ${key} at ${i}`);
  });
  // Every hot key comes up, the last one too.
  assertStrictEquals(new Set(keys.subarray(0, 50)).size, 10);
  const still = take(createDrift({ ...options, hotShare: 0.6, stepKeys: 0 }), 100_000);
  const inside = still.reduce((sum, key) => sum + (key < 10 ? 1 : 0), 0);
  // 0.6, and a tenth of what goes anywhere.
  assertAlmostEquals(inside / 100_000, 0.64, 0.01);
});

Deno.test("createDrift() refuses wrong options", () => {
  const options = { keyCount: 10, hotCount: 5, hotShare: 0.5, stepRequests: 1, seed: 1 };
  const wrong: [Partial<typeof options> & { stepKeys?: number }, string][] = [
    [{ keyCount: 0 }, "keyCount"],
    [{ hotCount: 11 }, "hotCount"],
    [{ hotShare: 1.1 }, "hotShare must be a number from 0 to 1: received 1.1"],
    [{ hotShare: NaN }, "hotShare"],
    [{ stepRequests: 0 }, "stepRequests"],
    [{ stepKeys: 11 }, "stepKeys"],
    [{ seed: NaN }, "seed"],
  ];
  for (const [part, message] of wrong) {
    assertThrows(() => createDrift({ ...options, ...part }), RangeError, message);
  }
  assertThrows(() => createUniform({ keyCount: 0, seed: 1 }), RangeError, "keyCount");
});

Deno.test("createPoisson() gives exponential gaps of the rate asked for", () => {
  const count = 200_000;
  const timesNs = new Float64Array(count);
  const options = { ratePerSecond: 4_000_000, seed: 8, startNs: 1000 };
  createPoisson(options).fill(timesNs);
  const gaps = timesNs.map((time, i) => (time - (i === 0 ? 1000 : timesNs[i - 1])) / 250);
  assert(gaps.every((gap) => gap >= 0));
  const mean = gaps.reduce((a, b) => a + b, 0) / count;
  const square = gaps.reduce((a, b) => a + b * b, 0) / count;
  assertAlmostEquals(mean, 1, 0.01);
  assertAlmostEquals(square, 2, 0.05);
  // The largest deviation of the distribution (Kolmogorov): 1.95 / sqrt(n) one time in a thousand.
  const sorted = gaps.toSorted();
  const worst = sorted.reduce((most, gap, i) => {
    return Math.max(most, Math.abs(1 - Math.exp(-gap) - (i + 0.5) / count));
  }, 0);
  assert(worst < 1.95 / Math.sqrt(count), `deviation ${worst}`);
  const cut = new Float64Array(count);
  const source = createPoisson(options);
  source.fill(cut, 0, 777);
  source.fill(cut, 777);
  assertEquals(cut, timesNs);
});

Deno.test("createPoisson() refuses wrong options and ranges", () => {
  for (const ratePerSecond of [0, -1, NaN, Infinity]) {
    assertThrows(
      () => createPoisson({ ratePerSecond, seed: 1 }),
      RangeError,
      "Cannot create Poisson: ratePerSecond must be a finite number above 0: received " +
        ratePerSecond,
    );
  }
  const options = { ratePerSecond: 1, seed: 1 };
  assertThrows(() => createPoisson({ ...options, startNs: -1 }), RangeError, "startNs");
  assertThrows(() => createPoisson(options).fill(new Float64Array(1), 0, 2), RangeError, "end");
});

Deno.test("generate() makes a trace, dense where a column over all keys fits memory", () => {
  const source = createUniform({ keyCount: 9, seed: 1 });
  const trace = generate(source, 5, "few");
  assertEquals([trace.name, trace.keys.length, trace.keyCount], ["few", 5, 9]);
  const next = generate(source, 5, "more");
  assertEquals([...trace.keys, ...next.keys], [
    ...take(createUniform({ keyCount: 9, seed: 1 }), 10),
  ]);
  assertStrictEquals(generate(createScan(), 2, "scan").keyCount, undefined);
  assertStrictEquals(generate(source, 0, "none").keys.length, 0);
  assertThrows(() => generate(source, -1, "x"), RangeError, "Cannot generate trace: requests");
});
