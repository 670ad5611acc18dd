/**
 * `deno task bench curves`: sampled miss-ratio curves against exact ones, error and time.
 *
 * The error of a curve is the mean absolute difference to the exact one at 100 sizes spread evenly
 * over all distinct keys, as in the papers; its mean over five seeds of the sampling hash is
 * judged. Beside it stands, not judged, the error at sizes spread evenly by their logarithm, from 1
 * / rate on: there the few sampled keys behind a small cache count for more.
 *
 * @module
 */

import {
  createZipf,
  EVICTION_POLICIES,
  type EvictionPolicyFactory,
  lruCurve,
  MiniSimulation,
  type MissRatioCurve,
  Shards,
  type ShardsOptions,
  type Trace,
} from "@rowtier/rowtier/cache";
import { countedReal } from "../cache/golden.ts";
import { alternate, type Bench, type BenchRun, type Spread, spreadOf } from "./harness.ts";

const RATE = 0.01;
const SEEDS = [1, 2, 3, 4, 5];
const SIZES = 100;

/** Most mean absolute error of a sample of 1 %, and least speed-up over the exact curve. */
const ALLOWED_ERROR = 0.02;
const LEAST_SPEED_UP = 20;

const FIXED_RATE: ShardsOptions = { rate: RATE, maximumKeys: 2 ** 20 };
const FIXED_SIZE: ShardsOptions = { maximumKeys: 8192 };

/** The benchmark of curves. */
export const bench: Bench = {
  summary: "miss-ratio curves by SHARDS and small simulations, against exact ones",
  async run(run: BenchRun): Promise<void> {
    const [keyCount, requests] = run.quick ? [100_000, 1_000_000] : [1_000_000, 10_000_000];
    for (const exponent of [0.6, 0.9, 1.1]) {
      for (const order of ["hashed", "shuffled"] as const) {
        const keys = new Uint32Array(requests);
        createZipf({ keyCount, exponent, seed: 1, order }).fill(keys);
        const form = order === "hashed" ? "u32 keys" : "dense keys";
        const name = `zipf ${exponent}, ${requests / 1e6} M requests, ${form}`;
        const trace = order === "hashed" ? { name, keys } : { name, keys, keyCount };
        await compareShards(run, trace, order === "hashed");
        if (order === "hashed" && exponent === 0.9) await compareSimulations(run, trace);
      }
    }
    await printReal(run);
  },
};

/** Sizes to compare at: evenly spread up to `largest`, or by their logarithm from `smallest`. */
function sizesUpTo(largest: number, smallest?: number): number[] {
  return Array.from({ length: SIZES }, (_, i) => {
    if (smallest === undefined) return largest * (i + 1) / SIZES;
    return smallest * (largest / smallest) ** (i / (SIZES - 1));
  });
}

function meanError(curve: MissRatioCurve, exact: MissRatioCurve, sizes: number[]): number {
  const at = (size: number): number => Math.abs(curve.at(size) - exact.at(Math.floor(size)));
  return sizes.reduce((sum, size) => sum + at(size), 0) / sizes.length;
}

function timed<T>(work: () => T): { ms: number; result: T } {
  const start = performance.now();
  const result = work();
  return { ms: performance.now() - start, result };
}

function sample({ keys }: Trace, options: ShardsOptions): MissRatioCurve {
  const shards = new Shards(options);
  shards.add(keys);
  return shards.curve();
}

/** Mean over seeds; low and high are those of the seeds. */
function meanOf(values: readonly number[]): Spread {
  const value = values.reduce((sum, x) => sum + x, 0) / values.length;
  return { value, low: Math.min(...values), high: Math.max(...values) };
}

async function compareShards(run: BenchRun, trace: Trace, hasErrors: boolean): Promise<void> {
  // A tenth of the requests says that it works: too few keys in the sample to judge it by.
  const forms: [string, ShardsOptions, boolean][] = [
    [`rate ${RATE}`, FIXED_RATE, !run.quick],
    ["8,192 keys", FIXED_SIZE, false],
  ];
  const curves = forms.map((): MissRatioCurve[] => []);
  const sides = forms.map(([_, options], form) => (round: number) => {
    const { ms, result } = timed(() => sample(trace, { ...options, seed: SEEDS[round] }));
    curves[form].push(result);
    return ms;
  });
  let exact: MissRatioCurve | undefined;
  const [exactMs, ...times] = await alternate(SEEDS.length, [() => {
    const { ms, result } = timed(() => lruCurve(trace));
    exact = result;
    return ms;
  }, ...sides]);
  const perRequest = 1e6 / trace.keys.length;
  forms.forEach(([form, _, judged], i) => {
    run.report({
      world: "real",
      case: `SHARDS ${form}, ${trace.name}`,
      unit: "ns/request",
      ours: spreadOf(times[i].map((ms) => ms * perRequest)),
      better: "lower",
      peer: { name: "exact", spread: spreadOf(exactMs.map((ms) => ms * perRequest)) },
      ...(judged && { must: LEAST_SPEED_UP }),
    });
    if (hasErrors) reportErrors(run, `SHARDS ${form}, ${trace.name}`, curves[i], exact!, judged);
  });
}

function reportErrors(
  run: BenchRun,
  name: string,
  curves: readonly MissRatioCurve[],
  exact: MissRatioCurve,
  judged: boolean,
): void {
  const largest = exact.sizes[exact.sizes.length - 1];
  const allowed = { value: ALLOWED_ERROR, low: ALLOWED_ERROR, high: ALLOWED_ERROR };
  const errors = (sizes: number[]): Spread => meanOf(curves.map((c) => meanError(c, exact, sizes)));
  const figure = { world: "real", unit: "of 1", better: "lower" } as const;
  const peer = { name: "allowed", spread: allowed };
  const must = judged ? { must: 1 } : {};
  const even = { ...figure, case: `${name}: mean error`, ours: errors(sizesUpTo(largest)) };
  run.report({ ...even, peer, ...must });
  const logarithmic = errors(sizesUpTo(largest, 1 / RATE));
  run.report({ ...figure, case: `${name}: by logarithm`, ours: logarithmic });
}

/** Small simulations of policies without a stack, against caches of the whole size. */
async function compareSimulations(run: BenchRun, whole: Trace): Promise<void> {
  // A part of it: the whole caches that it is compared with take most of the time.
  const keys = whole.keys.subarray(0, 2_000_000);
  const trace = { name: `zipf 0.9, ${keys.length / 1e6} M requests`, keys };
  const distinct = lruCurve(trace).missesAt(Infinity);
  const sizes = [0.01, 0.05, 0.1, 0.2, 0.4].map((part) => Math.floor(part * distinct));
  for (const name of run.quick ? ["sieve"] : ["sieve", "s3fifo", "arc"]) {
    const eviction = EVICTION_POLICIES[name];
    if (eviction === undefined) continue;
    let exact: MissRatioCurve | undefined;
    const curves: MissRatioCurve[] = [];
    const [wholeMs, times] = await alternate(run.quick ? 1 : 3, [
      () => {
        const { ms, result } = timed(() => simulate(trace, eviction, sizes, 1, 0));
        exact = result;
        return ms;
      },
      (round) => {
        const { ms, result } = timed(() => simulate(trace, eviction, sizes, RATE, SEEDS[round]));
        curves.push(result);
        return ms;
      },
    ]);
    const figure = { world: "real", better: "lower" } as const;
    run.report({
      ...figure,
      case: `simulation of ${name}, 4 samples of ${RATE}, ${trace.name}`,
      unit: "ms",
      ours: spreadOf(times),
      peer: { name: "whole caches", spread: spreadOf(wholeMs) },
    });
    const ours = meanOf(curves.map((curve) => meanError(curve, exact!, sizes)));
    run.report({ ...figure, case: `simulation of ${name}: mean error`, unit: "of 1", ours });
  }
}

function simulate(
  { keys }: Trace,
  eviction: EvictionPolicyFactory,
  sizes: readonly number[],
  rate: number,
  seed: number,
): MissRatioCurve {
  const simulation = new MiniSimulation({ eviction, sizes, rate, seed });
  simulation.add(keys);
  return simulation.curve();
}

/** Errors on real traces: shown, not judged, as the paper's own vary by trace. */
async function printReal(run: BenchRun): Promise<void> {
  const real = await countedReal();
  if (typeof real === "string") {
    run.say(`real traces are skipped: ${real}`);
    return;
  }
  run.say(
    "real traces, mean error over five seeds (by logarithm of size): rate 0.1 | 0.01 | 8,192 keys",
  );
  for (const { trace, ids } of real) {
    const whole = { name: trace, keys: ids };
    const exact = lruCurve(whole);
    const largest = exact.sizes[exact.sizes.length - 1];
    const forms = [{ ...FIXED_RATE, rate: 0.1 }, FIXED_RATE, FIXED_SIZE].map((options) => {
      const curves = SEEDS.map((seed) => sample(whole, { ...options, seed }));
      const [even, logarithmic] = [sizesUpTo(largest), sizesUpTo(largest, 1)].map((sizes) =>
        meanOf(curves.map((curve) => meanError(curve, exact, sizes))).value.toFixed(4)
      );
      return `${even} (${logarithmic})`;
    });
    run.say(`  ${trace.padEnd(45)} ${forms.join(" | ")}`);
  }
}
