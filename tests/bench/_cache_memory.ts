/**
 * A program of its own: fills one cache of the benchmark and prints the bytes an entry by which
 * heap and external memory grew, its values (small numbers) included.
 *
 * `deno run --v8-flags=--expose-gc _cache_memory.ts SUBJECT ENTRIES`
 *
 * @module
 */

import { EVICTION_POLICIES, KeyCache } from "@rowtier/rowtier/cache";

const [subject, count] = Deno.args;

/** A full cache, to be kept alive. */
async function fill(entries: number): Promise<unknown> {
  const key = (i: number): number => Math.imul(i, 0x9e3779b1) >>> 0;
  if (subject === "lru-cache") {
    const { LRUCache } = await import("npm:lru-cache@11.5.3" as string);
    const cache = new LRUCache({ max: entries });
    for (let i = 0; i < entries; i++) cache.set(key(i), i);
    return cache;
  }
  if (subject === "mnemonist") {
    const { LRUMap } = await import("npm:mnemonist@0.40.8" as string);
    const cache = new LRUMap(Uint32Array, Array, entries);
    for (let i = 0; i < entries; i++) cache.set(key(i), i);
    return cache;
  }
  const cache = new KeyCache({ slotCount: entries, eviction: EVICTION_POLICIES[subject] });
  const values = new Int32Array(entries);
  for (let i = 0; i < entries; i++) values[cache.insert(key(i))] = i;
  return [cache, values];
}

function usedBytes(): number {
  // Memory outside the heap is let go of by the collection after the one that found it free.
  for (let i = 0; i < 3; i++) (globalThis as { gc?: () => void }).gc!();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

const entries = Number(count);
// A first, small one loads the code, which is not an entry's.
await fill(16);
const before = usedBytes();
const kept = await fill(entries);
const bytes = (usedBytes() - before) / entries;
console.log(JSON.stringify({ bytes, kept: kept !== undefined }));
