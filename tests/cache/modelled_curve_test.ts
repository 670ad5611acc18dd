import { assert, assertAlmostEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  clock,
  createZipf,
  type EvictionPolicyFactory,
  fifo,
  lru,
  modelledCurve,
  type ModelledCurveOptions,
} from "@rowtier/rowtier/cache";
import { missesOf } from "./bare_frame.ts";

const KEY_COUNT = 10_000;

type Policy = ModelledCurveOptions["policy"];

function hitRatio(exponent: number, size: number, policy: Policy, admission?: number): number {
  const zipf = { keyCount: KEY_COUNT, exponent };
  const options = { zipf, policy, sizes: [size] };
  return 1 - modelledCurve(admission === undefined ? options : { ...options, admission }).at(size);
}

/** Exponent, size, and hit ratios: LRU, FIFO, CLOCK, the best pinned set. */
const KNOWN: [number, number, number, number, number, number][] = [
  [0.6, 1000, 0.2432, 0.2200, 0.2533, 0.3861],
  [0.9, 100, 0.2612, 0.2244, 0.2743, 0.4096],
  [0.9, 1000, 0.5565, 0.5101, 0.5688, 0.6708],
];

Deno.test("modelledCurve() gives the known ratios of Zipf's law", () => {
  for (const [exponent, size, ...wanted] of KNOWN) {
    const policies = ["lru", "fifo", "clock", "pinned"] as const;
    policies.forEach((policy, i) => {
      assertAlmostEquals(hitRatio(exponent, size, policy), wanted[i], 0.00006);
    });
    assertStrictEquals(hitRatio(exponent, size, "random"), hitRatio(exponent, size, "fifo"));
  }
  assertAlmostEquals(hitRatio(0.9, 1000, "lru", 0.1), 0.6130, 0.00006);
});

Deno.test("modelledCurve() is what simulated caches do on independent requests", () => {
  const policies: [Policy, EvictionPolicyFactory][] = [["lru", lru], ["fifo", fifo], [
    "clock",
    clock,
  ]];
  const warm = 50_000, all = 450_000;
  for (const [exponent, size] of KNOWN) {
    const keys = new Uint32Array(all);
    createZipf({ keyCount: KEY_COUNT, exponent, seed: 11 }).fill(keys);
    for (const [policy, eviction] of policies) {
      // Less the misses of the first part, which fills the cache.
      const misses = missesOf({ eviction }, keys, size) -
        missesOf({ eviction }, keys.subarray(0, warm), size);
      assertAlmostEquals(
        1 - misses / (all - warm),
        hitRatio(exponent, size, policy),
        0.004,
        policy,
      );
    }
  }
});

Deno.test("modelledCurve() takes popularities in any order, and Zipf's law by groups", () => {
  const exact = Uint32Array.from({ length: KEY_COUNT }, (_, i) => 1e9 / (i + 1));
  const mixed = exact.map((_, i) => exact[i * 3001 % KEY_COUNT]);
  const zipf = { keyCount: KEY_COUNT, exponent: 1 };
  const sizes = [10, 100, 1000, 9000];
  for (const policy of ["lru", "clock", "pinned"] as const) {
    const [a, b, c] = [{ popularities: exact }, { popularities: mixed }, { zipf }].map((given) =>
      modelledCurve({ ...given, policy, sizes })
    );
    for (const size of sizes) {
      assertAlmostEquals(a.at(size), b.at(size), 1e-9);
      assertAlmostEquals(a.at(size), c.at(size), 1e-6);
    }
  }
});

Deno.test("modelledCurve() of keys that are all alike is the share of keys held", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 500 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (n, part) => {
        const size = Math.max(1, Math.floor(n * part));
        for (const policy of ["lru", "fifo", "random", "clock", "pinned"] as const) {
          const zipf = { keyCount: n, exponent: 0 };
          const curve = modelledCurve({ zipf, policy, sizes: [size] });
          assertAlmostEquals(curve.at(size), 1 - size / n, 1e-9, policy);
        }
      },
    ),
    { numRuns: 30 },
  );
});

Deno.test("modelledCurve() falls with size, to 0 when all keys fit", () => {
  const sizes = [1, 2, 5, 10, 100, 1000, 9999, 10_000, 20_000];
  for (const exponent of [0, 0.5, 1, 3, 40]) {
    for (const policy of ["lru", "fifo", "clock", "pinned"] as const) {
      const curve = modelledCurve({ zipf: { keyCount: KEY_COUNT, exponent }, policy, sizes });
      sizes.forEach((size, i) => {
        if (i > 0) assert(curve.at(size) <= curve.at(sizes[i - 1]), `${policy} at ${size}`);
      });
      assertAlmostEquals(curve.at(10_000), 0, 1e-12);
    }
  }
});

Deno.test("modelledCurve() covers more keys than could be listed", () => {
  const zipf = { keyCount: 1e12, exponent: 0.9 };
  const curve = modelledCurve({ zipf, policy: "pinned", sizes: [1e6] });
  // H(C, a) / H(n, a), where H(n, a) is near zeta(a) + n^(1 - a) / (1 - a).
  const harmonic = (n: number): number => -9.430114 + n ** 0.1 / 0.1 + n ** -0.9 / 2;
  assertAlmostEquals(1 - curve.at(1e6), harmonic(1e6) / harmonic(1e12), 1e-5);
  assert(curve.memoryBytes < 1e6);
});

Deno.test("modelledCurve() throws on options out of range", () => {
  const zipf = { keyCount: 10, exponent: 1 };
  const fails = (
    more: Record<string, unknown>,
    type: typeof RangeError | typeof TypeError,
    message: string,
  ): void => {
    const options = { zipf, policy: "lru" as const, sizes: [1], ...more };
    assertThrows(() => modelledCurve(options as ModelledCurveOptions), type, message);
  };
  const popularities = Float64Array.of(1, 2);
  fails({ popularities }, TypeError, "Cannot model curve: one of popularities and zipf");
  fails({ zipf: undefined }, TypeError, "must be given: received none");
  fails({ policy: "mru" }, TypeError, 'or "pinned": received mru');
  fails({ admission: 0 }, RangeError, "admission must be above 0");
  fails({ admission: 0.5, policy: "fifo" }, TypeError, 'must be 1 unless policy is "lru"');
  for (const requests of [0, NaN]) fails({ requests }, RangeError, "requests must be finite");
  fails({ sizes: [0] }, RangeError, "sizes[0] must be");
  fails({ sizes: [3, 3] }, RangeError, "sizes[1] must be");
  fails({ zipf: { keyCount: 0, exponent: 1 } }, RangeError, "zipf.keyCount must be");
  fails({ zipf: { keyCount: 5, exponent: -1 } }, RangeError, "zipf.exponent must be");
  const given = (...values: number[]): Record<string, unknown> => {
    return { zipf: undefined, popularities: Float64Array.from(values) };
  };
  fails(given(1, -1), RangeError, "popularities[1] must be finite and at least 0: received -1");
  fails(given(0, 0), RangeError, "some popularity must be above 0");
});
