/**
 * The demo's two pictures, as SVG whose colours are CSS variables: the page around them chooses
 * light or dark.
 *
 * @module
 */

import * as Plot from "npm:@observablehq/plot@0.6.17";
import { DOMParser } from "npm:linkedom@0.18.15";
import type { CurvePoint } from "./curve.ts";
import type { DeviceTimes } from "./results.ts";
import { duration } from "./units.ts";

/** Size of a picture in CSS pixels. */
export interface ChartSize {
  readonly width: number;
  readonly height: number;
}

/**
 * The variables that the pictures use; both sets keep a contrast of 3 : 1 against their background.
 */
export const CHART_COLOURS: string = `
  :root {
    --ground: #ffffff; --ink: #1d1f23; --quiet: #646a73; --rule: #e4e6ea;
    --first: #2166d1; --second: #d1561b; --third: #178763; --fourth: #8a4fc7;
  }
  @media (prefers-color-scheme: dark) {
    :root {
      --ground: #14161a; --ink: #eceef1; --quiet: #a0a7b1; --rule: #2d3138;
      --first: #6ba3f5; --second: #f08a4b; --third: #4cc497; --fourth: #b98af0;
    }
  }
`;

const SERIES = ["var(--first)", "var(--second)", "var(--third)", "var(--fourth)"];
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
const LABEL_GAP = 16;

/** Hit ratio against cache size: a line for each policy, its name at its end. */
export function hitRatioChart(curve: readonly CurvePoint[], size: ChartSize): string {
  const policies = [...new Set(curve.map(({ policy }) => policy))];
  const colour = (policy: string): string => SERIES[policies.indexOf(policy) % SERIES.length];
  const lowest = Math.min(...curve.map(({ hitRatio }) => hitRatio), 0.9);
  const bottom = Math.floor(lowest * 10) / 10;
  const longest = Math.max(...policies.map((policy) => policyName(policy).length));
  const marginRight = 13 + 9 * longest;
  const margins = { marginLeft: 46, marginRight, marginTop: 14, marginBottom: 44 };
  const plotHeight = size.height - margins.marginTop - margins.marginBottom;
  const ends = lineEnds(curve, policies, bottom, plotHeight);
  return draw({
    ...size,
    ...margins,
    x: { type: "log" },
    y: {
      domain: [bottom, 1],
      tickFormat: (ratio: number) => `${Math.round(ratio * 100)} %`,
      ticks: 5,
      tickSize: 0,
      label: null,
    },
    marks: [
      Plot.gridY({ stroke: "var(--rule)", strokeOpacity: 1, ticks: 5 }),
      Plot.axisX([...new Set(curve.map(({ cacheShare }) => cacheShare))], {
        // A scale's `tickFormat` would be asked for some of a log scale's ticks only.
        text: (share: number) => `${Number((share * 100).toPrecision(3))} %`,
        tickSize: 0,
        label: "rows in the cache, share of the table (log scale)",
        labelAnchor: "center",
        labelArrow: "none",
      }),
      ...policies.flatMap((policy) => {
        const points = curve.filter((point) => point.policy === policy);
        const stroke = colour(policy);
        const place = { x: "cacheShare", y: "hitRatio" };
        return [
          Plot.line(points, { ...place, stroke, strokeWidth: 2.25 }),
          Plot.dot(points, { ...place, r: 3.5, fill: stroke, stroke: "var(--ground)" }),
        ];
      }),
      ...ends.map(({ point, dy }) =>
        Plot.text([point], {
          x: "cacheShare",
          y: "hitRatio",
          text: () => policyName(point.policy),
          fill: colour(point.policy),
          fontWeight: 600,
          fontSize: 13,
          textAnchor: "start",
          dx: 9,
          dy,
        })
      ),
    ],
  });
}

function policyName(policy: string): string {
  return policy.toUpperCase();
}

/** The last point of each line, and how far its label moves so that labels do not overlap. */
function lineEnds(
  curve: readonly CurvePoint[],
  policies: readonly string[],
  bottom: number,
  plotHeight: number,
): { point: CurvePoint; dy: number }[] {
  const ends = policies.map((policy) =>
    curve.filter((point) => point.policy === policy).reduce((last, point) =>
      point.cacheShare > last.cacheShare ? point : last
    )
  ).sort((a, b) => b.hitRatio - a.hitRatio);
  const top = (ratio: number): number => (1 - ratio) / (1 - bottom) * plotHeight;
  let free = -Infinity;
  return ends.map((point) => {
    const y = Math.max(top(point.hitRatio), free);
    free = y + LABEL_GAP;
    return { point, dy: y - top(point.hitRatio) };
  });
}

/** Time of a batch by device: a filled dot for the median, a ring for the 99th percentile. */
export function latencyChart(devices: readonly DeviceTimes[], size: ChartSize): string {
  const name = deviceName;
  const longest = Math.max(...devices.map((device) => name(device).length));
  const colour = ({ simulated }: DeviceTimes): string => SERIES[simulated ? 1 : 0];
  const all = devices.flatMap(({ p50BatchNs, p99BatchNs }) => [p50BatchNs, p99BatchNs]);
  const marginLeft = 20 + 6.8 * longest;
  const domain = domainOf(all, size.width - marginLeft - MARGIN_RIGHT);
  const place = { y: name, fontSize: 12, fill: "var(--ink)" };
  return draw({
    ...size,
    marginLeft,
    marginRight: MARGIN_RIGHT,
    marginTop: 26,
    marginBottom: 44,
    x: {
      type: "log",
      domain,
      ticks: decades(domain),
      tickFormat: (ns: number) => duration(ns).replace(/\.0+ /, " "),
      tickSize: 0,
      label: "time of a batch (log scale)",
      labelAnchor: "center",
      labelArrow: "none",
    },
    y: { domain: devices.map(name), tickSize: 0, label: null, padding: 0.4 },
    marks: [
      Plot.gridX(decades(domain), {
        stroke: "var(--rule)",
        strokeOpacity: 1,
      }),
      ...devices.flatMap((device) => {
        const fill = colour(device);
        return [
          Plot.ruleY([device], {
            x1: "p50BatchNs",
            x2: "p99BatchNs",
            y: name,
            stroke: fill,
            strokeWidth: 2.5,
          }),
          Plot.dot([device], { x: "p50BatchNs", y: name, r: 5.5, fill }),
          Plot.dot([device], {
            x: "p99BatchNs",
            y: name,
            r: 4.5,
            fill: "var(--ground)",
            stroke: fill,
            strokeWidth: 2.25,
          }),
        ];
      }),
      Plot.text(devices, {
        ...place,
        x: "p50BatchNs",
        text: ({ p50BatchNs }: DeviceTimes) => duration(p50BatchNs),
        textAnchor: "end",
        dx: -10,
      }),
      Plot.text(devices, {
        ...place,
        x: "p99BatchNs",
        text: ({ p99BatchNs }: DeviceTimes) => duration(p99BatchNs),
        textAnchor: "start",
        dx: 10,
      }),
      ...keyOfDots(devices[0]),
    ],
  });
}

/** The device, with a word about virtual time where its own name does not say so. */
export function deviceName({ name, simulated }: DeviceTimes): string {
  return simulated && !name.includes("simulated") ? `${name}, simulated` : name;
}

/** Names the two dots of the first row, above it. */
function keyOfDots(first: DeviceTimes): Plot.Markish[] {
  const style = { y: deviceName, dy: -17, fill: "var(--quiet)", fontSize: 11 };
  return [
    Plot.text([first], {
      ...style,
      x: "p50BatchNs",
      text: () => "median",
      textAnchor: "end",
      dx: 6,
    }),
    Plot.text([first], {
      ...style,
      x: "p99BatchNs",
      text: () => "p99",
      textAnchor: "start",
      dx: -6,
    }),
  ];
}

/** Room for a label in pixels, right of the plot and inside it to the left of its lowest dot. */
const MARGIN_RIGHT = 64, LABEL_WIDTH = 68;

/** From the lowest to the highest value, with room for a label below the lowest, on a log scale. */
function domainOf(values: readonly number[], plotWidth: number): [number, number] {
  const low = Math.min(...values), high = Math.max(Math.max(...values), low * 2);
  const share = LABEL_WIDTH / plotWidth;
  return [low / (high / low) ** (share / (1 - share)), high];
}

/** The powers of ten in the domain. */
function decades([low, high]: readonly [number, number]): number[] {
  const first = Math.ceil(Math.log10(low));
  const count = Math.floor(Math.log10(high)) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => 10 ** (first + i));
}

function draw(options: Plot.PlotOptions): string {
  const document = new DOMParser().parseFromString("<body></body>", "text/html");
  const style = {
    fontFamily: FONT,
    fontSize: "12px",
    color: "var(--quiet)",
    background: "none",
    overflow: "visible",
  };
  return Plot.plot({ ...options, document, style }).outerHTML;
}
