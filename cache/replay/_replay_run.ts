/**
 * The replay of one policy: the same in a worker and in the isolate that asks for it.
 *
 * @module
 */

import { type AdmissionPolicyFactory, admitAlways } from "../admission.ts";
import { ADMISSION_POLICIES } from "../admission/policies.ts";
import { type EvictionPolicyFactory, NO_SLOT } from "../eviction.ts";
import { belady } from "../eviction/belady.ts";
import { EVICTION_POLICIES } from "../eviction/policies.ts";
import { KeyCache } from "../rows/key_cache.ts";
import type { Choice, Counts, Job, Part } from "./_replay_job.ts";

/** Accesses between two reports: 5 to 20 ms of work, beside which a message costs nothing. */
const CHUNK = 2 ** 18;

/** The policies that know the trace, and whether they may keep a newcomer out. */
const OFFLINE: Readonly<Record<string, boolean>> = { belady: false, "belady-bypass": true };

/** Every name that a policy can be asked for by. */
export const POLICY_NAMES: readonly string[] = [
  ...Object.keys(EVICTION_POLICIES),
  ...Object.keys(OFFLINE),
];

/** Whether `policy` follows the trace, and so must see every request enter. */
export function isOffline(policy: Choice): boolean {
  return policy.module === undefined && Object.hasOwn(OFFLINE, policy.name);
}

/** What makes the caches of a job. */
export interface Makers {
  /** By part: what knows the trace differs. */
  readonly eviction: readonly EvictionPolicyFactory[];
  /** What admits; undefined where all do. */
  readonly admission: AdmissionPolicyFactory | undefined;
}

/** Factories that cannot be sent; they take the place of those that a job names. */
export interface OwnFactories {
  /** Makes the policy. */
  readonly eviction?: EvictionPolicyFactory | undefined;
  /** Makes what admits. */
  readonly admission?: AdmissionPolicyFactory | undefined;
}

/** Finds the policies of a job. The future of a trace is looked up once for all sizes. */
export async function makersOf(job: Job, own: OwnFactories = {}): Promise<Makers> {
  const { policy, parts } = job;
  if (isOffline(policy) && own.eviction === undefined) {
    const bypass = OFFLINE[policy.name];
    return { eviction: parts.map(({ keys }) => belady(keys, { bypass })), admission: undefined };
  }
  const eviction = own.eviction ?? await findFactory(policy, EVICTION_POLICIES);
  const admission = own.admission ?? await findFactory(job.admission, ADMISSION_POLICIES);
  return {
    eviction: parts.map(() => eviction),
    // Not asking costs less than asking one who always says yes.
    admission: admission === admitAlways ? undefined : admission,
  };
}

async function findFactory<Factory>(
  choice: Choice,
  registry: Readonly<Record<string, Factory>>,
): Promise<Factory> {
  const { name, module, export: exported = "default" } = choice;
  if (module === undefined) return registry[name];
  const found = (await import(module))[exported];
  if (typeof found === "function") return found;
  throw new TypeError(
    `export ${exported} of ${module} must be a function: received ${typeof found}`,
  );
}

/**
 * Replays all parts at one size. Yields 0 when the caches are there, then after each chunk the
 * accesses made since; returns what it counted.
 */
export function* replayParts(
  parts: readonly Part[],
  slots: readonly number[],
  { eviction, admission }: Makers,
): Generator<number, Counts> {
  const caches = parts.map(({ keyCount }, i) => {
    // A class that is worth no slot at this size: all of it misses.
    if (slots[i] === 0) return undefined;
    return new KeyCache({
      slotCount: slots[i],
      eviction: eviction[i],
      roomy: true,
      ...(admission !== undefined && { admission }),
      ...(keyCount !== undefined && { keyCount }),
    });
  });
  yield 0;
  const counted = { misses: 0, missBytes: 0 };
  const warming = { misses: 0, missBytes: 0 };
  for (const [i, part] of parts.entries()) {
    const { warmup, keys: { length } } = part;
    for (let at = 0; at < length;) {
      const end = Math.min(at + CHUNK, at < warmup ? warmup : length);
      replayChunk(caches[i], part, at, end, at < warmup ? warming : counted);
      yield end - at;
      at = end;
    }
  }
  return { ...counted, memoryBytes: caches.reduce((sum, cache) => sum + memoryOf(cache), 0) };
}

/** Replays requests `start` to `end` - 1 and adds up what missed. */
function replayChunk(
  cache: KeyCache | undefined,
  { keys, sizes }: Part,
  start: number,
  end: number,
  tally: { misses: number; missBytes: number },
): void {
  if (cache === undefined) {
    tally.misses += end - start;
    if (sizes !== undefined) tally.missBytes += bytesOf(sizes, start, end);
    return;
  }
  if (sizes === undefined) {
    tally.misses += cache.replay(keys, start, end);
    return;
  }
  for (let i = start; i < end; i++) {
    if (cache.get(keys[i]) !== NO_SLOT) continue;
    tally.misses++;
    tally.missBytes += sizes[i];
    cache.insert(keys[i]);
  }
}

/** Bytes of requests `start` to `end` - 1. */
export function bytesOf(sizes: Uint32Array, start: number, end: number): number {
  let bytes = 0;
  for (let i = start; i < end; i++) bytes += sizes[i];
  return bytes;
}

function memoryOf(cache: KeyCache | undefined): number {
  if (cache === undefined) return 0;
  const { indexBytes, policyBytes, columnBytes } = cache.memoryBytes();
  return indexBytes + policyBytes + columnBytes;
}
