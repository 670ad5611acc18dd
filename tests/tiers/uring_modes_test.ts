import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { DeviceError, ERRNO, UnsupportedTargetError } from "../../base/errors.ts";
import { createCompletions, createRequests, IO_OP } from "../../tiers/io.ts";
import { createUringDevice } from "../../tiers/uring_device.ts";
import type { UringDevice, UringDeviceOptions } from "../../tiers/uring_device.ts";
import { closeRing, openRing } from "../../tiers/uring_ffi.ts";
import { heapGrowth } from "./allocation.ts";
import { deviceCases } from "./device_cases.ts";
import { complete, knownFile, openDescriptors, pages, refusalOf, skips } from "./files.ts";
import { realCases, realWorld } from "./real_cases.ts";

const ignore = skips(
  "modes of io_uring",
  refusalOf((path) => createUringDevice({ files: [path] })),
);

type Modes = Omit<UringDeviceOptions, "files">;

const MODES: Record<string, Modes> = {
  "that polls": { waiting: "poll" },
  "with a submitting thread": { submission: "thread" },
  "with durable writes": { writable: true, durable: true },
};

for (const [title, modes] of Object.entries(MODES)) {
  const open = (options: UringDeviceOptions) => createUringDevice({ ...options, ...modes });
  for (const { name, run } of deviceCases) {
    const fn = (): void => run(() => realWorld(open));
    Deno.test({ name: `createUringDevice() ${title} ${name}`, ignore, fn });
  }
  for (const { name, run } of realCases) {
    if (modes.writable && name.startsWith("answers a write with -EBADF")) continue; // it writes
    Deno.test({ name: `createUringDevice() ${title} ${name}`, ignore, fn: () => run(open) });
  }
}

Deno.test({
  name: "createUringDevice() throws for modes that are none or exclude each other",
  ignore,
  fn() {
    using file = knownFile(4096, 120);
    const open = (modes: Modes) => () => createUringDevice({ files: [file.path], ...modes });
    const waiting = "sleep" as "block", submission = "now" as "call";
    assertThrows(
      open({ waiting }),
      RangeError,
      "waiting must be one of block, poll: received sleep",
    );
    assertThrows(open({ submission }), RangeError, "submission must be one of call, thread");
    assertThrows(open({ durable: true }), RangeError, "writable must be true where durable is");
    assertThrows(open({ polled: true, writable: true }), RangeError, "writable must be false");
  },
});

Deno.test({
  name: "createUringDevice() polls the disk, or says that it has no queues for that",
  ignore,
  fn() {
    using file = knownFile(8192, 121);
    let device: UringDevice;
    try {
      device = createUringDevice({ files: [file.path], polled: true });
    } catch (error) {
      assert(error instanceof UnsupportedTargetError);
      assertStrictEquals(error.message, `the disk of ${file.path} has no queues to poll`);
      return;
    }
    using _closing = device;
    const memory = pages(1);
    device.attach(memory);
    assertStrictEquals(complete(device, { offsetBytes: 4096, bytes: 4096 }), 4096);
    assertEquals(memory.subarray(0, 4096), file.content.subarray(4096));
  },
});

/** Submits `count` reads of 4 KB. */
function submitReads(device: UringDevice, count: number): void {
  const requests = createRequests(count);
  for (let i = 0; i < count; i++) {
    requests.bytes[i] = 4096;
    requests.buffer[i] = requests.offsetBytes[i] = (i % 16) * 4096;
    requests.user[i] = i;
  }
  requests.count = count;
  assertStrictEquals(device.submit(requests, 0), count);
}

Deno.test({
  name: "UringDevice.waitFor() waits for what is in flight, and no longer than its limit",
  ignore,
  fn() {
    using file = knownFile(16 * 4096, 122);
    for (const modes of [{}, { submission: "thread" as const }]) {
      using device = createUringDevice({ files: [file.path], depth: 16, ...modes });
      device.attach(pages(1));
      assertStrictEquals(device.waitFor(5, 1e9), 0, "nothing is in flight");
      submitReads(device, 16);
      assert(device.waitFor(16, 0) <= 16);
      assertStrictEquals(device.waitFor(99, 1e10), 16);
      const completions = createCompletions(16);
      assertStrictEquals(device.poll(completions), 16);
      assert(completions.result.every((result) => result === 4096));
      assertThrows(() => device.waitFor(1, -1), RangeError, "limitNs must be an integer");
      assertThrows(() => device.waitFor(1, 0.5), RangeError, "limitNs must be an integer");
    }
  },
});

Deno.test({
  name: "UringDevice.waitFor() comes back when its time is over",
  ignore,
  fn() {
    using file = knownFile(16 * 4096, 123);
    using device = createUringDevice({ files: [file.path], depth: 16, writable: true });
    device.attach(pages(1));
    for (let turn = 0; turn < 20; turn++) {
      submitReads(device, 16);
      device.waitFor(16, 1000); // 1 us: some of them, or none
      const completions = createCompletions(16);
      let ended = device.poll(completions);
      ended += device.waitFor(16, 1e10);
      assertStrictEquals(ended, 16);
      assertStrictEquals(device.poll(createCompletions(16)), 16 - completions.count);
    }
  },
});

Deno.test({
  name: "UringDevice.whenReady() lets others run until enough has completed",
  ignore,
  async fn() {
    using file = knownFile(16 * 4096, 124);
    for (const modes of [{}, { submission: "thread" as const }, { widen: true, writable: true }]) {
      using device = createUringDevice({ files: [file.path], depth: 16, ...modes });
      device.attach(pages(1));
      assertStrictEquals(await device.whenReady(3), 0, "nothing is in flight");
      for (let turn = 0; turn < 30; turn++) {
        submitReads(device, 16);
        const ready = await device.whenReady(1 + turn % 16);
        assert(ready > turn % 16);
        const completions = createCompletions(16);
        let ended = device.poll(completions);
        ended += await device.whenReady(99);
        assertStrictEquals(ended, 16);
        device.poll(createCompletions(16));
      }
    }
  },
});

Deno.test({
  name: "UringDevice.whenReady() brings a flush of several files to its end",
  ignore,
  async fn() {
    const files = [0, 1, 2].map((i) => knownFile(4096, 125 + i));
    {
      const paths = files.map(({ path }) => path);
      using device = createUringDevice({ files: paths, depth: 8, writable: true });
      device.attach(pages(1));
      for (const offsetBytes of device.fileOffsets) {
        complete(device, { op: IO_OP.WRITE, offsetBytes, bytes: 4096 });
      }
      const requests = createRequests(1);
      requests.op[0] = IO_OP.FLUSH;
      requests.count = 1;
      device.submit(requests, 0);
      assertStrictEquals(await device.whenReady(1), 1);
      const completions = createCompletions(1);
      assertStrictEquals(device.poll(completions), 1);
      assertStrictEquals(completions.result[0], 0);
    }
    for (const file of files) file[Symbol.dispose]();
  },
});

Deno.test({
  name: "UringDevice.whenReady() is one at a time, and ends when the device is disposed of",
  ignore,
  async fn() {
    using file = knownFile(16 * 4096, 128);
    const before = openDescriptors();
    for (let turn = 0; turn < 10; turn++) {
      const device = createUringDevice({ files: [file.path], depth: 16 });
      device.attach(pages(1));
      submitReads(device, 16);
      const ready = device.whenReady(16);
      let second = "";
      await device.whenReady(16).catch((error: Error) => second = error.message);
      // The first may have had all of them at once, and then there is room for another.
      if (second !== "") assert(second.includes("one wait at a time"), second);
      device[Symbol.dispose]();
      assert([0, 16].includes(await ready));
      await assertRejects(() => device.whenReady(1), TypeError, "disposed");
    }
    assert(openDescriptors() < before + 8, "an eventfd was not closed");
  },
});

Deno.test({
  name: "createUringDevice() gives memory and files back at once",
  ignore,
  fn() {
    const ring = openRing(4);
    closeRing(ring);
    using file = knownFile(4096, 129);
    for (let turn = 0; turn < 40; turn++) {
      using device = createUringDevice({ files: [file.path], depth: 2 });
      device.attach(pages(64)); // 4 MiB are locked; forty times that is over a usual limit
      assertEquals(device.notes.filter((note) => note.includes("memory")), []);
    }
  },
});

Deno.test({
  name: "createUringDevice() completes a durable write on a ring that waits for one at a time",
  ignore,
  fn() {
    using file = knownFile(16 * 4096, 130);
    using device = createUringDevice({
      files: [file.path],
      depth: 16,
      writable: true,
      durable: true,
    });
    device.attach(pages(1).fill(3));
    const requests = createRequests(16);
    requests.op.fill(IO_OP.WRITE);
    requests.bytes.fill(4096);
    for (let i = 0; i < 16; i++) {
      requests.buffer[i] = requests.offsetBytes[i] = i * 4096;
      requests.user[i] = i;
    }
    requests.count = 16;
    device.submit(requests, 0);
    const completions = createCompletions(16);
    while (completions.count < 16) {
      const before = completions.count;
      device.wait(1);
      device.poll(completions);
      assert(completions.count > before, "wait() came back before a completion");
    }
    assert(completions.result.every((result) => result === 4096));
    assert(Deno.readFileSync(file.path).every((byte) => byte === 3));
  },
});

Deno.test({
  name: "createUringDevice() allocates nothing for widened reads and for writes in steady state",
  ignore,
  fn() {
    using file = knownFile(16 * 4096, 131);
    const clock = { now: () => 0 };
    const modes = { depth: 16, clock, writable: true, widen: true };
    using device = createUringDevice({ files: [file.path], ...modes });
    device.attach(pages(2));
    const requests = createRequests(16);
    const completions = createCompletions(16);
    for (let i = 0; i < 16; i++) {
      requests.op[i] = i % 4 === 3 ? IO_OP.WRITE : IO_OP.READ;
      requests.bytes[i] = i % 4 === 3 ? 4096 : 300;
      requests.buffer[i] = i * 4096;
      requests.offsetBytes[i] = i * 4096 + (i % 4 === 3 ? 0 : 400);
    }
    requests.count = 16;
    const growth = heapGrowth((turns) => {
      for (let turn = 0; turn < turns; turn++) {
        device.submit(requests, 0);
        for (completions.count = 0; completions.count < 16; device.poll(completions)) {
          device.wait(1);
        }
      }
    }, 4);
    assert(growth < 10_000, `${growth} bytes for 64 requests`);
  },
});

Deno.test({
  name: "createUringDevice() throws for a file that it may not write, and closes all",
  ignore,
  fn() {
    using file = knownFile(4096, 132);
    const before = openDescriptors();
    const files = [file.path, `${file.path}.missing`];
    for (let turn = 0; turn < 20; turn++) {
      const error = assertThrows(() => createUringDevice({ files, writable: true }), DeviceError);
      assertStrictEquals(error.errno, ERRNO.ENOENT);
    }
    assert(openDescriptors() < before + 8);
  },
});
