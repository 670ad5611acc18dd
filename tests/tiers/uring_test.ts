import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { UnsupportedTargetError } from "../../base/errors.ts";
import { createCompletions, createRequests } from "../../tiers/io.ts";
import { createUringDevice } from "../../tiers/uring_device.ts";
import { openRing, setupRefusal } from "../../tiers/uring_ffi.ts";
import { deviceCases } from "./device_cases.ts";
import { complete, knownFile, openDescriptors, pages, refusalOf, skips } from "./files.ts";
import { realCases, realWorld } from "./real_cases.ts";

const refusal = refusalOf((path) => createUringDevice({ files: [path] }));
const ignore = skips("io_uring", refusal);

for (const { name, run } of deviceCases) {
  const fn = (): void => run(() => realWorld(createUringDevice));
  Deno.test({ name: `createUringDevice() ${name}`, ignore, fn });
}

for (const { name, run } of realCases) {
  Deno.test({ name: `createUringDevice() ${name}`, ignore, fn: () => run(createUringDevice) });
}

Deno.test({
  name: "createUringDevice() leaves memory alone once it is disposed with reads in flight",
  ignore,
  async fn() {
    using file = knownFile(128 * 4096, 30);
    const memory = pages(8);
    {
      using device = createUringDevice({ files: [file.path], depth: 128 });
      device.attach(memory);
      const requests = createRequests(128);
      for (let i = 0; i < 128; i++) {
        requests.bytes[i] = 4096;
        requests.offsetBytes[i] = requests.buffer[i] = i * 4096;
        requests.user[i] = i;
      }
      requests.count = 128;
      assertStrictEquals(device.submit(requests, 0), 128);
      device.cancel(5);
    }
    memory.fill(0x5a);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert(memory.every((byte) => byte === 0x5a), "the kernel wrote after dispose");
  },
});

Deno.test({
  name: "createUringDevice() gives every descriptor back",
  ignore,
  fn() {
    using file = knownFile(4096, 31);
    const before = openDescriptors();
    for (let i = 0; i < 300; i++) {
      using device = createUringDevice({ files: [file.path, file.path], depth: 2 });
      device.attach(pages(1));
      assertStrictEquals(complete(device, { offsetBytes: 0, bytes: 4096 }), 4096);
      assertThrows(() => createUringDevice({ files: [file.path, `${file.path}.missing`] }));
    }
    // The runtime opens and closes some of its own; a leak would be of hundreds.
    assert(openDescriptors() < before + 50);
  },
});

Deno.test({
  name: "createUringDevice() reads right through many files and reuses of each slot",
  ignore,
  fn() {
    const files = Array.from({ length: 9 }, (_, i) => knownFile(16 * 4096, 40 + i));
    {
      using device = createUringDevice({ files: files.map(({ path }) => path), depth: 5 });
      const memory = pages(1);
      device.attach(memory);
      for (let round = 0; round < 400; round++) {
        const file = (round * 7) % 9;
        const at = ((round * 5) % 16) * 4096;
        const offsetBytes = device.fileOffsets[file] + at;
        const buffer = (round % 16) * 4096;
        assertStrictEquals(complete(device, { offsetBytes, bytes: 4096, buffer }), 4096);
        assertEquals(
          memory.subarray(buffer, buffer + 4096),
          files[file].content.subarray(at, at + 4096),
        );
      }
    }
    for (const file of files) file[Symbol.dispose]();
  },
});

Deno.test({
  name: "createUringDevice() throws for memory that is not aligned, and takes aligned memory after",
  ignore,
  fn() {
    using file = knownFile(4096, 32);
    using device = createUringDevice({ files: [file.path] });
    const memory = pages(1);
    assertThrows(() => device.attach(memory.subarray(24)), RangeError, "received one 24 bytes");
    device.attach(memory);
    assertStrictEquals(complete(device, { offsetBytes: 0, bytes: 4096 }), 4096);
  },
});

Deno.test({
  name: "createUringDevice() refuses what no longer fits memory that shrank",
  ignore,
  fn() {
    using file = knownFile(4096, 33);
    using device = createUringDevice({ files: [file.path] });
    const memory = pages(1);
    device.attach(memory);
    const wasm = new WebAssembly.Memory({ initial: 1 });
    const grown = new Uint8Array(wasm.buffer);
    using other = createUringDevice({ files: [file.path] });
    other.attach(grown);
    wasm.grow(1); // detaches the old buffer
    assertStrictEquals(complete(other, { offsetBytes: 0, bytes: 4096 }), -22);
  },
});

Deno.test({
  name: "UringDevice.submit() and poll() allocate nothing in steady state",
  ignore,
  fn() {
    using file = knownFile(64 * 4096, 34);
    using device = createUringDevice({ files: [file.path], depth: 32, clock: { now: () => 0 } });
    device.attach(pages(2));
    const requests = createRequests(32);
    const completions = createCompletions(32);
    for (let i = 0; i < 32; i++) {
      requests.bytes[i] = 4096;
      requests.buffer[i] = i * 4096;
      requests.offsetBytes[i] = ((i * 29) % 64) * 4096;
      requests.user[i] = i;
    }
    requests.count = 32;
    const turns = (count: number): void => {
      for (let turn = 0; turn < count; turn++) {
        device.submit(requests, 0);
        device.wait(32);
        completions.count = 0;
        device.poll(completions);
      }
    };
    turns(600);
    // The collector may run in a round and the tiers of the compiler may change: the least of some
    // is told.
    let least = Infinity;
    for (let round = 0; round < 6; round++) {
      const before = Deno.memoryUsage().heapUsed;
      turns(200);
      const grown = Deno.memoryUsage().heapUsed - before;
      if (grown >= 0) least = Math.min(least, grown);
    }
    // One number boxed for each of the 6,400 reads would be 76,800 bytes.
    assert(least < 40_000, `${least} bytes for 6400 reads`);
  },
});

Deno.test("setupRefusal() tells a want of io_uring from a want of descriptors", () => {
  assertStrictEquals(setupRefusal(38), "this kernel has no io_uring");
  assert(setupRefusal(1).includes("forbidden"));
  assert(setupRefusal(12).includes("memory"));
  assert(setupRefusal(22).includes("too old"));
  assertStrictEquals(setupRefusal(24), "");
});

Deno.test({
  name: "openRing() throws where the kernel refuses the size",
  ignore,
  fn() {
    assertThrows(() => openRing(2 ** 20), UnsupportedTargetError, "too old");
  },
});
