import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { PROFILES } from "../../tiers/mod.ts";
import { drawAgreement } from "./_device_chart.ts";
import { type DevicePoint, POINTS, TOLERANCE } from "./_device_points.ts";

function shownAt(point: DevicePoint, off: number) {
  const value = point.published * (1 + off);
  return { point, ours: { value, low: value, high: value } };
}

Deno.test("drawAgreement() draws each point as met, missed, or held out", () => {
  const point = POINTS.find(({ metric, heldOut }) => metric === "mean" && !heldOut);
  assert(point !== undefined);
  const svg = drawAgreement([
    shownAt(point, 0.049),
    shownAt(point, -0.051),
    shownAt(point, 9),
    shownAt({ ...point, heldOut: true }, 9),
  ]);
  const kinds = [...svg.matchAll(/<circle class="(\w+)"/g)].map((match) => match[1]);
  assertEquals(kinds, ["met", "missed", "missed", "held"]);
  // What is far off stands at the end of the axis, not outside of the picture.
  for (const [, x] of svg.matchAll(/cx="([\d.]+)"/g)) assert(Number(x) > 400 && Number(x) <= 880);
  assertStrictEquals(svg.match(/class="band"/g)?.length, 3);
});

Deno.test("POINTS are each there once, and the percentiles of depth 16 held out", () => {
  const seen = new Set<string>();
  for (const { drive, metric, heldOut, published, ...load } of POINTS) {
    assert(drive in PROFILES && published > 0);
    assert(!seen.has(JSON.stringify([drive, metric, load])), `${drive} ${metric}`);
    seen.add(JSON.stringify([drive, metric, load]));
    const isPercentile = metric === "median" || metric.startsWith("p99");
    assertStrictEquals(heldOut, isPercentile && load.depth === 16);
    assert(TOLERANCE[metric] <= 0.3);
  }
});
