/**
 * The command line of `deno task replay`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import {
  ADMISSION_POLICIES,
  EVICTION_POLICIES,
  type ReadTraceOptions,
  type TraceFormat,
} from "@rowtier/rowtier/cache";
import { UsageError } from "../demo/options.ts";
import { describeGenerators } from "./generators.ts";

/** What the user asked for. */
export interface Options {
  /** A file, or a generator's word. */
  readonly trace: string;
  /** How a file is read. */
  readonly reading: ReadTraceOptions;
  /** Most requests. */
  readonly limit: number;
  /** Names of policies. */
  readonly policies: readonly string[];
  /** Slots, or shares below 1. */
  readonly sizes: readonly number[];
  /** What admits. */
  readonly admission: string;
  /** Requests that do not count: a number, or a share below 1. */
  readonly warmup: number;
  /** Workers at a time; undefined: as many as processors. */
  readonly workers: number | undefined;
  /** Share of the keys that curves are made from; undefined: chosen by the trace's length. */
  readonly sample: number | undefined;
  /** Whether the curves are printed. */
  readonly curves: boolean;
  /** One object a line in place of tables. */
  readonly json: boolean;
  /** Where the report goes. */
  readonly html: string | undefined;
  /** Where the picture of the curves goes. */
  readonly svg: string | undefined;
  /** Only print {@linkcode HELP}. */
  readonly help: boolean;
}

const OFFLINE = ["belady", "belady-bypass"];

/** Every policy that has a name. */
const ALL: readonly string[] = [...OFFLINE, ...Object.keys(EVICTION_POLICIES)];

/** Left out by default: near relatives of others, and what a drawn lot gives. */
const SPARED = new Set(["belady-bypass", "lfuda", "random", "setlfu", "setlru"]);

const DEFAULT_POLICIES = ALL.filter((name) => !SPARED.has(name));

const DEFAULT_SIZES = "0.1%,1%,10%";

const MAX_REQUESTS = 2 ** 32 - 1;

/** Where a line of names ends in the help. */
const HELP_COLUMNS = 78;

/** What `--help` prints. */
export const HELP = `Replay a trace: miss ratios of cache policies by cache size.

Usage: deno task replay TRACE [options]

TRACE is a file (oracleGeneral, CSV, text, ARC, LIRS or u32; also .gz, .zst),
or made up, by one of these words; settings left out are as shown:
${describeGenerators().map((line) => `  ${line}`).join("\n")}

  --policies LIST  names, or all (default: all but
                   ${[...SPARED].join(" ")})
  --sizes LIST     cache sizes: slots (1000), or shares of the distinct keys
                   (default ${DEFAULT_SIZES})
  --admission NAME ${Object.keys(ADMISSION_POLICIES).join(", ")}
  --warmup N       requests at the beginning that do not count (or 10%)
  --limit N        read so many requests at most
  --format NAME    oracleGeneral, csv, text, arc, lirs, u32 (default: by the
                   file's name or first lines)
  --csv-key NAME   the key's column, by name or number; --csv-size NAME, too
  --workers N      replays at a time (default: as many as processors)
  --curves         miss ratios at many sizes as well: LRU exactly, the others
                   replayed, or simulated in small for long traces
  --sample RATE    simulate in small over this share of the keys
  --svg PATH       draw the curves; --html PATH: a report with table and curves
  --json           one object a line
  --help           this text

Policies:
${wrap(ALL)}
`;

/** Names in lines of the help's width. */
function wrap(names: readonly string[]): string {
  const lines = [" "];
  for (const name of names) {
    if (lines[lines.length - 1].length + name.length + 1 > HELP_COLUMNS) lines.push(" ");
    lines[lines.length - 1] += ` ${name}`;
  }
  return lines.join("\n");
}

/**
 * Reads the command line.
 *
 * @throws {UsageError} at anything wrong: which option, what it must be, what it was.
 */
export function parseOptions(args: readonly string[]): Options {
  const { values, positionals } = parse(args);
  const { format, warmup, workers, sample } = values;
  if (!values.help && positionals.length !== 1) {
    const received = positionals.length === 0 ? "none" : positionals.join(" ");
    throw new UsageError(
      `Cannot parse options: there must be one TRACE: received ${received} (--help tells more)`,
    );
  }
  const limit = values.limit === undefined
    ? MAX_REQUESTS
    : parseCount("limit", values.limit, 1, MAX_REQUESTS);
  return {
    trace: positionals[0] ?? "",
    // Which formats there are, the reader knows best.
    reading: { ...(format !== undefined && { format: format as TraceFormat }), ...csvOf(values) },
    limit,
    policies: values.policies === undefined ? DEFAULT_POLICIES : parsePolicies(values.policies),
    sizes: (values.sizes ?? DEFAULT_SIZES).split(",").map((size) => parseSize("sizes", size)),
    admission: oneOf("admission", Object.keys(ADMISSION_POLICIES), values.admission ?? "always"),
    warmup: warmup === undefined || warmup === "0" ? 0 : parseSize("warmup", warmup),
    workers: workers === undefined ? undefined : parseCount("workers", workers, 0, 256),
    sample: sample === undefined ? undefined : parseRate(sample),
    curves: values.curves,
    json: values.json,
    html: values.html === undefined ? undefined : notEmpty("html", values.html),
    svg: values.svg === undefined ? undefined : notEmpty("svg", values.svg),
    help: values.help,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        policies: { type: "string" },
        sizes: { type: "string" },
        admission: { type: "string" },
        warmup: { type: "string" },
        limit: { type: "string" },
        format: { type: "string" },
        "csv-key": { type: "string" },
        "csv-size": { type: "string" },
        workers: { type: "string" },
        sample: { type: "string" },
        svg: { type: "string" },
        html: { type: "string" },
        curves: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    // Node's first sentence names the option; the rest explains how to pass odd values.
    const [reason] = String((error as Error).message).split(/\.\s|\n/);
    throw new UsageError(`Cannot parse options: ${reason} (--help lists the options)`);
  }
}

function wrong(name: string, must: string, received: string): never {
  const shown = JSON.stringify(received);
  throw new UsageError(`Cannot parse options: --${name} must be ${must}: received ${shown}`);
}

function oneOf(name: string, choices: readonly string[], value: string): string {
  return choices.includes(value) ? value : wrong(name, `one of ${choices.join(", ")}`, value);
}

function notEmpty(name: string, value: string): string {
  return value.trim() === "" ? wrong(name, "not empty", value) : value;
}

function parsePolicies(value: string): readonly string[] {
  if (value === "all") return ALL;
  return [...new Set(value.split(",").map((name) => oneOf("policies", ALL, name.trim())))];
}

/** A whole number; 1e6 is one, too. */
function parseCount(name: string, value: string, least: number, most: number): number {
  const count = /^\d+(?:e\d+)?$/.test(value) ? Number(value) : NaN;
  return count >= least && count <= most
    ? count
    : wrong(name, `a whole number from ${least} to ${most}`, value);
}

/** Slots, or a percentage of the distinct keys. */
function parseSize(name: string, value: string): number {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(value.trim())?.[1];
  const share = percent === undefined ? Number(value) : Number(percent) / 100;
  const isShare = share > 0 && share < 1;
  const isCount = percent === undefined && Number.isInteger(share) && share >= 1;
  if (value.trim() !== "" && (isShare || isCount && share <= 2 ** 28)) return share;
  return wrong(name, "numbers (1000) or percentages above 0 and below 100 (0.1%)", value);
}

function parseRate(value: string): number {
  const rate = Number(value);
  return rate > 0 && rate <= 1 ? rate : wrong("sample", "above 0 and at most 1", value);
}

function csvOf(values: Readonly<Record<string, string | boolean | undefined>>): ReadTraceOptions {
  const key = values["csv-key"], size = values["csv-size"];
  if (key === undefined && size === undefined) return {};
  const column = (name: unknown): string | number =>
    /^\d+$/.test(`${name}`) ? Number(name) : `${name}`;
  return {
    csv: {
      ...(key !== undefined && { key: column(key) }),
      ...(size !== undefined && { size: column(size) }),
    },
  };
}
