import { assertAlmostEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { MissRatioCurve, type MissRatioCurveOptions } from "@rowtier/rowtier/cache";

function createCurve(more: Partial<MissRatioCurveOptions> = {}): MissRatioCurve {
  return new MissRatioCurve({
    method: "sampled",
    requests: 1000,
    sizes: Float64Array.of(10, 20, 40),
    missRatios: Float64Array.of(0.8, 0.5, 0.25),
    standardErrors: Float64Array.of(0.01, 0.03, 0.02),
    observed: 10,
    memoryBytes: 99,
    ...more,
  });
}

Deno.test("MissRatioCurve.at() joins points by lines, from 1 at size 0", () => {
  const curve = createCurve();
  const wanted = [[-1, 1], [0, 1], [5, 0.9], [10, 0.8], [15, 0.65], [20, 0.5], [30, 0.375]];
  for (const [size, ratio] of [...wanted, [40, 0.25], [1e9, 0.25]]) {
    assertAlmostEquals(curve.at(size), ratio, 1e-12);
  }
  assertAlmostEquals(curve.missesAt(15), 650, 1e-9);
});

Deno.test("MissRatioCurve.at() keeps the ratio of the lower point when between is step", () => {
  const curve = createCurve({ method: "exact", between: "step" });
  for (const [size, misses] of [[0, 1000], [9.9, 1000], [10, 800], [19, 800], [41, 250]]) {
    assertStrictEquals(curve.missesAt(size), misses);
  }
});

Deno.test("MissRatioCurve without points misses always", () => {
  const empty = { sizes: new Float64Array(0), missRatios: new Float64Array(0) };
  const curve = createCurve({ ...empty, standardErrors: new Float64Array(0) });
  assertStrictEquals(curve.at(5), 1);
  assertStrictEquals(curve.standardErrorAt(5), 0);
  assertStrictEquals(curve.sizeFor(0.5), Infinity);
});

Deno.test("MissRatioCurve.standardErrorAt() is the larger one of the points beside", () => {
  const curve = createCurve();
  for (const [size, error] of [[5, 0.01], [10, 0.03], [15, 0.03], [25, 0.03], [40, 0.02]]) {
    assertStrictEquals(curve.standardErrorAt(size), error);
  }
  const { standardErrors: _, ...rest } = createCurve();
  assertStrictEquals(new MissRatioCurve({ ...rest }).standardErrorAt(5), NaN);
});

Deno.test("MissRatioCurve.sizeFor() is the smallest size that misses no more", () => {
  const curve = createCurve();
  for (const [ratio, size] of [[1, 10], [0.5, 20], [0.3, 40], [0.1, Infinity]]) {
    assertStrictEquals(curve.sizeFor(ratio), size);
  }
});

Deno.test("MissRatioCurve throws on points that make no curve", () => {
  const fails = (more: Partial<MissRatioCurveOptions>, message: string): void => {
    assertThrows(() => createCurve(more), RangeError, `Cannot create MissRatioCurve: ${message}`);
  };
  fails({ missRatios: Float64Array.of(1) }, "missRatios must be as many as sizes, 3: received 1");
  fails({ standardErrors: Float64Array.of(1) }, "standardErrors must be as many as sizes");
  fails({ sizes: Float64Array.of(10, 10, 40) }, "sizes must ascend from above 0: received 10");
  fails({ sizes: Float64Array.of(0, 10, 40) }, "sizes must ascend from above 0: received 0");
  fails({ missRatios: Float64Array.of(1.1, 1, 0) }, "missRatios must be 0 to 1: received 1.1");
  fails({ missRatios: Float64Array.of(1, NaN, 0) }, "missRatios must be 0 to 1: received NaN");
});
