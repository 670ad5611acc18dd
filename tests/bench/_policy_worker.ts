/**
 * Replays traces with one policy, in an isolate of its own: an engine that has seen many policies
 * stops inlining them, and each would be timed at twice what it takes.
 *
 * @module
 */

/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />

import {
  adaptive,
  belady,
  EVICTION_POLICIES,
  type EvictionPolicyFactory,
  KeyCache,
  random,
} from "@rowtier/rowtier/cache";
import type { Job, Outcome } from "./_policy_players.ts";

/** Seeds matter to these. */
const SEEDED: Record<string, (seed: number) => EvictionPolicyFactory> = {
  adaptive: (seed) => (slots) => adaptive(slots, { seed }),
  random: (seed) => (slots) => random(slots, { seed }),
};

function evictionOf({ policy, keys, seed }: Job): EvictionPolicyFactory {
  if (policy === "belady") return belady(keys);
  if (seed !== undefined) return SEEDED[policy](seed);
  return EVICTION_POLICIES[policy];
}

function play(job: Job): Outcome {
  const { keys, keyCount, slotCount } = job;
  const eviction = evictionOf(job);
  const options = { slotCount, eviction };
  const cache = new KeyCache(keyCount === undefined ? options : { ...options, keyCount });
  const began = performance.now();
  const misses = cache.replay(keys);
  return { misses, ms: performance.now() - began };
}

self.onmessage = ({ data }: MessageEvent<Job>): void => self.postMessage(play(data));
