/**
 * The report of a replay: one HTML page that asks for nothing from outside.
 *
 * @module
 */

import type { ReplayResult } from "@rowtier/rowtier/cache";
import { bytes } from "../demo/units.ts";
import { COLOURS, drawChart, escapeHtml } from "./chart.ts";
import type { Curve } from "./curves.ts";
import { fewest, rank, ratio, sizeName } from "./table.ts";

/** What the report shows. */
export interface Report {
  readonly title: string;
  /** A sentence about the trace. */
  readonly subtitle: string;
  /** The sizes asked for. */
  readonly sizes: readonly number[];
  readonly results: readonly ReplayResult[];
  readonly curves: readonly Curve[];
  /** Sentences at the end. */
  readonly notes: readonly string[];
}

const STYLE = `
  body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 900px;
    background: var(--ground); color: var(--ink);
    font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
  h1 { margin: 0; font-size: 1.8rem; line-height: 1.2; }
  h2 { margin: 2.5rem 0 0; font-size: 1.05rem; }
  p { margin: 0.25rem 0 0; color: var(--quiet); }
  svg { max-width: 100%; height: auto; margin-top: 0.75rem; }
  .wide { overflow-x: auto; }
  table { width: 100%; margin-top: 0.75rem; border-collapse: collapse; font-size: 0.92rem;
    font-variant-numeric: tabular-nums; }
  th, td { padding: 0.35rem 0.5rem; border-bottom: 1px solid var(--rule); text-align: right;
    white-space: nowrap; }
  th:first-child, td:first-child { padding-left: 0; text-align: left; }
  th { color: var(--quiet); font-weight: 500; }
  .best { font-weight: 700; }
  footer { margin-top: 2rem; padding-top: 1rem; border-top: 1px solid var(--rule);
    font-size: 0.88rem; }
`;

/** The whole page. */
export function renderReport(report: Report): string {
  const { title, subtitle, curves, notes } = report;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)} · Rowtier</title>
<style>${COLOURS}${STYLE}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(subtitle)}</p>
<h2>Miss ratio by cache size</h2>
${drawChart(curves)}
<h2>Policies at each size</h2>
<div class="wide">${renderTable(report)}</div>
<footer>${notes.map((note) => `<p>${escapeHtml(note)}</p>`).join("\n")}</footer>
</body>
</html>
`;
}

function renderTable({ sizes, results }: Report): string {
  const lists = rank(results);
  const best = fewest(lists);
  const head = lists[0].map((result, i) =>
    `<th>${escapeHtml(sizeName(sizes[i], result))}</th>` +
    (result.byteMissRatio === undefined ? "" : "<th>of bytes</th>") + "<th>ns</th>"
  );
  const rows = lists.map((list) => {
    const cells = list.map(({ policy, misses, missRatio, byteMissRatio, ...rest }, size) => {
      const isBest = misses === best[size] && !policy.startsWith("belady");
      const title = `${misses.toLocaleString("en")} misses, ${bytes(rest.memoryBytes)}`;
      return `<td title="${title}"${isBest ? ' class="best"' : ""}>${ratio(missRatio)}</td>` +
        (byteMissRatio === undefined ? "" : `<td>${ratio(byteMissRatio)}</td>`) +
        `<td>${(rest.nsPerAccess ?? NaN).toFixed(0)}</td>`;
    });
    return `<tr><td>${escapeHtml(list[0].policy)}</td>${cells.join("")}</tr>`;
  });
  return `<table><tr><th>policy</th>${head.join("")}</tr>\n${rows.join("\n")}</table>`;
}
