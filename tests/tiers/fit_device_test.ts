import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type DeviceProfile,
  fitDevice,
  type FitDeviceOptions,
  PROFILES,
  type XpointProfile,
} from "../../tiers/mod.ts";
import { figureOf, figuresOf, simulateLoad } from "../../tiers/fit/_closed_loop.ts";
import { comparePoints, lossOf, worstOf } from "../../tiers/fit/_compare.ts";
import type { DeviceLoad, DevicePoint } from "../../tiers/fit/device_point.ts";

/** One unit that serves each operation in 10 us, and nothing by chance. */
const PLAIN: XpointProfile = {
  kind: "3dxp",
  name: "plain",
  blockBytes: 512,
  units: 1,
  granuleBytes: 4096,
  pipeNs: 0,
  read: { delayNs: 0, granuleNs: 10_000, trailingNs: 0 },
  write: { delayNs: 0, granuleNs: 30_000, trailingNs: 0 },
  jitterNs: 0,
  stallShare: 0,
  stallNs: 0,
};

const READS = { bytes: 4096, depth: 1, writeShare: 0 };

/** What a drive would be measured to be: its own figures under another seed. */
function pointsOf(profile: DeviceProfile, loads: readonly DeviceLoad[]): DevicePoint[] {
  return loads.flatMap((load) => {
    const sample = simulateLoad(profile, load, 10_000, 77);
    return (["read", "write"] as const).flatMap((op): DevicePoint[] => {
      const figures = figuresOf(sample[op]);
      return Object.keys(figures).length === 0 ? [] : [{ op, ...load, ...figures }];
    });
  });
}

const depthsOf = (...depths: number[]) => depths.map((depth) => ({ ...READS, depth }));

Deno.test("simulateLoad() obeys Little's law where nothing is left to chance", () => {
  for (const depth of [1, 3, 16]) {
    const { read, write } = simulateLoad(PLAIN, { ...READS, depth }, 1000, 1);
    assertEquals(write.sortedNs.length, 0);
    assertEquals(figureOf(read, "meanNs"), depth * 10_000);
    assertEquals(figureOf(read, "p99Ns"), depth * 10_000);
    assertAlmostEquals(figureOf(read, "iops"), 1e5, 200);
  }
  const { read, write } = simulateLoad(PLAIN, { ...READS, writeShare: 0.25 }, 4000, 1);
  assertAlmostEquals(write.sortedNs.length / 4000, 0.25, 0.03);
  assertEquals([figureOf(read, "p50Ns"), figureOf(write, "p50Ns")], [10_000, 30_000]);
});

Deno.test("figuresOf() gives no percentile that fewer than three operations lie beyond", () => {
  const sample = (count: number) => ({ sortedNs: new Float64Array(count).fill(5), spanNs: 10 });
  assertEquals(Object.keys(figuresOf(sample(299))), ["iops", "meanNs", "p50Ns"]);
  assertEquals(Object.keys(figuresOf(sample(301))), ["iops", "meanNs", "p50Ns", "p99Ns"]);
  assertEquals(figuresOf(sample(0)), {});
});

Deno.test("figureOf() is the order statistic of an obvious sort", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1e6 }), { minLength: 1 }), (latencies) => {
      const sample = { sortedNs: Float64Array.from(latencies).sort(), spanNs: 1e9 };
      const slow = [...latencies].sort((a, b) => a - b);
      assertEquals(figureOf(sample, "p50Ns"), slow[Math.floor(slow.length / 2)]);
      assertEquals(figureOf(sample, "p99999Ns"), slow[Math.floor(slow.length * 0.99999)]);
      assertEquals(figureOf(sample, "iops"), slow.length);
      const mean = slow.reduce((a, b) => a + b) / slow.length;
      assertAlmostEquals(figureOf(sample, "meanNs"), mean, 1e-6 * mean);
    }),
  );
});

Deno.test("comparePoints() says how far off each figure is", () => {
  const point: DevicePoint = { op: "read", ...READS, iops: 50_000, meanNs: 10_000, p99Ns: 20_000 };
  const [fit] = comparePoints(PLAIN, [point], 1000, 1);
  assertEquals(fit.point, point);
  assertEquals(fit.figures.map(({ name }) => name), ["iops", "meanNs", "p99Ns"]);
  assertAlmostEquals(fit.figures[0].error, 1, 0.01);
  assertEquals([fit.figures[1].error, fit.figures[2].error], [0, -0.5]);
  assertAlmostEquals(worstOf([fit]), 1, 0.01, "the IOPS; percentiles do not count");
  // ln 2 is a large miss, and counts for ln 2 - 1 / 4: (1 + 0 + 0.5) / 2.5 of it.
  assertAlmostEquals(lossOf([fit]), 0.6 * (Math.LN2 - 0.25), 0.005);
  const [near] = comparePoints(PLAIN, [{ op: "read", ...READS, meanNs: 11_000 }], 1000, 1);
  assertAlmostEquals(lossOf([near]), Math.log(1.1) ** 2, 1e-12);
});

/** The error of the means and IOPS at depths that the fit did not see. */
function errorBetween(profile: DeviceProfile, fitted: DeviceProfile): number {
  return worstOf(comparePoints(fitted, pointsOf(profile, depthsOf(2, 8, 32)), 20_000, 5));
}

const SHORT: FitDeviceOptions = { trials: 120, operations: 600 };

Deno.test("fitDevice() finds a 3DXP drive again, between the points as well", () => {
  const points = pointsOf(PROFILES.p4800x, depthsOf(1, 4, 16, 64));
  const fit = fitDevice(points, { ...SHORT, kind: "3dxp", name: "again" });
  assert(fit.errorShare < 0.05, `${fit.errorShare}`);
  assert(errorBetween(PROFILES.p4800x, fit.profile) < 0.1);
  assertEquals([fit.profile.name, fit.profile.kind], ["again", "3dxp"]);
  assert(fit.trials <= 120);
});

Deno.test("fitDevice() finds a NAND drive again, between the points as well", () => {
  const points = pointsOf(PROFILES.p3700, depthsOf(1, 4, 16, 64));
  const fit = fitDevice(points, { ...SHORT, kind: "nand" });
  assert(fit.errorShare < 0.1, `${fit.errorShare}`);
  assert(errorBetween(PROFILES.p3700, fit.profile) < 0.12);
});

Deno.test("fitDevice() tells a small granule from a large one", () => {
  const sizes = [512, 4096].flatMap((bytes) => depthsOf(1, 64).map((load) => ({ ...load, bytes })));
  for (const profile of [PROFILES.p4800x, PROFILES.p5800x]) {
    const fit = fitDevice(pointsOf(profile, sizes), { ...SHORT, kind: "3dxp" });
    assert(fit.errorShare < 0.08, `${profile.name}: ${fit.errorShare}`);
  }
});

Deno.test("fitDevice() fits writes where they were measured", () => {
  const loads = [...depthsOf(1, 16), { ...READS, writeShare: 0.5 }, { ...READS, writeShare: 1 }];
  const fit = fitDevice(pointsOf(PLAIN, loads), { ...SHORT, kind: "3dxp" });
  const alone = fit.points.find(({ point }) => point.writeShare === 1)!;
  const mean = alone.figures.find(({ name }) => name === "meanNs")!;
  assertEquals(mean.measured, 30_000);
  assert(Math.abs(mean.error) < 0.08, `${mean.error}`);
});

Deno.test("fitDevice() keeps the better kind when none is said", () => {
  const points = pointsOf(PROFILES.p5800x, depthsOf(1, 16, 128));
  const both = fitDevice(points, SHORT);
  for (const kind of ["3dxp", "nand"] as const) {
    const one = fitDevice(points, { ...SHORT, kind });
    assert(lossOf(both.points) <= lossOf(one.points), kind);
  }
});

Deno.test("fitDevice() gives the same profile for the same points and seed", () => {
  const points = pointsOf(PROFILES.p4800x, depthsOf(1, 32));
  const options = { kind: "3dxp", trials: 60, operations: 300, seed: 9 } as const;
  assertEquals(fitDevice(points, options), fitDevice(points, options));
});

Deno.test("fitDevice() takes rare waits from the furthest percentile", () => {
  const [point] = pointsOf(PLAIN, depthsOf(1));
  const options = { kind: "3dxp", trials: 40, operations: 100 } as const;
  const { profile } = fitDevice([{ ...point, p999Ns: 510_000 }], options);
  assert(profile.kind === "3dxp");
  // A thousandth is beyond 510 us: twice as many wait, for up to twice as long.
  assertAlmostEquals(profile.stallNs, 1e6, 1);
  assertAlmostEquals(profile.stallShare, 0.002, 1e-9);
});

Deno.test("fitDevice() refuses wrong points and options", () => {
  const good: DevicePoint = { op: "read", ...READS, iops: 1000 };
  const wrong: [Partial<Record<keyof DevicePoint, unknown>>, string][] = [
    [{ bytes: 100 }, "points[0].bytes must be an integer of at least 512"],
    [{ bytes: 1000 }, "points[0].bytes must be a multiple of 512: received 1000"],
    [{ depth: 0 }, "points[0].depth must be"],
    [{ writeShare: 1 }, "points[0].writeShare must be from 0 to 1 and leave reads: received 1"],
    [{ writeShare: -0.1 }, "points[0].writeShare must be"],
    [{ op: "write" }, "and leave writes: received 0"],
    [{ iops: 0 }, "points[0].iops must be above 0: received 0"],
    [{ p99Ns: NaN }, "points[0].p99Ns must be above 0"],
    [{ iops: undefined }, "points[0] must have a figure: received none"],
    [{ sequential: true }, "points must hold random reads alone"],
    [{ iops: undefined, p99Ns: 5 }, "points must hold random reads alone"],
  ];
  for (const [change, message] of wrong) {
    const point = { ...good, ...change } as DevicePoint;
    assertThrows(() => fitDevice([point]), RangeError, message);
  }
  assertThrows(() => fitDevice([]), RangeError, "Cannot fit device: points.length must be");
  const erase = { ...good, op: "erase" as "read" };
  assertThrows(() => fitDevice([erase]), TypeError, "received erase");
  const options: [FitDeviceOptions, string][] = [
    [{ trials: 39 }, "trials must be"],
    [{ operations: 1 }, "operations must be"],
    [{ seed: 0.5 }, "seed must be"],
  ];
  for (const [option, message] of options) {
    assertThrows(() => fitDevice([good], option), RangeError, message);
  }
  const kind = "disk" as "nand";
  assertThrows(() => fitDevice([good], { kind }), TypeError, 'kind must be "3dxp" or "nand"');
});
