/**
 * Files that are always whole: written aside, synced, renamed, the folder synced.
 *
 * @module
 */

import { open, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { DeviceError, errnoOf } from "../base/errors.ts";

/**
 * Where a file is written before it gets its name: beside it, as a rename is atomic within one file
 * system only, and told apart by `id`, so that two writers of one path never meet.
 */
export function asidePath(path: string, id: Uint8Array): string {
  const hex = Array.from(id, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${path}.${hex}.partial`;
}

/** Names what cannot be done, and the step, when the disk fails. */
export async function onDisk<T>(what: string, step: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    // A refused permission names its own flag.
    if ((error as { code?: unknown }).code === undefined) throw error;
    throw new DeviceError(`${what}: ${step} failed`, errnoOf(error));
  }
}

/**
 * Makes a rename durable; where a folder cannot be opened or synced (Windows) there is nothing to
 * do.
 */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r").catch(() => undefined);
  await folder?.sync().catch(() => {});
  await folder?.close();
}

/**
 * Writes a small file; whatever goes wrong, an existing one is left as it was.
 *
 * @throws {DeviceError} when the disk fails.
 */
export async function writeDurably(what: string, path: string, bytes: Uint8Array): Promise<void> {
  const aside = asidePath(path, crypto.getRandomValues(new Uint8Array(4)));
  const file = await onDisk(what, "creating", open(aside, "w"));
  try {
    try {
      await onDisk(what, "writing", writeFile(file, bytes));
      await onDisk(what, "syncing", file.sync());
    } finally {
      await file.close();
    }
    await onDisk(what, "renaming", rename(aside, path));
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}
