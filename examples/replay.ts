/**
 * Which policy suits a trace, and how much memory: `deno task replay TRACE`, with miss ratios by
 * policy and size as a table, as JSON, and as a picture.
 *
 * `deno task replay --help` lists the options.
 *
 * @module
 */

import {
  dense,
  readTrace,
  replay,
  type ReplayProgress,
  type ReplayResult,
  type Trace,
} from "@rowtier/rowtier/cache";
import { RealClock } from "@rowtier/rowtier/tiers";
import { UsageError } from "./demo/options.ts";
import { count } from "./demo/units.ts";
import { type Curve, findCurves } from "./replay/curves.ts";
import { makeTrace } from "./replay/generators.ts";
import { HELP, type Options, parseOptions } from "./replay/options.ts";
import { renderCurves, renderTable } from "./replay/table.ts";

const say = (line: string): void => console.log(line);
const note = (line: string): void => console.error(line);

/** A trace whose keys are dense. */
type DenseTrace = Trace & { readonly keyCount: number };

async function loadTrace({ trace: word, limit, reading }: Options): Promise<DenseTrace> {
  const trace = makeTrace(word, limit) ??
    await readTrace(word, { ...reading, limit, name: word.replace(/^.*[/\\]/, "") });
  if (trace.keys.length === 0) throw new Error(`Cannot replay ${word}: it has no request`);
  const { keyCount, ...rest } = dense(trace);
  return { ...rest, keyCount: keyCount ?? 0 };
}

/** A bar on a terminal; elsewhere nothing, and nothing is loaded for it. */
async function withProgress<T>(
  label: string,
  work: (onProgress: (progress: ReplayProgress) => void) => Promise<T>,
): Promise<T> {
  if (!Deno.stderr.isTerminal()) return await work(() => {});
  const { progressBar } = await import("./demo/progress.ts");
  let bar: ReturnType<typeof progressBar> | undefined;
  try {
    return await work(({ done, total }) => (bar ??= progressBar(label, total)).update(done));
  } finally {
    bar?.stop();
  }
}

async function run(options: Options, signal: AbortSignal): Promise<void> {
  const trace = await loadTrace(options);
  const { policies, admission, sample, workers } = options;
  const requests = trace.keys.length;
  const warmup = options.warmup < 1 ? Math.floor(options.warmup * requests) : options.warmup;
  const common = { trace, policies, admission, warmup, signal, onNotice: note };
  const clock = new RealClock();
  const spread = workers === undefined ? {} : { workers };
  const results = await withProgress("Replaying", (onProgress) =>
    replay({
      ...common,
      ...spread,
      sizes: options.sizes,
      now: () => clock.now(),
      onProgress,
    }));
  const needsCurves = options.curves || options.svg !== undefined || options.html !== undefined;
  const curves = !needsCurves
    ? []
    : await withProgress("Curves", (onProgress) =>
      findCurves({ ...common, sample, workers, results, onProgress }));
  print(options, trace, results, curves);
  await writeFiles(options, trace, results, curves);
}

function print(
  options: Options,
  trace: DenseTrace,
  results: readonly ReplayResult[],
  curves: readonly Curve[],
): void {
  if (options.json) {
    for (const result of results) say(JSON.stringify({ trace: trace.name, ...result }));
    if (!options.curves) return;
    for (const curve of curves) say(JSON.stringify({ trace: trace.name, ...curve }));
    return;
  }
  say(`${trace.name}: ${subtitle(options, trace)}\n`);
  say(renderTable(options.sizes, results));
  say(`\n${NOTES.join("\n")}`);
  if (!options.curves) return;
  const ways = curves.map(({ policy, method }) => `${policy} ${method}`).join(", ");
  say(`\nMiss ratios in per cent: ${ways}\n\n${renderCurves(curves)}`);
}

const NOTES = [
  "* fewest misses of those that do not know the future; belady, which does, is the bound.",
  "ns: time of an access; replays side by side slow each other (--workers 1 for quiet ones).",
];

function subtitle({ admission, warmup }: Options, { keys, keyCount }: DenseTrace): string {
  return `${count(keys.length)} requests for ${count(keyCount)} keys` +
    (admission === "always" ? "" : `, admission ${admission}`) +
    (warmup === 0 ? "" : `, after a warm-up`);
}

/** Pictures; what draws them is loaded now, so that a table alone needs nothing from outside. */
async function writeFiles(
  options: Options,
  trace: DenseTrace,
  results: readonly ReplayResult[],
  curves: readonly Curve[],
): Promise<void> {
  const { svg, html } = options;
  if (svg !== undefined) {
    const { renderSvg } = await import("./replay/chart.ts");
    await Deno.writeTextFile(svg, renderSvg(`${trace.name}: miss ratio by cache size`, curves));
    note(`Picture: ${await Deno.realPath(svg)}`);
  }
  if (html === undefined) return;
  const { renderReport } = await import("./replay/report.ts");
  const page = renderReport({
    title: trace.name,
    subtitle: `${subtitle(options, trace)}.`,
    sizes: options.sizes,
    results,
    curves,
    notes: NOTES,
  });
  await Deno.writeTextFile(html, page);
  note(`Report: ${await Deno.realPath(html)}`);
}

/** One line for people; 2 for a wrong option. */
function fail(error: unknown): number {
  const message = error instanceof Error ? error.message : String(error);
  note(message.split("\n")[0]);
  return error instanceof UsageError ? 2 : 1;
}

async function main(): Promise<number> {
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => stop.abort(new Error("Stopped")));
  try {
    const options = parseOptions(Deno.args);
    if (options.help) say(HELP);
    else await run(options, stop.signal);
    return 0;
  } catch (error) {
    const code = fail(error);
    return stop.signal.aborted ? 130 : code;
  }
}

if (import.meta.main) Deno.exit(await main());
