/**
 * Stand-in for `@std/path` where the JSR registry cannot be reached: the names our tests use, and
 * nothing more.
 *
 * @module
 */

import { join as joinPaths } from "node:path";
import { fileURLToPath } from "node:url";

/** Joins a path, which may be given as a file URL, and further parts. */
export function join(path: string | URL, ...paths: string[]): string {
  return joinPaths(path instanceof URL ? fromFileUrl(path) : path, ...paths);
}

/** The path that a file URL names. */
export function fromFileUrl(url: string | URL): string {
  return fileURLToPath(url);
}
