import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { createZipf, type ZipfOptions } from "@rowtier/rowtier/cache";
import { createScatter } from "../../cache/traces/_scatter.ts";

const EXPONENTS = [0, 0.3, 0.9, 0.9995, 1, 1.0005, 1.1, 1.5, 3];

function draw(count: number, options: ZipfOptions): Uint32Array {
  const keys = new Uint32Array(count);
  createZipf(options).fill(keys);
  return keys;
}

/**
 * Asserts that `seen` agrees with `expected` by the chi-square test; bins of less than 5 expected
 * are pooled. The seeds are fixed, so the bound (about one in ten thousand) is crossed by wrong
 * code only.
 */
function assertLikely(seen: readonly number[], expected: readonly number[], what: string): void {
  let chi2 = 0, bins = 0, pooledSeen = 0, pooledExpected = 0;
  for (let i = 0; i < seen.length; i++) {
    pooledSeen += seen[i];
    pooledExpected += expected[i];
    if (pooledExpected < 5) continue;
    chi2 += (pooledSeen - pooledExpected) ** 2 / pooledExpected;
    bins++;
    pooledSeen = pooledExpected = 0;
  }
  const freedom = bins - 1;
  const bound = freedom + 4 * Math.sqrt(2 * freedom) + 8;
  assert(chi2 < bound, `${what}: chi-square ${chi2} of ${freedom} degrees, over ${bound}`);
}

Deno.test("createZipf() draws each key of a few as often as the law says", () => {
  const draws = 200_000;
  for (const exponent of EXPONENTS) {
    for (const keyCount of [1, 2, 3, 10, 200]) {
      const weights = Array.from({ length: keyCount }, (_, i) => (i + 1) ** -exponent);
      const sum = weights.reduce((a, b) => a + b, 0);
      const seen = new Array<number>(keyCount).fill(0);
      for (const key of draw(draws, { keyCount, exponent, seed: 11 })) seen[key]++;
      assertLikely(seen, weights.map((w) => w / sum * draws), `${exponent} of ${keyCount}`);
    }
  }
});

/** The sum of r^-exponent from `first` to `last`: Euler's and Maclaurin's formula from 30 on. */
function tailSum(first: number, last: number, exponent: number): number {
  let sum = 0;
  for (; first < 30 && first <= last; first++) sum += first ** -exponent;
  if (first > last) return sum;
  const f = (x: number) => x ** -exponent;
  const slope = (x: number) => -exponent * x ** (-exponent - 1);
  const power = 1 - exponent;
  const area = power === 0
    ? Math.log(last / first)
    : first ** power * Math.expm1(power * Math.log(last / first)) / power;
  return sum + area + (f(first) + f(last)) / 2 + (slope(last) - slope(first)) / 12;
}

Deno.test("createZipf() draws by the law from ten million and from four billion keys", () => {
  const draws = 200_000;
  for (const keyCount of [10_000_000, 4_000_000_000, 2 ** 32]) {
    for (const exponent of EXPONENTS) {
      const total = tailSum(1, keyCount, exponent);
      const expected: number[] = [];
      const edges: number[] = [];
      for (let first = 1; first <= keyCount; first = edges.at(-1) as number) {
        const next = Math.min(Math.ceil(first * 1.5) + 1, keyCount + 1);
        expected.push(tailSum(first, next - 1, exponent) / total * draws);
        edges.push(next);
      }
      const seen = expected.map(() => 0);
      for (const key of draw(draws, { keyCount, exponent, seed: 12 })) {
        seen[edges.findIndex((edge) => key + 1 < edge)]++;
      }
      assertLikely(seen, expected, `${exponent} of ${keyCount}`);
    }
  }
});

Deno.test("createZipf() reaches single keys at the far end of four billion", () => {
  const keys = draw(100_000, { keyCount: 4_000_000_000, exponent: 0, seed: 3 });
  // With 32 random bits a draw, 4e9 of 2^32 places would make every key's low bits uneven.
  const odd = keys.reduce((sum, key) => sum + (key & 1), 0);
  assert(Math.abs(odd - 50_000) < 700, `${odd} odd keys`);
  assert(new Set(keys).size > 99_990);
});

Deno.test("createZipf() gives the same keys for the same seed on every machine", () => {
  const first = (exponent: number, order?: "ranked" | "shuffled" | "hashed") => [
    ...draw(6, { keyCount: 1000, exponent, seed: 1, ...(order === undefined ? {} : { order }) }),
  ];
  assertEquals(first(0.9), [608, 1, 73, 6, 490, 0]);
  assertEquals(first(1), [502, 0, 37, 3, 376, 0]);
  assertEquals(first(0.9, "shuffled"), [526, 635, 962, 989, 298, 642]);
  assertEquals(first(0.9, "hashed"), [
    2556767526,
    35208945,
    1607330629,
    2004928301,
    4899193,
    3062887745,
  ]);
});

Deno.test("createZipf() gives one stream, however it is cut", () => {
  const options: ZipfOptions = { keyCount: 500, exponent: 1.1, seed: 9, order: "shuffled" };
  const whole = draw(300, options);
  fc.assert(fc.property(fc.array(fc.nat(60), { maxLength: 8 }), (cuts) => {
    const source = createZipf(options);
    const keys = new Uint32Array(300);
    let at = 0;
    for (const cut of cuts) {
      const end = Math.min(300, at + cut);
      source.fill(keys, at, end);
      at = end;
    }
    source.fill(keys, at);
    assertEquals(keys, whole);
  }));
});

Deno.test("createZipf() moves ranks to other keys, one to one, when told so", () => {
  const plain = draw(5000, { keyCount: 300, exponent: 1, seed: 4 });
  for (const order of ["shuffled", "hashed"] as const) {
    const moved = draw(5000, { keyCount: 300, exponent: 1, seed: 4, order });
    const keyOf = new Map<number, number>();
    plain.forEach((rank, i) => {
      assertStrictEquals(keyOf.get(rank) ?? moved[i], moved[i]);
      keyOf.set(rank, moved[i]);
    });
    assertStrictEquals(new Set(keyOf.values()).size, keyOf.size);
    assert(plain.some((rank, i) => rank !== moved[i]));
    assertStrictEquals(moved.every((key) => key < 300), order === "shuffled");
  }
  assertStrictEquals(
    createZipf({ keyCount: 9, exponent: 1, seed: 1, order: "hashed" }).keyCount,
    2 ** 32,
  );
});

Deno.test("createScatter() is a permutation of every count", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 600 }), fc.nat(1000), (count, seed) => {
    const scatter = createScatter(count, seed);
    const images = Array.from({ length: count }, (_, rank) => scatter.map(rank));
    assertEquals(images.sort((a, b) => a - b), images.map((_, i) => i));
  }));
  const scatter = createScatter(2 ** 32, 5);
  const images = Array.from({ length: 10_000 }, (_, i) => scatter.map(2 ** 32 - 1 - i));
  assertStrictEquals(new Set(images).size, 10_000);
  assert(images.every((image) => image >= 0 && image < 2 ** 32));
  assert(images.filter((image) => image < 2 ** 31).length > 4_500);
});

Deno.test("createZipf() refuses wrong options and ranges", () => {
  const options: ZipfOptions = { keyCount: 10, exponent: 1, seed: 1 };
  assertThrows(
    () => createZipf({ ...options, keyCount: 0 }),
    RangeError,
    "Cannot create Zipf: keyCount must be an integer of at least 1 and at most 4294967296: " +
      "received 0",
  );
  assertThrows(() => createZipf({ ...options, keyCount: 2 ** 32 + 1 }), RangeError, "keyCount");
  for (const exponent of [-0.1, NaN, Infinity]) {
    assertThrows(
      () => createZipf({ ...options, exponent }),
      RangeError,
      `Cannot create Zipf: exponent must be a finite number of at least 0: received ${exponent}`,
    );
  }
  assertThrows(() => createZipf({ ...options, seed: 0.5 }), RangeError, "seed");
  const order = JSON.parse('"sorted"');
  assertThrows(
    () => createZipf({ ...options, order }),
    TypeError,
    'Cannot create Zipf: order must be "ranked", "shuffled" or "hashed": received "sorted"',
  );
  const source = createZipf(options);
  const keys = new Uint32Array(4);
  assertThrows(
    () => source.fill(keys, 0, 5),
    RangeError,
    "Cannot fill array: end must be an integer of at least 0 and at most 4: received 5",
  );
  assertThrows(() => source.fill(keys, 3, 2), RangeError, "start");
});
