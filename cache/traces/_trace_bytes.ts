/**
 * The bytes of a trace: from a file or a stream, decompressed.
 *
 * @module
 */

import { open } from "node:fs/promises";
import { DeviceError, errnoOf, UnsupportedTargetError } from "../../base/errors.ts";
import type { TraceCompression } from "./trace_format.ts";
import { TraceError } from "./trace_error.ts";
import { ZstdFrames } from "./_zstd_frames.ts";

/** Every {@linkcode TraceCompression}. */
export const COMPRESSIONS: readonly TraceCompression[] = ["none", "gzip", "zstd"];

/** Bytes a read: large enough that the call costs less than a hundredth of the parsing. */
const READ_BYTES = 2 ** 18;

/** The compression that a file's name tells. */
export function compressionOf(name: string): TraceCompression {
  return name.endsWith(".gz") ? "gzip" : name.endsWith(".zst") ? "zstd" : "none";
}

/**
 * The bytes of `source` after decompression. Whoever stops early closes the file and cancels the
 * stream.
 */
export async function* traceBytes(
  trace: string,
  source: string | URL | ReadableStream<Uint8Array>,
  compression: TraceCompression,
): AsyncGenerator<Uint8Array> {
  const raw = source instanceof ReadableStream ? source : fileBytes(trace, source);
  if (compression === "none") {
    yield* raw;
    return;
  }
  let failure: unknown;
  const watched = watch(raw, (error) => failure = error);
  try {
    if (compression === "zstd") yield* zstdBytes(trace, watched);
    else yield* ReadableStream.from(watched).pipeThrough(gzipStream());
  } catch (error) {
    // What the file or the stream itself threw is not the decompressor's fault.
    if (failure !== undefined) throw failure;
    if (error instanceof TraceError || error instanceof UnsupportedTargetError) throw error;
    const found = error instanceof Error ? error.message : String(error);
    throw new TraceError(trace, `its ${compression} bytes must be sound: received "${found}"`);
  }
}

type ByteTransform = ReadableWritablePair<Uint8Array, Uint8Array>;

function gzipStream(): ByteTransform {
  return new DecompressionStream("gzip") as ByteTransform;
}

/** Each frame through a decompressor of its own. */
async function* zstdBytes(
  trace: string,
  source: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const pieces = new FramePieces(trace, source);
  // Imported when needed only: not every engine has it.
  const { createZstdDecompress } = await import("node:zlib");
  if (createZstdDecompress === undefined) {
    throw new UnsupportedTargetError("Cannot read zstd: node:zlib has no decompressor for it here");
  }
  const { Duplex } = await import("node:stream");
  try {
    while (await pieces.hasFrame()) {
      const decompressor = Duplex.toWeb(createZstdDecompress()) as ByteTransform;
      yield* ReadableStream.from(pieces.frame()).pipeThrough(decompressor);
    }
  } finally {
    await source.return(undefined);
  }
}

/** Compressed bytes, frame by frame. */
class FramePieces {
  readonly #trace: string;
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #frames = new ZstdFrames();
  /** Bytes that came with the last frame and are not its own. */
  #rest: Uint8Array = new Uint8Array(0);

  constructor(trace: string, source: AsyncIterator<Uint8Array>) {
    this.#trace = trace;
    this.#source = source;
  }

  /** Whether there is another frame. */
  async hasFrame(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#source.next();
      if (done === true) return false;
      this.#rest = value;
    }
    return true;
  }

  /** The bytes of the next frame. */
  async *frame(): AsyncGenerator<Uint8Array> {
    do {
      if (!await this.hasFrame()) {
        throw new TraceError(this.#trace, "its zstd bytes must be whole: received a part");
      }
      const bytes = this.#rest;
      const end = this.#frames.push(bytes, 0);
      if (this.#frames.isBroken) {
        throw new TraceError(this.#trace, "its zstd bytes must be frames: received others");
      }
      this.#rest = bytes.subarray(end);
      yield bytes.subarray(0, end);
    } while (!this.#frames.isWhole);
  }
}

/** Passes bytes on, and notes what the source throws. */
async function* watch(
  source: AsyncIterable<Uint8Array>,
  onError: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    onError(error);
    throw error;
  }
}

async function* fileBytes(trace: string, path: string | URL): AsyncGenerator<Uint8Array> {
  const file = await onDisk(trace, "opening", open(path, "r"));
  try {
    for (;;) {
      const bytes = new Uint8Array(READ_BYTES);
      const { bytesRead } = await onDisk(trace, "reading", file.read(bytes, 0, READ_BYTES, null));
      if (bytesRead === 0) return;
      yield bytes.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** Names the trace and the step when the disk fails. */
async function onDisk<T>(trace: string, step: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    // A refused permission names its own flag.
    if ((error as { code?: unknown }).code === undefined) throw error;
    throw new DeviceError(`Cannot read trace ${trace}: ${step} failed`, errnoOf(error));
  }
}
