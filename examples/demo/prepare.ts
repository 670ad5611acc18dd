/**
 * The demo's folder: the tables and the words, built once, verified at every start.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { f32, q8 } from "@rowtier/rowtier/kernels";
import {
  buildTable,
  openTable,
  type Table,
  TableFileError,
  tableRows,
  verifyTable,
} from "@rowtier/rowtier/pipeline";

/** A word and its vector. */
export interface WordRow {
  readonly word: string;
  readonly row: Float32Array;
}

/** What the folder holds, verified. */
export interface Prepared {
  /** The 8-bit rows: what is served. */
  readonly table: Table;
  /** The fp32 rows, for the check. */
  readonly exact: Table;
  /** Word of each row. */
  readonly words: string[];
}

/** How {@linkcode prepare} builds what is missing. */
export interface PrepareOptions {
  readonly folder: string;
  readonly dim: number;
  /** The rows, in key order; asked for only when the folder has not got them. */
  readonly rows: () => Promise<AsyncIterable<WordRow>>;
  /** Says what is going on, a line at a time. */
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Finds and verifies the tables, or builds them. */
export async function prepare(options: PrepareOptions): Promise<Prepared> {
  const { folder, say } = options;
  await Deno.mkdir(folder, { recursive: true });
  const found = find(folder);
  if (found !== undefined) {
    say(`Tables in ${folder}: every block verified`);
    return found;
  }
  return await build(options);
}

/** The folder's tables when all are there and whole; undefined when one has never been built. */
function find(folder: string): Prepared | undefined {
  try {
    const exact = openTable(`${folder}/f32.rows`);
    const table = openTable(`${folder}/q8.rows`);
    const words = readWords(`${folder}/words.txt`);
    verifyTable(exact);
    verifyTable(table);
    if (words.length !== table.rowCount || exact.rowCount !== table.rowCount) {
      throw new TableFileError(table.path, `${words.length} words do not fit its rows`, 40);
    }
    return { table, exact, words };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || (error as { code?: string }).code === "ENOENT") {
      return undefined;
    }
    if (error instanceof TableFileError) {
      error.message += `; remove ${folder} to build it again`;
    }
    throw error;
  }
}

async function build({ folder, dim, rows, say, signal }: PrepareOptions): Promise<Prepared> {
  const words: string[] = [];
  const source = await rows();
  async function* vectors(): AsyncIterable<Float32Array> {
    for await (const { word, row } of source) {
      words.push(word);
      yield row;
    }
  }
  const exactPath = `${folder}/f32.rows`, path = `${folder}/q8.rows`;
  await buildTable(exactPath, vectors(), { dim, format: f32, signal });
  const exact = openTable(exactPath);
  await buildTable(path, tableRows(exact), { dim, format: q8, signal });
  writeWords(`${folder}/words.txt`, words);
  const table = openTable(path);
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  say(
    `Built ${folder}: ${table.rowCount.toLocaleString("en")} rows of ${dim}, ` +
      `${megabytes(table.fileBytes)} at 8 bits, ${megabytes(exact.fileBytes)} in fp32`,
  );
  return { table, exact, words };
}

/** First line: SHA-256 of the rest. Then a word a line. */
function writeWords(path: string, words: readonly string[]): void {
  const text = words.join("\n");
  Deno.writeTextFileSync(`${path}.partial`, `${sha256(text)}\n${text}`);
  Deno.renameSync(`${path}.partial`, path);
}

function readWords(path: string): string[] {
  const file = Deno.readTextFileSync(path);
  const end = file.indexOf("\n");
  const text = file.slice(end + 1);
  if (file.slice(0, end) !== sha256(text)) {
    throw new TableFileError(path, "the words are damaged, their SHA-256 does not match", 0);
  }
  return text.split("\n");
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
