import { assertEquals, assertStrictEquals } from "@std/assert";
import { ERRNO } from "../../base/errors.ts";
import { createCompletions, createRequests, IO_OP } from "../../tiers/io.ts";
import type { Libc } from "../../base/libc_ffi.ts";
import { createFileSpace, WRITES } from "../../tiers/_file_space.ts";
import { createSlots } from "../../tiers/_uring_columns.ts";
import type { Slots } from "../../tiers/_uring_columns.ts";
import { CQE_WORDS, LINK_NEXT, OP, SQE_WORDS } from "../../tiers/_uring_layout.ts";
import type { Ring } from "../../tiers/_uring_layout.ts";
import { cancelRequests, reapEntries, takeRequests } from "../../tiers/_uring_slots.ts";

/** A ring without a kernel: the tests look at its entries, and make its completions. */
function paperRing(entries: number): Ring {
  return {
    libc: {} as Libc,
    fd: -1,
    flagged: false,
    deferred: false,
    threaded: false,
    polled: false,
    timed: false,
    sqes: new Uint32Array(entries * SQE_WORDS),
    sqArray: new Uint32Array(entries),
    sqMask: entries - 1,
    cqes: new Int32Array(2 * entries * CQE_WORDS),
    cqMask: 2 * entries - 1,
    words: new Uint32Array(8),
    sqHeadAt: 0,
    sqTailAt: 1,
    sqFlagsAt: 2,
    cqHeadAt: 3,
    cqTailAt: 4,
    cqOverflowAt: 5,
    sqTail: 0,
    mappings: [],
  };
}

/** Slots over four files of 8 KB, with memory, and nothing registered. */
function paperSlots(durable: boolean): Slots {
  const space = createFileSpace([8192, 8192, 8192, 8192], 512);
  const options = { fds: [10, 11, 12, 13], space, blockBytes: 512, depth: 4, registered: false };
  const slots = createSlots(paperRing(16), { ...options, allowed: WRITES, durable });
  slots.memory = new Uint8Array(65_536);
  return slots;
}

/** One request to file `file` at its start. */
function request(slots: Slots, op: number, file: number, bytes: number): void {
  const requests = createRequests(1);
  requests.op[0] = op;
  requests.offsetBytes[0] = slots.space.starts[file];
  requests.bytes[0] = bytes;
  requests.user[0] = 50 + file;
  requests.count = 1;
  assertStrictEquals(takeRequests(slots, requests, 0, 0), 1);
}

/** The entries pushed since the last look: index, operation with its flags, and file of each. */
function pushed(slots: Slots): [index: number, word0: number, file: number][] {
  const { ring } = slots;
  const found: [number, number, number][] = [];
  for (; ring.words[ring.sqHeadAt] < ring.sqTail; ring.words[ring.sqHeadAt]++) {
    const index = ring.sqArray[ring.words[ring.sqHeadAt] & ring.sqMask];
    found.push([index, ring.sqes[index * SQE_WORDS], ring.sqes[index * SQE_WORDS + 1]]);
  }
  return found;
}

/** Completes entry `index` with `result`; the requests that ended by it, tag and result. */
function finish(slots: Slots, index: number, result: number): [number, number][] {
  const { ring } = slots;
  const at = (ring.words[ring.cqTailAt]++ & ring.cqMask) * CQE_WORDS;
  ring.cqes[at] = ring.sqes[index * SQE_WORDS + 8];
  ring.cqes[at + 2] = result;
  const completions = createCompletions(4);
  const count = reapEntries(slots, completions, 0);
  return [...completions.user.subarray(0, count)].map((user, i) => [user, completions.result[i]]);
}

Deno.test("takeRequests() flushes each file that was written to, one after the other", () => {
  const slots = paperSlots(false);
  request(slots, IO_OP.FLUSH, 0, 0);
  assertEquals(pushed(slots), [], "nothing was written: nothing to sync");
  assertStrictEquals(slots.ready.count, 1);
  slots.ready.count = 0;
  const first = [[IO_OP.READ, 0], [IO_OP.WRITE, 1], [IO_OP.WRITE, 2], [IO_OP.DISCARD, 3]];
  for (const [op, file] of first) {
    request(slots, op, file, 4096);
    const [[index]] = pushed(slots);
    assertEquals(finish(slots, index, op === IO_OP.DISCARD ? 0 : 4096), [[50 + file, 4096]]);
  }
  for (let turn = 0; turn < 2; turn++) {
    request(slots, IO_OP.FLUSH, 0, 0);
    const [[index, word0, file]] = pushed(slots);
    assertEquals([word0, file], [OP.FSYNC, 11]);
    assertStrictEquals(slots.ring.sqes[index * SQE_WORDS + 7], 1, "fdatasync(2), not fsync(2)");
    for (const next of [12, 13]) {
      assertEquals(finish(slots, index, 0), []);
      assertEquals(pushed(slots), [[index, OP.FSYNC, next]]);
    }
    assertEquals(finish(slots, index, 0), [[50, 0]]);
    assertEquals(pushed(slots), []);
  }
  request(slots, IO_OP.FLUSH, 0, 0);
  const [[index]] = pushed(slots);
  assertEquals(
    finish(slots, index, -ERRNO.EIO),
    [[50, -ERRNO.EIO]],
    "the first that fails ends it",
  );
  assertEquals([slots.freeCount, slots.moving, slots.staged], [4, 0, 0]);
});

Deno.test("takeRequests() links a sync behind a durable write, and both decide", () => {
  const cancelled = -ERRNO.ECANCELED;
  const cases: [string, write: number, sync: number, result: number][] = [
    ["both are good", 4096, 0, 4096],
    ["the sync fails", 4096, -ERRNO.EIO, -ERRNO.EIO],
    ["the write fails", -ERRNO.ENOSPC, cancelled, -ERRNO.ENOSPC],
    ["the write is cut short", 512, cancelled, -ERRNO.EIO],
  ];
  const slots = paperSlots(true);
  for (const [title, write, sync, result] of cases) {
    for (const syncFirst of [false, true]) {
      request(slots, IO_OP.WRITE, 2, 4096);
      const [[index, word0, file], ...rest] = pushed(slots);
      assertEquals([word0, file], [OP.WRITE | LINK_NEXT, 12]);
      assertEquals(rest, [[2 * slots.depth + index, OP.FSYNC, 12]]);
      const ends: [number, number][] = [[index, write], [rest[0][0], sync]];
      if (syncFirst) ends.reverse();
      assertEquals(finish(slots, ...ends[0]), [], title);
      assertEquals(finish(slots, ...ends[1]), [[52, result]], title);
      assertEquals([slots.freeCount, slots.moving, slots.extra], [4, 0, 0], title);
    }
  }
});

Deno.test("takeRequests() uses a slot again only when its cancellation has ended", () => {
  const slots = paperSlots(false);
  request(slots, IO_OP.READ, 1, 4096);
  const [[index]] = pushed(slots);
  cancelRequests(slots, 51);
  cancelRequests(slots, 51);
  assertEquals(pushed(slots), [[slots.depth + index, OP.ASYNC_CANCEL, 0]], "once");
  assertEquals(finish(slots, index, -ERRNO.EINTR), [[51, -ERRNO.ECANCELED]]);
  assertStrictEquals(slots.freeCount, 3);
  assertEquals(finish(slots, slots.depth + index, 0), []);
  assertStrictEquals(slots.freeCount, 4);
});

Deno.test("takeRequests() punches a hole for a discard, and hands on why it cannot", () => {
  const slots = paperSlots(false);
  for (const [given, result] of [[0, 1024], [-95, -95]]) {
    request(slots, IO_OP.DISCARD, 2, 1024);
    const [[index, word0, file]] = pushed(slots);
    assertEquals([word0, file], [OP.FALLOCATE, 12]);
    const words = slots.ring.sqes.subarray(index * SQE_WORDS, (index + 1) * SQE_WORDS);
    assertEquals([...words.subarray(2, 8)], [0, 0, 1024, 0, 3, 0], "length where addresses are");
    assertEquals(finish(slots, index, given), [[52, result]]);
  }
});
