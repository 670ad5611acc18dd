/**
 * The main job, end to end on real input: GloVe rows in a table file on disk, the sentences of the
 * Brown corpus as bags, a row cache over a few per cent of the rows, every vector checked against
 * the truth.
 *
 * `deno task demo --help` lists the options.
 *
 * @module
 */

import { join } from "node:path";
import { checkBits, checkCosine, truthOf } from "./demo/check.ts";
import { hitRatioCurve } from "./demo/curve.ts";
import { measureCosts, runFigures, serveFromDram, timesOf } from "./demo/figures.ts";
import { type Input, loadInput } from "./demo/input.ts";
import { cacheRows, type DemoOptions, HELP, parseOptions, UsageError } from "./demo/options.ts";
import { printDevices, printFigures, printSearch } from "./demo/print.ts";
import { renderReadmeSvg, renderReport } from "./demo/report.ts";
import type { DeviceTimes, RunFigures } from "./demo/results.ts";
import { searchAll } from "./demo/search.ts";
import { maxKeys, serve, toBatches } from "./demo/serve.ts";
import { DRIVES, realWorld, simulatedWorld, type World } from "./demo/worlds.ts";

const FOLDER = join(import.meta.dirname ?? ".", "..", ".rowtier", "demo");
const CURVE_SHARES = [0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16];
const say = (line: string): void => console.log(line);

/** The one served with, beside two that people know. */
const curvePolicies = (policy: string): string[] => [...new Set([policy, "lru", "sieve"])];

/** What serving gave: figures, times by device, and every bag's vector. */
interface Served {
  readonly run: RunFigures;
  readonly devices: readonly DeviceTimes[];
  readonly vectors: Float32Array;
}

async function demo(options: DemoOptions, signal: AbortSignal): Promise<void> {
  const { synthetic, folder = FOLDER } = options;
  const input = await loadInput({ synthetic, folder, say, signal });
  const served = await serveAll(input, options);
  const { sampled, lowestCosine } = await checkCosine(input.exact, input.bags, served.vectors);
  const notes = [
    `Every vector is bit-equal to the scalar kernel's over the same rows in memory.`,
    `Lowest cosine to the fp32 sum over ${sampled} sampled bags: ${lowestCosine.toFixed(6)}.`,
  ];
  notes.forEach(say);
  printFigures(served.run);
  printDevices(served.devices);
  const search = await searchAll(input, served.vectors, options.query);
  printSearch(search);
  const { rowCount: rows, dim, fileBytes, rowBytes, blockBytes } = input.table;
  const results = {
    title: input.title,
    table: { rows, dim, fileBytes, rowBytes, blockBytes },
    ...served,
    curve: hitRatioCurve(input.bags.keys, rows, curvePolicies(options.policy), CURVE_SHARES),
    search,
    notes,
  };
  Deno.writeTextFileSync(options.report, renderReport(results));
  say(`Report: ${Deno.realPathSync(options.report)}`);
  if (options.picture !== undefined) {
    Deno.writeTextFileSync(options.picture, renderReadmeSvg(results));
    say(`Picture: ${Deno.realPathSync(options.picture)}`);
  }
}

/**
 * The job with all rows in DRAM, on the chosen device, and on the simulated drives; each one
 * checked.
 */
async function serveAll({ table, bags }: Input, options: DemoOptions): Promise<Served> {
  const { policy, device } = options;
  const batches = toBatches(bags, options.batch);
  const maxBatchKeys = maxKeys(batches);
  const world = {
    table,
    cacheRows: cacheRows(options.cache, table.rowCount),
    policy,
    maxBatchKeys,
  };
  const vectors = new Float32Array((bags.offsets.length - 1) * table.dim);
  const truth = truthOf(table, bags);
  const dram = await serveFromDram(world, batches, vectors);
  const costs = await measureCosts(world, batches, dram.times, vectors);
  const over = async (opened: World): Promise<[RunFigures, DeviceTimes]> => {
    using at = opened;
    if (at.why !== "") say(at.why);
    // What an earlier run left would pass the check.
    vectors.fill(NaN);
    const times = await serve(at.pipeline, at.clock, batches, table.dim, vectors);
    checkBits(truth, vectors, table.dim);
    return [runFigures(at, table, bags.keys, times), timesOf(at, times)];
  };
  const drive = DRIVES.find((name) => name === device);
  const chosen = drive === undefined
    ? realWorld(world, device as Exclude<DemoOptions["device"], typeof DRIVES[number]>)
    : simulatedWorld(world, drive, costs);
  const [run, times] = await over(chosen);
  const devices = [dram.device, times];
  for (const name of DRIVES) {
    if (name !== drive) devices.push((await over(simulatedWorld(world, name, costs)))[1]);
  }
  return { run, devices, vectors };
}

/** One line for people; 2 for a wrong option. */
function fail(error: unknown): number {
  const message = error instanceof Error ? error.message : String(error);
  console.error(message.split("\n")[0]);
  return error instanceof UsageError ? 2 : 1;
}

async function main(): Promise<number> {
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => {
    stop.abort(new Error("Stopped, and nothing half-written is left"));
    // Whatever has nothing to clean up does not look at the signal.
    setTimeout(() => Deno.exit(130), 500);
  });
  try {
    const options = parseOptions(Deno.args);
    if (options.help) say(HELP);
    else await demo(options, stop.signal);
    return 0;
  } catch (error) {
    const code = fail(error);
    return stop.signal.aborted ? 130 : code;
  }
}

if (import.meta.main) Deno.exit(await main());
