/**
 * Cases of devices over real files that write, or take reads of any offset and length.
 *
 * @module
 */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { createRandom } from "../../base/random.ts";
import type { BlockDevice } from "../../tiers/device.ts";
import type { FilesDevice } from "../../tiers/file_device.ts";
import { createCompletions, createRequests, IO_OP } from "../../tiers/io.ts";
import { complete, knownFile, pages } from "./files.ts";

/** Opens the device under test. */
export type OpenAccess = (
  options: { files: string[]; depth?: number; writable?: boolean; widen?: boolean },
) => FilesDevice;

/** A case of {@linkcode writeCases} or {@linkcode widenCases}. */
export interface AccessCase {
  readonly name: string;
  readonly run: (open: OpenAccess) => void;
}

/** What a writable device does; `discards` says whether it can. */
export function writeCases(discards: boolean): AccessCase[] {
  return [
    { name: "holds what was written, against a slow twin", run: (open) => twin(open, discards) },
    { name: "writes and flushes several files", run: writesFiles },
    { name: "lengthens a file by a write to its last block", run: lengthens },
    { name: "refuses a write off its blocks", run: refusesOffBlocks },
  ];
}

/** What a device that widens reads does. */
export const widenCases: readonly AccessCase[] = [
  { name: "reads any range into any place and touches nothing else", run: readsAnything },
  { name: "widens reads longer than its own memory piece by piece", run: readsLong },
  { name: "still refuses what is no range", run: refusesNoRange },
];

/** Waits for all of `count` requests; results by tag. */
function runAll(device: BlockDevice, count: number): Map<number, number> {
  const results = new Map<number, number>();
  const completions = createCompletions(count);
  while (results.size < count) {
    device.wait(count - results.size);
    completions.count = 0;
    device.poll(completions);
    for (let i = 0; i < completions.count; i++) {
      assert(!results.has(completions.user[i]), "completed twice");
      results.set(completions.user[i], completions.result[i]);
    }
  }
  return results;
}

/** One operation after the other on disjoint blocks of a batch, against an array. */
function twin(open: OpenAccess, discards: boolean): void {
  const blocks = 64;
  const ops: number[] = [IO_OP.READ, IO_OP.WRITE, IO_OP.FLUSH];
  if (discards) ops.push(IO_OP.DISCARD);
  const step = fc.record({
    op: fc.constantFrom(...ops),
    block: fc.nat(blocks - 1),
    fill: fc.nat(255),
  });
  fc.assert(
    fc.property(fc.array(fc.array(step, { minLength: 1, maxLength: 12 }), { maxLength: 8 }), (
      batches,
    ) => {
      using file = knownFile(blocks * 4096, 80);
      using device = open({ files: [file.path], depth: 16, writable: true });
      const memory = pages(1);
      device.attach(memory);
      const twinBytes = file.content.slice();
      for (const batch of batches) {
        const requests = createRequests(16);
        const seen = new Set<number>();
        const checks: (() => void)[] = [];
        for (const { op, block, fill } of batch) {
          if (seen.has(block)) continue; // the order within a batch is nobody's promise
          seen.add(block);
          const i = requests.count++;
          requests.op[i] = op;
          requests.offsetBytes[i] = block * 4096;
          requests.bytes[i] = op === IO_OP.FLUSH ? 0 : 4096;
          requests.buffer[i] = i * 4096;
          requests.user[i] = i;
          const place = memory.subarray(i * 4096, (i + 1) * 4096).fill(fill);
          const range = twinBytes.subarray(block * 4096, (block + 1) * 4096);
          if (op === IO_OP.WRITE) range.fill(fill);
          if (op === IO_OP.DISCARD) range.fill(0);
          if (op === IO_OP.READ) checks.push(() => assertEquals(place, range));
        }
        assertStrictEquals(device.submit(requests, 0), requests.count);
        const results = runAll(device, requests.count);
        for (let i = 0; i < requests.count; i++) {
          assertStrictEquals(results.get(i), requests.bytes[i], `operation ${requests.op[i]}`);
        }
        for (const check of checks) check();
      }
      assertEquals(Deno.readFileSync(file.path), twinBytes);
    }),
    { numRuns: 8 },
  );
}

function writesFiles(open: OpenAccess): void {
  const files = [0, 1, 2, 3].map((i) => knownFile(8192, 81 + i));
  {
    using device = open({ files: files.map(({ path }) => path), depth: 4, writable: true });
    const memory = pages(1).fill(0x11);
    device.attach(memory);
    assertStrictEquals(complete(device, { op: IO_OP.FLUSH, offsetBytes: 0, bytes: 0 }), 0);
    for (const at of [1, 3]) {
      const offsetBytes = device.fileOffsets[at] + 4096;
      assertStrictEquals(complete(device, { op: IO_OP.WRITE, offsetBytes, bytes: 4096 }), 4096);
    }
    assertStrictEquals(complete(device, { op: IO_OP.FLUSH, offsetBytes: 0, bytes: 0 }), 0);
    // Flushes beside other requests, and more than one at a time.
    const requests = createRequests(4);
    requests.op.set([IO_OP.FLUSH, IO_OP.READ, IO_OP.FLUSH, IO_OP.READ]);
    requests.bytes.fill(4096);
    requests.buffer.set([0, 4096, 0, 8192]);
    requests.user.set([0, 1, 2, 3]);
    requests.count = 4;
    assertStrictEquals(device.submit(requests, 0), 4);
    assertEquals([...runAll(device, 4)].sort(), [[0, 0], [1, 4096], [2, 0], [3, 4096]]);
    device.submit(requests, 0);
    device.cancel(0);
    device.cancel(2); // they end early or not, but end
    const ended = runAll(device, 4);
    assert([0, 2].every((tag) => ended.get(tag) === 0 || ended.get(tag) === -125));
  }
  for (const [i, { path, content }] of files.entries()) {
    if (i % 2 === 1) content.fill(0x11, 4096);
    assertEquals(Deno.readFileSync(path), content);
  }
  for (const file of files) file[Symbol.dispose]();
}

function lengthens(open: OpenAccess): void {
  using file = knownFile(4096 + 100, 86);
  {
    using device = open({ files: [file.path], writable: true });
    const unit = device.blockBytes;
    device.attach(pages(1).fill(0x22));
    const request = { op: IO_OP.WRITE, offsetBytes: 4096, bytes: unit };
    assertStrictEquals(complete(device, request), unit);
    assertStrictEquals(Deno.statSync(file.path).size, 4096 + unit);
    assertStrictEquals(complete(device, { ...request, bytes: 2 * unit }), -22);
  }
}

function refusesOffBlocks(open: OpenAccess): void {
  using file = knownFile(8192, 87);
  {
    using device = open({ files: [file.path], writable: true, widen: true });
    device.attach(pages(1));
    for (const op of [IO_OP.WRITE, IO_OP.DISCARD]) {
      for (const [offsetBytes, bytes] of [[1, 4096], [0, 4095], [0, 0], [8192, 4096], [-4096, 1]]) {
        assertStrictEquals(complete(device, { op, offsetBytes, bytes }), -22);
      }
    }
    const past = { op: IO_OP.WRITE, offsetBytes: 0, bytes: 4096, buffer: 65_536 - 512 };
    assertStrictEquals(complete(device, past), -22, "memory past its end");
  }
  assertEquals(Deno.readFileSync(file.path), file.content);
}

function readsAnything(open: OpenAccess): void {
  const size = 40_000;
  using file = knownFile(size, 90);
  const read = fc.record({
    offset: fc.nat(size - 1),
    bytes: fc.integer({ min: 1, max: 3000 }),
    gap: fc.nat(9),
  });
  fc.assert(
    fc.property(fc.array(read, { minLength: 1, maxLength: 16 }), (reads) => {
      using device = open({ files: [file.path], depth: 16, widen: true });
      const memory = pages(1).fill(0xa5);
      device.attach(memory);
      const expected = memory.slice();
      const requests = createRequests(16);
      const wanted: number[] = [];
      let to = 0;
      for (const { offset, bytes, gap } of reads) {
        const i = requests.count++;
        requests.offsetBytes[i] = offset;
        requests.bytes[i] = bytes;
        requests.buffer[i] = to += gap;
        requests.user[i] = i;
        const last = Math.ceil(size / device.blockBytes) * device.blockBytes;
        const got = file.content.subarray(offset, offset + bytes);
        wanted.push(offset + bytes > last ? -22 : got.length);
        if (offset + bytes <= last) expected.set(got, to);
        to += bytes;
      }
      assertStrictEquals(device.submit(requests, 0), reads.length);
      const results = runAll(device, reads.length);
      assertEquals(wanted, wanted.map((_, i) => results.get(i)!));
      assertEquals(memory, expected);
    }),
    { numRuns: 40 },
  );
}

function readsLong(open: OpenAccess): void {
  using file = knownFile(2_500_000, 91);
  using device = open({ files: [file.path], depth: 4, widen: true });
  const memory = pages(40);
  device.attach(memory);
  const random = createRandom(92);
  for (let turn = 0; turn < 12; turn++) {
    const offsetBytes = random.below(100_000);
    // Some of them longer than the memory of every device.
    const bytes = turn % 6 === 0 ? 2_300_001 : 1 + random.below(199_999);
    const buffer = random.below(1000);
    memory.fill(0);
    assertStrictEquals(complete(device, { offsetBytes, bytes, buffer }), bytes);
    const got = memory.subarray(buffer, buffer + bytes);
    const wanted = file.content.subarray(offsetBytes, offsetBytes + bytes);
    assert(got.every((byte, at) => byte === wanted[at]), `${bytes} from ${offsetBytes}`);
  }
  assertStrictEquals(complete(device, { offsetBytes: 2_499_990, bytes: 12 }), 10, "the file's end");
}

function refusesNoRange(open: OpenAccess): void {
  using file = knownFile(8192, 93);
  using device = open({ files: [file.path], widen: true });
  device.attach(pages(1));
  const wrong = [[0.5, 10], [-1, 10], [NaN, 10], [0, 0], [8192, 1], [8000, 600], [2 ** 52, 1]];
  for (const [offsetBytes, bytes] of wrong) {
    assertStrictEquals(complete(device, { offsetBytes, bytes }), -22, `${offsetBytes} ${bytes}`);
  }
  assertStrictEquals(complete(device, { offsetBytes: 0, bytes: 10, buffer: 65_530 }), -22);
}
