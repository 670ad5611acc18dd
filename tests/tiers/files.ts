/**
 * What tests of devices over real files share: files with known content, aligned memory, one read.
 *
 * @module
 */

import { UnsupportedTargetError } from "../../base/errors.ts";
import { createRandom } from "../../base/random.ts";
import type { BlockDevice } from "../../tiers/device.ts";
import type { FilesDevice } from "../../tiers/file_device.ts";
import { createCompletions, createRequests } from "../../tiers/io.ts";
import { procLines } from "../base/proc.ts";

/** A temporary file and what is in it; disposing removes it. */
export interface KnownFile extends Disposable {
  readonly path: string;
  readonly content: Uint8Array<ArrayBuffer>;
}

/** A file of `bytes` pseudo-random bytes. */
export function knownFile(bytes: number, seed: number): KnownFile {
  const content = new Uint8Array(bytes);
  const random = createRandom(seed);
  for (let i = 0; i < bytes; i++) content[i] = random.u32();
  const path = Deno.makeTempFileSync({ prefix: "rowtier_" });
  Deno.writeFileSync(path, content);
  return { path, content, [Symbol.dispose]: () => Deno.removeSync(path) };
}

/** Memory that starts on a page. */
export function pages(count: number): Uint8Array {
  return new Uint8Array(new WebAssembly.Memory({ initial: count, maximum: count }).buffer);
}

/** Why `open` is not to be had on this machine; "" when it is. Other errors are thrown. */
export function refusalOf(open: (path: string) => FilesDevice): string {
  using file = knownFile(4096, 1);
  try {
    open(file.path)[Symbol.dispose]();
    return "";
  } catch (error) {
    if (!(error instanceof UnsupportedTargetError)) throw error;
    return error.message;
  }
}

/** What a test that needs more than this machine has says; returns whether to skip. */
export function skips(what: string, refusal: string): boolean {
  if (refusal !== "") console.log(`tests of ${what} are skipped: ${refusal}`);
  return refusal !== "";
}

/** One request, submitted, waited for and polled: its result. */
export function complete(
  device: BlockDevice,
  request: { op?: number; offsetBytes: number; bytes: number; buffer?: number },
): number {
  const requests = createRequests(1);
  requests.op[0] = request.op ?? 0;
  requests.offsetBytes[0] = request.offsetBytes;
  requests.bytes[0] = request.bytes;
  requests.buffer[0] = request.buffer ?? 0;
  requests.user[0] = 77;
  requests.count = 1;
  if (device.submit(requests, 0) !== 1) throw new Error("the device took no request");
  device.wait(1);
  const completions = createCompletions(4);
  const count = device.poll(completions);
  if (count !== 1 || completions.user[0] !== 77) throw new Error(`${count} completions`);
  return completions.result[0];
}

/** Descriptors that this process has open. */
export function openDescriptors(): number {
  return procLines("ls", "fd").length;
}
