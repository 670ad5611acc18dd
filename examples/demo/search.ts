/**
 * A small search: the sentences nearest to a vector, by cosine.
 *
 * @module
 */

import { openPipeline } from "@rowtier/rowtier/pipeline";
import { cosineOf } from "./check.ts";
import type { Input } from "./input.ts";
import type { SearchResult } from "./results.ts";

/** Sentences shown for each search. */
const HITS = 5;

/** Beginnings of the three sentences that are always searched for. */
const QUERIES = [
  "They spun and flung",
  "The virus antigen was concentrated",
  "the church is “the family",
];

/** Searches for three sentences of the corpus and, if there is one, the user's own text. */
export async function searchAll(
  input: Input,
  vectors: Float32Array,
  query: string | undefined,
): Promise<SearchResult[]> {
  const { sentences, table: { dim } } = input;
  const results = QUERIES.flatMap((beginning) => {
    const own = sentences.findIndex((text) => text.startsWith(beginning));
    if (own < 0) return [];
    const vector = vectors.subarray(own * dim, (own + 1) * dim);
    return [{ query: sentences[own], hits: nearest(vector, vectors, sentences) }];
  });
  if (query === undefined) return results;
  const vector = await vectorOf(query, input);
  return [...results, { query, hits: nearest(vector, vectors, sentences) }];
}

/** The pooled vector of a text, served like any other bag. */
async function vectorOf(text: string, { table, wordKeys }: Input): Promise<Float32Array> {
  const words = text.toLowerCase().match(/[\p{L}\p{N}'-]+|[^\s\p{L}\p{N}]/gu) ?? [];
  const keys = Uint32Array.from(words.flatMap((word) => wordKeys.get(word) ?? []));
  if (keys.length === 0) {
    throw new Error(`Cannot search: none of the query's words has a vector: received "${text}"`);
  }
  using opened = openPipeline({
    tables: [{ path: table.path }],
    maxBatchKeys: Math.max(64, keys.length),
  });
  const offsets = Uint32Array.of(0, keys.length);
  return await opened.pipeline.lookup({ parts: [{ table: 0, keys, offsets }] });
}

/**
 * The nearest sentences, best first; one with the same words as the query or a better one is left
 * out.
 */
function nearest(
  query: Float32Array,
  vectors: Float32Array,
  sentences: readonly string[],
): SearchResult["hits"] {
  const dim = query.length;
  const best: { sentence: number; cosine: number }[] = [];
  for (let sentence = 0; sentence < sentences.length; sentence++) {
    const cosine = cosineOf(query, vectors.subarray(sentence * dim, (sentence + 1) * dim));
    // The same words give the same vector, up to rounding.
    if (cosine > 0.999999 || best.some((hit) => Math.abs(hit.cosine - cosine) < 1e-9)) continue;
    if (best.length === HITS && cosine <= best[HITS - 1].cosine) continue;
    best.push({ sentence, cosine });
    best.sort((a, b) => b.cosine - a.cosine);
    best.length = Math.min(best.length, HITS);
  }
  return best.map(({ sentence, cosine }) => ({ text: sentences[sentence], cosine }));
}
