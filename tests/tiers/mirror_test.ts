import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type BlockDevice,
  createEventLog,
  createFaultDevice,
  createMemoryDevice,
  createMirror,
  createRequests,
  createSimulatedDevice,
  createTraceDevice,
  ERRNO,
  IO_OP,
  memoryMedia,
  type MirrorChoice,
  openDevice,
  PROFILES,
  RealClock,
  VirtualClock,
} from "../../tiers/mod.ts";
import { testDevice } from "./device_cases.ts";
import { knownFile } from "./files.ts";
import { type Ask, randomBytes, runBatch, virtualWorld } from "./spread_setup.ts";

const CHOICES: readonly MirrorChoice[] = ["least-loaded", "round-robin"];

function simulated(content: Uint8Array, clock: VirtualClock, seed = 1): BlockDevice {
  const media = memoryMedia(content);
  return createSimulatedDevice({ profile: PROFILES.p4800x, media, clock, depth: 4, seed });
}

for (const choose of CHOICES) {
  testDevice(`createMirror() ${choose}`, () => {
    const clock = new VirtualClock();
    const content = randomBytes(64 * 512);
    const devices = [1, 2, 3].map((seed) => simulated(content.slice(), clock, seed));
    return virtualWorld(createMirror({ devices, choose, clock }), content, clock);
  });
}

testDevice("createMirror() of files", () => {
  using file = knownFile(64 * 512, 9);
  const clock = new RealClock();
  const devices = [0, 1].map(() =>
    openDevice({ files: [file.path], mode: "buffered", depth: 4 }).device
  );
  const device = createMirror({ devices, clock });
  const { content } = file;
  return { device, content, advance: () => (device.wait(1), void device.step(clock.now())) };
});

/** Memory devices that record what they are asked. */
function traced(count: number, clock: VirtualClock) {
  const logs = Array.from({ length: count }, () => createEventLog(1000));
  const contents = logs.map(() => new Uint8Array(8192));
  const devices = logs.map((log, i) => {
    const device = createMemoryDevice({ media: memoryMedia(contents[i]), clock });
    return createTraceDevice({ device, log, clock });
  });
  return { logs, contents, devices };
}

Deno.test("createMirror() reads from one device in turn, and does all else on every one", () => {
  for (const choose of CHOICES) {
    const clock = new VirtualClock();
    const { logs, contents, devices } = traced(3, clock);
    using mirror = createMirror({ devices, choose, clock });
    mirror.attach(new Uint8Array(512).fill(9));
    for (let i = 0; i < 9; i++) runBatch(mirror, clock, [{ bytes: 512 }]);
    assertEquals(logs.map((log) => log.count), [6, 6, 6], choose);
    const answers = runBatch(mirror, clock, [
      { op: IO_OP.WRITE, offsetBytes: 512, bytes: 512 },
      { op: IO_OP.FLUSH, bytes: 77 },
      { op: IO_OP.DISCARD, offsetBytes: 512, bytes: 512 },
    ]);
    assertEquals(answers.map(({ result }) => result), [512, 0, 512]);
    assertEquals(logs.map((log) => log.count), [12, 12, 12], choose);
    for (const content of contents) assertEquals(content, contents[0]);
  }
});

Deno.test("createMirror() least-loaded avoids a device that is slow", () => {
  const clock = new VirtualClock();
  const slow = { ...PROFILES.p4800x, pipeNs: 1e6 };
  const devices = [PROFILES.p4800x, slow].map((profile) =>
    createSimulatedDevice({ profile, media: memoryMedia(8192), clock, depth: 16 })
  );
  const logs = [0, 1].map(() => createEventLog(4000));
  using mirror = createMirror({
    devices: devices.map((device, i) => createTraceDevice({ device, log: logs[i], clock })),
    depth: 8,
    clock,
  });
  mirror.attach(new Uint8Array(512));
  const asks: Ask[] = Array.from({ length: 400 }, () => ({ bytes: 512 }));
  runBatch(mirror, clock, asks);
  assert(logs[0].count > 10 * logs[1].count, `${logs[0].count} and ${logs[1].count}`);
});

/** A mirror of memory devices, the first `errnos.length` of which fail all reads. */
function failing(errnos: readonly number[], count: number) {
  const clock = new VirtualClock();
  const devices = Array.from({ length: count }, (_, i) =>
    createFaultDevice({
      device: createMemoryDevice({ media: memoryMedia(new Uint8Array(4096).fill(i)), clock }),
      faults: i < errnos.length ? [{ kind: "error", share: 1, errno: errnos[i] }] : [],
      clock,
    }));
  return { mirror: createMirror({ devices, choose: "round-robin", clock }), clock };
}

Deno.test("createMirror() reads elsewhere what one device fails to read", () => {
  const { mirror, clock } = failing([ERRNO.EIO, ERRNO.EIO], 3);
  const memory = new Uint8Array(512).fill(77);
  mirror.attach(memory);
  for (let i = 0; i < 6; i++) {
    memory.fill(77);
    assertStrictEquals(runBatch(mirror, clock, [{ bytes: 512 }])[0].result, 512);
    assert(memory.every((byte) => byte === 2), `read ${i}`);
  }
  mirror[Symbol.dispose]();
});

Deno.test("createMirror() gives the first errno when all devices fail", () => {
  const { mirror, clock } = failing([ERRNO.EIO, ERRNO.ENOMEM], 2);
  mirror.attach(new Uint8Array(512));
  const results = [0, 1].map(() => runBatch(mirror, clock, [{ bytes: 512 }])[0].result);
  assertEquals(results, [-ERRNO.EIO, -ERRNO.ENOMEM]); // the second read began on the second device
  mirror[Symbol.dispose]();
});

Deno.test("createMirror() reads nowhere else what was cancelled", () => {
  const { mirror, clock } = failing([ERRNO.EIO], 2);
  mirror.attach(new Uint8Array(512));
  const [answer] = runBatch(mirror, clock, [{ bytes: 512 }], () => mirror.cancel(0));
  assertStrictEquals(answer.result, -ERRNO.EIO);
  mirror[Symbol.dispose]();
});

Deno.test("createMirror() fails a write that one device fails", () => {
  const clock = new VirtualClock();
  using file = knownFile(4096, 1);
  const real = new RealClock();
  const devices = [
    createMemoryDevice({ media: memoryMedia(4096), clock: real }),
    openDevice({ files: [file.path], mode: "buffered" }).device, // opened for reading
  ];
  using mirror = createMirror({ devices, clock: real });
  mirror.attach(new Uint8Array(512));
  const write = { op: IO_OP.WRITE, bytes: 512 };
  assertStrictEquals(runBatch(mirror, clock, [write])[0].result, -ERRNO.EBADF);
});

Deno.test("createMirror() completes once each, with what a good device holds", () => {
  fc.assert(
    fc.property(fc.integer(), fc.array(fc.nat(80), { maxLength: 20 }), (seed, cancels) => {
      const clock = new VirtualClock();
      const content = randomBytes(16 * 512);
      const devices = [1, 2, 3].map((i) =>
        createFaultDevice({
          device: simulated(content.slice(), clock, i),
          faults: i === 3 ? [] : [{ kind: "error", share: 0.4, errno: ERRNO.EIO }],
          clock,
          seed: seed + i,
        })
      );
      const memory = new Uint8Array(80 * 512);
      using mirror = createMirror({ devices, clock, depth: 6 });
      mirror.attach(memory);
      const asks = Array.from({ length: 80 }, (_, i) => ({
        offsetBytes: i * 5 % 16 * 512,
        bytes: 512,
        buffer: i * 512,
      }));
      const left = [...cancels];
      runBatch(mirror, clock, asks, () => mirror.cancel(left.pop() ?? -1)).forEach((answer, i) => {
        const { buffer, offsetBytes } = asks[i];
        // Cancelled on its way from a device that failed to another, it ends as the first said.
        if (answer.result < 0) return assert(cancels.includes(i), `${i}: ${answer.result}`);
        assertStrictEquals(answer.result, 512);
        assertEquals(
          memory.subarray(buffer, buffer + 512),
          content.subarray(offsetBytes, offsetBytes + 512),
        );
      });
    }),
    { numRuns: 60 },
  );
});

Deno.test("createMirror() is as long as its shortest device, and refuses wrong options", () => {
  const clock = new VirtualClock();
  const make = (bytes: number, blockBytes = 512) =>
    createMemoryDevice({ media: memoryMedia(bytes), clock, blockBytes });
  using mirror = createMirror({ devices: [make(8192), make(4096, 1024)], clock, depth: 3 });
  assertEquals([mirror.blockBytes, mirror.blockCount, mirror.depth], [1024, 4, 3]);
  mirror.attach(new Uint8Array(512));
  assertStrictEquals(mirror.submit(createRequests(1), 0), 0);
  assertThrows(() => createMirror({ devices: [], clock }), RangeError, "Cannot create mirror");
  const wrong = { devices: [make(512)], clock, choose: "nearest" as MirrorChoice };
  assertThrows(() => createMirror(wrong), RangeError, 'must be "least-loaded" or "round-robin"');
  const deep = { devices: [make(512)], clock, depth: 5000 };
  assertThrows(() => createMirror(deep), RangeError, "depth must be");
});
