/**
 * Random reads through the public path, device and queue, at a constant depth: the raw speed of the
 * disk that other figures are held against. And the file they read.
 *
 * @module
 */

import { createRandom } from "../../base/random.ts";
import {
  createCompletions,
  createIoQueue,
  createRequests,
  createUringDevice,
  openDevice,
  RealClock,
} from "../../tiers/mod.ts";
import type { Clock, IoCompletions, IoQueue, IoRequests } from "../../tiers/mod.ts";
import { busySeconds } from "./_processor.ts";

const STAMP_BYTES = 512;

/** What one round gave. */
export interface ReadRound {
  /** Reads a second. */
  readonly iops: number;
  /** Processor time of the whole machine, a read, in us. */
  readonly processorUs: number;
  /** The latency, from submission to completion, that 99 in 100 reads do not pass, in us. */
  readonly p99Us: number;
}

/** What {@linkcode measureReads} takes. */
export interface ReadOptions {
  /** The file. */
  readonly path: string;
  /** Bytes of a read. */
  readonly bytes: number;
  /** Reads in flight. */
  readonly depth: number;
  /** Completions that a wait waits for. */
  readonly batch: number;
  /** How long to warm up and check reads; 0 for a file not of {@linkcode provideFile}. */
  readonly warmSeconds: number;
  /** How long to measure. */
  readonly seconds: number;
  /** Of the offsets. */
  readonly seed: number;
  /** How the device waits; "block" when left out. */
  readonly waiting?: "block" | "poll";
}

/** The loop's columns; buffer `i` belongs to tag `i`. */
interface Loop {
  readonly queue: IoQueue;
  /** Where the read of each tag began. */
  readonly offsets: Float64Array;
  readonly memory: Uint32Array;
  readonly requests: IoRequests;
  readonly completions: IoCompletions;
  readonly below: (bound: number) => number;
  readonly clock: Clock;
  readonly bytes: number;
  readonly blocks: number;
  readonly batch: number;
  /** Reads by latency, {@linkcode BUCKET_NS} a bucket; the last one holds all that is beyond. */
  readonly buckets: Uint32Array;
}

/** Half a microsecond is 1 % of what these disks take at their best. */
const BUCKET_NS = 500;

/** Up to 65 ms. */
const BUCKETS = 2 ** 17;

/**
 * Reads at random for `seconds` by io_uring; throws where that is not to be had or an answer is
 * wrong.
 */
export function measureReads(options: ReadOptions): ReadRound {
  const { path, bytes, depth, waiting = "block" } = options;
  const device = createUringDevice({ files: [path], depth, waiting });
  const clock = new RealClock();
  using queue = createIoQueue({ devices: [device], depth, clock });
  const pages = Math.ceil(depth * bytes / 65536);
  const arena = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  queue.attach(new Uint8Array(arena.buffer));
  const requests = createRequests(depth);
  requests.bytes.fill(bytes);
  const loop: Loop = {
    queue,
    offsets: new Float64Array(depth),
    memory: new Uint32Array(arena.buffer),
    requests,
    completions: createCompletions(depth),
    below: createRandom(options.seed).below,
    clock,
    bytes,
    blocks: Math.floor(Deno.statSync(path).size / bytes),
    batch: options.batch,
    buckets: new Uint32Array(BUCKETS),
  };
  for (let tag = 0; tag < depth; tag++) nextRead(loop, tag, tag);
  requests.count = depth;
  queue.enqueue(requests, 0);
  if (options.warmSeconds > 0) readFor(loop, options.warmSeconds, true);
  loop.buckets.fill(0);
  const before = busySeconds();
  const startNs = clock.now();
  const reads = readFor(loop, options.seconds, false);
  const seconds = (clock.now() - startNs) / 1e9;
  const busy = busySeconds() - before;
  const p99Us = percentileNs(loop.buckets, 0.99) / 1000;
  return { iops: reads / seconds, processorUs: busy / reads * 1e6, p99Us };
}

/** The upper end of the first bucket that has `share` of all reads in it or below. */
function percentileNs(buckets: Uint32Array, share: number): number {
  const wanted = share * buckets.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  let bucket = 0;
  while (bucket < BUCKETS - 1 && (seen += buckets[bucket]) < wanted) bucket++;
  return (bucket + 1) * BUCKET_NS;
}

/** Fills request `i` with the next random read of tag `tag`. */
function nextRead(loop: Loop, i: number, tag: number): void {
  const { requests, offsets, bytes } = loop;
  const offset = loop.below(loop.blocks) * bytes;
  offsets[tag] = offset;
  requests.user[i] = tag;
  requests.buffer[i] = tag * bytes;
  requests.offsetBytes[i] = offset;
}

/** Keeps the depth for `seconds`; returns how many reads completed. */
function readFor(loop: Loop, seconds: number, checked: boolean): number {
  const { queue, requests, completions, clock, bytes, batch, buckets } = loop;
  const endNs = clock.now() + seconds * 1e9;
  let reads = 0;
  do {
    queue.submit();
    queue.wait(batch);
    completions.count = 0;
    const count = queue.reap(completions);
    for (let i = 0; i < count; i++) {
      const tag = completions.user[i];
      if (completions.result[i] !== bytes) {
        throw new Error(`a read of ${bytes} bytes gave ${completions.result[i]}`);
      }
      if (checked) checkStamps(loop, tag);
      const bucket = completions.latencyNs[i] / BUCKET_NS;
      buckets[bucket < BUCKETS ? bucket >>> 0 : BUCKETS - 1]++;
      nextRead(loop, i, tag);
    }
    requests.count = count;
    queue.enqueue(requests, 0);
    reads += count;
  } while (clock.now() < endNs);
  return reads;
}

function checkStamps(loop: Loop, tag: number): void {
  for (let at = 0; at < loop.bytes; at += STAMP_BYTES) {
    const wanted = (loop.offsets[tag] + at) / STAMP_BYTES;
    const found = loop.memory[(tag * loop.bytes + at) / 4];
    if (found !== wanted) throw new Error(`block ${wanted} held the content of block ${found}`);
  }
}

/**
 * A file of `bytes` at `path`: random content, so that nothing below can compress it, and in the
 * first word of each 512 bytes their number, so that a read can be checked. Written once, and kept.
 * Holes would be read without the disk.
 */
export function provideFile(path: string, bytes: number): void {
  if (sizeOf(path) === bytes) return;
  const partial = `${path}.part`;
  const piece = new Uint8Array(2 ** 20);
  const words = new Uint32Array(piece.buffer);
  {
    using file = Deno.openSync(partial, { write: true, create: true, truncate: true });
    for (let start = 0; start < bytes; start += piece.length) {
      for (let at = 0; at < piece.length; at += 65536) {
        crypto.getRandomValues(piece.subarray(at, at + 65536));
      }
      for (let at = 0; at < piece.length; at += STAMP_BYTES) {
        words[at / 4] = (start + at) / STAMP_BYTES;
      }
      for (let done = 0; done < piece.length;) done += file.writeSync(piece.subarray(done));
    }
    file.syncSync();
  }
  Deno.renameSync(partial, path);
}

function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return -1;
  }
}

/**
 * Reads all of the file twice in sequence by direct reads. Virtual disks have two speeds: blocks
 * that the host has not read lately come at a fraction of the rate of others.
 */
export function warmFile(path: string): void {
  const bytes = 2 ** 20;
  const depth = 8;
  const { device } = openDevice({ files: [path], mode: "io_uring", depth });
  using queue = createIoQueue({ devices: [device], depth, clock: new RealClock() });
  queue.attach(
    new Uint8Array(new WebAssembly.Memory({ initial: depth * 16, maximum: depth * 16 }).buffer),
  );
  const size = Deno.statSync(path).size;
  const columns = { requests: createRequests(depth), completions: createCompletions(depth) };
  for (let pass = 0; pass < 2; pass++) {
    for (let start = 0; start < size; start += depth * bytes) {
      readRun(queue, columns, start, Math.min(size - start, depth * bytes), device.blockBytes);
    }
  }
}

/** Reads the `length` bytes from `start` on, 1 MiB a request, and waits for all of them. */
function readRun(
  queue: IoQueue,
  { requests, completions }: { requests: IoRequests; completions: IoCompletions },
  start: number,
  length: number,
  blockBytes: number,
): void {
  const most = 2 ** 20;
  requests.count = Math.ceil(length / most);
  for (let i = 0; i < requests.count; i++) {
    const left = Math.min(most, length - i * most);
    requests.offsetBytes[i] = start + i * most;
    requests.bytes[i] = Math.ceil(left / blockBytes) * blockBytes;
    requests.buffer[i] = i * most;
    requests.user[i] = i;
  }
  queue.enqueue(requests, 0);
  queue.submit();
  queue.wait(requests.count);
  completions.count = 0;
  queue.reap(completions);
  for (let i = 0; i < completions.count; i++) {
    const wanted = Math.min(most, length - completions.user[i] * most);
    if (completions.result[i] !== wanted) {
      throw new Error(`a read of ${wanted} bytes gave ${completions.result[i]}`);
    }
  }
}
