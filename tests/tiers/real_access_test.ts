import { assertStrictEquals } from "@std/assert";
import { createFileDevice } from "../../tiers/file_device.ts";
import { IO_OP } from "../../tiers/io.ts";
import { createMmapDevice } from "../../tiers/mmap_device.ts";
import { openDevice } from "../../tiers/open_device.ts";
import { createUringDevice } from "../../tiers/uring_device.ts";
import { complete, knownFile, pages, refusalOf, skips } from "./files.ts";
import { widenCases, writeCases } from "./real_access_cases.ts";
import type { OpenAccess } from "./real_access_cases.ts";

interface Subject {
  readonly title: string;
  readonly open: OpenAccess;
  readonly writes: boolean;
  readonly discards: boolean;
}

const SUBJECTS: readonly Subject[] = [
  { title: "createUringDevice()", open: createUringDevice, writes: true, discards: true },
  {
    title: "createUringDevice() with durable writes",
    open: (options) => createUringDevice({ ...options, durable: options.writable === true }),
    writes: true,
    discards: true,
  },
  {
    title: "createUringDevice() with a submitting thread",
    open: (options) => createUringDevice({ ...options, submission: "thread" }),
    writes: true,
    discards: true,
  },
  {
    title: "createUringDevice() that polls",
    open: (options) => createUringDevice({ ...options, waiting: "poll" }),
    writes: true,
    discards: true,
  },
  {
    title: "createFileDevice() by O_DIRECT",
    open: (options) => createFileDevice({ ...options, direct: true }),
    writes: true,
    discards: false,
  },
  {
    title: "createFileDevice() buffered",
    open: (options) => createFileDevice({ ...options, direct: false }),
    writes: true,
    discards: false,
  },
  { title: "createMmapDevice()", open: createMmapDevice, writes: false, discards: false },
];

for (const { title, open, writes, discards } of SUBJECTS) {
  const ignore = skips(title, refusalOf((path) => open({ files: [path] })));
  const cases = [...widenCases, ...(writes ? writeCases(discards) : [])];
  for (const { name, run } of cases) {
    Deno.test({ name: `${title} ${name}`, ignore, fn: () => run(open) });
  }
}

Deno.test("createFileDevice() answers a discard with -EOPNOTSUPP", () => {
  using file = knownFile(4096, 95);
  using device = createFileDevice({ files: [file.path], direct: false, writable: true });
  device.attach(pages(1));
  const request = { op: IO_OP.DISCARD, offsetBytes: 0, bytes: 4096 };
  assertStrictEquals(complete(device, request), -95);
});

Deno.test("openDevice() hands on what its device may do", () => {
  using file = knownFile(4096, 96);
  {
    const { device } = openDevice({ files: [file.path], writable: true, widen: true });
    using _closing = device;
    device.attach(pages(1).fill(9));
    assertStrictEquals(complete(device, { op: IO_OP.WRITE, offsetBytes: 0, bytes: 4096 }), 4096);
    assertStrictEquals(complete(device, { offsetBytes: 7, bytes: 9, buffer: 1 }), 9);
  }
  assertStrictEquals(Deno.readFileSync(file.path)[4095], 9);
});
