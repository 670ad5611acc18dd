/**
 * `deno task bench replay`: replaying traces through every policy, ours against libCacheSim's own
 * C loop, one thread each, alternating. Miss counts are compared before times: where they differ,
 * the pair is named and left out.
 *
 * @module
 */

import { AskedWorker } from "./_asked_worker.ts";
import type { OwnReplay } from "./_replay_worker.ts";
import { PeerReplays } from "./_replay_tuned.ts";
import { realCases, type ReplayCase, zipfCases } from "./_replay_traces.ts";
import { findReplayPeer, type Replayed, ReplayPeer } from "./_replay_peers.ts";
import { alternate, type Bench, type BenchRun, type Spread, spreadOf } from "./harness.ts";

/** Our policies and the peer's names. */
const PAIRS: readonly (readonly [ours: string, theirs: string])[] = [
  ["fifo", "fifo"],
  ["lru", "lru"],
  ["clock", "clock"],
  ["sieve", "sieve"],
  ["lfu", "lfu"],
  ["slru", "slru"],
  ["twoq", "twoq"],
  ["arc", "arc"],
  ["s3fifo", "s3fifo"],
  ["s3fifo-warm", "s3fifo"],
  ["wtinylfu-bloom", "wtinylfu"],
];

const WORKER = new URL("_replay_worker.ts", import.meta.url);

/** What the geometric mean of all ratios, and each policy's own, have to reach. */
const MUST = { scattered: 1.4, numbered: 3, each: 1 };

/** Short traces are replayed so often in a round that it takes a while. */
const REQUESTS_A_ROUND = 1_000_000;
const REQUESTS_A_QUICK_ROUND = 500_000;

type Keys = "scattered" | "numbered";

/** Ratios by form of the keys, then by policy. */
type Ratios = Record<Keys, Map<string, number[]>>;

/** The benchmark of the replay. */
export const bench: Bench = {
  summary: "replays of traces through each policy, one thread (peer: libCacheSim)",
  async run(run: BenchRun): Promise<void> {
    const python = run.peers ? await findReplayPeer(run.folder, run.say) : null;
    await using peer = python === null ? null : new ReplayPeer(python);
    if (peer !== null) run.say(`peer: ${JSON.stringify(await peer.versions())}`);
    const ratios: Ratios = { scattered: new Map(), numbered: new Map() };
    for (const one of zipfCases(run.quick)) await replayCase(run, peer, one, ratios);
    for await (const one of realCases(run.quick, run.say)) {
      await replayCase(run, peer, one, ratios);
    }
    if (peer !== null) reportMeans(run, ratios);
  },
};

async function replayCase(
  run: BenchRun,
  peer: ReplayPeer | null,
  one: ReplayCase,
  ratios: Ratios,
): Promise<void> {
  for (const keys of ["scattered", "numbered"] as const) {
    using theirs = peer === null ? null : new PeerReplays(peer, run.folder, one[keys]);
    for (const [ours, name] of PAIRS) {
      const title = `${ours} ${one.title}, ${keys === "scattered" ? "u32" : "dense"} keys`;
      run.say(title);
      const requests = run.quick ? REQUESTS_A_QUICK_ROUND : REQUESTS_A_ROUND;
      const repeats = Math.ceil(requests / one[keys].length);
      const { slots } = one;
      const keyCount = keys === "numbered" ? one.keyCount : null;
      const asked: OwnReplay = { subject: ours, keys: one[keys], slots, keyCount, repeats };
      using own = new AskedWorker<OwnReplay, Replayed>(WORKER, asked);
      const sides: (() => Promise<Replayed>)[] = [() => own.run()];
      // Also settles the size of the peer's hash table, and warms both sides.
      const first = await own.run();
      if (theirs !== null) {
        const { misses } = await theirs.tune(name, slots);
        if (misses === first.misses) sides.push(() => theirs.replay(name, slots, repeats));
        else run.say(`  left out: ${first.misses} misses, the peer has ${misses}`);
      }
      const [mine, peers] = await alternate(run.quick ? 2 : 3, sides);
      const ratio = report(run, title, mine, peers);
      if (ratio !== null) addRatio(ratios[keys], ours, ratio);
    }
  }
}

function report(
  run: BenchRun,
  title: string,
  mine: Replayed[],
  peers: Replayed[] | undefined,
): number | null {
  const ours = spreadOf(mine.map(({ ns }) => ns));
  const figure = { world: "real", case: title, unit: "ns/request", ours, better: "lower" } as const;
  if (peers === undefined) {
    run.report(figure);
    return null;
  }
  const spread = spreadOf(peers.map(({ ns }) => ns));
  run.report({ ...figure, peer: { name: "libCacheSim", spread } });
  return spread.value / ours.value;
}

function addRatio(ratios: Map<string, number[]>, policy: string, ratio: number): void {
  const all = ratios.get(policy) ?? [];
  all.push(ratio);
  ratios.set(policy, all);
}

/** The geometric mean over all, and of each policy, as multiples of the peer's speed. */
function reportMeans(run: BenchRun, ratios: Ratios): void {
  for (const keys of ["scattered", "numbered"] as const) {
    const form = keys === "scattered" ? "u32 keys" : "dense keys";
    for (const [policy, each] of ratios[keys]) {
      reportMean(run, `geometric mean, ${policy}, ${form}`, each, MUST.each);
    }
    const all = [...ratios[keys].values()].flat();
    if (all.length > 0) reportMean(run, `geometric mean, all, ${form}`, all, MUST[keys]);
  }
}

function reportMean(run: BenchRun, title: string, ratios: number[], must: number): void {
  const value = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
  const ours: Spread = { value, low: Math.min(...ratios), high: Math.max(...ratios) };
  const spread: Spread = { value: 1, low: 1, high: 1 };
  const peer = { name: "libCacheSim", spread };
  run.report({ world: "real", case: title, unit: "times", ours, better: "higher", peer, must });
}
