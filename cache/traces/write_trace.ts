/**
 * Writing traces in the format of this library.
 *
 * @module
 */

import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { DeviceError, errnoOf } from "../../base/errors.ts";
import type { Trace } from "./trace.ts";

/** Keys a write: 1 MiB. */
const WRITE_KEYS = 2 ** 18;

/**
 * Writes the keys of a trace to `path`, 4 bytes each, little-endian: aside, synced, then renamed,
 * so that there is the whole file or none. Names that end in .u32 are read back without being told
 * the format; sizes are not kept.
 *
 * @throws {DeviceError} when the disk fails; what was at `path` is still there.
 *
 * @example
 * ```ts
 * import { createZipf, generate, readTrace, writeTrace } from "@rowtier/rowtier/cache";
 *
 * const path = await Deno.makeTempFile({ suffix: ".u32" });
 * const source = createZipf({ keyCount: 1000, exponent: 0.9, seed: 1 });
 * await writeTrace(path, generate(source, 5000, "zipf"));
 * if ((await readTrace(path)).keys.length !== 5000) throw new Error("unreachable");
 * await Deno.remove(path);
 * ```
 */
export async function writeTrace(path: string, trace: Trace): Promise<void> {
  // Beside the target, as a rename is atomic within one file system only; by a name of its own, so
  // that two writers of one path never write into each other.
  const aside = `${path}.${crypto.randomUUID().slice(0, 8)}.partial`;
  try {
    const file = await open(aside, "wx");
    try {
      await writeKeys(file, trace.keys);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(aside, { force: true }).catch(() => {});
    // A refused permission names its own flag.
    if ((error as { code?: unknown }).code === undefined) throw error;
    throw new DeviceError(`Cannot write trace ${path}`, errnoOf(error));
  }
}

async function writeKeys(file: FileHandle, keys: Uint32Array): Promise<void> {
  const bytes = new Uint8Array(4 * Math.min(keys.length, WRITE_KEYS));
  const view = new DataView(bytes.buffer);
  for (let start = 0; start < keys.length; start += WRITE_KEYS) {
    const count = Math.min(WRITE_KEYS, keys.length - start);
    for (let i = 0; i < count; i++) view.setUint32(4 * i, keys[start + i], true);
    // A write may take less than it is given, near a full disk for one.
    for (let done = 0; done < 4 * count;) {
      done += (await file.write(bytes, done, 4 * count - done, null)).bytesWritten;
    }
  }
}

/** Makes the rename durable where a folder can be opened and synced; Windows has no such thing. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r").catch(() => undefined);
  await folder?.sync().catch(() => {});
  await folder?.close();
}
