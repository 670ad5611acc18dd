/**
 * The two pictures of the kernels' benchmark, as SVG files that stand alone and follow the reader's
 * light or dark.
 *
 * @module
 */

import * as Plot from "npm:@observablehq/plot@0.6.17";
import { DOMParser } from "npm:linkedom@0.18.15";
import { CHART_COLOURS } from "../../examples/demo/charts.ts";
import type { Measured } from "./_kernel_cases.ts";

/** Time at one prefetch distance. */
export interface PrefetchPoint {
  /** Where the kernel runs: a line. */
  readonly target: string;
  /** Which rows are read: a column of panels. */
  readonly place: string;
  /** The table's pages: a row of panels. */
  readonly pages: string;
  /** Rows fetched ahead. */
  readonly rows: number;
  /** Nanoseconds a row. */
  readonly ns: number;
}

/** A point of the roofline: a kernel in a place. */
interface RoofPoint {
  /** Values decoded for each byte of memory read. */
  readonly intensity: number;
  /** Values decoded each nanosecond. */
  readonly rate: number;
  readonly target: string;
  readonly label: string;
  readonly far: boolean;
}

const COLOURS: Readonly<Record<string, string>> = {
  "x64": "var(--first)",
  "wasm": "var(--second)",
  "scalar": "var(--fourth)",
  "PyTorch": "var(--third)",
  "fbgemm-gpu-cpu": "var(--third)",
};
const WIDTH = 900, HEIGHT = 520;

/**
 * Values decoded a nanosecond against values in a byte, both axes logarithmic: what a memory gives
 * is a line of slope 1. A filled dot stands for a table in cache, a ring for one in memory.
 */
export function drawRoofline(measured: readonly Measured[]): string {
  const points = measured.map(roofPoint);
  const roofs = [false, true].flatMap((far) => {
    const speeds = measured.filter(({ one }) => isFar(one.place.bytes) === far)
      .map(({ sequential }) => sequential);
    return speeds.length === 0 ? [] : [{ far, speed: Math.max(...speeds) }];
  });
  const ends = [0.2, 5];
  const most = Math.max(...points.map(({ rate }) => rate)) * 1.5;
  return standAlone(
    "Roofline: values decoded a nanosecond, by values in a byte read",
    Plot.plot({
      ...frame(),
      x: axis("values in a byte read (log scale)", ends, [0.25, 0.5, 1, 2, 3]),
      y: axis("values/ns (log scale)", [0.05, most], [0.1, 1, 10, 100]),
      marks: [
        Plot.gridY([0.1, 1, 10, 100], { stroke: "var(--rule)", strokeOpacity: 1 }),
        ...roofs.flatMap(({ far, speed }) => roof(ends, speed, most, far)),
        Plot.dot(points, {
          x: "intensity",
          y: "rate",
          r: 4,
          stroke: ({ target }: RoofPoint) => COLOURS[target],
          fill: ({ target, far }: RoofPoint) => far ? "var(--ground)" : COLOURS[target],
          title: "label",
        }),
        ...key(["x64", "wasm", "scalar", "PyTorch and fbgemm-gpu-cpu"], "bottom-right"),
      ],
    }),
  );
}

function isFar(bytes: number): boolean {
  return bytes > 2 ** 20;
}

function roofPoint({ one, target, nsPerRow }: Measured): RoofPoint {
  return {
    intensity: one.dim / one.format.rowBytes(one.dim),
    rate: one.dim / nsPerRow.value,
    target,
    label: `${target} ${one.title}: ${nsPerRow.value.toFixed(2)} ns a row`,
    far: isFar(one.place.bytes),
  };
}

function roof(ends: readonly number[], speed: number, most: number, far: boolean): Plot.Markish[] {
  const line = [ends[0], Math.min(ends[1], most / speed)].map((x) => ({ x, y: x * speed }));
  const named = { x: line[1].x, y: line[1].y };
  const name = `${Math.round(speed)} GB/s, ${far ? "memory" : "cache"}, read in order`;
  const place = { x: "x", y: "y" };
  return [
    Plot.line(line, { ...place, stroke: "var(--quiet)", strokeWidth: 1.5 }),
    Plot.text([named], {
      ...place,
      text: () => name,
      fill: "var(--quiet)",
      textAnchor: "start",
      dx: 6,
      dy: -4,
    }),
  ];
}

/** The names of the colours, in a corner of every panel. */
function key(names: readonly string[], frameAnchor: "top-right" | "bottom-right"): Plot.Markish[] {
  const top = frameAnchor === "top-right";
  return names.map((name, i) =>
    Plot.text([name], {
      frameAnchor,
      text: () => name,
      fill: COLOURS[name.split(" ")[0]],
      fontWeight: 600,
      dx: -6,
      dy: top ? 8 + 17 * i : -8 - 17 * (names.length - 1 - i),
    })
  );
}

/**
 * Nanoseconds a row against rows fetched ahead: a panel for each table and size of pages, a line
 * for each target.
 */
export function drawPrefetch(points: readonly PrefetchPoint[]): string {
  const times = points.map(({ ns }) => ns);
  const domain = [Math.min(...times) / 1.3, Math.max(...times) * 1.3];
  // A mark beyond the domain would be drawn all the same, in another panel.
  const ticks = [5, 10, 20, 50, 100, 200, 500].filter((ns) => ns > domain[0] && ns < domain[1]);
  const panel = { fx: "place", fy: "pages" };
  const stroke = ({ target }: PrefetchPoint): string => COLOURS[target];
  const place = { ...panel, x: "rows", y: "ns", stroke };
  return standAlone(
    "Time of a row of 64 8-bit codes by prefetch distance",
    Plot.plot({
      ...frame(),
      marginRight: 80,
      x: {
        type: "point",
        domain: [...new Set(points.map(({ rows }) => rows))],
        label: "rows fetched ahead",
        labelAnchor: "center",
        labelArrow: "none",
        tickSize: 0,
      },
      y: axis("ns a row (log scale)", domain, ticks),
      fx: { label: null },
      fy: { label: null },
      marks: [
        Plot.gridY(ticks, { stroke: "var(--rule)", strokeOpacity: 1 }),
        Plot.line(points, { ...place, z: "target", strokeWidth: 2 }),
        Plot.dot(points, { ...place, r: 3, fill: "var(--ground)" }),
        ...key(["x64", "wasm"], "top-right"),
      ],
    }),
  );
}

function axis(label: string, domain: number[], ticks: number[]): Plot.ScaleOptions {
  return {
    type: "log",
    domain,
    ticks,
    tickSize: 0,
    label,
    labelAnchor: "center",
    labelArrow: "none",
    tickFormat: (value: number) => `${value}`,
  };
}

function frame(): Plot.PlotOptions {
  const document = new DOMParser().parseFromString("<body></body>", "text/html");
  const style = { fontFamily: "system-ui, sans-serif", fontSize: "12px", background: "none" };
  return {
    document,
    width: WIDTH,
    height: HEIGHT,
    marginLeft: 56,
    marginRight: 30,
    marginTop: 30,
    marginBottom: 44,
    style: { ...style, color: "var(--quiet)", overflow: "visible" },
  };
}

function standAlone(title: string, plot: { readonly outerHTML: string }): string {
  const inner = plot.outerHTML.replace("<svg ", '<svg x="0" y="44" ');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT + 50}"
  width="${WIDTH}" height="${HEIGHT + 50}" role="img" aria-label="${title}">
<style>${CHART_COLOURS}</style>
<rect width="100%" height="100%" rx="10" fill="var(--ground)"/>
<text x="20" y="32" font-family="system-ui, sans-serif" font-size="18" font-weight="650"
  fill="var(--ink)">${title}</text>
${inner}
</svg>
`;
}
