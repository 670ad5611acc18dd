/**
 * One cache of the benchmark, ours or a peer's, in an isolate of its own. All do the same job: read
 * the value of a key, or on a miss make and store it.
 *
 * @module
 */

/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />

import {
  CompactRowCache,
  createClaim,
  EVICTION_POLICIES,
  KeyCache,
  NO_SLOT,
} from "@rowtier/rowtier/cache";

/** The packages, at versions; not imported where no peers run. */
const LRU_CACHE = "npm:lru-cache@11.5.3";
const MNEMONIST = "npm:mnemonist@0.40.8";

/** Keys of a batch of the batched form. */
const BATCH = 1024;

/** What to run. */
export interface CacheRun {
  /** "lru single", "sieve batched", "compact batched", "lru-cache", "mnemonist". */
  readonly subject: string;
  /** Of the trace, shared. */
  readonly keys: Uint32Array;
  /** Of the cache. */
  readonly entries: number;
}

/** What it gave. */
export interface CacheResult {
  /** Millions of operations (get, and set on a miss) a second. */
  readonly mops: number;
  /** Of one run. */
  readonly misses: number;
  /** Of all values read, modulo 2^32: it proves that they were the right ones. */
  readonly sum: number;
  /** Bytes an entry that our arrays have, values left out; null for peers. */
  readonly bytes: number | null;
}

/** A small number, which no engine boxes. */
function valueOf(key: number): number {
  return key & 0xfffff;
}

/** What lru-cache and mnemonist have in common. */
interface PeerCache {
  get(key: number): number | undefined;
  set(key: number, value: number): unknown;
}

type Outcome = Omit<CacheResult, "mops">;

function runPeer(cache: PeerCache, keys: Uint32Array): Outcome {
  let misses = 0;
  let sum = 0;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i];
    let value = cache.get(key);
    if (value === undefined) {
      misses++;
      value = valueOf(key);
      cache.set(key, value);
    }
    sum = (sum + value) >>> 0;
  }
  return { misses, sum, bytes: null };
}

function runSingle(cache: KeyCache, keys: Uint32Array): Outcome {
  const values = new Int32Array(cache.slotCount);
  let sum = 0;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i];
    let slot = cache.get(key);
    if (slot === NO_SLOT) {
      slot = cache.insert(key);
      values[slot] = valueOf(key);
    }
    sum = (sum + values[slot]) >>> 0;
  }
  return { misses: cache.counters().misses, sum, bytes: bytesOf(cache) };
}

/** Values are read before anything enters, for a newcomer may take the slot of another of them. */
function runBatched(cache: KeyCache, keys: Uint32Array): Outcome {
  const values = new Int32Array(cache.slotCount);
  const slots = new Int32Array(BATCH);
  let sum = 0;
  for (let start = 0; start < keys.length; start += BATCH) {
    const batch = keys.subarray(start, start + BATCH);
    const absent = cache.lookup(batch, batch.length, slots);
    for (let i = 0; i < batch.length; i++) {
      if (slots[i] !== NO_SLOT) sum = (sum + values[slots[i]]) >>> 0;
    }
    for (let i = 0; absent > 0 && i < batch.length; i++) {
      if (slots[i] !== NO_SLOT) continue;
      const value = valueOf(batch[i]);
      sum = (sum + value) >>> 0;
      values[cache.insert(batch[i])] = value;
    }
  }
  return { misses: cache.counters().misses, sum, bytes: bytesOf(cache) };
}

/** The compact cache has batches alone: rows are held until theirs ends. */
function runCompact(slotCount: number, keys: Uint32Array): Outcome {
  const create = (count: number): CompactRowCache =>
    new CompactRowCache({ partitions: [{ slotCount: count, scratchCount: BATCH }] });
  const cache = create(slotCount);
  const values = new Int32Array(slotCount + BATCH);
  const slots = new Int32Array(BATCH);
  const claim = createClaim();
  let sum = 0;
  for (let start = 0; start < keys.length; start += BATCH) {
    const part = keys.subarray(start, start + BATCH);
    const batch = cache.begin();
    const absent = cache.acquire(0, part, part.length, batch, slots);
    for (let i = 0; absent > 0 && i < part.length; i++) {
      if (slots[i] !== NO_SLOT) continue;
      const slot = slots[i] = cache.claim(0, part[i], batch, claim);
      if (!claim.fresh) continue;
      values[slot] = valueOf(part[i]);
      cache.fill(0, slot, claim.generation);
    }
    for (let i = 0; i < part.length; i++) sum = (sum + values[slots[i]]) >>> 0;
    cache.retire(batch);
  }
  // What grows with the slots: scratch and claims in flight do not.
  const bytes = (totalBytes(create(2 * slotCount)) - totalBytes(cache)) / slotCount;
  return { misses: cache.counters(0).misses, sum, bytes };
}

function totalBytes(cache: CompactRowCache): number {
  const { indexBytes, policyBytes, columnBytes } = cache.memoryBytes(0);
  return indexBytes + policyBytes + columnBytes;
}

function bytesOf(cache: KeyCache): number {
  const { indexBytes, policyBytes, columnBytes } = cache.memoryBytes();
  return (indexBytes + policyBytes + columnBytes) / cache.slotCount;
}

/** Imports what a subject needs, and gives what runs it on an empty cache. */
async function prepare(subject: string): Promise<(entries: number, keys: Uint32Array) => Outcome> {
  if (subject === "lru-cache") {
    const { LRUCache } = await import(LRU_CACHE);
    return (entries, keys) => runPeer(new LRUCache({ max: entries }), keys);
  }
  if (subject === "mnemonist") {
    const { LRUMap } = await import(MNEMONIST);
    return (entries, keys) => runPeer(new LRUMap(Uint32Array, Array, entries), keys);
  }
  const [policy, form] = subject.split(" ");
  if (policy === "compact") return runCompact;
  const eviction = EVICTION_POLICIES[policy];
  const play = form === "batched" ? runBatched : runSingle;
  return (slotCount, keys) => play(new KeyCache({ slotCount, eviction }), keys);
}

let prepared: ((entries: number, keys: Uint32Array) => Outcome) | undefined;

async function run({ subject, keys, entries }: CacheRun): Promise<CacheResult> {
  prepared ??= await prepare(subject);
  const began = performance.now();
  const outcome = prepared(entries, keys);
  return { ...outcome, mops: keys.length / 1000 / (performance.now() - began) };
}

self.onmessage = async ({ data }: MessageEvent<CacheRun>): Promise<void> => {
  try {
    self.postMessage(await run(data));
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
};
