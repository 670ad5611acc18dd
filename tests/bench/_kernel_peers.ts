/**
 * The peers of the kernels: PyTorch's embedding bags and fbgemm-gpu-cpu's table-batched ones,
 * installed from PyPI into a folder of their own and driven over a pipe.
 *
 * @module
 */

import { fromFileUrl } from "@std/path";

const PACKAGES = ["torch==2.14.1", "numpy", "fbgemm-gpu-cpu==1.9.0"];
const SCRIPT = fromFileUrl(new URL("_kernel_peers.py", import.meta.url));

/** A Python with the peers in it, or null with a line said that tells why there is none. */
export async function findPeers(
  folder: string,
  say: (line: string) => void,
): Promise<string | null> {
  const python = `${folder}/venv/bin/python`;
  if (await succeeds(python, ["-c", "import torch, numpy"])) return python;
  say(`installing ${PACKAGES.join(", ")} into ${folder}/venv: about 5 GB, some minutes`);
  const made = await succeeds("python3", ["-m", "venv", `${folder}/venv`]) &&
    await succeeds(python, ["-m", "pip", "install", "--quiet", ...PACKAGES]);
  if (made) return python;
  say("PyTorch and fbgemm-gpu-cpu cannot be installed (python3 -m venv, pip): not judged");
  return null;
}

async function succeeds(command: string, args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdin: "null" }).output()).success;
  } catch {
    return false;
  }
}

/** One batch shape, timed. */
export interface TimedRequest {
  /** Bags of a call. */
  readonly bags: number;
  /** Rows of a bag. */
  readonly pooling: number;
  /** For how long at least. */
  readonly seconds: number;
}

/** A Python process with one table and one stream of slots. */
export class KernelPeer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #rest = "";

  /**
   * @param tuned Whether to start it as its experts would: freed memory is kept, as an output that
   * is mapped anew for every call costs a page fault each 4 KiB, and libc10.so comes first, as the
   * fbgemm-gpu-cpu 1.9.0 wheel else looks at a copy of cpuinfo that nobody has initialised and
   * runs its portable code, 30 times slower.
   */
  constructor(python: string, tuned: boolean) {
    const site = new Deno.Command(python, {
      args: ["-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"],
    }).outputSync();
    const libraries = `${new TextDecoder().decode(site.stdout).trim()}/torch/lib`;
    const env = tuned
      ? {
        LD_PRELOAD: `${libraries}/libc10.so`,
        MALLOC_MMAP_THRESHOLD_: "1073741824",
        MALLOC_TRIM_THRESHOLD_: "4294967296",
        MALLOC_TOP_PAD_: "67108864",
      }
      : {};
    this.#child = new Deno.Command(python, {
      args: tuned ? [SCRIPT, "--tuned"] : [SCRIPT],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
      env,
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** The versions of the peers that are there, by package. */
  versions(): Promise<Record<string, string>> {
    return this.#ask({ op: "versions" }) as Promise<Record<string, string>>;
  }

  /** Makes the table that repeats the rows of the file; false when no peer reads that format. */
  async table(request: {
    readonly format: string;
    readonly dim: number;
    readonly rows: number;
    readonly rowBytes: number;
    readonly path: string;
    readonly huge: boolean;
  }): Promise<boolean> {
    return (await this.#ask({ op: "table", ...request })).lookup === true;
  }

  /** Takes the stream of int32 slots in the file. */
  async slots(path: string): Promise<void> {
    await this.#ask({ op: "slots", path });
  }

  /** Nanoseconds a row. */
  async timed(request: TimedRequest, from: number): Promise<number> {
    return (await this.#ask({ op: "timed", warm: 3, from, ...request })).nsPerRow as number;
  }

  /** Nanoseconds of a call with next to no work. */
  async overhead(): Promise<number> {
    return (await this.#ask({ op: "overhead" })).ns as number;
  }

  /** The pooled vectors of the stream's first batch. */
  async output(bags: number, pooling: number, path: string): Promise<Float32Array> {
    await this.#ask({ op: "output", bags, pooling, path });
    return new Float32Array((await Deno.readFile(path)).buffer);
  }

  /** Lets go of the table. */
  async drop(): Promise<void> {
    await this.#ask({ op: "drop" });
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
      if (done) throw new Error(`The peers' process ended at ${request.op}`);
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n");
    const answer = JSON.parse(this.#rest.slice(0, end));
    this.#rest = this.#rest.slice(end + 1);
    if (answer.error !== undefined) throw new Error(`Peer, ${request.op}: ${answer.error}`);
    return answer;
  }
}
