/**
 * Miss counts of reference programs: those of golden/cache_policies.jsonl, whose traces are made
 * anew, and those of real traces beside the project, which are read where they lie.
 *
 * @module
 */

import { type GoldenTrace, makeTrace } from "./traces.ts";

/** A trace in dense keys, and what a reference missed on it. */
export interface CountedTrace {
  /** Its name. */
  readonly trace: string;
  /** Keys as they were counted, for policies that hash them. */
  readonly keys: Uint32Array;
  /** Keys, numbered from 0 in order of first appearance. */
  readonly ids: Uint32Array;
  /** Cache sizes. */
  readonly sizes: readonly number[];
  /** By policy, misses at each size; null where the reference inserts nothing. */
  readonly misses: Readonly<Record<string, readonly (number | null)[]>>;
}

const SYNTHETIC = new URL("../golden/cache_policies.jsonl", import.meta.url);
const BESIDE = new URL("../../../shared/data/", import.meta.url);

/** The golden traces as they were generated. */
export function readSynthetic(): GoldenTrace[] {
  const traces: GoldenTrace[] = [];
  for (const line of Deno.readTextFileSync(SYNTHETIC).trim().split("\n")) {
    const { policy, misses, ...trace } = JSON.parse(line);
    if (policy === undefined) traces.push({ ...trace, misses: {} });
    else traces[traces.length - 1].misses[policy] = misses;
  }
  return traces;
}

/** The generated traces in dense keys. */
export function countedSynthetic(): CountedTrace[] {
  return readSynthetic().map((golden) => {
    const keys = makeTrace(golden);
    const { trace, sizes, misses } = golden;
    return { trace, keys, ids: renumber(keys), sizes, misses };
  });
}

/** The real traces and their counts, or why there are none. */
export async function countedReal(): Promise<CountedTrace[] | string> {
  const counts = new URL("cache-golden/real.json", BESIDE);
  try {
    await Deno.stat(counts);
  } catch {
    return "there are no real traces beside the project";
  }
  const { traces } = JSON.parse(await Deno.readTextFile(counts));
  return await Promise.all(traces.map(async (golden: GoldenTrace) => {
    const keys = await readKeys(`traces/${golden.trace}`);
    const { trace, sizes, misses } = golden;
    return { trace, keys, ids: renumber(keys), sizes, misses };
  }));
}

async function readKeys(path: string): Promise<Uint32Array> {
  const plain = await Deno.readFile(new URL(path, BESIDE)).catch(() => undefined);
  if (plain !== undefined) return new Uint32Array(plain.buffer);
  const packed = await Deno.readFile(new URL(`${path}.gz`, BESIDE));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint32Array(await new Response(stream).arrayBuffer());
}

/** The keys numbered from 0 in order of first appearance. */
export function renumber(keys: Uint32Array): Uint32Array {
  const ids = new Map<number, number>();
  return keys.map((key) => {
    const id = ids.get(key) ?? ids.size;
    if (id === ids.size) ids.set(key, id);
    return id;
  });
}
