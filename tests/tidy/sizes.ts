/**
 * Sizes: lines of 100 columns, files of 500 lines, functions of 70.
 *
 * @module
 */

import { lineOf, type Source } from "./source.ts";

const MAX_COLUMNS = 100;
const MAX_FILE_LINES = 500;
const MAX_FUNCTION_LINES = 70;

/** A function that was longer than the limit, as `path name`; it may shrink, never grow. */
export type Ratchet = Readonly<Record<string, { readonly lines: number; readonly reason: string }>>;

/** A function and its length, from its first line to its closing brace. */
export interface FunctionSize {
  /** Empty for one without a name. */
  readonly name: string;
  /** Line it begins on, from 1. */
  readonly line: number;
  /** Lines it takes. */
  readonly lines: number;
}

/** Lines are no longer than 100 columns, files than 500 lines. */
export function checkLengths(source: Source): string[] {
  const lines = source.text.split("\n");
  const long = lines.flatMap((line, i) =>
    [...line].length > MAX_COLUMNS ? [`${source.path}:${i + 1} is over ${MAX_COLUMNS} columns`] : []
  );
  // The text ends in a line break, which is not one more line.
  const count = lines.at(-1) === "" ? lines.length - 1 : lines.length;
  return count > MAX_FILE_LINES
    ? [...long, `${source.path}:1 has ${count} lines, over ${MAX_FILE_LINES}`]
    : long;
}

/** Functions are no longer than 70 lines, or than their entry in the ratchet. */
export function checkFunctions(source: Source, ratchet: Ratchet): string[] {
  const found = functionsOf(source);
  const tooLong = found.flatMap(({ name, line, lines }) => {
    const limit = ratchet[`${source.path} ${name}`]?.lines ?? MAX_FUNCTION_LINES;
    if (lines <= limit) return [];
    return [
      `${source.path}:${line} function ${name || "(no name)"} has ${lines} lines, over ${limit}`,
    ];
  });
  const stale = Object.keys(ratchet).filter((key) => key.startsWith(`${source.path} `)).filter((
    key,
  ) =>
    !found.some(({ name, lines }) => key === `${source.path} ${name}` && lines > MAX_FUNCTION_LINES)
  ).map((key) => `${source.path}:1 the ratchet's entry is no longer needed: ${key}`);
  return [...tooLong, ...stale];
}

const HEADS: readonly RegExp[] = [
  /\bfunction\s*\*?\s*(?<name>[\w$]*)\s*(?:<[^({]*>)?\s*\(/g,
  // Methods: first on their line, as the formatter leaves them.
  new RegExp(
    [
      /^[ \t]+(?:(?:static|override|async|get|set)\s+|\*\s*)*/,
      /(?<name>[#\w$]+|\[[^\]]+\])\s*(?:<[^({]*>)?\(/,
    ].map((part) => part.source).join(""),
    "gm",
  ),
];
const ARROW = /=>\s*\{/g;
const NOT_METHODS = /^(?:if|for|while|switch|catch|return|super|await|new|function|throw|with)$/;

/** All functions, methods, and arrow functions with a body, nested ones too. */
export function functionsOf({ code }: Source): FunctionSize[] {
  const sizes: FunctionSize[] = [];
  const add = (name: string, start: number, body: number) => {
    const line = lineOf(code, start);
    const end = lineOf(code, closing(code, body));
    sizes.push({ name, line, lines: end - line + 1 });
  };
  for (const head of HEADS) {
    for (const match of code.matchAll(head)) {
      const name = match.groups?.name ?? "";
      if (NOT_METHODS.test(name)) continue;
      const body = bodyAfter(code, closing(code, match.index + match[0].length - 1) + 1);
      if (body >= 0) add(name, match.index + match[0].search(/\S/), body);
    }
  }
  for (const match of code.matchAll(ARROW)) {
    add("", match.index, match.index + match[0].length - 1);
  }
  return sizes;
}

/** Position of the bracket that closes the one at `open`; the end of the code where none does. */
function closing(code: string, open: number): number {
  let depth = 0;
  for (let i = open; i < code.length; i += 1) {
    if ("([{".includes(code[i])) depth += 1;
    else if (")]}".includes(code[i]) && (depth -= 1) === 0) return i;
  }
  return code.length;
}

/**
 * Position of the body's brace behind a parameter list and its return type; -1 for a mere
 * signature.
 */
function bodyAfter(code: string, start: number): number {
  const first = start + code.slice(start).search(/\S/);
  if (code[first] === "{") return first;
  if (code[first] !== ":") return -1;
  for (let i = first + 1; i < code.length; i += 1) {
    if (code[i] === ";") return -1;
    if ("([".includes(code[i])) i = closing(code, i);
    else if (code[i] === "{") {
      // A brace where a type is due is a type; one behind a whole type is the body.
      if (!/(?:[:|&<,]|=>|\b(?:is|extends|readonly))$/.test(code.slice(first, i).trimEnd())) {
        return i;
      }
      i = closing(code, i);
    }
  }
  return -1;
}
