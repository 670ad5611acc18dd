/**
 * Thousands of seeded runs of a queue over random stacks of faulty devices:
 * `deno task soak [--runs N] [--seed S]`. Each run checks that every request completes exactly once
 * and that no memory is touched after its completion; a failure names the seed that repeats it.
 *
 * @module
 */

import { createSoakCounts, soak, type SoakCounts } from "./tiers/soak_run.ts";

const DEFAULT_RUNS = 10_000;
/** Time between two lines of progress. */
const PROGRESS_MS = 2000;

/** What the command line asks for. */
export interface SoakOptions {
  readonly runs: number;
  readonly seed: number;
}

/** Reads `--runs N` and `--seed S`; a sentence instead when they are wrong. */
export function parseSoak(args: readonly string[]): SoakOptions | string {
  const options = { runs: DEFAULT_RUNS, seed: 1 };
  for (let i = 0; i < args.length; i += 2) {
    const name = args[i] === "--runs" ? "runs" : args[i] === "--seed" ? "seed" : "";
    if (name === "") {
      return `Cannot run soak: options must be --runs N or --seed S: received ${args[i]}`;
    }
    const value = Number(args[i + 1]);
    if (!/^\d+$/.test(args[i + 1] ?? "") || !Number.isSafeInteger(value)) {
      return `Cannot run soak: --${name} must be a whole number: received ${args[i + 1]}`;
    }
    options[name] = value;
  }
  return options;
}

function summarise(runs: number, counts: SoakCounts): string {
  const { requests, succeeded, short, failed, cancelled, expired } = counts;
  return `${runs} runs, ${requests} requests: ${succeeded} succeeded, ${short} short, ` +
    `${failed} failed, ${cancelled} cancelled, ${expired} expired`;
}

function main(args: readonly string[]): number {
  const options = parseSoak(args);
  if (typeof options === "string") {
    console.error(options);
    return 2;
  }
  const { runs, seed } = options;
  const counts = createSoakCounts();
  let failures = 0;
  let printedMs = performance.now();
  for (let run = 0; run < runs; run++) {
    try {
      soak(seed + run, counts);
    } catch (error) {
      failures++;
      console.error((error as Error).message);
    }
    if (performance.now() - printedMs < PROGRESS_MS) continue;
    printedMs = performance.now();
    console.log(`simulated, ${summarise(run + 1, counts)}`);
  }
  console.log(`simulated, seeds from ${seed}: ${summarise(runs, counts)}; ${failures} runs failed`);
  return failures === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(main(Deno.args));
