/**
 * What the demo prints: tables for a terminal.
 *
 * @module
 */

import Table from "npm:cli-table3@0.6.5";
import type { DeviceTimes, RunFigures, SearchResult } from "./results.ts";

/** Columns alone, no rules and no colours: a file or a pipe may be reading. */
const LOOK = {
  style: { head: [], border: [], "padding-left": 0, "padding-right": 2 },
  chars: {
    ...{ "top": "", "top-mid": "", "top-left": "", "top-right": "" },
    ...{ "bottom": "", "bottom-mid": "", "bottom-left": "", "bottom-right": "" },
    ...{ "left": "  ", "left-mid": "", "mid": "", "mid-mid": "", "right": "", "right-mid": "" },
    "middle": "",
  },
};

const count = (n: number): string => Math.round(n).toLocaleString("en");
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;
const seconds = (s: number): string => `${s.toFixed(2)} s`;

/** Time in the unit that suits it. */
function duration(ns: number): string {
  return ns < 1e6 ? `${(ns / 1e3).toFixed(0)} us` : `${(ns / 1e6).toFixed(2)} ms`;
}

/** The figures of the served job. */
export function printFigures(run: RunFigures): void {
  const table = new Table({ ...LOOK, colAligns: ["left", "right"] });
  table.push(
    ["device", run.device],
    ["lookups", count(run.lookups)],
    ["hit ratio", percent(run.hitRatio)],
    ["delayed hits", count(run.delayedHits)],
    ["unique rows", count(run.uniqueRows)],
    ["reads", count(run.reads)],
    ["read amplification", `${run.readAmplification.toFixed(2)} x`],
    ["IOPS", count(run.iops)],
    ["batch, p50", duration(run.p50BatchNs)],
    ["batch, p99", duration(run.p99BatchNs)],
    ["seconds", seconds(run.seconds)],
    ["DRAM held", megabytes(run.dramBytes)],
    ["table size", megabytes(run.tableBytes)],
  );
  console.log(`\n${table}`);
}

/** The same job by device. */
export function printDevices(devices: readonly DeviceTimes[]): void {
  const table = new Table({
    ...LOOK,
    head: ["the same job on", "batch, p50", "batch, p99", "seconds", "IOPS"],
    colAligns: ["left", "right", "right", "right", "right"],
  });
  for (const { name, p50BatchNs, p99BatchNs, seconds: total, iops } of devices) {
    const reads = iops === 0 ? "none" : count(iops);
    table.push([name, duration(p50BatchNs), duration(p99BatchNs), seconds(total), reads]);
  }
  console.log(`\n${table}`);
}

/** What the searches found. */
export function printSearch(results: readonly SearchResult[]): void {
  for (const { query, hits } of results) {
    console.log(`\nNearest to: ${query}`);
    for (const { text, cosine } of hits) console.log(`  ${cosine.toFixed(4)}  ${text}`);
  }
}
