/**
 * The arrows between the rooms: who may import whom, what is private, and what the outside may see.
 *
 * @module
 */

import { dirname, join } from "node:path/posix";
import { lineOf, type Source } from "./source.ts";

/** One import or re-export of a file. */
export interface Import {
  /** As written. */
  readonly specifier: string;
  /** Erased when compiled: `import type`, or `type` before each name. */
  readonly isType: boolean;
  /** Position in the file. */
  readonly at: number;
}

/** Rooms a room may import from, other than itself; types only where marked so. */
const ARROWS: Record<string, readonly string[]> = {
  base: [],
  kernels: ["base"],
  cache: ["base"],
  tiers: ["base"],
  prefetch: ["base", "type cache"],
  pipeline: ["base", "kernels", "cache", "tiers", "prefetch"],
};

const PACKAGE = "@rowtier/rowtier";

const STATEMENT = new RegExp(
  [
    /\b(?:import|export)\b(?<names>[\w\s{},*$]*?)\bfrom\s*["'](?<from>\s*)["']/,
    /\bimport\s*["'](?<bare>\s*)["']/,
    /\bimport\s*\(\s*["'](?<call>\s*)["']/,
  ].map((part) => part.source).join("|"),
  "g",
);

/** Every static import, re-export, and `import("...")` of a file. */
export function importsOf(source: Source): Import[] {
  return [...source.code.matchAll(STATEMENT)].map((match) => {
    const end = match.index + match[0].lastIndexOf(match[0].at(-1) ?? "");
    const { names = "", from, bare, call } = match.groups ?? {};
    const length = (from ?? bare ?? call ?? "").length;
    const specifier = source.text.slice(end - length, end);
    return { specifier, isType: areTypes(names), at: match.index };
  });
}

function areTypes(names: string): boolean {
  if (/^\s*type\b/.test(names)) return true;
  const inBraces = /^\s*\{(.*)\}\s*$/s.exec(names)?.[1];
  const parts = inBraces?.split(",").map((part) => part.trim()).filter((part) => part !== "") ?? [];
  return parts.length > 0 && parts.every((part) => /^type\s/.test(part));
}

function roomOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : "";
}

/** Why `source` may not import this; undefined where it may. */
function objection({ path }: Source, { specifier, isType }: Import): string | undefined {
  const room = roomOf(path);
  if (room === "tests") return undefined;
  const isRelative = specifier.startsWith(".");
  if (room === "examples") {
    const isPublic = specifier === PACKAGE || specifier.startsWith(`${PACKAGE}/`);
    if (isPublic || /^(?:npm:|node:|@std\/)/.test(specifier)) return undefined;
    const stays = isRelative && roomOf(join(dirname(path), specifier)) === "examples";
    return stays ? undefined : "imports other than the public names";
  }
  if (specifier.startsWith("node:")) return undefined;
  if (!isRelative) return "has a runtime dependency";
  const target = join(dirname(path), specifier);
  if (path === "mod.ts") {
    return /^(?:tiers|cache|prefetch|kernels|pipeline)\/mod\.ts$/.test(target)
      ? undefined
      : "re-exports other than the five rooms";
  }
  const to = roomOf(target);
  if (target === "mod.ts") return "imports the root mod.ts";
  if (target === `${room}/mod.ts`) return "imports the mod.ts of its own room";
  const allowed = ARROWS[room] ?? [];
  if (to === room || allowed.includes(to) || (isType && allowed.includes(`type ${to}`))) {
    return undefined;
  }
  return allowed.includes(`type ${to}`) ? "imports more than types" : "breaks an arrow";
}

/**
 * Imports follow the arrows; no room imports the root or its own `mod.ts`; product code has no
 * dependencies.
 */
export function checkArrows(source: Source): string[] {
  return importsOf(source).flatMap((found) => {
    const why = objection(source, found);
    const where = `${source.path}:${lineOf(source.text, found.at)}`;
    return why === undefined ? [] : [`${where} ${why}: ${found.specifier}`];
  });
}

/** `_x.ts` is private to its folder; tests may look inside. */
export function checkPrivate(source: Source): string[] {
  if (source.path.startsWith("tests/")) return [];
  return importsOf(source).flatMap(({ specifier, at }) => {
    const isPrivate = /(?:^|\/)_[^/]*$/.test(specifier);
    if (!isPrivate || dirname(specifier) === ".") return [];
    return [`${source.path}:${lineOf(source.text, at)} imports a private file: ${specifier}`];
  });
}

/** A `mod.ts` holds named re-exports only. */
export function checkNamedExports(source: Source): string[] {
  if (!/(?:^|\/)mod\.ts$/.test(source.path)) return [];
  return [...source.code.matchAll(/\bexport\s*\*/g)].map((match) =>
    `${source.path}:${lineOf(source.text, match.index)} re-exports without names`
  );
}
