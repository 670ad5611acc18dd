import { assertEquals, assertStrictEquals } from "@std/assert";
import { errnoOf } from "../../base/errors.ts";
import { createFileDevice } from "../../tiers/file_device.ts";
import { deviceCases } from "./device_cases.ts";
import { complete, knownFile, pages, refusalOf, skips } from "./files.ts";
import { realCases, realWorld } from "./real_cases.ts";
import type { OpenFiles } from "./real_cases.ts";

const refusal = refusalOf((path) => createFileDevice({ files: [path], direct: true }));
const noDirect = skips("O_DIRECT reads", refusal);

for (const direct of [false, true]) {
  const open: OpenFiles = (options) => createFileDevice({ ...options, direct });
  const title = `createFileDevice() ${direct ? "by O_DIRECT" : "buffered"}`;
  const ignore = direct && noDirect;
  for (const { name, run } of deviceCases) {
    Deno.test({ name: `${title} ${name}`, ignore, fn: () => run(() => realWorld(open)) });
  }
  for (const { name, run } of realCases) {
    Deno.test({ name: `${title} ${name}`, ignore, fn: () => run(open) });
  }
}

Deno.test({
  name: "createFileDevice() reads by O_DIRECT into memory that is not aligned",
  ignore: noDirect,
  fn() {
    const bytes = 2 ** 21 + 8192;
    using file = knownFile(bytes, 20);
    using device = createFileDevice({ files: [file.path], direct: true });
    const memory = pages(40).subarray(24);
    device.attach(memory);
    assertStrictEquals(complete(device, { offsetBytes: 0, bytes }), bytes);
    assertEquals(memory.subarray(0, bytes), file.content);
    assertStrictEquals(complete(device, { offsetBytes: 4096, bytes: 4096, buffer: 4096 }), 4096);
    assertEquals(memory.subarray(4096, 8192), file.content.subarray(4096, 8192));
  },
});

Deno.test("errnoOf() goes by name and takes EIO for what it does not know", () => {
  assertStrictEquals(errnoOf({ code: "ENOENT", errno: -4058 }), 2);
  assertStrictEquals(errnoOf({ code: "EINVAL" }), 22);
  assertStrictEquals(errnoOf({ code: "toString" }), 5);
  assertStrictEquals(errnoOf(new Error("no code")), 5);
  assertStrictEquals(errnoOf(null), 5);
});
