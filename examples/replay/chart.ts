/**
 * The curves as a picture: SVG whose colours are CSS variables, for light and dark.
 *
 * @module
 */

import * as Plot from "npm:@observablehq/plot@0.6.17";
import { DOMParser } from "npm:linkedom@0.18.15";
import type { Curve, CurvePoint } from "./curves.ts";
import { shareOf } from "./table.ts";

/** The variables that a picture uses. */
export const COLOURS: string = `
  :root { --ground: #ffffff; --ink: #1d1f23; --quiet: #646a73; --rule: #e4e6ea; --bound: #8a9099;
    --a: #2166d1; --b: #d1561b; --c: #178763; --d: #8a4fc7; --e: #b3263f; --f: #8f6b00; }
  @media (prefers-color-scheme: dark) {
    :root { --ground: #14161a; --ink: #eceef1; --quiet: #a0a7b1; --rule: #2d3138; --bound: #7d848e;
      --a: #6ba3f5; --b: #f08a4b; --c: #4cc497; --d: #b98af0; --e: #f2798c; --f: #d9b44a; }
  }
`;

/** Six colours, then the same again in dashes: more shades than these are hard to tell apart. */
const SERIES = ["--a", "--b", "--c", "--d", "--e", "--f"].map((name) => `var(${name})`);
const DASHES = ["", "7 3", "2 3"];

const SIZE = { width: 860, height: 480 };
const MARGINS = { marginLeft: 50, marginRight: 110, marginTop: 16, marginBottom: 46 };
const LABEL_GAP = 14;
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

/** How one line looks. */
interface Look {
  readonly stroke: string;
  readonly strokeDasharray: string;
}

/** Miss ratio by cache size, a line for each policy; its name stands at its end. */
export function drawChart(curves: readonly Curve[]): string {
  const top = Math.max(...curves.flatMap(({ points }) => points.map((point) => point.missRatio)));
  const looks = looksOf(curves);
  const document = new DOMParser().parseFromString("<body></body>", "text/html");
  return Plot.plot({
    ...SIZE,
    ...MARGINS,
    document,
    style: { fontFamily: FONT, fontSize: "12px", color: "var(--quiet)", background: "none" },
    x: { type: "log" },
    y: {
      domain: [0, top],
      tickFormat: (share: number) => shareOf(share),
      ticks: 6,
      tickSize: 0,
      label: null,
    },
    marks: [
      Plot.gridY({ stroke: "var(--rule)", strokeOpacity: 1, ticks: 6 }),
      Plot.axisX([0.001, 0.01, 0.1, 1], {
        text: (share: number) => shareOf(share),
        tickSize: 4,
        label: "cache, share of the distinct keys (log scale); miss ratio upwards",
        labelAnchor: "center",
        labelArrow: "none",
      }),
      ...curves.map(({ policy, points }) =>
        Plot.line(points, { x: "share", y: "missRatio", strokeWidth: 2, ...looks.get(policy) })
      ),
      ...endsOf(curves, top).map(({ policy, end, dy }) =>
        Plot.text([end], {
          x: "share",
          y: "missRatio",
          text: () => policy,
          fill: looks.get(policy)?.stroke ?? "",
          fontWeight: 600,
          textAnchor: "start",
          dx: 8,
          dy,
        })
      ),
    ],
  }).outerHTML;
}

/** The picture as a file of its own. */
export function renderSvg(title: string, curves: readonly Curve[]): string {
  const { width, height } = SIZE;
  const head = 44;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height + head}"
  width="${width}" height="${height + head}" role="img" aria-label="${escapeHtml(title)}">
<style>${COLOURS} text { font-family: ${FONT}; }</style>
<rect width="100%" height="100%" rx="8" fill="var(--ground)"/>
<text x="16" y="30" font-size="17" font-weight="650" fill="var(--ink)">${escapeHtml(title)}</text>
${drawChart(curves).replace("<svg ", `<svg y="${head}" `)}
</svg>
`;
}

/** Text between tags or in quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function looksOf(curves: readonly Curve[]): Map<string, Look> {
  let next = 0;
  return new Map(curves.map(({ policy }) => {
    // What knows the future is no rival of the others.
    if (policy.startsWith("belady")) {
      return [policy, { stroke: "var(--bound)", strokeDasharray: "1 3" }];
    }
    const at = next++;
    const dash = DASHES[Math.floor(at / SERIES.length) % DASHES.length];
    return [policy, { stroke: SERIES[at % SERIES.length], strokeDasharray: dash }];
  }));
}

/** The last point of each line, and how far its name moves so that no two overlap. */
function endsOf(
  curves: readonly Curve[],
  top: number,
): { policy: string; end: CurvePoint; dy: number }[] {
  const plotHeight = SIZE.height - MARGINS.marginTop - MARGINS.marginBottom;
  const place = ({ missRatio }: CurvePoint): number => (1 - missRatio / top) * plotHeight;
  const ends = curves.map(({ policy, points }) => {
    const end = points.reduce((last, point) => point.share > last.share ? point : last);
    return { policy, end, y: place(end) };
  }).sort((a, b) => a.y - b.y);
  // From the lowest up: at the largest size all lines end near each other, at the bottom.
  let free = plotHeight + LABEL_GAP;
  for (const each of ends.toReversed()) each.y = free = Math.min(each.y, free - LABEL_GAP);
  return ends.map(({ policy, end, y }) => ({ policy, end, dy: y - place(end) }));
}
