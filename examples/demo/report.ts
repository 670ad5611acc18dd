/**
 * The demo's report, one HTML page that asks for nothing from outside, and the picture of the
 * README.
 *
 * @module
 */

import { CHART_COLOURS, deviceName, hitRatioChart, latencyChart } from "./charts.ts";
import type { DemoResults, SearchResult } from "./results.ts";
import { bytes, count, duration, percent } from "./units.ts";

const PANEL = { width: 500, height: 300 };

/** The whole page. */
export function renderReport(results: DemoResults): string {
  const { title, curve, devices, search, notes } = results;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(title)} · Rowtier</title>
<style>${CHART_COLOURS}${PAGE_STYLE}</style>
</head>
<body>
<header>
<h1>${escape(title)}</h1>
<p>${escape(subtitle(results))}</p>
</header>
${tiles(results)}
<div class="panels">
<section>
<h2>Hit ratio by cache size</h2>
<p>Every lookup of the job, replayed at each size.</p>
${hitRatioChart(curve, PANEL)}
</section>
<section>
<h2>Time of a batch by device</h2>
<p>From the keys handed in to the pooled vectors. Simulated drives run in virtual time.</p>
${latencyChart(devices, PANEL)}
</section>
</div>
<div class="panels">
${deviceTable(results)}
${figureTable(results)}
</div>
${search.length > 0 ? searchSection(search) : ""}
<footer>${notes.map((note) => `<p>${escape(note)}</p>`).join("\n")}</footer>
</body>
</html>
`;
}

const PAGE_STYLE = `
  body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 1080px;
    background: var(--ground); color: var(--ink);
    font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
  h1 { margin: 0; font-size: 1.9rem; letter-spacing: -0.015em; line-height: 1.2; }
  h2 { margin: 0; font-size: 1.05rem; }
  p { margin: 0.25rem 0 0; color: var(--quiet); }
  .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr));
    gap: 0 1rem; margin: 2rem 0 0; padding: 1rem 0 0.9rem;
    border: solid var(--rule); border-width: 1px 0; }
  .tiles b { display: block; font-size: 1.55rem; font-weight: 650; letter-spacing: -0.01em; }
  .tiles span { color: var(--quiet); font-size: 0.85rem; }
  .panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(460px, 100%), 1fr));
    gap: 2.5rem; margin-top: 2.5rem; align-items: start; }
  section { min-width: 0; }
  section.search { margin-top: 2.5rem; }
  svg { max-width: 100%; height: auto; margin-top: 0.75rem; }
  table { width: 100%; margin-top: 0.75rem; border-collapse: collapse;
    font-variant-numeric: tabular-nums; font-size: 0.92rem; }
  th, td { padding: 0.4rem 0.5rem; border-bottom: 1px solid var(--rule);
    text-align: right; white-space: nowrap; }
  th:first-child, td:first-child { padding-left: 0; text-align: left; white-space: normal; }
  th { color: var(--quiet); font-weight: 500; }
  .search h3 { margin: 1.25rem 0 0; font-size: 1rem; font-weight: 600; }
  .search ol { margin: 0.4rem 0 0; padding: 0; list-style: none; }
  .search li { display: grid; grid-template-columns: 4.5rem 1fr; padding: 0.3rem 0; }
  .search li span { color: var(--quiet); font-variant-numeric: tabular-nums; }
  footer { margin-top: 2.5rem; padding-top: 1rem; border-top: 1px solid var(--rule);
    font-size: 0.88rem; }
`;

function escape(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")
    .replace(/"/g, "&quot;");
}

function subtitle({ table, run }: DemoResults): string {
  return `${count(run.lookups)} lookups over ${count(table.rows)} rows of ${table.dim} values, ` +
    `${bytes(table.fileBytes)} in blocks of ${
      count(table.blockBytes)
    } B, served from ${run.device}.`;
}

function tiles({ run }: DemoResults): string {
  const held = `DRAM held, ${percent(run.dramBytes / run.tableBytes)} of the table`;
  const all: [string, string][] = [
    [percent(run.hitRatio), "hit ratio"],
    [duration(run.p50BatchNs), "a batch, median"],
    [duration(run.p99BatchNs), "a batch, p99"],
    [count(run.iops), "reads a second"],
    [bytes(run.dramBytes), held],
  ];
  const cells = all.map(([value, label]) => `<div><b>${value}</b><span>${label}</span></div>`);
  return `<div class="tiles">${cells.join("")}</div>`;
}

function rows(lines: readonly (readonly string[])[], cell: "td" | "th" = "td"): string {
  return lines.map((line) =>
    `<tr>${line.map((text) => `<${cell}>${escape(text)}</${cell}>`).join("")}</tr>`
  ).join("\n");
}

function deviceTable({ devices }: DemoResults): string {
  const lines = devices.map((device) => [
    deviceName(device),
    duration(device.p50BatchNs),
    duration(device.p99BatchNs),
    duration(device.seconds * 1e9),
    device.iops === 0 ? "none" : count(device.iops),
  ]);
  return `<section><h2>The same job by device</h2>
<table>${rows([["device", "median", "p99", "whole job", "reads a second"]], "th")}
${rows(lines)}</table></section>`;
}

function figureTable({ run, table }: DemoResults): string {
  return `<section><h2>The served job</h2><table>${
    rows([
      ["device", run.device],
      ["lookups", count(run.lookups)],
      ["hit ratio", percent(run.hitRatio)],
      ["delayed hits", count(run.delayedHits)],
      ["unique rows", count(run.uniqueRows)],
      ["reads", count(run.reads)],
      ["read amplification", `${run.readAmplification.toFixed(1)} ×`],
      ["row", bytes(table.rowBytes)],
      ["whole job", duration(run.seconds * 1e9)],
      ["table", bytes(run.tableBytes)],
    ])
  }</table></section>`;
}

function searchSection(search: readonly SearchResult[]): string {
  const parts = search.map(({ query, hits }) => {
    const found = hits.map(({ text, cosine }) =>
      `<li><span>${cosine.toFixed(4)}</span>${escape(text)}</li>`
    );
    return `<h3>${escape(query)}</h3>\n<ol>${found.join("\n")}</ol>`;
  });
  return `<section class="search"><h2>Nearest sentences</h2>
<p>By cosine of the served vectors.</p>
${parts.join("\n")}</section>`;
}

const PICTURE = { width: 1080, height: 440, left: 32, top: 112 };

/** The README's picture: both charts side by side, standing on their own in light and dark. */
export function renderReadmeSvg(results: DemoResults): string {
  const { width, height, left, top } = PICTURE;
  const right = width - left - PANEL.width;
  const words = (x: number, y: number, kind: string, text: string): string =>
    `<text x="${x}" y="${y}" class="${kind}">${escape(text)}</text>`;
  const place = (svg: string, x: number): string =>
    svg.replace("<svg ", `<svg x="${x}" y="${top}" `);
  const { run } = results;
  // A delayed hit waits for a read that another lookup asked for.
  const spared = run.hitRatio + run.delayedHits / run.lookups;
  const held = `${percent(spared)} of lookups need no read of their own: ` +
    `${bytes(run.dramBytes)} of DRAM before ${bytes(run.tableBytes)} on disk.`;
  const label = escape(`${results.title}. ${held}`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}"
  width="${width}" height="${height}" role="img" aria-label="${label}">
<style>${CHART_COLOURS}
  text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
  .title { font-size: 22px; font-weight: 650; fill: var(--ink); }
  .quiet { font-size: 14px; fill: var(--quiet); }
  .panel { font-size: 15px; font-weight: 600; fill: var(--ink); }
</style>
<rect width="100%" height="100%" rx="10" fill="var(--ground)"/>
${words(left, 44, "title", `${results.title}: ${count(run.lookups)} lookups`)}
${words(left, 68, "quiet", held)}
${words(left, top - 8, "panel", "Hit ratio by cache size")}
${words(right, top - 8, "panel", "Time of a batch by device")}
${place(hitRatioChart(results.curve, PANEL), left)}
${place(latencyChart(results.devices, PANEL), right)}
</svg>
`;
}
