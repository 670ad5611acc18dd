/**
 * The results as a table for a terminal.
 *
 * @module
 */

import type { ReplayResult } from "@rowtier/rowtier/cache";
import { bytes, count } from "../demo/units.ts";
import type { Curve } from "./curves.ts";

/** Policies that know the future: the bound of the others, never the best of them. */
const OFFLINE = /^belady/;

/** `50.12 %`. */
export function ratio(value: number): string {
  return `${(100 * value).toFixed(2)} %`;
}

/** `0.1 %`, `33 %`: slots are whole, so that more digits would show their rounding. */
export function shareOf(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}

/** Results by policy, the one with the fewest misses over all sizes first. */
export function rank(results: readonly ReplayResult[]): ReplayResult[][] {
  const policies = [...new Set(results.map(({ policy }) => policy))];
  const lists = policies.map((name) => results.filter(({ policy }) => policy === name));
  const mean = (list: readonly ReplayResult[]): number =>
    list.reduce((sum, { missRatio }) => sum + missRatio, 0);
  return lists.toSorted((a, b) => mean(a) - mean(b));
}

/** The fewest misses at each size of those that do not know the future. */
export function fewest(lists: readonly (readonly ReplayResult[])[]): number[] {
  const online = lists.filter(([{ policy }]) => !OFFLINE.test(policy));
  return lists[0].map((_, size) => Math.min(...online.map((list) => list[size].misses)));
}

/** What a size is called: as it was asked for, and its slots, or bytes where objects differ. */
export function sizeName(asked: number, { slotCount, budgetBytes }: ReplayResult): string {
  const room = budgetBytes === undefined ? count(slotCount) : bytes(budgetBytes);
  return asked < 1 ? `${shareOf(asked)} = ${room}` : room;
}

/** A line for each policy over the sizes asked for; the best of each size is marked. */
export function renderTable(sizes: readonly number[], results: readonly ReplayResult[]): string {
  const lists = rank(results);
  const best = fewest(lists);
  const head = [
    "policy",
    ...lists[0].flatMap((result, i) => [
      sizeName(sizes[i], result),
      ...(result.byteMissRatio === undefined ? [] : ["of bytes"]),
      "ns",
    ]),
  ];
  const rows = lists.map((list) => [
    list[0].policy,
    ...list.flatMap(({ policy, misses, missRatio, byteMissRatio, nsPerAccess = NaN }, size) => {
      const isBest = misses === best[size] && !OFFLINE.test(policy);
      return [
        `${ratio(missRatio)} ${isBest ? "*" : " "}`,
        ...(byteMissRatio === undefined ? [] : [ratio(byteMissRatio)]),
        nsPerAccess.toFixed(0),
      ];
    }),
  ]);
  return columns([head, ...rows]);
}

/** A line for each size, a column for each policy. */
export function renderCurves(curves: readonly Curve[]): string {
  const shares = [...new Set(curves.flatMap(({ points }) => points.map(({ share }) => share)))];
  const head = ["slots", ...curves.map(({ policy }) => policy)];
  const rows = shares.toSorted((a, b) => a - b).map((share) => [
    shareOf(share),
    ...curves.map(({ points }) => {
      const point = points.find((each) => each.share === share);
      return point === undefined ? "" : (100 * point.missRatio).toFixed(2);
    }),
  ]);
  return columns([head, ...rows]);
}

/** The first column to the left, the others to the right. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row.map((cell, column) => {
      return column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]);
    }).join("  ").trimEnd()
  ).map((line) => `  ${line}`).join("\n");
}
