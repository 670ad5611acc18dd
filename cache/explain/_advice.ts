/**
 * What to change, in one line.
 *
 * @module
 */

import type { MissExplanation, TableExplanation, WaitClasses } from "./explanation.ts";

/** Bytes as a person reads them: "412 MB". */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let scaled = bytes;
  let unit = 0;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${unit === 0 || scaled >= 9.95 ? Math.round(scaled) : scaled.toFixed(1)} ${units[unit]}`;
}

/** A share as a person reads it: "41 %". */
export function formatShare(share: number): string {
  return `${share > 0 && share < 0.095 ? (100 * share).toFixed(1) : Math.round(100 * share)} %`;
}

/** Classes that something can be done about. */
const CURABLE = ["capacity", "refused", "policy", "latePrefetch", "delayedHit"] as const;
type Curable = (typeof CURABLE)[number];

/**
 * The advice for the largest class of any one table; or that first touches dominate, when they are
 * half of all waits or more.
 */
export function advise({ tables, total }: Omit<MissExplanation, "advice" | symbol>): string {
  if (total.waits === 0) return "Nothing to change: no lookup had to wait";
  const { share } = total.classes.firstTouch;
  if (share >= 0.5) {
    return `Nothing to change: first touches dominate (${formatShare(share)} of the lookups that ` +
      "waited); only fetching rows before their first use would help";
  }
  let worst = tables[0];
  let cause: Curable = "capacity";
  for (const table of tables) {
    for (const name of CURABLE) {
      if (table.classes[name].count > worst.classes[cause].count) [worst, cause] = [table, name];
    }
  }
  const { count } = worst.classes[cause];
  if (count === 0) return "Nothing can be said: no miss was sampled; raise the rate";
  return `${cure(worst, cause)} (${formatShare(count / total.waits)} of the lookups that waited)`;
}

function cure(table: TableExplanation, cause: Curable): string {
  const { name, slotCount, rowBytes } = table;
  if (cause === "refused") {
    return `Admit more rows to ${name}: admission refused what Belady would have kept`;
  }
  if (cause === "latePrefetch") return `Prefetch ${name} earlier: rows were still on their way`;
  if (cause === "delayedHit") {
    return `Prefetch ${name}: lookups waited for reads that others had begun`;
  }
  const another = `Try another policy for ${name}: it evicted what Belady would have kept`;
  if (cause === "policy") return another;
  // Where LRU with fewer slots would have hit what is missed now, slots are not what is short.
  const need = table.needs.find(({ slots }) => slots > slotCount);
  if (need === undefined) return another;
  return `Give ${name} more memory: ${formatBytes(need.bytes)} in place of ` +
    `${formatBytes(slotCount * rowBytes)} would have turned ${formatShare(need.part)} of its ` +
    "capacity misses into hits";
}

/** How the classes are called in pictures and tables. */
export const LABELS: Readonly<Record<keyof WaitClasses, string>> = {
  firstTouch: "first touch",
  capacity: "capacity",
  refused: "refused",
  policy: "policy",
  latePrefetch: "late prefetch",
  delayedHit: "delayed hit",
};
