/**
 * `deno task bench cache`: a cache in a program, get and on a miss set, ours with values in an
 * array by slot against npm's lru-cache and mnemonist, each in an isolate of its own, alternating;
 * and the bytes an entry of each.
 *
 * @module
 */

import { fromFileUrl } from "@std/path";
import { AskedWorker } from "./_asked_worker.ts";
import type { CacheResult, CacheRun } from "./_cache_worker.ts";
import { realCases, type ReplayCase, zipfCases } from "./_replay_traces.ts";
import { alternate, type Bench, type BenchRun, type Spread, spreadOf } from "./harness.ts";

/** Policies of our KeyCache, in two forms, and the compact row cache, which has batches alone. */
const OWN = ["lru", "sieve", "clock"];
const FORMS = ["single", "batched"];
const COMPACT = "compact batched";
const SUBJECTS = [...OWN.flatMap((own) => FORMS.map((form) => `${own} ${form}`)), COMPACT];
const PEERS = ["lru-cache", "mnemonist"];

/** Times lru-cache's speed to be reached by single calls, at 10,000 and 1,000,000 entries. */
const MUST: Readonly<Record<string, readonly [number, number]>> = {
  lru: [2, 1.5],
  sieve: [3, 2.5],
  clock: [3, 2.5],
};
/** Bytes of our arrays for an entry that are allowed, its value left out. */
const MOST_BYTES: Readonly<Record<string, number>> = {
  "lru single": 22,
  "clock single": 16,
  [COMPACT]: 5,
};

/** With fewer, its tags do not tell all u32 keys apart. */
const FEWEST_COMPACT_SLOTS = 4096;

const WORKER = new URL("_cache_worker.ts", import.meta.url);

const SIZES = [10_000, 1_000_000];

/** The benchmark of caches in a program. */
export const bench: Bench = {
  summary: "get, and set on a miss, one key at a time and in batches (peers: lru-cache, mnemonist)",
  async run(run: BenchRun): Promise<void> {
    for (const one of zipfCases(run.quick)) {
      if (SIZES.includes(one.slots)) await compare(run, one, true);
    }
    for await (const one of realCases(run.quick, run.say)) {
      // Shorter ones are over before the engine has compiled anything.
      if (one.scattered.length >= 300_000) await compare(run, one, false);
    }
    for (const entries of run.quick ? [10_000] : SIZES) {
      for (const subject of run.peers ? [...OWN, ...PEERS] : OWN) {
        await reportMemory(run, subject, entries);
      }
    }
  },
};

async function compare(run: BenchRun, one: ReplayCase, judged: boolean): Promise<void> {
  run.say(one.title);
  const own = SUBJECTS.filter((name) => name !== COMPACT || one.slots >= FEWEST_COMPACT_SLOTS);
  const names = run.peers ? [...own, ...PEERS] : own;
  using workers = new DisposableStack();
  const sides = names.map((subject) => {
    const asked: CacheRun = { subject, keys: one.scattered, entries: one.slots };
    return workers.use(new AskedWorker<CacheRun, CacheResult>(WORKER, asked));
  });
  for (const side of sides) await side.run();
  const results = await alternate(run.quick ? 2 : 5, sides.map((side) => () => side.run()));
  const byName = new Map(names.map((name, i) => [name, results[i]]));
  checkAnswers(one, byName);
  const theirs = byName.get("lru-cache");
  for (const name of names) {
    const [policy, form] = name.split(" ");
    const must = judged && form === "single" ? MUST[policy][one.slots > 100_000 ? 1 : 0] : null;
    const mine = byName.get(name)!;
    reportSpeed(run, `${name}, ${one.title}`, mine, theirs, must);
    if (judged && MOST_BYTES[name] !== undefined) {
      reportBytes(run, `bytes a row of ${name}, ${one.title}`, mine[0].bytes!, MOST_BYTES[name]);
    }
  }
}

/** All LRUs miss alike, and everyone reads the same values. */
function checkAnswers(one: ReplayCase, results: ReadonlyMap<string, CacheResult[]>): void {
  const first = results.get("lru single")![0];
  for (const [name, [result]] of results) {
    const isLru = name === "lru single" || PEERS.includes(name);
    if (result.sum !== first.sum || isLru && result.misses !== first.misses) {
      throw new Error(`${name} on ${one.title} must give what lru gives: ${result.misses} misses`);
    }
  }
}

function reportSpeed(
  run: BenchRun,
  title: string,
  mine: readonly CacheResult[],
  theirs: readonly CacheResult[] | undefined,
  must: number | null,
): void {
  const spread = (results: readonly CacheResult[]): Spread =>
    spreadOf(results.map(({ mops }) => mops));
  const ours = spread(mine);
  const base = { world: "real", case: title, unit: "M ops/s", ours, better: "higher" } as const;
  if (theirs === undefined) return run.report(base);
  const peer = { name: "lru-cache", spread: spread(theirs) };
  run.report(must === null ? { ...base, peer } : { ...base, peer, must });
}

/** What our arrays hold in the run whose speed is reported. */
function reportBytes(run: BenchRun, title: string, bytes: number, most: number): void {
  const ours = spreadOf([bytes]);
  const peer = { name: "allowed", spread: spreadOf([most]) };
  run.report({ world: "real", case: title, unit: "bytes", ours, better: "lower", peer, must: 1 });
}

/** Measured in a process of its own, whose heap nothing else grows. */
async function reportMemory(run: BenchRun, subject: string, entries: number): Promise<void> {
  const program = fromFileUrl(new URL("_cache_memory.ts", import.meta.url));
  const map = fromFileUrl(new URL("../offline/import_map.json", import.meta.url));
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--no-check",
      "--allow-env",
      "--import-map",
      map,
      "--v8-flags=--expose-gc",
      program,
      subject,
      `${entries}`,
    ],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`The memory of ${subject} must be measurable`);
  const { bytes } = JSON.parse(new TextDecoder().decode(stdout));
  const title = `heap an entry with its value, ${subject} ${entries.toLocaleString("en")}`;
  const ours = spreadOf([bytes]);
  run.report({ world: "real", case: title, unit: "bytes", ours, better: "lower" });
}
