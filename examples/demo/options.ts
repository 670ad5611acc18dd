/**
 * The demo's command line.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { EVICTION_POLICIES } from "@rowtier/rowtier/cache";

const DEVICES = ["auto", "io_uring", "direct", "buffered", "nand", "3dxp"] as const;
const POLICIES = Object.keys(EVICTION_POLICIES);

/** What the user may ask for with `--device`. */
export type DeviceChoice = (typeof DEVICES)[number];

/** What the user asked for. */
export interface DemoOptions {
  /** Where the table is served from. */
  readonly device: DeviceChoice;
  /** Rows in the cache: a share of the table's, or a number. */
  readonly cache: { readonly share: number } | { readonly rows: number };
  /** The cache's eviction policy, a name of `EVICTION_POLICIES`. */
  readonly policy: string;
  /** Bags a batch. */
  readonly batch: number;
  /** A search of the user's own. */
  readonly query: string | undefined;
  /** Where the report goes. */
  readonly report: string;
  /** Where the README's picture goes; none is drawn by default. */
  readonly picture: string | undefined;
  /** Where the tables are kept; undefined: in the demo's own folder. */
  readonly folder: string | undefined;
  /** A made-up table instead of a download. */
  readonly synthetic: boolean;
  /** Only print {@linkcode HELP}. */
  readonly help: boolean;
}

/** A mistake on the command line: its message is the one line to print; the exit code is 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

const MAX_BATCH = 4096;

/** What `--help` prints. */
export const HELP = `Serve embedding rows from disk through a small cache, and check every vector.

Usage: deno task demo [options]

  --device NAME   auto (default), io_uring, direct, buffered: the real disk;
                  nand, 3dxp: a simulated drive in virtual time
  --cache SIZE    rows in memory: a share of the table (default 2%), or a number
  --policy NAME   who leaves the cache: adaptive (default), arc, clock, fifo,
                  lfu, lfuda, lirs, lru, random, s3fifo, setlfu, setlru, sieve,
                  slru, twoq, wtinylfu
  --batch N       bags a batch, 1 to ${MAX_BATCH} (default 64)
  --query TEXT    search the corpus for sentences like this one
  --report PATH   where the HTML report goes (default .rowtier/report.html)
  --picture PATH  draw the README's picture (SVG) as well
  --folder PATH   where the tables are kept (default .rowtier/demo)
  --synthetic     a made-up table and skewed bags: no download, a few seconds
  --help          this text
`;

/**
 * Reads the command line.
 *
 * @throws {UsageError} at anything wrong: which option, what it must be, what it was.
 */
export function parseOptions(args: readonly string[]): DemoOptions {
  const { device, cache, policy, batch, query, report, picture, folder, synthetic, help } = parse(
    args,
  );
  return {
    device: oneOf("device", DEVICES, device),
    cache: parseCache(cache),
    policy: oneOf("policy", POLICIES, policy),
    batch: parseBatch(batch),
    query: query === undefined ? undefined : notEmpty("query", query),
    report: notEmpty("report", report),
    picture: picture === undefined ? undefined : notEmpty("picture", picture),
    folder: folder === undefined ? undefined : notEmpty("folder", folder),
    synthetic,
    help,
  };
}

/** Rows in the cache over a table of `rowCount`: at least one, at most all. */
export function cacheRows(cache: DemoOptions["cache"], rowCount: number): number {
  const rows = "rows" in cache ? cache.rows : Math.floor(cache.share * rowCount);
  return Math.min(rowCount, Math.max(1, rows));
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        device: { type: "string", default: "auto" },
        cache: { type: "string", default: "2%" },
        policy: { type: "string", default: "adaptive" },
        batch: { type: "string", default: "64" },
        query: { type: "string" },
        report: { type: "string", default: ".rowtier/report.html" },
        picture: { type: "string" },
        folder: { type: "string" },
        synthetic: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
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

function oneOf<T extends string>(name: string, choices: readonly T[], value: string): T {
  return choices.find((choice) => choice === value) ??
    wrong(name, `one of ${choices.join(", ")}`, value);
}

function notEmpty(name: string, value: string): string {
  return value.trim() === "" ? wrong(name, "not empty", value) : value;
}

function parseCache(value: string): DemoOptions["cache"] {
  const must = "a percentage above 0 and up to 100 (2%), or a number of rows";
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(value)?.[1];
  if (percent !== undefined) {
    const share = Number(percent) / 100;
    return share > 0 && share <= 1 ? { share } : wrong("cache", must, value);
  }
  const rows = /^\d+$/.test(value) ? Number(value) : 0;
  return rows >= 1 && Number.isSafeInteger(rows) ? { rows } : wrong("cache", must, value);
}

function parseBatch(value: string): number {
  const batch = /^\d+$/.test(value) ? Number(value) : 0;
  return batch >= 1 && batch <= MAX_BATCH
    ? batch
    : wrong("batch", `a whole number from 1 to ${MAX_BATCH}`, value);
}
