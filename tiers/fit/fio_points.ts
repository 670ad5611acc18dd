/**
 * Measured points out of what fio prints with `--output-format=json`.
 *
 * @module
 */

import type { DeviceFigures, DevicePoint, FigureName } from "./device_point.ts";
import { checkPoints, FIGURE_NAMES, FIGURE_SHARES } from "./device_point.ts";

/** A JSON object of which nothing is known so far. */
type Unknowns = Readonly<Record<string, unknown>>;

const WHAT = "Cannot read fio's output";

/**
 * The points of a fio run: one for each job and direction that did anything. `output` is the text
 * that fio printed with `--output-format=json`, warnings before it included, or the object parsed
 * from it. Written for fio 3.33; other 3.x print the same members.
 *
 * A job's depth is `iodepth` times `numjobs`, or `numjobs` alone for synchronous engines. Latencies
 * are fio's total ones where it was run with `--lat_percentiles=1`, which fits best as a simulated
 * drive's begin at submission, and completion latencies else. A percentile that fewer than three
 * operations lie beyond is left out. Jobs must have run one at a time (`stonewall`).
 *
 * @throws {SyntaxError} for text that is not JSON.
 * @throws {TypeError} for a member that is missing or of another type.
 * @throws {RangeError} for a job whose load is not one: mixed sizes, a pattern other than reads and
 *   writes, several processes that are not reported as one group, or no point at all.
 *
 * @example
 * ```ts
 * import { pointsFromFio } from "@rowtier/rowtier/tiers";
 *
 * const none = { total_ios: 0 };
 * const clat = { mean: 80_500, percentile: { "50.000000": 78_336, "99.000000": 99_840 } };
 * const [point] = pointsFromFio({
 *   "global options": { rw: "randread", ioengine: "io_uring" },
 *   jobs: [{
 *     jobname: "a",
 *     "job options": { bs: "4k", iodepth: "8" },
 *     read: { total_ios: 100_000, iops: 98_000, clat_ns: clat },
 *     write: none,
 *   }],
 * });
 * if (point.bytes !== 4096 || point.depth !== 8) throw new Error("unreachable");
 * if (point.p99Ns !== 99_840) throw new Error("unreachable");
 * ```
 */
export function pointsFromFio(output: string | object): DevicePoint[] {
  const root: unknown = typeof output === "string"
    ? JSON.parse(output.slice(Math.max(0, output.search(/^\{/m))))
    : output;
  const top = objectOf("the output", root);
  const shared = objectOf("global options", top["global options"] ?? {});
  if (!Array.isArray(top.jobs)) {
    throw new TypeError(`${WHAT}: jobs must be an array: received ${typeof top.jobs}`);
  }
  const points = top.jobs.flatMap((job: unknown, i: number) =>
    pointsOfJob(`jobs[${i}]`, objectOf(`jobs[${i}]`, job), shared)
  );
  checkPoints(WHAT, points);
  return points;
}

function objectOf(name: string, value: unknown): Unknowns {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Unknowns;
  }
  const received = Array.isArray(value) ? "an array" : value === null ? "null" : typeof value;
  throw new TypeError(`${WHAT}: ${name} must be an object: received ${received}`);
}

function numberOf(name: string, value: unknown): number {
  if (typeof value === "number") return value;
  throw new TypeError(`${WHAT}: ${name} must be a number: received ${typeof value}`);
}

function pointsOfJob(name: string, job: Unknowns, shared: Unknowns): DevicePoint[] {
  const options = { ...shared, ...objectOf(`${name}.job options`, job["job options"] ?? {}) };
  const { writes, sequential } = patternOf(name, options);
  const load = {
    bytes: bytesOf(name, options.bs ?? "4k"),
    depth: depthOf(name, options),
    writeShare: writes,
    ...(sequential && { sequential }),
  };
  return (["read", "write"] as const).flatMap((op) => {
    const part = objectOf(`${name}.${op}`, job[op] ?? {});
    const count = numberOf(`${name}.${op}.total_ios`, part.total_ios ?? 0);
    return count === 0 ? [] : [{ op, ...load, ...figuresOfPart(`${name}.${op}`, part, count) }];
  });
}

/** Share of writes by the pattern's name; a mixed one has it from the options. */
const WRITE_SHARES: Readonly<Record<string, number | "mixed">> = {
  read: 0,
  randread: 0,
  write: 1,
  randwrite: 1,
  rw: "mixed",
  readwrite: "mixed",
  randrw: "mixed",
};

function patternOf(name: string, options: Unknowns): { writes: number; sequential: boolean } {
  const pattern = String(options.rw ?? options.readwrite ?? "read").replace(/:.*$/, "");
  const share = Object.hasOwn(WRITE_SHARES, pattern) ? WRITE_SHARES[pattern] : undefined;
  if (share === undefined) {
    throw new RangeError(
      `${WHAT}: ${name} rw must be one of ${Object.keys(WRITE_SHARES).join(", ")}: ` +
        `received ${pattern}`,
    );
  }
  const sequential = !pattern.startsWith("rand");
  if (share !== "mixed") return { writes: share, sequential };
  const writes = options.rwmixwrite === undefined
    ? 100 - Number(options.rwmixread ?? 50)
    : Number(options.rwmixwrite);
  return { writes: writes / 100, sequential };
}

const FACTORS: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

function bytesOf(name: string, size: unknown): number {
  const [, digits, unit] = /^(\d+)([kmg]?)(?:i?b)?$/i.exec(String(size)) ?? [];
  if (digits !== undefined) return Number(digits) * FACTORS[unit.toLowerCase()];
  throw new RangeError(`${WHAT}: ${name} bs must be one size such as 4k: received ${size}`);
}

/** Engines that hold one request each, whatever `iodepth` says. */
const SYNCHRONOUS = new Set(["sync", "psync", "vsync", "pvsync", "pvsync2", "mmap"]);

function depthOf(name: string, options: Unknowns): number {
  // What fio takes when no engine is named.
  const engine = String(options.ioengine ?? "psync");
  const depth = SYNCHRONOUS.has(engine) ? 1 : Number(options.iodepth ?? 1);
  const processes = Number(options.numjobs ?? 1);
  const grouped = options.group_reporting !== undefined && options.group_reporting !== "0";
  if (processes > 1 && !grouped) {
    throw new RangeError(
      `${WHAT}: ${name} of ${processes} processes must have group_reporting: received none`,
    );
  }
  return depth * processes;
}

function figuresOfPart(name: string, part: Unknowns, count: number): DeviceFigures {
  const total = objectOf(`${name}.lat_ns`, part.lat_ns ?? {});
  const member = total.percentile === undefined ? "clat_ns" : "lat_ns";
  const latency = objectOf(`${name}.${member}`, part[member]);
  const percentiles = objectOf(`${name}.${member}.percentile`, latency.percentile ?? {});
  const figures: Partial<Record<FigureName, number>> = {
    iops: numberOf(`${name}.iops`, part.iops),
    meanNs: numberOf(`${name}.${member}.mean`, latency.mean),
  };
  for (const figure of FIGURE_NAMES) {
    const share = FIGURE_SHARES[figure];
    const value = percentiles[(100 * share).toFixed(6)];
    if (value === undefined || count * (1 - share) < 3) continue;
    figures[figure] = numberOf(`${name}.${member}.percentile`, value);
  }
  return figures;
}
