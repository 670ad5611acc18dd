/**
 * Results of a replay as a picture and as text.
 *
 * @module
 */

import type { ReplayResult } from "./replay_options.ts";

/** Widths and heights of the curves, in pixels. */
const WIDTH = 640, HEIGHT = 320, LEFT = 52, RIGHT = 110, TOP = 12, BOTTOM = 40;

/** Okabe's and Ito's colours, which the colour-blind tell apart; dashes tell the rounds of them. */
const COLORS: readonly string[] = [
  ...["#0072b2", "#d55e00", "#009e73", "#cc79a7"],
  ...["#e69f00", "#56b4e9", "#999999"],
];
const DASHES: readonly string[] = ["", "6 3", "2 3"];

/** Pixels that names of curves stand apart. */
const NAME_HEIGHT = 13;

/** Fewest sizes that make a curve. */
const FEWEST_POINTS = 3;

function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(2)} %`;
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** The results of each policy, in the order of sizes. */
function byPolicy(results: readonly ReplayResult[]): Map<string, ReplayResult[]> {
  const policies = new Map<string, ReplayResult[]>();
  for (const result of results) {
    const list = policies.get(result.policy) ?? [];
    list.push(result);
    policies.set(result.policy, list);
  }
  return policies;
}

/** A line for each policy, a column for each size: miss ratio, and time where it was measured. */
function cellsOf(results: readonly ReplayResult[]): string[][] {
  const policies = byPolicy(results);
  const sizes = [...policies.values()][0] ?? [];
  const head = [
    "policy",
    ...sizes.map(({ slotCount }) => `${slotCount.toLocaleString("en")} slots`),
  ];
  return [
    head,
    ...[...policies].map(([name, list]) => [
      name,
      ...list.map(({ missRatio, nsPerAccess }) =>
        percent(missRatio) + (nsPerAccess === undefined ? "" : `, ${nsPerAccess.toFixed(0)} ns`)
      ),
    ]),
  ];
}

/** A page fragment: the table, and curves over it where there are sizes enough. */
export function drawHtml(title: string, results: readonly ReplayResult[]): string {
  const [head, ...lines] = cellsOf(results);
  const row = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeXml(cell)}</${tag}>`).join("")}</tr>`;
  const table = `<table><thead>${row(head, "th")}</thead><tbody>${
    lines.map((line) => row(line, "td")).join("")
  }</tbody></table>`;
  const caption = `<figcaption>Miss ratios: ${escapeXml(title)}</figcaption>`;
  return `<figure>${drawCurves(results)}${table}${caption}</figure>`;
}

/** The same as lines of text. */
export function drawText(title: string, results: readonly ReplayResult[]): string {
  const rows = cellsOf(results);
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map((row) =>
    row.map((cell, column) => {
      return column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]);
    }).join("  ")
  );
  return [`Miss ratios: ${title}`, ...lines].join("\n");
}

/** Miss ratio over slots, which a logarithm spaces; empty for too few sizes. */
function drawCurves(results: readonly ReplayResult[]): string {
  const sizes = [...new Set(results.map(({ slotCount }) => slotCount))].sort((a, b) => a - b);
  if (sizes.length < FEWEST_POINTS) return "";
  const first = Math.log(sizes[0]);
  const span = Math.log(sizes[sizes.length - 1]) - first;
  const top = Math.max(...results.map(({ missRatio }) => missRatio), 0.1);
  const x = (slots: number): number =>
    LEFT + (Math.log(slots) - first) / span * (WIDTH - LEFT - RIGHT);
  const y = (ratio: number): number => TOP + (1 - ratio / top) * (HEIGHT - TOP - BOTTOM);
  const marks = sizes.map((size) =>
    text(x(size), HEIGHT - BOTTOM + 18, "middle", size.toLocaleString("en"))
  );
  const rules = [0, 0.25, 0.5, 0.75, 1].map((part) =>
    `<path d="M${LEFT} ${y(part * top).toFixed(1)}H${WIDTH - RIGHT}" stroke="#8884"/>` +
    text(LEFT - 6, y(part * top) + 4, "end", `${(100 * part * top).toFixed(0)} %`)
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" ` +
    `width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="11" ` +
    `fill="currentColor" role="img" aria-label="Miss ratio by slots">${rules.join("")}${
      marks.join("")
    }${text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, "middle", "slots")}${
      drawLines(byPolicy(results), x, y)
    }</svg>`;
}

/** A line for each policy, and its name at its end, moved down where another one stands. */
function drawLines(
  policies: ReadonlyMap<string, readonly ReplayResult[]>,
  x: (slots: number) => number,
  y: (ratio: number) => number,
): string {
  const sorted = [...policies].map(([name, list]) => {
    return { name, list: list.toSorted((a, b) => a.slotCount - b.slotCount) };
  }).sort((a, b) => b.list.at(-1)!.missRatio - a.list.at(-1)!.missRatio);
  let free = -Infinity;
  return sorted.map(({ name, list }, i) => {
    const color = COLORS[i % COLORS.length];
    const dash = DASHES[Math.floor(i / COLORS.length) % DASHES.length];
    const points = list.map(({ slotCount, missRatio }) =>
      `${x(slotCount).toFixed(1)},${y(missRatio).toFixed(1)}`
    );
    const last = list[list.length - 1];
    const at = Math.max(y(last.missRatio) + 4, free);
    free = at + NAME_HEIGHT;
    return `<polyline points="${points.join(" ")}" fill="none" stroke="${color}" ` +
      `stroke-width="2" stroke-dasharray="${dash}"/><g fill="${color}">${
        text(x(last.slotCount) + 6, at, "start", name)
      }</g>`;
  }).join("");
}

function text(x: number, y: number, anchor: string, words: string): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${
    escapeXml(words)
  }</text>`;
}
