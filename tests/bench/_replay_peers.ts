/**
 * The peer of the replay: libCacheSim's own loop, installed from PyPI into a folder of its own and
 * driven over a pipe. Its trace is read by its own reader from memory-mapped records.
 *
 * @module
 */

import { fromFileUrl } from "@std/path";

const PACKAGE = "libcachesim==0.3.5";
const SCRIPT = fromFileUrl(new URL("_replay_peers.py", import.meta.url));
/** Pythons that the package has wheels for. */
const PYTHONS = ["python3.11", "python3.12", "python3.13", "python3"];
/** oracleGeneral, little-endian and packed: time u32, key u64, size u32, next request i64. */
const RECORD_BYTES = 24;
/** "Unknown", for the next request; only Belady asks. */
const NO_NEXT = -2n;

/** A Python with the peer in it, or null with a line said that tells why there is none. */
export async function findReplayPeer(
  folder: string,
  say: (line: string) => void,
): Promise<string | null> {
  const venv = `${folder}/replay-venv`;
  const python = `${venv}/bin/python`;
  if (await succeeds(python, ["-c", "import libcachesim"])) return python;
  say(`installing ${PACKAGE} into ${venv}`);
  for (const made of PYTHONS) {
    if (!await succeeds(made, ["-m", "venv", "--clear", venv])) continue;
    if (await succeeds(python, ["-m", "pip", "install", "--quiet", PACKAGE])) return python;
  }
  say(`${PACKAGE} cannot be installed (${PYTHONS.join(", ")}; -m venv, pip): not judged`);
  return null;
}

async function succeeds(command: string, args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdin: "null" }).output()).success;
  } catch {
    return false;
  }
}

/** Writes a trace as libCacheSim reads it fastest. */
export function writeOracleTrace(path: string, keys: Uint32Array): void {
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  const records = new DataView(new ArrayBuffer(RECORD_BYTES * 2 ** 16));
  for (let start = 0; start < keys.length; start += 2 ** 16) {
    const count = Math.min(2 ** 16, keys.length - start);
    for (let i = 0; i < count; i++) {
      const at = RECORD_BYTES * i;
      records.setUint32(at, start + i, true);
      records.setUint32(at + 4, keys[start + i], true);
      records.setUint32(at + 8, 0, true);
      records.setUint32(at + 12, 1, true);
      records.setBigInt64(at + 16, NO_NEXT, true);
    }
    const bytes = new Uint8Array(records.buffer, 0, RECORD_BYTES * count);
    for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
  }
}

/** One replay, or several after each other, of an empty cache each. */
export interface PeerReplay {
  /** Its name in the script. */
  readonly policy: string;
  /** Of the trace. */
  readonly path: string;
  /** Of the trace. */
  readonly requests: number;
  /** Entries of the cache. */
  readonly slots: number;
  /** Logarithm of its hash table's first size. */
  readonly hashpower: number;
  /** How often. */
  readonly repeats: number;
}

/** What a replay took, and missed. */
export interface Replayed {
  /** Nanoseconds a request. */
  readonly ns: number;
  /** Of one replay. */
  readonly misses: number;
}

/** A Python process with the peer in it. */
export class ReplayPeer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #rest = "";

  constructor(python: string) {
    this.#child = new Deno.Command(python, {
      args: [SCRIPT],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Its version, by package. */
  versions(): Promise<Record<string, string>> {
    return this.#ask({ op: "versions" }) as Promise<Record<string, string>>;
  }

  /** Runs. */
  replay(replay: PeerReplay): Promise<Replayed> {
    return this.#ask({ op: "replay", ...replay }) as Promise<unknown> as Promise<Replayed>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#lines.cancel();
    await this.#child.status;
  }

  async #ask(request: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
    await this.#writer.write(new TextEncoder().encode(JSON.stringify(request) + "\n"));
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error(`The peer's process ended at ${request.op}`);
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n");
    const answer = JSON.parse(this.#rest.slice(0, end));
    this.#rest = this.#rest.slice(end + 1);
    if (answer.error !== undefined) throw new Error(`Peer, ${request.op}: ${answer.error}`);
    return answer;
  }
}
