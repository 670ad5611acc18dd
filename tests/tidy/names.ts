/**
 * Names and docs: words that say nothing are banned, and every module says what it is for.
 *
 * @module
 */

import { lineOf, type Source } from "./source.ts";

const BANNED = /^(?:manager|handler|helper|util|data|info)s?$/;

/** The words of a name: `readRowData`, `row_data`, and `ROW_DATA` all end in "data". */
export function wordsOf(name: string): string[] {
  return name.replace(/([a-z\d])([A-Z])|([A-Z])(?=[A-Z][a-z])/g, "$1$3 $2").toLowerCase()
    .split(/[^a-z\d]+/).filter((word) => word !== "");
}

const DECLARATION = new RegExp(
  [
    /\bexport\s+(?:(?:default|declare|abstract|async)\s+)*/,
    /(?:function\s*\*?|class|interface|type|const|let|var)\s+([\w$]+)/,
  ].map((part) => part.source).join(""),
  "g",
);
const LIST = /\bexport\s+(?:type\s+)?\{([^}]*)\}/g;

function exportsOf(source: Source): [string, number][] {
  const declared = [...source.code.matchAll(DECLARATION)].map((match): [string, number] => [
    match[1],
    match.index,
  ]);
  const listed = [...source.code.matchAll(LIST)].flatMap((match) =>
    match[1].split(",").map((part): [string, number] => [
      part.trim().split(/\s+/).at(-1) ?? "",
      match.index,
    ])
  );
  return [...declared, ...listed];
}

/** No banned word in a file's name or in what it exports. */
export function checkNames(source: Source): string[] {
  const inPath = wordsOf(source.path).filter((word) => BANNED.test(word)).map((word) =>
    `${source.path}:1 has a banned word in its name: ${word}`
  );
  const inExports = exportsOf(source).filter(([name]) =>
    wordsOf(name).some((word) => BANNED.test(word))
  ).map(([name, at]) => `${source.path}:${lineOf(source.text, at)} exports a banned word: ${name}`);
  return [...inPath, ...inExports];
}

/** Every module but a test begins with a module doc. */
export function checkModuleDoc({ path, text }: Source): string[] {
  if (path.endsWith("_test.ts")) return [];
  const doc = /^(?:#!.*\n)?\s*(\/\*\*[\s\S]*?\*\/)/.exec(text)?.[1] ?? "";
  return /^\s*\*\s*@module\b/m.test(doc) ? [] : [`${path}:1 has no module doc`];
}
