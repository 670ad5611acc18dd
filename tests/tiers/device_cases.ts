/**
 * What every block device does, simulated or real: one set of cases that each device's test runs.
 *
 * @module
 */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ERRNO } from "../../base/errors.ts";
import { createRandom } from "../../base/random.ts";
import type { BlockDevice } from "../../tiers/device.ts";
import { createCompletions, createRequests, IO_OP } from "../../tiers/io.ts";
import type { IoRequests } from "../../tiers/io.ts";

/** A fresh device, what is on it, and how to let it get on. */
export interface CaseWorld {
  /** The device, without memory so far; of a depth of at least 4. */
  readonly device: BlockDevice;
  /** What it holds from offset 0 on: at least 32 of its blocks. */
  readonly content: Uint8Array;
  /** Lets time pass until something can have completed: moves the clock and steps, or waits. */
  advance(): void;
}

/** One property of every device. */
export interface DeviceCase {
  /** A sentence for the test's name. */
  readonly name: string;
  /** Throws when a device that `make` gives lacks the property. */
  run(make: () => CaseWorld): void;
}

/** A world in use: with memory, and a count of what has completed by tag. */
interface Bench extends CaseWorld, Disposable {
  readonly memory: Uint8Array;
  /** Result by tag; a tag that completes twice fails the case. */
  readonly results: Map<number, number>;
}

/** The first bytes of memory that no case reads to: a guard page at either end. */
const GUARD_BYTES = 65_536;

function start(make: () => CaseWorld): Bench {
  const world = make();
  // Page-aligned, as direct reads need it.
  const memory = new Uint8Array(new WebAssembly.Memory({ initial: 18, maximum: 18 }).buffer);
  memory.fill(0xa5);
  world.device.attach(memory);
  return {
    ...world,
    memory,
    results: new Map(),
    [Symbol.dispose]: () => world.device[Symbol.dispose](),
  };
}

/**
 * Columns with one read for each of `blocks`: read `i` is tagged 1000 + i and goes to a place of
 * its own.
 */
function readsOf(bench: Bench, blocks: readonly number[]): IoRequests {
  const { blockBytes } = bench.device;
  const requests = createRequests(Math.max(1, blocks.length));
  blocks.forEach((block, i) => {
    requests.offsetBytes[i] = block * blockBytes;
    requests.bytes[i] = blockBytes;
    requests.buffer[i] = placeOf(bench, i);
    requests.user[i] = 1000 + i;
  });
  requests.count = blocks.length;
  return requests;
}

function placeOf({ device, memory }: Bench, i: number): number {
  const places = Math.floor((memory.length - 2 * GUARD_BYTES) / device.blockBytes);
  return GUARD_BYTES + (i % places) * device.blockBytes;
}

function poll(bench: Bench, room = 64): number {
  const completions = createCompletions(room);
  const count = bench.device.poll(completions);
  assertStrictEquals(completions.count, count);
  for (let i = 0; i < count; i++) {
    const tag = completions.user[i];
    assert(!bench.results.has(tag), `tag ${tag} completed twice`);
    assert(completions.latencyNs[i] >= 0, `latency ${completions.latencyNs[i]}`);
    bench.results.set(tag, completions.result[i]);
  }
  return count;
}

/** Waits for `count` completions, then sees that no more come. */
function drain(bench: Bench, count: number): void {
  const wanted = bench.results.size + count;
  for (let turns = 0; bench.results.size < wanted; turns++) {
    assert(turns < 10_000, `${bench.results.size} of ${wanted} completed`);
    bench.advance();
    poll(bench);
  }
  assertStrictEquals(poll(bench), 0, "more completed than was submitted");
}

/** Submits all of `requests`, as the device takes them, and drains it. */
function runAll(bench: Bench, requests: IoRequests): void {
  for (let from = 0; from < requests.count;) {
    const taken = bench.device.submit(requests, from);
    assert(taken > 0, "an idle device took nothing");
    from += taken;
    drain(bench, taken);
  }
}

/** Runs one request that is a good read but for `change`; its result. */
function resultOf(bench: Bench, change: (requests: IoRequests) => void): number {
  const requests = readsOf(bench, [1]);
  change(requests);
  bench.results.clear();
  runAll(bench, requests);
  return bench.results.get(1000)!;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

function readsRandomBlocks(bench: Bench): void {
  const { device, content, memory } = bench;
  const { blockBytes } = device;
  const random = createRandom(11);
  const blockCount = Math.floor(content.length / blockBytes);
  for (let turn = 0; turn < 20; turn++) {
    const blocks = range(1 + random.below(device.depth)).map(() => random.below(blockCount - 2));
    const requests = readsOf(bench, blocks);
    // Of one to three blocks each; what lies between two places stays as it was.
    blocks.forEach((_, i) => {
      requests.buffer[i] = GUARD_BYTES + i * 4 * blockBytes;
      requests.bytes[i] = (1 + random.below(3)) * blockBytes;
    });
    if (GUARD_BYTES + blocks.length * 4 * blockBytes > memory.length) continue;
    memory.fill(0xa5);
    bench.results.clear();
    runAll(bench, requests);
    const expected = new Uint8Array(memory.length).fill(0xa5);
    blocks.forEach((block, i) => {
      const bytes = requests.bytes[i], offset = block * blockBytes;
      assertStrictEquals(bench.results.get(1000 + i), bytes);
      expected.set(content.subarray(offset, offset + bytes), requests.buffer[i]);
    });
    assert(memory.every((byte, at) => byte === expected[at]), `wrong bytes in turn ${turn}`);
  }
}

function completesOnce(bench: Bench): void {
  const { device } = bench;
  const requests = readsOf(bench, range(4 * device.depth).map((i) => i % 32));
  let from = 0;
  while (from < requests.count) {
    from += device.submit(requests, from);
    bench.advance();
    poll(bench, 3);
  }
  drain(bench, requests.count - bench.results.size);
  assertEquals([...bench.results.keys()].sort((a, b) => a - b), range(from).map((i) => 1000 + i));
  assert([...bench.results.values()].every((result) => result === device.blockBytes));
}

function refusesMalformed(bench: Bench): void {
  const { device, memory } = bench;
  const { blockBytes, blockCount } = device;
  const bad: Record<string, (requests: IoRequests) => void> = {
    "a misaligned offset": ({ offsetBytes }) => offsetBytes[0] += 1,
    "an offset with a fraction": ({ offsetBytes }) => offsetBytes[0] += 0.5,
    "a negative offset": ({ offsetBytes }) => offsetBytes[0] = -blockBytes,
    "an offset that is no number": ({ offsetBytes }) => offsetBytes[0] = NaN,
    "a misaligned size": ({ bytes }) => bytes[0] += 1,
    "no bytes": ({ bytes }) => bytes[0] = 0,
    "the block past the end": ({ offsetBytes }) => offsetBytes[0] = blockCount * blockBytes,
    "far past the end": ({ offsetBytes }) => offsetBytes[0] = 2 ** 52,
    "memory past its end": ({ buffer }) => buffer[0] = memory.length - blockBytes / 2,
    "memory far past its end": ({ buffer }) => buffer[0] = 2 ** 32 - blockBytes,
    "an unknown operation": ({ op }) => op[0] = 77,
  };
  for (const [what, change] of Object.entries(bad)) {
    assertStrictEquals(resultOf(bench, change), -ERRNO.EINVAL, what);
  }
  assert(memory.every((byte) => byte === 0xa5), "a refused read wrote to memory");
  assertStrictEquals(resultOf(bench, () => {}), blockBytes);
}

function holdsItsDepth(bench: Bench): void {
  const { device } = bench;
  const requests = readsOf(bench, range(device.depth + 3).map((i) => i % 32));
  assertStrictEquals(device.submit(requests, 0), device.depth);
  assertStrictEquals(device.submit(requests, device.depth), 0, "took more than its depth");
  drain(bench, device.depth);
  assertStrictEquals(device.submit(requests, device.depth), 3);
  drain(bench, 3);
}

function honoursColumns(bench: Bench): void {
  const { device } = bench;
  const requests = readsOf(bench, [0, 1, 2, 3]);
  assertStrictEquals(device.submit(requests, 2), 2, "the first two are not for it");
  drain(bench, 2);
  assertEquals([...bench.results.keys()].sort(), [1002, 1003]);
  bench.results.clear();
  device.submit(requests, 0);
  const completions = createCompletions(3);
  completions.user[0] = 7;
  completions.count = 1; // pollers append
  const seen = new Set<number>();
  for (let turns = 0; seen.size < 4; turns++) {
    assert(turns < 10_000, "reads were lost");
    bench.advance();
    const count = device.poll(completions);
    assert(completions.count <= 3 && completions.count === 1 + count);
    assertStrictEquals(completions.user[0], 7);
    for (let i = 1; i < completions.count; i++) seen.add(completions.user[i]);
    completions.count = 3; // no room: nothing may be handed out, or be lost
    assertStrictEquals(device.poll(completions), 0);
    completions.count = 1;
  }
}

function cancels(bench: Bench): void {
  const { device } = bench;
  device.cancel(12_345);
  const requests = readsOf(bench, [0, 1, 2, 3]);
  device.submit(requests, 0);
  device.cancel(999);
  device.cancel(1001);
  device.cancel(1001);
  drain(bench, 4);
  for (const [tag, result] of bench.results) {
    const ended = result === device.blockBytes || (tag === 1001 && result === -ERRNO.ECANCELED);
    assert(ended, `tag ${tag} completed with ${result}`);
  }
  device.cancel(1001);
  assertStrictEquals(poll(bench), 0, "a tag that has completed was cancelled");
}

function wakes(bench: Bench): void {
  const { device } = bench;
  assertStrictEquals(device.wakeNs, Infinity);
  device.submit(readsOf(bench, [5]), 0);
  assert(device.wakeNs < Infinity);
  drain(bench, 1);
  assertStrictEquals(device.wakeNs, Infinity);
}

function flushes(bench: Bench): void {
  const requests = readsOf(bench, [0]);
  requests.op[0] = IO_OP.FLUSH;
  requests.bytes[0] = 1; // ignored, as the buffer is
  runAll(bench, requests);
  assertStrictEquals(bench.results.get(1000), 0);
}

function ends(bench: Bench): void {
  const { device } = bench;
  device.submit(readsOf(bench, [0, 1]), 0); // in flight when it ends
  device[Symbol.dispose]();
  device[Symbol.dispose]();
  assertThrows(() => device.submit(readsOf(bench, [0]), 0), TypeError, "disposed");
  assertThrows(() => device.poll(createCompletions(1)), TypeError, "disposed");
}

function takesMemoryOnce(bench: Bench): void {
  assertThrows(() => bench.device.attach(bench.memory), TypeError, "Cannot attach memory");
}

const CASES: Record<string, (bench: Bench) => void> = {
  "reads the right bytes and touches no others": readsRandomBlocks,
  "completes each request exactly once": completesOnce,
  "answers a malformed request with -EINVAL": refusesMalformed,
  "holds as many requests as its depth": holdsItsDepth,
  "appends to the columns and never passes their end": honoursColumns,
  "cancels what is in flight and ignores unknown tags": cancels,
  "says when it wakes": wakes,
  "answers a flush": flushes,
  "can be disposed twice, and used no more": ends,
  "takes memory once": takesMemoryOnce,
};

/** The cases. */
export const deviceCases: readonly DeviceCase[] = Object.entries(CASES).map(([name, body]) => ({
  name,
  run(make) {
    using bench = start(make);
    body(bench);
  },
}));

/** Registers all cases as tests of the device called `title`. */
export function testDevice(title: string, make: () => CaseWorld): void {
  for (const { name, run } of deviceCases) Deno.test(`${title} ${name}`, () => run(make));
}
