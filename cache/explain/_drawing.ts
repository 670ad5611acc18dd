/**
 * An explanation as a picture and as text.
 *
 * @module
 */

import { formatShare, LABELS } from "./_advice.ts";
import type { MissExplanation, TableExplanation, WaitClasses } from "./explanation.ts";

/** Tables in a picture, those with the most waits; the rest is named as a number. */
const MOST_TABLES = 32;

/** Okabe's and Ito's colours, which the colour-blind tell apart; grey for what cannot be cured. */
const COLORS: Readonly<Record<keyof WaitClasses, string>> = {
  firstTouch: "#999999",
  capacity: "#0072b2",
  refused: "#e69f00",
  policy: "#d55e00",
  latePrefetch: "#cc79a7",
  delayedHit: "#009e73",
};

const NAMES = Object.keys(COLORS) as (keyof WaitClasses)[];

/** Widths and heights, in pixels. */
const NAME_WIDTH = 140, BAR_WIDTH = 480, COUNT_WIDTH = 100, ROW_HEIGHT = 22, BAR_HEIGHT = 14;
const WIDTH = NAME_WIDTH + BAR_WIDTH + COUNT_WIDTH;
/** Where a row's text stands: on the base line of the middle of its bar. */
const BASE_LINE = 12;

type Drawn = Omit<MissExplanation, symbol>;

function escapeXml(text: string): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
  };
  return text.replace(/[&<>"]/g, (character) => entities[character]);
}

function largest(tables: readonly TableExplanation[]): TableExplanation[] {
  return tables.toSorted((a, b) => b.waits - a.waits).slice(0, MOST_TABLES);
}

function remark(tables: readonly TableExplanation[]): string {
  const more = tables.length - MOST_TABLES;
  return more > 0 ? ` ${more} tables with fewer are not shown.` : "";
}

/** One table's bar: as long as its share of the most waits, cut by class. */
function drawBar(table: TableExplanation, y: number, most: number): string {
  let x = NAME_WIDTH;
  const parts = NAMES.map((name) => {
    const { share, error } = table.classes[name];
    const width = BAR_WIDTH * table.waits / Math.max(1, most) * share;
    const title = `${table.name}: ${LABELS[name]} ${formatShare(share)} ± ${formatShare(error)}`;
    const part = `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" ` +
      `height="${BAR_HEIGHT}" fill="${COLORS[name]}"><title>${escapeXml(title)}</title></rect>`;
    x += width;
    return part;
  });
  const base = y + BASE_LINE;
  return `<text x="${NAME_WIDTH - 8}" y="${base}" text-anchor="end">${escapeXml(table.name)}` +
    `</text>${parts.join("")}<text x="${(x + 6).toFixed(1)}" y="${base}">${
      table.waits.toLocaleString("en")
    }</text>`;
}

function drawLegend(y: number): string {
  return NAMES.map((name, i) => {
    const x = NAME_WIDTH + i * (BAR_WIDTH + COUNT_WIDTH) / NAMES.length;
    return `<rect x="${x.toFixed(1)}" y="${y + 2}" width="10" height="10" fill="${
      COLORS[name]
    }"/>` +
      `<text x="${(x + 14).toFixed(1)}" y="${y + BASE_LINE}">${LABELS[name]}</text>`;
  }).join("");
}

/** A page fragment: bars in SVG, and the advice under them. */
export function drawHtml({ tables, advice }: Drawn): string {
  const shown = largest(tables);
  const most = shown[0].waits;
  const bars = shown.map((table, i) => drawBar(table, (i + 1) * ROW_HEIGHT, most));
  const height = (shown.length + 1) * ROW_HEIGHT;
  return `<figure><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" ` +
    `width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12" ` +
    `fill="currentColor" role="img" aria-label="Why lookups had to wait, by table">` +
    `${drawLegend(0)}${bars.join("")}</svg><figcaption>Lookups that had to wait, by cause.${
      remark(tables)
    } <strong>${escapeXml(advice)}.</strong></figcaption></figure>`;
}

/** The same as lines of text. */
export function drawText({ tables, total, advice }: Drawn): string {
  const rows = [
    ["table", "lookups", "waited", ...NAMES.map((name) => LABELS[name])],
    ...[...largest(tables), { name: "all", ...total }].map(({ name, lookups, waits, classes }) => [
      name,
      lookups.toLocaleString("en"),
      waits.toLocaleString("en"),
      ...NAMES.map((each) =>
        `${formatShare(classes[each].share)} ± ${formatShare(classes[each].error)}`
      ),
    ]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map((row) =>
    row.map((cell, column) => {
      return column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]);
    }).join("  ").trimEnd()
  );
  return `${lines.join("\n")}\n${advice}.${remark(tables)}`;
}
