/**
 * `deno task bench NAME [--quick] [--json] [--peers]`: runs the benchmark of that name.
 *
 * @module
 */

import { lineOf, tableOf } from "./harness.ts";
import type { Bench, Figure } from "./harness.ts";

const FLAGS = ["--quick", "--json", "--peers"];
const NOT_BENCHES = ["main.ts", "harness.ts"];

/** Every file of this folder but the harness, private ones and tests. */
export function isBench(name: string): boolean {
  return name.endsWith(".ts") && !name.startsWith("_") && !name.endsWith("_test.ts") &&
    !NOT_BENCHES.includes(name);
}

/** What the arguments say, or the line that says what is wrong with them. */
export function readArguments(
  args: readonly string[],
  names: readonly string[],
): { name: string; quick: boolean; json: boolean; peers: boolean } | string {
  const known = names.join(", ");
  const unknown = args.find((arg) => arg.startsWith("-") && !FLAGS.includes(arg));
  if (unknown !== undefined) {
    return `Cannot run bench: option must be one of ${FLAGS.join(", ")}: received ${unknown}`;
  }
  const given = args.filter((arg) => !arg.startsWith("-"));
  if (given.length !== 1 || !names.includes(given[0])) {
    return `Cannot run bench: name must be one of ${known}: received ${given.join(" ") || "none"}`;
  }
  const [quick, json, peers] = FLAGS.map((flag) => args.includes(flag));
  return { name: given[0], quick, json, peers };
}

/** The names of the benchmarks, sorted. */
export function benchNames(): string[] {
  return [...Deno.readDirSync(new URL(".", import.meta.url))]
    .map((entry) => entry.name)
    .filter((name) => isBench(name))
    .map((name) => name.slice(0, -".ts".length))
    .sort();
}

async function main(args: string[]): Promise<number> {
  const options = readArguments(args, benchNames());
  if (typeof options === "string") {
    console.error(options);
    return 2;
  }
  const { name, quick, json, peers } = options;
  const { bench } = await import(new URL(`${name}.ts`, import.meta.url).href) as { bench: Bench };
  const folder = ".rowtier/bench";
  await Deno.mkdir(folder, { recursive: true });
  const figures: Figure[] = [];
  const say = (line: string): void => console.error(line);
  say(`${name}: ${bench.summary}`);
  const report = (figure: Figure): void => {
    figures.push(figure);
    // At once: a run that is cut short keeps what it has.
    if (json) console.log(JSON.stringify(lineOf(name, figure)));
  };
  try {
    await bench.run({ quick, peers, folder, report, say });
  } catch (error) {
    console.error(`${name} failed: ${(error as Error).message}`);
    return 1;
  }
  if (!json) console.log(tableOf(name, figures));
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
