import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { createCompletions, createRequests, IO_OP } from "../../tiers/io.ts";
import { createMmapDevice } from "../../tiers/mmap_device.ts";
import { heapGrowth } from "./allocation.ts";
import { deviceCases } from "./device_cases.ts";
import { complete, knownFile, pages, refusalOf, skips } from "./files.ts";
import { realCases, realWorld } from "./real_cases.ts";

const ignore = skips("mapped files", refusalOf((path) => createMmapDevice({ files: [path] })));

for (const { name, run } of deviceCases) {
  const fn = (): void => run(() => realWorld(createMmapDevice));
  Deno.test({ name: `createMmapDevice() ${name}`, ignore, fn });
}

for (const { name, run } of realCases) {
  Deno.test({ name: `createMmapDevice() ${name}`, ignore, fn: () => run(createMmapDevice) });
}

Deno.test({
  name: "createMmapDevice() copies ranges of every size and alignment",
  ignore,
  fn() {
    using file = knownFile(300_001, 70);
    using device = createMmapDevice({ files: [file.path], widen: true, advice: "normal" });
    const memory = pages(8).subarray(1);
    device.attach(memory);
    for (const bytes of [1, 3, 4, 511, 4096, 65_535, 65_536, 131_075]) {
      for (const offsetBytes of [0, 1, 2, 4, 513]) {
        memory.fill(0xa5);
        const buffer = offsetBytes + 3;
        assertStrictEquals(complete(device, { offsetBytes, bytes, buffer }), bytes);
        const expected = new Uint8Array(memory.length).fill(0xa5);
        expected.set(file.content.subarray(offsetBytes, offsetBytes + bytes), buffer);
        assertEquals(memory, expected);
      }
    }
    assertStrictEquals(complete(device, { offsetBytes: 300_000, bytes: 5 }), 1, "the file's end");
  },
});

Deno.test({
  name: "createMmapDevice() refuses writes and discards, and advice that is none",
  ignore,
  fn() {
    using file = knownFile(4096, 71);
    using device = createMmapDevice({ files: [file.path] });
    device.attach(pages(1));
    for (const op of [IO_OP.WRITE, IO_OP.DISCARD]) {
      assertStrictEquals(complete(device, { op, offsetBytes: 0, bytes: 4096 }), -9);
    }
    const advice = "none" as "normal";
    assertThrows(
      () => createMmapDevice({ files: [file.path], advice }),
      RangeError,
      "advice must be one of random, normal: received none",
    );
  },
});

Deno.test({
  name: "MmapDevice.submit() and poll() allocate nothing in steady state",
  ignore,
  fn() {
    using file = knownFile(64 * 4096, 72);
    using device = createMmapDevice({ files: [file.path], depth: 32, clock: { now: () => 0 } });
    device.attach(pages(2));
    const requests = createRequests(32);
    const completions = createCompletions(32);
    for (let i = 0; i < 32; i++) {
      requests.bytes[i] = 4096;
      requests.buffer[i] = i * 4096;
      requests.offsetBytes[i] = ((i * 29) % 64) * 4096;
    }
    requests.count = 32;
    const growth = heapGrowth((turns) => {
      for (let turn = 0; turn < turns; turn++) {
        device.submit(requests, 0);
        completions.count = 0;
        device.poll(completions);
      }
    }, 20);
    // An object for each of the 640 reads would be 100 KB.
    assertStrictEquals(growth < 20_000, true, `${growth} bytes for 640 reads`);
  },
});
