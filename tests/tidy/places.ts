/**
 * What may stand only in its place: foreign functions, clocks, timers, randomness; and what may
 * stand nowhere: notes to self and addresses of one machine.
 *
 * @module
 */

import { complain, lineOf, type Source } from "./source.ts";

const FOREIGN = /\b(?:dlopen|UnsafePointer|UnsafePointerView|UnsafeFnPointer|UnsafeCallback)\b/g;

const TIME_AND_CHANCE = anyOf([
  /\bDate\s*\.\s*now\b/,
  /\bnew\s+Date\b/,
  /\bperformance\s*\.\s*now\b/,
  /\bMath\s*\.\s*random\b/,
  /\bset(?:Timeout|Interval|Immediate)\b/,
]);

/** One pattern out of several, for all matches. */
function anyOf(patterns: readonly RegExp[]): RegExp {
  return new RegExp(patterns.map(({ source }) => source).join("|"), "g");
}

/** Only `*_ffi.ts` files name the foreign function interface. */
export function checkForeign(source: Source): string[] {
  if (source.path.endsWith("_ffi.ts")) return [];
  return complain(source, FOREIGN, "names the FFI outside a *_ffi.ts file");
}

/**
 * Clocks and random numbers are injected: they are read in one file and in the outermost drivers.
 */
export function checkTime(source: Source): string[] {
  const { path } = source;
  if (path === "tiers/clock.ts" || path === "examples/demo.ts" || path.startsWith("tests/")) {
    return [];
  }
  return complain(source, TIME_AND_CHANCE, "reads a clock, a timer, or randomness");
}

// Put together from parts, so that this file does not break its own rule.
const NOTES = new RegExp(`\\b(?:${["TO" + "DO", "FIX" + "ME", "XX" + "X"].join("|")})\\b`, "g");
const MACHINE = new RegExp(
  `(?<![\\w.])/(?:${["wo" + "rk", "ro" + "ot", "tm" + "p"].join("|")})/`,
  "g",
);
// A host that only one network knows: an IPv4 address, a port, a name without a dot, or a local
// domain.
const MIRROR = anyOf([
  /https?:\/\/\d+\.\d+\.\d+\.\d+/,
  /https?:\/\/[\w.-]+:\d+/,
  /https?:\/\/[\w-]+(?![\w.-])/,
  /https?:\/\/[\w.-]+\.(?:internal|local|lan)\b/,
]);

function findAll(source: Source, pattern: RegExp, sentence: string): string[] {
  return [...source.text.matchAll(pattern)].map((match) =>
    `${source.path}:${lineOf(source.text, match.index)} ${sentence}: ${match[0]}`
  );
}

/** No note to self, no path or mirror of one machine, in any text of the tree. */
export function checkText(source: Source): string[] {
  const found = [
    ...findAll(source, NOTES, "leaves a note to self"),
    ...findAll(source, MACHINE, "names a path of one machine"),
    ...findAll(source, MIRROR, "names an address of one network"),
  ];
  const shared = source.path.startsWith("tests/") ? null : /\.\.\/shared\b/g;
  return shared === null ? found : [...found, ...findAll(source, shared, "reads outside the tree")];
}
