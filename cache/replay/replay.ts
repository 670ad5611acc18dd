/**
 * Replay of a trace: many policies at many sizes, spread over workers.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import type { AdmissionPolicyFactory } from "../admission.ts";
import { ADMISSION_POLICIES } from "../admission/policies.ts";
import type { EvictionPolicyFactory } from "../eviction.ts";
import { DISPLAY, type Display } from "../explain/explanation.ts";
import { drawHtml, drawText } from "./_replay_drawing.ts";
import type { Choice } from "./_replay_job.ts";
import { type Outcome, runAll, type Task } from "./_replay_lanes.ts";
import { type Plan, planReplay } from "./_replay_plan.ts";
import { isOffline, type OwnFactories, POLICY_NAMES } from "./_replay_run.ts";
import type { ReplayChoice, ReplayOptions, ReplayResult, ReplayResults } from "./replay_options.ts";

const WHAT = "Cannot replay";

const MAX_WORKERS = 256;

/**
 * Replays a trace through a {@linkcode KeyCache} for every policy and size: each key in order is
 * looked up and, where it is absent, inserted if admission and policy let it.
 *
 * Policies run side by side in workers, a fresh one for each; keys lie in shared memory once, 4
 * bytes a request (8 with sizes; no copy is made where they are shared already). Workers are module
 * workers of local files, which Deno reads with `--allow-read` only; where there are none to be had
 * all runs in this isolate, up to twice as slow an access, and `onNotice` is told.
 *
 * Keys are taken as they come. With `keyCount` (see {@linkcode dense}) a plain column takes the
 * place of the hash index, up to three times as fast. Renumbering changes the counts of policies
 * that hash keys a little.
 *
 * Objects of different sizes lie in slots of up to 8 classes of sizes ({@linkcode sizeClasses}).
 * The budget is split between these as fits LRU best ({@linkcode splitBudget}), the same for every
 * policy; that takes one pass of 60 to 250 ns a request more.
 *
 * @throws {RangeError | TypeError} for an option out of range, before anything runs.
 * @throws {Error} naming the policy when one fails; the signal's reason when that ends it. No
 * worker is left then.
 *
 * @example
 * ```ts
 * import { createZipf, generate, replay } from "@rowtier/rowtier/cache";
 *
 * const source = createZipf({ keyCount: 1000, exponent: 0.9, seed: 1 });
 * const trace = generate(source, 20_000, "zipf 0.9");
 * const policies = ["belady", "lru", "sieve"];
 * const results = await replay({ trace, policies, sizes: [0.01, 100], workers: 0 });
 * const [bound, , lruSmall, lruLarge] = results.map(({ missRatio }) => missRatio);
 * if (bound > lruSmall || lruLarge > lruSmall) throw new Error("unreachable");
 * ```
 */
export async function replay(options: ReplayOptions): Promise<ReplayResults> {
  const { trace, policies, sizes, warmup = 0 } = options;
  const workers = workersOf(options);
  const admission = toChoice(
    "admission",
    options.admission ?? "always",
    Object.keys(ADMISSION_POLICIES),
  );
  const chosen = policies.map((policy, i) => toChoice(`policies[${i}]`, policy, POLICY_NAMES));
  options.signal?.throwIfAborted();
  const plan = planReplay(trace, sizes, warmup, workers > 0);
  const results: ReplayResult[] = [];
  const tasks = chosen.flatMap((policy, at) => {
    // Workers beyond one a policy share its sizes.
    const share = Math.max(1, Math.ceil((workers - at) / chosen.length));
    return cutSizes(sizes.length, share).map((places) =>
      taskOf(plan, policy, admission, places, (outcome, i) => {
        const result = resultOf(plan, places[i], policy, admission, outcome);
        results[at * sizes.length + places[i]] = options.now === undefined
          ? result
          : { ...result, nsPerAccess: outcome.elapsedNs / Math.max(1, trace.keys.length) };
      })
    );
  });
  await runAll(tasks, workers, trace.keys.length * policies.length * sizes.length, options);
  return withDisplay(trace.name, results);
}

/** How many workers run at a time. */
function workersOf({ workers }: ReplayOptions): number {
  if (workers !== undefined) checkInteger(WHAT, "workers", workers, 0, MAX_WORKERS);
  const canShare = typeof Worker !== "undefined" && typeof SharedArrayBuffer !== "undefined";
  if (!canShare) return 0;
  return workers ?? Math.min(MAX_WORKERS, navigator.hardwareConcurrency);
}

/** What to replay, and its factory where that cannot leave this isolate. */
type Chosen<Factory> = Choice & { readonly factory?: Factory };

function toChoice<Factory>(
  option: string,
  choice: ReplayChoice<Factory>,
  names: readonly string[],
): Chosen<Factory> {
  if (typeof choice !== "string") {
    return "module" in choice ? { ...choice, module: choice.module.href } : choice;
  }
  if (names.includes(choice)) return { name: choice };
  throw new RangeError(
    `${WHAT}: ${option} must be one of ${names.join(", ")}: received ${JSON.stringify(choice)}`,
  );
}

/** The places of `count` sizes in at most `share` lists, large and small ones in each. */
function cutSizes(count: number, share: number): number[][] {
  const lists = Array.from({ length: Math.min(count, share) }, (): number[] => []);
  for (let place = 0; place < count; place++) lists[place % lists.length].push(place);
  return lists;
}

function taskOf(
  plan: Plan,
  { factory: eviction, ...policy }: Chosen<EvictionPolicyFactory>,
  { factory, ...admission }: Chosen<AdmissionPolicyFactory>,
  places: readonly number[],
  onOutcome: (outcome: Outcome, i: number) => void,
): Task {
  const slots = places.map((place) => plan.sizes[place].slots);
  const own: OwnFactories = { eviction, admission: factory };
  return { job: { policy, admission, parts: plan.parts, slots }, own, onOutcome };
}

function resultOf(
  plan: Plan,
  place: number,
  policy: Chosen<EvictionPolicyFactory>,
  admission: Choice,
  { counts }: Outcome,
): ReplayResult {
  const { slots, share, budgetBytes } = plan.sizes[place];
  const { requests, requestBytes } = plan;
  const { misses, missBytes, memoryBytes } = counts;
  const isBound = policy.factory === undefined && isOffline(policy);
  return {
    policy: policy.name,
    admission: isBound ? "always" : admission.name,
    slotCount: slots.reduce((sum, count) => sum + count, 0),
    share,
    requests,
    misses,
    missRatio: misses / Math.max(1, requests),
    ...(budgetBytes !== undefined && {
      budgetBytes,
      missBytes,
      byteMissRatio: missBytes / Math.max(1, requestBytes),
    }),
    memoryBytes,
  };
}

function withDisplay(title: string, results: readonly ReplayResult[]): ReplayResults {
  const draw = (): Display => ({
    "text/html": drawHtml(title, results),
    "text/plain": drawText(title, results),
  });
  // Not to be listed among the results where these are printed or compared.
  return Object.defineProperty(results, DISPLAY, { value: draw }) as ReplayResults;
}
