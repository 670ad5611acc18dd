/**
 * Stand-in for `@std/path` where the JSR registry cannot be reached: the names our tests use, on
 * top of `node:path` and `node:url`, and nothing more.
 *
 * @module
 */

import { basename as nodeBasename, dirname, join as nodeJoin, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export { dirname, relative, resolve };

/** The last part of a path, without `suffix` where it ends so. */
export function basename(path: string | URL, suffix?: string): string {
  return nodeBasename(typeof path === "string" ? path : fileURLToPath(path), suffix);
}

/** Join parts to one normalised path. */
export function join(path: string | URL, ...paths: string[]): string {
  return nodeJoin(typeof path === "string" ? path : fileURLToPath(path), ...paths);
}

/** The path of a file URL. */
export function fromFileUrl(url: string | URL): string {
  return fileURLToPath(url);
}

/** The file URL of an absolute path. */
export function toFileUrl(path: string): URL {
  return pathToFileURL(path);
}
