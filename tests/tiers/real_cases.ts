/**
 * Cases that every device over real files must pass, beside those of every device.
 *
 * @module
 */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DeviceError } from "../../base/errors.ts";
import type { FilesDevice } from "../../tiers/file_device.ts";
import { createCompletions, createRequests, IO_OP } from "../../tiers/io.ts";
import type { CaseWorld } from "./device_cases.ts";
import { complete, knownFile, pages } from "./files.ts";

/** Opens the device under test. */
export type OpenFiles = (options: { files: string[]; depth?: number }) => FilesDevice;

/** A name that completes "createX() ...", and the case. */
export interface RealCase {
  readonly name: string;
  readonly run: (open: OpenFiles) => void;
}

/** The cases. */
export const realCases: readonly RealCase[] = [
  { name: "reads what the file holds, at any block and batch", run: readsContent },
  { name: "completes every request exactly once, whatever is cancelled", run: completesOnce },
  {
    name: "completes malformed requests with -EINVAL and touches no memory",
    run: refusesMalformed,
  },
  { name: "answers a write with -EBADF and a flush with 0", run: answersOthers },
  { name: "is short at the end of a file and refuses beyond", run: endsShort },
  { name: "lays several files out from multiples of 1 MiB", run: laysOut },
  { name: "takes no more than its depth", run: respectsDepth },
  { name: "throws once it has been disposed", run: throwsDisposed },
  { name: "throws for wrong options and files", run: throwsWrong },
];

function readsContent(open: OpenFiles): void {
  const blocks = 256;
  using file = knownFile(blocks * 512, 2);
  const read = fc.record({ block: fc.nat(blocks - 1), count: fc.integer({ min: 1, max: 8 }) });
  fc.assert(
    fc.property(fc.array(read, { minLength: 1, maxLength: 40 }), (reads) => {
      using device = open({ files: [file.path], depth: 64 });
      const unit = device.blockBytes;
      const memory = pages(Math.ceil(reads.length * 8 * unit / 65536));
      device.attach(memory);
      const requests = createRequests(reads.length);
      reads.forEach(({ block, count }, i) => {
        const offset = Math.floor(block * 512 / unit) * unit;
        requests.offsetBytes[i] = offset;
        requests.bytes[i] = Math.min(count * unit, file.content.length - offset);
        requests.buffer[i] = i * 8 * unit;
        requests.user[i] = i;
      });
      requests.count = reads.length;
      assertStrictEquals(device.submit(requests, 0), reads.length);
      const completions = createCompletions(reads.length);
      device.wait(reads.length);
      assertStrictEquals(device.poll(completions), reads.length);
      for (let c = 0; c < reads.length; c++) {
        const i = completions.user[c];
        const offset = requests.offsetBytes[i];
        const bytes = requests.bytes[i];
        assertStrictEquals(completions.result[c], bytes);
        assert(completions.latencyNs[c] >= 0);
        const got = memory.subarray(requests.buffer[i], requests.buffer[i] + bytes);
        assertEquals(got, file.content.subarray(offset, offset + bytes));
      }
    }),
    { numRuns: 30 },
  );
}

/** A model of one tag after the other: what is outstanding, and no more. */
function completesOnce(open: OpenFiles): void {
  using file = knownFile(64 * 4096, 3);
  const action = fc.oneof(
    fc.record({ kind: fc.constant("submit" as const), count: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ kind: fc.constant("poll" as const), count: fc.integer({ min: 1, max: 6 }) }),
    fc.record({ kind: fc.constant("cancel" as const), count: fc.nat(40) }),
    fc.record({ kind: fc.constant("wait" as const), count: fc.nat(20) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      using device = open({ files: [file.path], depth: 16 });
      device.attach(pages(1));
      const outstanding = new Set<number>();
      let next = 0;
      const poll = (most: number): void => {
        const completions = createCompletions(most);
        const count = device.poll(completions);
        assertStrictEquals(count, completions.count);
        for (let i = 0; i < count; i++) {
          assert(outstanding.delete(completions.user[i]), "completed what was not outstanding");
          assert(completions.result[i] === 4096 || completions.result[i] === -125);
        }
      };
      for (const { kind, count } of actions) {
        if (kind === "submit") {
          const requests = createRequests(count);
          for (let i = 0; i < count; i++) {
            requests.bytes[i] = 4096;
            requests.buffer[i] = ((next + i) % 16) * 4096;
            requests.offsetBytes[i] = ((next + i) % 64) * 4096;
            requests.user[i] = next + i;
          }
          requests.count = count;
          const taken = device.submit(requests, 0);
          // Slots whose cancellation has not been seen yet may lower the room, never raise it.
          assert(taken <= 16 - outstanding.size);
          for (let i = 0; i < taken; i++) outstanding.add(next + i);
          next += taken;
        } else if (kind === "poll") poll(count);
        else if (kind === "cancel") device.cancel(count);
        else {
          device.wait(count);
          const before = outstanding.size;
          poll(32);
          assert(before - outstanding.size >= Math.min(count, before), "wait returned too early");
        }
      }
      device.wait(outstanding.size);
      poll(32);
      assertStrictEquals(outstanding.size, 0);
      assertStrictEquals(device.wakeNs, Infinity);
    }),
    { numRuns: 40 },
  );
}

function refusesMalformed(open: OpenFiles): void {
  using file = knownFile(8192, 4);
  using device = open({ files: [file.path], depth: 8 });
  const unit = device.blockBytes;
  assertStrictEquals(complete(device, { offsetBytes: 0, bytes: unit }), -22, "no memory yet");
  const whole = pages(1).fill(0xa5);
  // The device sees the front half alone.
  device.attach(whole.subarray(0, 32768));
  const wrong = [
    { offsetBytes: 1, bytes: unit },
    { offsetBytes: 0, bytes: unit + 1 },
    { offsetBytes: 0, bytes: 0 },
    { offsetBytes: -unit, bytes: unit },
    { offsetBytes: NaN, bytes: unit },
    { offsetBytes: 8192, bytes: unit },
    { offsetBytes: 2 ** 52, bytes: unit },
    { offsetBytes: 0, bytes: unit, buffer: 32768 },
    { offsetBytes: 0, bytes: 2 * unit, buffer: 32768 - unit },
    { offsetBytes: 0, bytes: unit, buffer: 2 ** 32 - unit },
    { op: 9, offsetBytes: 0, bytes: unit },
  ];
  for (const request of wrong) {
    assertStrictEquals(complete(device, request), -22, JSON.stringify(request));
  }
  assert(whole.every((byte) => byte === 0xa5), "memory was touched");
  assertStrictEquals(complete(device, { offsetBytes: 0, bytes: unit, buffer: 32768 - unit }), unit);
}

function answersOthers(open: OpenFiles): void {
  using file = knownFile(4096, 5);
  using device = open({ files: [file.path] });
  device.attach(pages(1));
  assertStrictEquals(complete(device, { op: IO_OP.WRITE, offsetBytes: 0, bytes: 4096 }), -9);
  assertStrictEquals(complete(device, { op: IO_OP.FLUSH, offsetBytes: 0, bytes: 0 }), 0);
  assertEquals(Deno.readFileSync(file.path), file.content);
}

function endsShort(open: OpenFiles): void {
  using file = knownFile(4096 + 100, 6);
  using device = open({ files: [file.path] });
  const unit = device.blockBytes;
  const memory = pages(1);
  device.attach(memory);
  assertStrictEquals(device.blockCount, Math.ceil(4196 / unit));
  assertStrictEquals(complete(device, { offsetBytes: 4096, bytes: unit }), 100);
  assertEquals(memory.subarray(0, 100), file.content.subarray(4096));
  assertStrictEquals(complete(device, { offsetBytes: 4096, bytes: 2 * unit }), -22);
}

function laysOut(open: OpenFiles): void {
  const sizes = [5000, 0, 2 ** 20, 2 ** 20 + 1, 512];
  const files = sizes.map((size, i) => knownFile(size, 10 + i));
  {
    using device = open({ files: files.map(({ path }) => path) });
    const MiB = 2 ** 20;
    assertEquals([...device.fileOffsets], [0, MiB, MiB, 2 * MiB, 4 * MiB]);
    const memory = pages(1);
    device.attach(memory);
    for (const [i, { content }] of files.entries()) {
      if (content.length === 0) continue;
      const bytes = 4096;
      const start = device.fileOffsets[i];
      const unit = device.blockBytes;
      const last = Math.floor((content.length - 1) / unit) * unit;
      const got = complete(device, { offsetBytes: start + last, bytes: unit });
      assertStrictEquals(got, content.length - last);
      assertEquals(memory.subarray(0, got), content.subarray(last));
      if (content.length >= bytes) {
        assertStrictEquals(complete(device, { offsetBytes: start, bytes }), bytes);
        assertEquals(memory.subarray(0, bytes), content.subarray(0, bytes));
      }
    }
    // The gap behind the first file, and a read over the seam of two files.
    assertStrictEquals(complete(device, { offsetBytes: 8192, bytes: 4096 }), -22);
    assertStrictEquals(complete(device, { offsetBytes: 2 * MiB - 4096, bytes: 8192 }), -22);
  }
  for (const file of files) file[Symbol.dispose]();
}

function respectsDepth(open: OpenFiles): void {
  using file = knownFile(4096, 7);
  using device = open({ files: [file.path], depth: 3 });
  assertStrictEquals(device.depth, 3);
  device.attach(pages(1));
  const requests = createRequests(8);
  requests.bytes.fill(4096);
  requests.bytes[1] = 1; // answered early, and still one of the three
  requests.user.set([0, 1, 2, 3, 4, 5, 6, 7]);
  requests.count = 8;
  assertStrictEquals(device.submit(requests, 0), 3);
  assertStrictEquals(device.submit(requests, 3), 0);
  assert(device.wakeNs < Infinity);
  device.wait(99); // never more than is in flight
  assert(device.step(0) >= 3);
  const completions = createCompletions(2);
  assertStrictEquals(device.poll(completions), 2);
  assertStrictEquals(device.poll(completions), 0, "the columns are full");
  assertStrictEquals(device.submit(requests, 3), 2);
  const rest = createCompletions(8);
  device.wait(3);
  assertStrictEquals(device.poll(rest), 3);
  assertStrictEquals(device.submit(requests, 8), 0);
}

function throwsDisposed(open: OpenFiles): void {
  using file = knownFile(4096, 8);
  const device = open({ files: [file.path] });
  device[Symbol.dispose]();
  device[Symbol.dispose]();
  assertThrows(() => device.submit(createRequests(1), 0), TypeError, "disposed");
  assertThrows(() => device.poll(createCompletions(1)), TypeError, "disposed");
  assertThrows(() => device.wait(1), TypeError, "disposed");
  assertThrows(() => device.cancel(1), TypeError, "disposed");
  assertThrows(() => device.attach(pages(1)), TypeError, "disposed");
}

function throwsWrong(open: OpenFiles): void {
  using file = knownFile(4096, 9);
  assertThrows(() => open({ files: [] }), RangeError, "files must be an array of 1 to 4096 paths");
  assertThrows(() => open({ files: ["a\0b"] }), TypeError, "without NUL");
  assertThrows(() => open({ files: [""] }), TypeError, "non-empty path");
  for (const depth of [0, -1, 1.5, 4097, NaN]) {
    assertThrows(() => open({ files: [file.path], depth }), RangeError, "depth must be an integer");
  }
  const missing = `${file.path}.missing`;
  const error = assertThrows(
    () => open({ files: [file.path, missing] }),
    DeviceError,
    `${missing} does not exist`,
  );
  assertStrictEquals(error.errno, 2);
  const folder = Deno.makeTempDirSync();
  assertThrows(() => open({ files: [folder] }), DeviceError, `${folder} must be a regular file`);
  Deno.removeSync(folder);
}

/** A world for the cases of every device: a file of its own, unlinked as soon as it is open. */
export function realWorld(open: OpenFiles): CaseWorld {
  const file = knownFile(64 * 4096, 60);
  const device = open({ files: [file.path], depth: 16 });
  // Where open files cannot be unlinked, the temporary folder keeps it.
  if (Deno.build.os !== "windows") file[Symbol.dispose]();
  return { device, content: file.content, advance: () => device.wait(1) };
}
