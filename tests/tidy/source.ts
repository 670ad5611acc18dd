/**
 * Source text as the house rules see it: with comments and the inside of strings blanked out, so
 * that a rule about code is not fooled by prose. Not a parser: a lexer of the few things that hide
 * text.
 *
 * @module
 */

/** One file of the tree. */
export interface Source {
  /** From the root of the tree, with forward slashes. */
  readonly path: string;
  /** As it lies on disk. */
  readonly text: string;
  /** `text` of the same length: comments, strings' insides, and regular expressions are spaces. */
  readonly code: string;
}

/** A rule looks at one file and names what is wrong, one sentence each, with `path:line` first. */
export type Rule = (source: Source) => string[];

/** Reads `text` once; files that are not TypeScript keep their text as code. */
export function createSource(path: string, text: string): Source {
  return { path, text, code: path.endsWith(".ts") ? blank(text) : text };
}

/** The number of the line that holds position `at`, from 1. */
export function lineOf(text: string, at: number): number {
  let line = 1;
  for (let i = text.indexOf("\n"); i >= 0 && i < at; i = text.indexOf("\n", i + 1)) line += 1;
  return line;
}

/** One complaint for each match of `pattern` in the code. */
export function complain(source: Source, pattern: RegExp, sentence: string): string[] {
  return [...source.code.matchAll(pattern)].map((match) =>
    `${source.path}:${lineOf(source.text, match.index)} ${sentence}: ${match[0].trim()}`
  );
}

/** Replaces everything but line breaks by spaces: positions and lines stay what they were. */
function spaces(text: string): string {
  return text.replace(/[^\n]/g, " ");
}

/** Past the end of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i += 1) {
    if (text[i] === "\\") i += 1;
    else if (text[i] === text[start] || text[i] === "\n") return i + 1;
  }
  return text.length;
}

/**
 * Past the end of the regular expression that opens at `start`; a slash in a class does not end it.
 */
function endOfRegExp(text: string, start: number): number {
  let inClass = false;
  for (let i = start + 1; i < text.length; i += 1) {
    if (text[i] === "\\") i += 1;
    else if (text[i] === "[") inClass = true;
    else if (text[i] === "]") inClass = false;
    else if ((text[i] === "/" && !inClass) || text[i] === "\n") return i + 1;
  }
  return text.length;
}

/** A slash divides after a value, and opens a regular expression after an operator or keyword. */
function opensRegExp(before: string): boolean {
  const trimmed = before.trimEnd();
  return trimmed === "" || /[(,=:[!&|?{};+\-*%<>~^]$/.test(trimmed) ||
    /\b(?:return|typeof|case|in|of|do|else|void|throw|await|yield)$/.test(trimmed);
}

/** Past the end of the comment, string, or regular expression at `at`; `at` where none opens. */
function endOfHidden(text: string, at: number, before: string): number {
  const two = text.slice(at, at + 2);
  if (two === "//") return (text.indexOf("\n", at) + 1 || text.length + 1) - 1;
  if (two === "/*") return (text.indexOf("*/", at + 2) + 1 || text.length) + 1;
  if (text[at] === '"' || text[at] === "'") return endOfString(text, at);
  if (text[at] === "/" && opensRegExp(before)) return endOfRegExp(text, at);
  return at;
}

/** Past the text part of a template: behind its closing backtick or the next `${`. */
function endOfTemplateText(text: string, start: number): number {
  for (let i = start; i < text.length; i += 1) {
    if (text[i] === "\\") i += 1;
    else if (text[i] === "`") return i + 1;
    else if (text[i] === "$" && text[i + 1] === "{") return i + 2;
  }
  return text.length;
}

function blank(text: string): string {
  let code = "";
  // Depth of braces in each template substitution that is open, innermost last.
  const templates: number[] = [];
  const takeTemplateText = (start: number) => {
    const end = endOfTemplateText(text, start);
    const opens = text.endsWith("${", end) && text[end - 1] === "{";
    if (opens) templates.push(0);
    code += spaces(text.slice(start, end - 1)) + (opens ? "{" : "`");
    return end;
  };
  for (let i = 0; i < text.length;) {
    const end = endOfHidden(text, i, code.slice(-64));
    if (end > i) {
      const isString = text[i] === '"' || text[i] === "'";
      const hidden = spaces(text.slice(i, end));
      code += isString ? text[i] + hidden.slice(2) + text[end - 1] : hidden;
      i = end;
      continue;
    }
    const inTemplate = templates.length - 1;
    code += text[i];
    i += 1;
    if (text[i - 1] === "`") i = takeTemplateText(i);
    else if (inTemplate >= 0 && text[i - 1] === "{") templates[inTemplate] += 1;
    else if (inTemplate >= 0 && text[i - 1] === "}") {
      if (templates[inTemplate] === 0) {
        templates.pop();
        i = takeTemplateText(i);
      } else templates[inTemplate] -= 1;
    }
  }
  return code;
}
