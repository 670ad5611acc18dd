/**
 * Counters for those who watch: sums, ratios, and the names that Prometheus and OpenTelemetry use.
 * Pure functions; nothing is sent anywhere.
 *
 * @module
 */

import type { PartitionCounters } from "./counters.ts";

/** One value of one metric, as OpenTelemetry names it. */
export interface CacheMetric {
  /** "rowtier.cache.lookups". */
  readonly name: string;
  /** In UCUM, as OpenTelemetry asks: "By" for bytes, "{lookup}" for lookups. */
  readonly unit: string;
  /** What it counts of what. */
  readonly description: string;
  /** Every one is a sum that only grows. */
  readonly kind: "counter";
  /** Since the cache was made. */
  readonly value: number;
  /** The table, and which of the metric's parts this is. */
  readonly attributes: Readonly<Record<string, string>>;
}

type Counter = keyof PartitionCounters;

/** A metric: disjoint parts of one whole, told apart by one attribute; or one part without. */
interface Family {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  readonly attribute?: string;
  readonly parts: readonly (readonly [
    part: string,
    value: Counter | ((counters: PartitionCounters) => number),
  ])[];
}

const FAMILIES: readonly Family[] = [
  {
    name: "lookups",
    unit: "{lookup}",
    description: "Keys looked up, by what was found: the row, its read on the way, or nothing.",
    attribute: "result",
    parts: [["hit", "hits"], ["delayed_hit", "delayedHits"], ["miss", "misses"]],
  },
  {
    name: "lookup.size",
    unit: "By",
    description: "Bytes of the rows looked up, by what was found.",
    attribute: "result",
    parts: [
      ["hit", "hitBytes"],
      ["delayed_hit", (each) => each.lookupBytes - each.hitBytes - each.missBytes],
      ["miss", "missBytes"],
    ],
  },
  {
    name: "admissions",
    unit: "{row}",
    description: "Rows that were given a cache slot, prefetches and warm-ups included.",
    parts: [["", "admissions"]],
  },
  {
    name: "refusals",
    unit: "{row}",
    description: "Absent rows that the admission policy kept out.",
    parts: [["", "refusals"]],
  },
  {
    name: "scratch_claims",
    unit: "{row}",
    description: "Absent rows that were read for their batches alone.",
    parts: [["", "scratchClaims"]],
  },
  {
    name: "removals",
    unit: "{row}",
    description: "Rows that left, by cause: for a newcomer, by a hit, deleted, or never read.",
    attribute: "cause",
    parts: [
      ["newcomer", (each) => each.evictions - each.pushedOut],
      ["hit", "pushedOut"],
      ["deleted", "deletions"],
      ["failed", "failures"],
    ],
  },
  {
    name: "prefetches",
    unit: "{row}",
    description: "Rows claimed for no batch.",
    parts: [["", "prefetches"]],
  },
  {
    name: "prefetch.outcomes",
    unit: "{row}",
    description: "Prefetched rows at their end: there at the first lookup, late for it, or wasted.",
    attribute: "outcome",
    parts: [["used", "prefetchUsed"], ["late", "prefetchLate"], ["wasted", "prefetchWasted"]],
  },
];

/**
 * Counters of several tables as OpenTelemetry names them, for an exporter of your choice.
 *
 * @param tables Counters by the table's name.
 *
 * @example
 * ```ts
 * import { lru, RowCache, toOpenTelemetry } from "@rowtier/rowtier/cache";
 *
 * const cache = new RowCache({ partitions: [{ slotCount: 1, scratchCount: 0, eviction: lru }] });
 * const [first] = toOpenTelemetry({ users: cache.counters(0) });
 * const { name, attributes } = first;
 * if (name !== "rowtier.cache.lookups" || attributes["rowtier.cache.result"] !== "hit") {
 *   throw new Error("unreachable");
 * }
 * ```
 */
export function toOpenTelemetry(
  tables: Readonly<Record<string, PartitionCounters>>,
): CacheMetric[] {
  return FAMILIES.flatMap((family) =>
    Object.entries(tables).flatMap(([table, counters]) =>
      family.parts.map(([part, value]): CacheMetric => ({
        name: `rowtier.cache.${family.name}`,
        unit: family.unit,
        description: family.description,
        kind: "counter",
        value: valueOf(counters, value),
        attributes: {
          "rowtier.table": table,
          ...(family.attribute !== undefined && { [`rowtier.cache.${family.attribute}`]: part }),
        },
      }))
    )
  );
}

/**
 * Counters of several tables in Prometheus' text exposition format, version 0.0.4:
 * `rowtier_cache_lookups_total{table="users",result="hit"} 7` and so on, each with HELP and TYPE.
 *
 * @param tables Counters by the table's name, any string.
 *
 * @example
 * ```ts
 * import { lru, RowCache, toPrometheus } from "@rowtier/rowtier/cache";
 *
 * const cache = new RowCache({ partitions: [{ slotCount: 1, scratchCount: 0, eviction: lru }] });
 * const text = toPrometheus({ users: cache.counters(0) });
 * if (!text.includes('rowtier_cache_lookups_total{table="users",result="miss"} 0\n')) {
 *   throw new Error("unreachable");
 * }
 * ```
 */
export function toPrometheus(tables: Readonly<Record<string, PartitionCounters>>): string {
  const lines: string[] = [];
  for (const family of FAMILIES) {
    const unit = family.unit === "By" ? "_bytes" : "";
    const name = `rowtier_cache_${family.name.replaceAll(".", "_")}${unit}_total`;
    lines.push(`# HELP ${name} ${family.description}`, `# TYPE ${name} counter`);
    for (const [table, counters] of Object.entries(tables)) {
      const label = `table="${escapeLabel(table)}"`;
      for (const [part, value] of family.parts) {
        const labels = family.attribute === undefined
          ? label
          : `${label},${family.attribute}="${part}"`;
        lines.push(`${name}{${labels}} ${valueOf(counters, value)}`);
      }
    }
  }
  return lines.join("\n") + "\n";
}

/**
 * The counters of several partitions added up, so that ratios over all of them weigh each by its
 * lookups or bytes. `rowBytes` is that of all if they agree, else 0.
 */
export function sumCounters(all: readonly PartitionCounters[]): PartitionCounters {
  if (all.length === 0) {
    throw new RangeError(`Cannot sum counters: their number must be at least 1: received 0`);
  }
  const sum: Record<string, number> = {};
  for (const counters of all) {
    for (const [name, count] of Object.entries(counters)) sum[name] = (sum[name] ?? 0) + count;
  }
  const [{ rowBytes }] = all;
  const agreed = all.every((each) => each.rowBytes === rowBytes) ? rowBytes : 0;
  return { ...all[0], ...sum, rowBytes: agreed };
}

/**
 * The share of lookups whose row was there, 0 to 1; NaN before the first lookup. Delayed hits are
 * not among them, and a key that repeats within a batch counts each time.
 */
export function hitRatio(counters: PartitionCounters): number {
  return counters.hits / counters.lookups;
}

/**
 * The share of lookups that made a read necessary, 0 to 1; NaN before the first lookup. Less than 1
 * - `hitRatio` by the delayed hits, which wait for a read, but for one that another lookup or a
 * prefetch caused.
 */
export function missRatio(counters: PartitionCounters): number {
  return counters.misses / counters.lookups;
}

/**
 * The share of bytes looked up that a read was necessary for, 0 to 1; NaN before the first lookup
 * and without `rowBytes`. Differs from `missRatio` for sums over tables of different rows.
 */
export function missByteRatio(counters: PartitionCounters): number {
  return counters.missBytes / counters.lookupBytes;
}

function valueOf(
  counters: PartitionCounters,
  value: Counter | ((counters: PartitionCounters) => number),
): number {
  return typeof value === "string" ? counters[value] : value(counters);
}

/** As the format asks: backslash, quote and line feed. */
function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
