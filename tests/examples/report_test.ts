import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DOMParser } from "npm:linkedom@0.18.15";
import { renderReadmeSvg, renderReport } from "../../examples/demo/report.ts";
import type { DemoResults } from "../../examples/demo/results.ts";
import { bytes, count, duration, percent } from "../../examples/demo/units.ts";

const RESULTS: DemoResults = {
  title: "Words & rows",
  table: { rows: 1000, dim: 100, fileBytes: 110_592, rowBytes: 108, blockBytes: 4096 },
  run: {
    device: "io_uring",
    lookups: 12_345,
    hitRatio: 0.9,
    delayedHits: 3,
    uniqueRows: 900,
    reads: 1234,
    readAmplification: 30.5,
    iops: 70_000,
    p50BatchNs: 500_000,
    p99BatchNs: 900_000,
    seconds: 0.5,
    dramBytes: 5000,
    tableBytes: 110_592,
  },
  devices: [
    row("io_uring", false, 500_000, 900_000),
    row("NAND", true, 1_000_000, 2_000_000),
    row("simulated 3DXP", true, 200_000, 200_000),
  ],
  curve: ["lru", "sieve"].flatMap((policy) =>
    [0.01, 0.02, 0.04].map((cacheShare) => ({ policy, cacheShare, hitRatio: 0.7 + cacheShare }))
  ),
  search: [{ query: "Who <is> it?", hits: [{ text: "It is I & she.", cosine: 0.98765 }] }],
  notes: ["All vectors are equal."],
};

function row(name: string, simulated: boolean, p50BatchNs: number, p99BatchNs: number) {
  return { name, simulated, p50BatchNs, p99BatchNs, seconds: 1, iops: simulated ? 100_000 : 0 };
}

/** Addresses a page would ask for; the names of XML's namespaces are not asked for. */
function outside(text: string): string[] {
  const found = text.replaceAll("http://www.w3.org/", "").match(
    /(?:https?:)?\/\/[a-z][^\s"']*|@import|url\([^)#]*\)|<(?:script|link|img|iframe)\b/gi,
  );
  return found ?? [];
}

Deno.test("renderReport() shows every figure and asks for nothing from outside", () => {
  const page = renderReport(RESULTS);
  assertEquals(outside(page), []);
  const shown = ["12,345", "90.0 %", "500 µs", "900 µs", "70,000", "5.00 kB", "30.5 ×", "1.00 ms"];
  for (const figure of shown) assertStringIncludes(page, figure);
  assertStringIncludes(page, "<title>Words &amp; rows");
  assertStringIncludes(page, "Who &lt;is&gt; it?");
  assertStringIncludes(page, "<span>0.9877</span>It is I &amp; she.");
  assertStringIncludes(page, "All vectors are equal.");
});

Deno.test("renderReport() labels simulated devices once", () => {
  const document = new DOMParser().parseFromString(renderReport(RESULTS), "text/html");
  const cells = [...document.querySelectorAll("td:first-child")].map((cell) => cell.textContent);
  assert(cells.includes("NAND, simulated"), cells.join("; "));
  assert(cells.includes("simulated 3DXP"), cells.join("; "));
  assert(cells.includes("io_uring"), cells.join("; "));
});

Deno.test("renderReport() draws both charts, and leaves out a search that was not made", () => {
  const document = new DOMParser().parseFromString(renderReport(RESULTS), "text/html");
  assertEquals(document.querySelectorAll("svg").length, 2);
  assert(!renderReport({ ...RESULTS, search: [] }).includes("Nearest sentences"));
});

Deno.test("renderReadmeSvg() stands on its own, in light and dark", () => {
  const picture = renderReadmeSvg(RESULTS);
  assertEquals(outside(picture), []);
  const shown = ["LRU", "SIEVE", "median", "p99", "NAND, simulated", "prefers-color-scheme: dark"];
  for (const text of shown) assertStringIncludes(picture, text);
  for (const share of ["1 %", "2 %", "4 %"]) assertStringIncludes(picture, `>${share}</text>`);
  assert(!picture.includes("simulated 3DXP, simulated"), "labelled twice");
  assert(!/NaN|undefined|null/.test(picture), "a figure is missing");
  assertEquals(renderReadmeSvg(RESULTS), picture);
});

Deno.test("renderReadmeSvg() draws devices of one speed and a policy alone", () => {
  const devices = [row("io_uring", false, 1000, 1000)];
  const curve = RESULTS.curve.filter(({ policy }) => policy === "lru");
  const picture = renderReadmeSvg({ ...RESULTS, devices, curve });
  assert(!/NaN|Infinity|undefined/.test(picture), "a figure is missing");
});

Deno.test("units are those that fit", () => {
  assertEquals([12, 4200, 84_200, 1.5e6, 2.5e9].map(duration), [
    "12.0 ns",
    "4.20 µs",
    "84.2 µs",
    "1.50 ms",
    "2.50 s",
  ]);
  assertEquals([512, 4096, 37e6, 1.2e9].map(bytes), ["512 B", "4.10 kB", "37.0 MB", "1.20 GB"]);
  assertEquals([0, 0.005, 0.5, 0.9951, 1].map(percent), [
    "0.0 %",
    "0.50 %",
    "50.0 %",
    "99.51 %",
    "100.0 %",
  ]);
  assertEquals(count(1_078_365.4), "1,078,365");
});
