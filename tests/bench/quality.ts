/**
 * `deno task bench quality`: what fewer bits lose on real input: GloVe rows at 8, 4 and 2 bits, the
 * sentences of the Brown corpus pooled from them, and a search for the nearest sentences, all held
 * against fp32.
 *
 * Runs on the demo's own tables and sentences, `deno task demo` builds them; `--quick` takes the
 * made-up table.
 *
 * @module
 */

import { fromFileUrl } from "@std/path";
import { type Input, loadInput } from "../../examples/demo/input.ts";
import { createKernel, f32, greedy, q2, q4, q8, type RowFormat, tbe8 } from "../../kernels/mod.ts";
import { readTable } from "../../pipeline/mod.ts";
import type { Bench, BenchRun, Figure, Spread } from "./harness.ts";

const FOLDER = fromFileUrl(new URL("../../.rowtier/demo", import.meta.url));
/** Sentences that a search shows. */
const HITS = 5;

/** A format under test; `against` names the one that it has to be better than. */
interface Contender {
  readonly name: string;
  readonly format: RowFormat;
  readonly against?: string;
}

const CONTENDERS: readonly Contender[] = [
  { name: "q8", format: q8 },
  { name: "tbe8", format: tbe8 },
  { name: "q4 min/max", format: q4 },
  { name: "q4 greedy", format: greedy(q4), against: "q4 min/max" },
  { name: "q2 min/max", format: q2 },
  { name: "q2 greedy", format: greedy(q2), against: "q2 min/max" },
];

/** The rows that the sentences use, in fp32, and the sentences as slots of theirs. */
interface Sentences {
  readonly dim: number;
  readonly rowCount: number;
  readonly rows: Float32Array;
  readonly slots: Int32Array;
  readonly offsets: Uint32Array;
}

/** The benchmark of what formats lose. */
export const bench: Bench = {
  summary: "row error, pooled sentences and search at 8, 4 and 2 bits, against fp32",
  async run(run: BenchRun): Promise<void> {
    const input = await loadInput({
      synthetic: run.quick,
      folder: FOLDER,
      say: run.say,
      signal: new AbortController().signal,
    });
    const sentences = sentencesOf(input);
    const exact = toUnit(pool(sentences, f32, quantised(sentences, f32)), sentences.dim);
    const queries = queriesOf(sentences, run.quick ? 40 : 300);
    const wanted = queries.map((query) => nearest(exact, sentences.dim, query));
    const measured = new Map<string, Record<Measure, Spread>>();
    for (const { name, format, against } of CONTENDERS) {
      const rows = quantised(sentences, format);
      const vectors = toUnit(pool(sentences, format, rows), sentences.dim);
      const found = queries.map((query) => nearest(vectors, sentences.dim, query));
      const figures = {
        error: rowErrors(sentences, format, rows),
        angle: meanOf(
          queriesOf(sentences, Infinity).map((bag) =>
            1 - dot(exact, vectors, sentences.dim, bag, bag)
          ),
        ),
        overlap: meanOf(queries.map((_, i) => overlapOf(wanted[i], found[i]))),
      };
      measured.set(name, figures);
      const peer = against === undefined
        ? undefined
        : { name: against, of: measured.get(against)! };
      report(run, name, figures, peer);
    }
  },
};

type Measure = "error" | "angle" | "overlap";

/** What each measure is called, in units, and whether more of it is better. */
const MEASURES: readonly [Measure, string, string, Figure["better"]][] = [
  ["error", "row error", "L2/row", "lower"],
  ["angle", "pooled sentences", "1 - cosine", "lower"],
  ["overlap", `top-${HITS} search, same hits`, "share", "higher"],
];

function report(
  run: BenchRun,
  name: string,
  figures: Record<Measure, Spread>,
  peer: { readonly name: string; readonly of: Record<Measure, Spread> } | undefined,
): void {
  for (const [measure, what, unit, better] of MEASURES) {
    run.report({
      world: "real",
      case: `${name}, ${what} against fp32`,
      unit,
      ours: figures[measure],
      better,
      ...(peer && { peer: { name: peer.name, spread: peer.of[measure] } }),
      ...(name === "q4 greedy" && measure === "error" && { must: 1 }),
    });
  }
}

/** Keeps the rows that are used: a search for the best range takes 100 us a row. */
function sentencesOf({ exact, bags }: Input): Sentences {
  const { dim, rowBytes, rowCount } = exact;
  const bytes = new Uint8Array(rowCount * rowBytes);
  readTable(exact, bytes);
  const all = new Float32Array(bytes.buffer);
  const slotOf = new Map<number, number>();
  const slots = Int32Array.from(bags.keys, (key) => {
    const slot = slotOf.get(key) ?? slotOf.size;
    slotOf.set(key, slot);
    return slot;
  });
  const rows = new Float32Array(slotOf.size * dim);
  for (const [key, slot] of slotOf) {
    rows.set(all.subarray(key * rowBytes / 4, key * rowBytes / 4 + dim), slot * dim);
  }
  return { dim, rowCount: slotOf.size, rows, slots, offsets: bags.offsets };
}

function quantised({ dim, rowCount, rows }: Sentences, format: RowFormat): Uint8Array {
  const rowBytes = format.rowBytes(dim);
  const arena = new Uint8Array(rowCount * rowBytes);
  for (let slot = 0; slot < rowCount; slot++) {
    format.quantise(rows, slot * dim, dim, arena, slot * rowBytes);
  }
  return arena;
}

/** The sum of every sentence's rows. */
function pool(sentences: Sentences, format: RowFormat, arena: Uint8Array): Float32Array {
  const { dim, rowCount, slots, offsets } = sentences;
  using kernel = createKernel({ format, dim });
  const bagCount = offsets.length - 1, rowStride = format.rowBytes(dim);
  const output = new Float32Array(bagCount * dim);
  const slotCount = slots.length;
  const batch = { bagCount, offsets, slots, slotCount, arena, rowStride, rowCount };
  const bad = kernel.pool(batch, output);
  if (bad !== -1) throw new Error(`slot ${slots[bad]} at ${bad} was refused`);
  return output;
}

/** L2 distance of a row to what it decodes to: mean, least and greatest. */
function rowErrors(
  { dim, rowCount, rows }: Sentences,
  format: RowFormat,
  arena: Uint8Array,
): Spread {
  const rowBytes = format.rowBytes(dim);
  const decoded = new Float32Array(dim);
  const errors = Array.from({ length: rowCount }, (_, slot) => {
    format.dequantise(arena, slot * rowBytes, dim, decoded, 0);
    let square = 0;
    for (let j = 0; j < dim; j++) square += (decoded[j] - rows[slot * dim + j]) ** 2;
    return Math.sqrt(square);
  });
  return meanOf(errors);
}

/** Scales every vector to length 1, so that a dot product is a cosine; zeros stay. */
function toUnit(vectors: Float32Array, dim: number): Float32Array {
  for (let at = 0; at < vectors.length; at += dim) {
    let square = 0;
    for (let j = 0; j < dim; j++) square += vectors[at + j] ** 2;
    const factor = square === 0 ? 0 : 1 / Math.sqrt(square);
    for (let j = 0; j < dim; j++) vectors[at + j] *= factor;
  }
  return vectors;
}

/** Up to `count` sentences that have words, evenly spread. */
function queriesOf({ offsets }: Sentences, count: number): number[] {
  const full = Array.from({ length: offsets.length - 1 }, (_, bag) => bag)
    .filter((bag) => offsets[bag + 1] > offsets[bag]);
  const step = Math.max(1, Math.floor(full.length / count));
  return full.filter((_, i) => i % step === 0).slice(0, count);
}

/** The vectors nearest to that of `query`, itself left out; of equals the first ones. */
function nearest(vectors: Float32Array, dim: number, query: number): Set<number> {
  const best: { bag: number; cosine: number }[] = [];
  const bags = vectors.length / dim;
  let least = -Infinity;
  for (let bag = 0; bag < bags; bag++) {
    const cosine = dot(vectors, vectors, dim, query, bag);
    if (cosine <= least || bag === query) continue;
    best.push({ bag, cosine });
    best.sort((a, b) => b.cosine - a.cosine);
    best.length = Math.min(best.length, HITS);
    if (best.length === HITS) least = best[HITS - 1].cosine;
  }
  return new Set(best.map(({ bag }) => bag));
}

function dot(a: Float32Array, b: Float32Array, dim: number, i: number, k: number): number {
  let sum = 0;
  for (let j = 0; j < dim; j++) sum += a[i * dim + j] * b[k * dim + j];
  return sum;
}

function overlapOf(wanted: ReadonlySet<number>, found: ReadonlySet<number>): number {
  return wanted.intersection(found).size / wanted.size;
}

function meanOf(values: readonly number[]): Spread {
  let low = Infinity, high = -Infinity, sum = 0;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
    sum += value;
  }
  return { value: sum / values.length, low, high };
}
