/**
 * `deno task bench policies`: misses of every eviction policy on real traces, and whether the
 * adaptive one is near the best of them everywhere.
 *
 * Judged are the real traces of 100,000 requests or more with slots for 0.1, 1 and 10 % of their
 * keys, 256 at least: the adaptive policy against the best other one, which is chosen afterwards
 * for each trace and size. Belady's misses, which no policy can know beforehand, and those of the
 * best pinned set stand beside them. Then the time an access against LRU's, with keys as they come
 * to a program; with dense keys, where a lookup is one read, it is shown.
 *
 * @module
 */

import { EVICTION_POLICIES } from "@rowtier/rowtier/cache";
import {
  type Case,
  missesOfPinned,
  Players,
  realCases,
  spreadKeys,
  syntheticCases,
} from "./_policy_players.ts";
import { alternate, type Bench, type BenchRun, type Spread, spreadOf } from "./harness.ts";

/** Times the best one's misses: at one case, and in the geometric mean over all. */
const ALLOWED_MISSES = 1.10;
const ALLOWED_MEAN = 1.03;

/** Times LRU's. */
const ALLOWED_TIME = 1.5;

const SEEDS = [0, 1, 2, 3, 4];
const ROUNDS = 7;

const OTHERS = Object.keys(EVICTION_POLICIES).filter((name) => name !== "adaptive");

/** The benchmark of policies. */
export const bench: Bench = {
  summary: "misses of every policy, the adaptive one against the best, and its time against LRU's",
  async run(run: BenchRun): Promise<void> {
    const real = await realCases();
    if (typeof real === "string") run.say(`skipped, nothing is judged: ${real}`);
    using players = new Players();
    const judged = typeof real === "string" ? [] : run.quick ? real.slice(0, 3) : real;
    const cases = [...judged, ...syntheticCases().slice(0, run.quick ? 2 : undefined)];
    run.say("misses as % of the requests; the best other policy is marked");
    run.say(lineOf(["", "slots", "adaptive", ...OTHERS, "belady", "pinned"]));
    const ratios: number[] = [];
    for (const each of cases) {
      const ratio = await compareMisses(run, players, each);
      if (each.judged) ratios.push(ratio);
    }
    if (ratios.length > 0) reportMean(run, "misses, geometric mean of", ratios, ALLOWED_MEAN);
    await compareTimes(run, players, judged);
  },
};

function lineOf(cells: readonly string[]): string {
  return cells.map((cell, i) => i === 0 ? cell.slice(0, 20).padEnd(20) : cell.padStart(9)).join("");
}

function nameOf({ trace, slotCount }: Case): string {
  return `${trace}, ${slotCount.toLocaleString("en")} slots`;
}

/** Misses with each seed. */
async function missesOf(players: Players, policy: string, each: Case): Promise<number[]> {
  const { keys, keyCount, slotCount } = each;
  const isSeeded = policy === "adaptive" || policy === "random";
  const misses: number[] = [];
  for (const seed of isSeeded ? SEEDS : [undefined]) {
    const job = { policy, keys, keyCount, slotCount };
    misses.push((await players.play(seed === undefined ? job : { ...job, seed })).misses);
  }
  return misses;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function geometricMean(values: readonly number[]): number {
  return Math.exp(meanOf(values.map((value) => Math.log(value))));
}

function exactly(value: number): Spread {
  return { value, low: value, high: value };
}

/** Prints the row of a case; returns the adaptive policy's misses over those of the best other. */
async function compareMisses(run: BenchRun, players: Players, each: Case): Promise<number> {
  const ours = await missesOf(players, "adaptive", each);
  const others: number[] = [];
  for (const policy of OTHERS) others.push(meanOf(await missesOf(players, policy, each)));
  const [optimum] = await missesOf(players, "belady", each);
  const best = Math.min(...others);
  const percent = (misses: number): string => (100 * misses / each.keys.length).toFixed(1);
  run.say(lineOf([
    each.trace,
    String(each.slotCount),
    percent(meanOf(ours)),
    ...others.map((misses) => misses === best ? `*${percent(misses)}` : percent(misses)),
    percent(optimum),
    percent(missesOfPinned(each)),
  ]));
  run.report({
    world: "real",
    case: `misses, ${nameOf(each)}`,
    unit: "misses",
    ours: { value: meanOf(ours), low: Math.min(...ours), high: Math.max(...ours) },
    better: "lower",
    peer: { name: OTHERS[others.indexOf(best)], spread: exactly(best) },
    ...(each.judged && { must: 1 / ALLOWED_MISSES }),
  });
  return meanOf(ours) / best;
}

/** A figure about all cases: ratios of which each is ours over theirs. */
function reportMean(
  run: BenchRun,
  what: string,
  ratios: readonly number[],
  allowed: number | undefined,
): void {
  run.report({
    world: "real",
    case: `${what} ${ratios.length} cases`,
    unit: "times",
    ours: { ...spreadOf(ratios), value: geometricMean(ratios) },
    better: "lower",
    peer: { name: "theirs", spread: exactly(1) },
    ...(allowed !== undefined && { must: 1 / allowed }),
  });
}

async function compareTimes(run: BenchRun, players: Players, cases: Case[]): Promise<void> {
  for (const form of ["u32 keys", "dense keys"] as const) {
    const ratios: number[] = [];
    for (const each of cases) {
      const { keyCount, slotCount } = each;
      const keys = form === "u32 keys" ? spreadKeys(each) : each.keys;
      const job = form === "u32 keys" ? { keys, slotCount } : { keys, keyCount, slotCount };
      // A trace of few requests would be over before the engine has compiled what it runs.
      const repeats = Math.ceil((run.quick ? 2 ** 19 : 2 ** 21) / keys.length);
      const time = (policy: string) => async (): Promise<number> => {
        let ms = 0;
        for (let i = 0; i < repeats; i++) ms += (await players.play({ policy, ...job })).ms;
        return ms * 1e6 / keys.length / repeats;
      };
      const sides = [time("adaptive"), time("lru")];
      await alternate(1, sides);
      const [ours, theirs] = (await alternate(run.quick ? 3 : ROUNDS, sides)).map(spreadOf);
      ratios.push(ours.value / theirs.value);
      run.report({
        world: "real",
        case: `time, ${form}, ${nameOf(each)}`,
        unit: "ns/access",
        ours,
        better: "lower",
        peer: { name: "lru", spread: theirs },
      });
    }
    const allowed = form === "u32 keys" ? ALLOWED_TIME : undefined;
    if (ratios.length > 0) reportMean(run, `time, ${form}, geometric mean of`, ratios, allowed);
  }
}
