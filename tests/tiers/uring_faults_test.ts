import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { DeviceError, ERRNO, UnsupportedTargetError } from "../../base/errors.ts";
import { openLibc } from "../../base/libc_ffi.ts";
import type { Libc } from "../../base/libc_ffi.ts";
import { createCompletions, createRequests, IO_OP } from "../../tiers/io.ts";
import { createUringDevice } from "../../tiers/uring_device.ts";
import { SQE_WORDS } from "../../tiers/_uring_layout.ts";
import {
  enterRing,
  enterRingFor,
  hasDeferred,
  pushEntry,
  readyEntries,
  unsubmitted,
} from "../../tiers/_uring_enter.ts";
import { closeRing, openRing } from "../../tiers/uring_ffi.ts";
import type { Ring } from "../../tiers/_uring_layout.ts";
import { createSlots } from "../../tiers/_uring_columns.ts";
import type { Slots } from "../../tiers/_uring_columns.ts";
import { pump, pushOut, waitEntries, waitEntriesFor } from "../../tiers/_uring_wait.ts";
import { knownFile, pages, refusalOf, skips } from "./files.ts";

const ignore = skips(
  "faults of io_uring",
  refusalOf((path) => createUringDevice({ files: [path] })),
);

/** Slots over `ring` that are good for waiting alone. */
function bareSlots(ring: Ring): Slots {
  const space = { starts: new Float64Array(1), ends: new Float64Array(1), bytes: 0 };
  const registered = false, durable = false;
  const options = { fds: [-1], space, blockBytes: 512, depth: 2, registered, allowed: 0, durable };
  return createSlots(ring, options);
}

/** The ring as seen through a kernel whose next calls to enter fail with each of `errnos`. */
function failing(ring: Ring, errnos: number[]): { ring: Ring; calls: () => number } {
  let calls = 0;
  let errno = 0;
  const { libc } = ring;
  const symbols: typeof libc.symbols = {
    ...libc.symbols,
    ringEnter: (...args) => {
      calls++;
      errno = errnos.shift() ?? 0;
      return errno > 0 ? -1 : libc.symbols.ringEnter(...args);
    },
  };
  const faked = { ...ring, libc: { symbols, errno: () => errno > 0 ? errno : libc.errno() } };
  return { ring: faked, calls: () => calls };
}

/** Runs `body` over a ring whose first calls fail, with `count` no-ops pushed. */
function withFailures(
  errnos: number[],
  count: number,
  body: (slots: Slots, calls: () => number) => void,
): void {
  const ring = openRing(4);
  try {
    const { ring: faked, calls } = failing(ring, errnos);
    const slots = bareSlots(faked);
    ring.sqes.fill(0); // no-ops
    for (let i = 0; i < count; i++) pushEntry(faked, i);
    body(slots, calls);
  } finally {
    closeRing(ring);
  }
}

Deno.test({
  name: "waitEntries() goes on after EINTR, EAGAIN and EBUSY, and loses no entry",
  ignore,
  fn() {
    const errnos = [ERRNO.EINTR, ERRNO.EAGAIN, ERRNO.EBUSY, ERRNO.EINTR];
    withFailures(errnos, 2, (slots, calls) => {
      waitEntries(slots, 2);
      assertStrictEquals(calls(), 5);
      assertStrictEquals(readyEntries(slots.ring), 2);
      assertStrictEquals(unsubmitted(slots.ring), 0);
    });
  },
});

Deno.test({
  name: "waitEntriesFor() comes back with what there is, and says when its time was over",
  ignore,
  fn() {
    withFailures([], 1, (slots) => {
      assertStrictEquals(waitEntriesFor(slots, 1, 1e9), false);
      assertStrictEquals(readyEntries(slots.ring), 1);
      const { words, cqHeadAt } = slots.ring;
      Atomics.store(words, cqHeadAt, words[cqHeadAt] + 1);
      assertStrictEquals(waitEntriesFor(slots, 1, 1e6), true, "there is no second one");
    });
  },
});

Deno.test({
  name: "pushOut() leaves entries to a later call after EAGAIN and EBUSY, and goes on after EINTR",
  ignore,
  fn() {
    withFailures([ERRNO.EAGAIN, ERRNO.EBUSY, ERRNO.EINTR], 2, (slots, calls) => {
      pushOut(slots.ring);
      assertStrictEquals(unsubmitted(slots.ring), 2, "EAGAIN");
      pushOut(slots.ring);
      assertStrictEquals(unsubmitted(slots.ring), 2, "EBUSY");
      pump(slots);
      assertStrictEquals(unsubmitted(slots.ring), 0);
      assertStrictEquals(calls(), 4);
    });
  },
});

Deno.test({
  name: "pushOut() and the waits throw what no later call can mend",
  ignore,
  fn() {
    withFailures([ERRNO.EBADF], 1, (slots) => {
      assertThrows(() => pushOut(slots.ring), DeviceError, "Cannot submit to io_uring: EBADF (9)");
    });
    withFailures([ERRNO.EBADF], 1, (slots) => {
      assertThrows(() => waitEntries(slots, 1), DeviceError, "Cannot wait for io_uring");
    });
  },
});

Deno.test({
  name: "enterRing() keeps completions that found the ring full, and brings them",
  ignore,
  fn() {
    const ring = openRing(2); // room for 4 completions
    const tags: number[] = [];
    const reap = (): void => {
      const head = ring.words[ring.cqHeadAt];
      const count = readyEntries(ring);
      for (let i = 0; i < count; i++) tags.push(ring.cqes[((head + i) & ring.cqMask) * 4]);
      Atomics.store(ring.words, ring.cqHeadAt, head + count);
    };
    let next = 0;
    for (let batch = 0; batch < 5; batch++) {
      for (let i = 0; i < 2; i++) {
        ring.sqes.fill(0, i * SQE_WORDS, (i + 1) * SQE_WORDS);
        ring.sqes[i * SQE_WORDS + 8] = next++;
        pushEntry(ring, i);
      }
      assertStrictEquals(enterRing(ring, 0), 0);
    }
    assert(hasDeferred(ring), "the ring has overflowed and says so");
    for (let turn = 0; turn < 10 && tags.length < 10; turn++) {
      reap();
      if (hasDeferred(ring)) enterRing(ring, 0);
    }
    closeRing(ring);
    assertEquals(tags.sort((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  },
});

Deno.test({
  name: "enterRingFor() returns -ETIME when nothing comes",
  ignore,
  fn() {
    const ring = openRing(2);
    assertStrictEquals(enterRingFor(ring, 1, 1_000_000), -62);
    closeRing(ring);
  },
});

Deno.test({
  name: "createUringDevice() never overflows its rings, whatever is cancelled and not reaped",
  ignore,
  fn() {
    using file = knownFile(64 * 4096, 100);
    using device = createUringDevice({
      files: [file.path],
      depth: 8,
      writable: true,
      durable: true,
    });
    device.attach(pages(1));
    const requests = createRequests(8);
    const completions = createCompletions(3);
    let ended = 0;
    for (let turn = 0; turn < 50; turn++) {
      for (let i = 0; i < 8; i++) {
        requests.op[i] = (turn + i) % 2 === 0 ? IO_OP.READ : IO_OP.WRITE;
        requests.bytes[i] = 4096;
        requests.offsetBytes[i] = requests.buffer[i] = i * 4096;
        requests.user[i] = i;
      }
      requests.count = 8;
      let taken = 0;
      while (taken < 8) {
        taken += device.submit(requests, taken);
        for (let i = 0; i < 8; i++) device.cancel(i);
        device.wait(1);
        completions.count = 0;
        ended += device.poll(completions);
      }
    }
    while (device.wakeNs < Infinity) {
      device.wait(1);
      completions.count = 0;
      ended += device.poll(completions);
    }
    assertStrictEquals(ended, 400);
  },
});

Deno.test({
  name: "createUringDevice() lets go of a cancelled read's memory at its completion, not before",
  ignore,
  async fn() {
    using file = knownFile(256 * 4096, 101);
    const memory = pages(4);
    const requests = createRequests(64);
    const completions = createCompletions(64);
    for (let turn = 0; turn < 20; turn++) {
      // A new one each time: slots whose cancellation has not been seen would not be free.
      using device = createUringDevice({ files: [file.path], depth: 64 });
      device.attach(memory.fill(0xa5));
      for (let i = 0; i < 64; i++) {
        requests.bytes[i] = 4096;
        requests.buffer[i] = i * 4096;
        requests.offsetBytes[i] = ((i * 37 + turn) % 256) * 4096;
        requests.user[i] = i;
      }
      requests.count = 64;
      assertStrictEquals(device.submit(requests, 0), 64);
      for (let i = 0; i < 64; i++) device.cancel(i);
      for (let left = 64; left > 0; left -= completions.count) {
        device.wait(1);
        completions.count = 0;
        device.poll(completions);
        for (let i = 0; i < completions.count; i++) {
          const tag = completions.user[i];
          const place = memory.subarray(tag * 4096, (tag + 1) * 4096);
          if (completions.result[i] === 4096) {
            const offset = requests.offsetBytes[tag];
            assertEquals(place, file.content.subarray(offset, offset + 4096));
          } else assertStrictEquals(completions.result[i], -ERRNO.ECANCELED);
          place.fill(0x5a); // reused: whatever the kernel writes from now on is a fault
        }
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert(memory.every((byte) => byte === 0x5a), "the kernel wrote after a completion");
  },
});

/** A C library whose kernel knows no flags of set-up but those of `known`. */
function olderKernel(known: number): Libc {
  const libc = openLibc();
  let refused = false;
  const symbols: Libc["symbols"] = {
    ...libc.symbols,
    ringSetup: (call, entries, params) => {
      const flags = new DataView(params.buffer).getUint32(8, true);
      refused = (flags & ~known) !== 0;
      return refused ? -1 : libc.symbols.ringSetup(call, entries, params);
    },
  };
  return { symbols, errno: () => refused ? ERRNO.EINVAL : libc.errno() };
}

const CQSIZE = 1 << 3, SQPOLL = 1 << 1, SUBMIT_ALL = 1 << 7;

Deno.test({
  name: "openRing() falls back to the flags that a kernel knows, and works with each",
  ignore,
  fn() {
    const coop = 1 << 8 | 1 << 9 | SUBMIT_ALL;
    const kernels: [string, number, boolean, boolean, boolean][] = [
      ["6.1", -1, false, true, true],
      ["5.19", CQSIZE | coop, false, false, true],
      ["5.18", CQSIZE | SUBMIT_ALL, false, false, false],
      ["5.6", CQSIZE, false, false, false],
      ["6.0 with a thread", CQSIZE | SQPOLL | SUBMIT_ALL, true, false, false],
      ["5.11 with a thread", CQSIZE | SQPOLL, true, false, false],
    ];
    for (const [title, known, threaded, deferred, flagged] of kernels) {
      const ring = openRing(4, { threaded }, olderKernel(known));
      assertEquals(
        [ring.deferred, ring.flagged, ring.threaded],
        [deferred, flagged, threaded],
        title,
      );
      const slots = bareSlots(ring);
      ring.sqes.fill(0); // no-ops
      for (let i = 0; i < 3; i++) pushEntry(ring, i);
      pushOut(ring);
      waitEntries(slots, 3);
      assertStrictEquals(readyEntries(ring), 3, title);
      closeRing(ring);
    }
    assertThrows(() => openRing(4, {}, olderKernel(0)), UnsupportedTargetError, "too old");
  },
});
