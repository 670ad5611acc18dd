/**
 * Workers that replay, one a policy, and the cases that they are given.
 *
 * @module
 */

import { createZipf } from "@rowtier/rowtier/cache";
import { countedReal, countedSynthetic } from "../cache/golden.ts";

/** A replay, as it is posted; the policy is the same in all that one worker gets. */
export interface Job {
  /** A name of `EVICTION_POLICIES`, or "belady". */
  readonly policy: string;
  /** Memory that is shared, so that posting copies nothing. */
  readonly keys: Uint32Array;
  /** Set where keys are dense, and are to be replayed as such. */
  readonly keyCount?: number;
  /** Slots. */
  readonly slotCount: number;
  /** For the policies that have one. */
  readonly seed?: number;
}

/** What is posted back. */
export interface Outcome {
  /** Keys that were not there. */
  readonly misses: number;
  /** Of the whole replay. */
  readonly ms: number;
}

/** A trace at one size. */
export interface Case {
  /** Its trace. */
  readonly trace: string;
  /** Dense keys, in shared memory. */
  readonly keys: Uint32Array;
  /** Distinct keys. */
  readonly keyCount: number;
  /** Slots. */
  readonly slotCount: number;
  /** Whether the musts are about it. */
  readonly judged: boolean;
}

/** The shares of the keys that get a slot. */
const SHARES = [0.001, 0.01, 0.1];

/** Below so many slots, or requests, a case is left out. */
const FEWEST_SLOTS = 256;
const FEWEST_REQUESTS = 100_000;

/** One worker for each policy that is asked for. */
export class Players implements Disposable {
  readonly #workers: Map<string, Worker> = new Map();

  /** Replays a job in its policy's worker; one at a time. */
  async play(job: Job): Promise<Outcome> {
    let worker = this.#workers.get(job.policy);
    if (worker === undefined) {
      worker = new Worker(new URL("_policy_worker.ts", import.meta.url), { type: "module" });
      this.#workers.set(job.policy, worker);
    }
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    worker.onmessage = ({ data }: MessageEvent<Outcome>) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`${job.policy}: ${event.message}`));
    };
    worker.postMessage(job);
    return await promise;
  }

  [Symbol.dispose](): void {
    for (const worker of this.#workers.values()) worker.terminate();
  }
}

/** The judged cases: real traces, or why there are none. */
export async function realCases(): Promise<Case[] | string> {
  const traces = await countedReal();
  if (typeof traces === "string") return traces;
  return traces.filter(({ ids }) => ids.length >= FEWEST_REQUESTS).flatMap(({ trace, ids }) =>
    SHARES.map((share) => caseOf(trace.replace(/^.*\//, ""), ids, share, true))
  ).filter(({ slotCount }) => slotCount >= FEWEST_SLOTS);
}

/** What no policy may be bad at, either: loops, scans, drift, phases, and plain popularity. */
export function syntheticCases(): Case[] {
  const cases = countedSynthetic().map(({ trace, ids }) => caseOf(trace, ids, 0.1, false));
  for (const exponent of [0.6, 0.9, 1.1]) {
    const keys = new Uint32Array(1_000_000);
    createZipf({ keyCount: 20_000, exponent, seed: 1 }).fill(keys, 0, keys.length);
    cases.push(caseOf(`zipf ${exponent}`, keys, 0.05, false));
  }
  return cases;
}

function caseOf(trace: string, ids: Uint32Array, share: number, judged: boolean): Case {
  const keys = new Uint32Array(new SharedArrayBuffer(ids.byteLength));
  keys.set(ids);
  const keyCount = ids.reduce((most, id) => Math.max(most, id + 1), 0);
  return { trace, keys, keyCount, slotCount: Math.floor(share * keyCount), judged };
}

/** Misses when the most frequent keys have the slots from the start, and keep them. */
export function missesOfPinned({ keys, keyCount, slotCount }: Case): number {
  const counts = new Uint32Array(keyCount);
  for (const key of keys) counts[key]++;
  counts.sort();
  const hits = counts.subarray(keyCount - slotCount).reduce((sum, count) => sum + count, 0);
  return keys.length - hits;
}

/** The keys of a case as they come to a program: spread over all u32. */
export function spreadKeys({ keys }: Case): Uint32Array {
  const spread = new Uint32Array(new SharedArrayBuffer(keys.byteLength));
  for (let i = 0; i < keys.length; i++) spread[i] = Math.imul(keys[i], 0x9e3779b1);
  return spread;
}
