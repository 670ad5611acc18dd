import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { createRandom } from "../../base/random.ts";
import {
  type BlockDevice,
  type Clock,
  createCompletions,
  createEventLog,
  createFaultDevice,
  createMemoryDevice,
  createRequests,
  createSimulatedDevice,
  createTraceDevice,
  type DeviceProfile,
  drive,
  fileMedia,
  IO_OP,
  type Media,
  memoryMedia,
  PROFILES,
  VirtualClock,
} from "../../tiers/mod.ts";
import { type CaseWorld, testDevice } from "./device_cases.ts";

function randomBytes(count: number): Uint8Array {
  const random = createRandom(5);
  return Uint8Array.from({ length: count }, () => random.u32());
}

function virtualWorld(make: (media: Media, clock: VirtualClock) => BlockDevice): CaseWorld {
  const clock = new VirtualClock();
  const content = randomBytes(64 * 512);
  const device = make(memoryMedia(content.slice()), clock);
  const advance = () => {
    if (device.wakeNs < Infinity) clock.advanceTo(device.wakeNs);
    device.step(clock.now());
  };
  return { device, content, advance };
}

const simulated = (profile: DeviceProfile) => (media: Media, clock: Clock) =>
  createSimulatedDevice({ profile, media, clock, depth: 8 });

testDevice(
  "createMemoryDevice()",
  () => virtualWorld((media, clock) => createMemoryDevice({ media, clock, depth: 8 })),
);
testDevice("createSimulatedDevice() of NAND", () => virtualWorld(simulated(PROFILES.p3700)));
testDevice("createSimulatedDevice() of 3DXP", () => virtualWorld(simulated(PROFILES.p5800x)));
testDevice("createSimulatedDevice() of memory", () => virtualWorld(simulated(PROFILES.dram)));
testDevice(
  "createSimulatedDevice() of 3DXP with reads of less than a block",
  () =>
    virtualWorld((media, clock) =>
      createSimulatedDevice({
        profile: { ...PROFILES.p5800x, subBlock: { bytes: 512, savedNs: 1 } },
        media,
        clock,
        depth: 8,
        subBlockReads: true,
      })
    ),
);
testDevice(
  "createFaultDevice() without faults",
  () =>
    virtualWorld((media, clock) =>
      createFaultDevice({ device: simulated(PROFILES.p4800x)(media, clock), faults: [], clock })
    ),
);
testDevice("createTraceDevice()", () =>
  virtualWorld((media, clock) => {
    const device = createMemoryDevice({ media, clock, depth: 8 });
    return createTraceDevice({ device, log: createEventLog(1000), clock });
  }));

/** Media that hold nothing: what is measured is time. */
const NOWHERE: Media = { bytes: 2 ** 37, read: (_o, _m, _a, bytes) => bytes, write: () => 0 };

interface Measured {
  readonly iops: number;
  readonly meanNs: number;
  /** The latency that a share of the reads stays below. */
  quantileNs(share: number): number;
}

/** Random reads at a constant depth. */
function measure(
  profile: DeviceProfile,
  { depth, bytes = 4096, count = 60_000, seed = 1 }: {
    depth: number;
    bytes?: number;
    count?: number;
    seed?: number;
  },
): Measured {
  const clock = new VirtualClock();
  using device = createSimulatedDevice({ profile, media: NOWHERE, clock, seed, depth });
  device.attach(new Uint8Array(bytes));
  const random = createRandom(99);
  const requests = createRequests(depth), completions = createCompletions(depth);
  requests.bytes.fill(bytes);
  const latencies: number[] = [];
  completions.count = depth;
  const next = () => {
    for (let i = 0; i < completions.count; i++) {
      requests.offsetBytes[i] = random.below(NOWHERE.bytes / bytes) * bytes;
    }
    requests.count = completions.count;
    device.submit(requests, 0);
  };
  next();
  drive(device, clock, () => {
    completions.count = 0;
    device.poll(completions);
    for (let i = 0; i < completions.count; i++) latencies.push(completions.latencyNs[i]);
    if (completions.count > 0) next();
    return latencies.length >= count;
  });
  latencies.sort((a, b) => a - b);
  return {
    iops: latencies.length / clock.now() * 1e9,
    meanNs: latencies.reduce((sum, ns) => sum + ns) / latencies.length,
    quantileNs: (share) => latencies[Math.floor(share * latencies.length)],
  };
}

function assertWithin(what: string, value: number, published: number, share = 0.1): void {
  const off = value / published - 1;
  assert(Math.abs(off) <= share, `${what}: ${value}, published ${published}`);
}

Deno.test("PROFILES are within 10 % of the published means at depth 1", () => {
  assertWithin("P4800X", measure(PROFILES.p4800x, { depth: 1 }).meanNs, 8900);
  assertWithin("P3700", measure(PROFILES.p3700, { depth: 1 }).meanNs, 77_900);
  assert(measure(PROFILES.p5800x, { depth: 1 }).meanNs < 6000);
});

Deno.test("PROFILES are within 10 % of the published throughput", () => {
  assertWithin("P4800X", measure(PROFILES.p4800x, { depth: 16 }).iops, 584_800);
  assertWithin("P3700", measure(PROFILES.p3700, { depth: 16 }).iops, 167_200);
  assertWithin("P5800X 4 KB", measure(PROFILES.p5800x, { depth: 128 }).iops, 1.5e6);
  assertWithin("P5800X 512 B", measure(PROFILES.p5800x, { depth: 128, bytes: 512 }).iops, 5e6);
});

Deno.test("PROFILES are near the published percentiles", () => {
  const one = measure(PROFILES.p4800x, { depth: 1 });
  assertWithin("P4800X p99", one.quantileNs(0.99), 10_000);
  const nand = measure(PROFILES.p3700, { depth: 1 });
  assertWithin("P3700 median", nand.quantileNs(0.5), 76_000, 0.05);
  assertWithin("P3700 p99", nand.quantileNs(0.99), 96_000);
  // One read in 100,000 is beyond this: 2 million reads make it 20 of them.
  const tail = measure(PROFILES.p3700, { depth: 1, count: 1_000_000 }).quantileNs(0.99999);
  assertWithin("P3700 p99.999", tail, 2_768_000, 0.3);
});

Deno.test("createSimulatedDevice() gains nothing below 4 KB on a P4800X", () => {
  const large = measure(PROFILES.p4800x, { depth: 16 });
  const small = measure(PROFILES.p4800x, { depth: 16, bytes: 512 });
  assertWithin("512 B", small.iops, large.iops, 0.01);
});

Deno.test("createSimulatedDevice() reads later the deeper its queue is", () => {
  for (const profile of Object.values(PROFILES)) {
    const all = [1, 4, 16, 64].map((depth) => measure(profile, { depth, count: 20_000 }));
    for (let i = 1; i < all.length; i++) {
      for (const share of [0.5, 0.99]) {
        // Where nothing waits yet, two depths differ by luck alone.
        const before = all[i - 1].quantileNs(share) * 0.99;
        assert(all[i].quantileNs(share) >= before, `${profile.name}, share ${share}, step ${i}`);
      }
      assert(all[i].iops > all[i - 1].iops * 0.99);
    }
    assert(all[3].meanNs > all[0].meanNs * 1.15, profile.name);
  }
});

Deno.test("createSimulatedDevice() writes when the write completes, and flushes after it", () => {
  const clock = new VirtualClock();
  const content = new Uint8Array(4096);
  const media = memoryMedia(content);
  using device = createSimulatedDevice({ profile: PROFILES.p4800x, media, clock });
  device.attach(new Uint8Array(4096).fill(9));
  const requests = createRequests(2), completions = createCompletions(2);
  requests.op.set([IO_OP.WRITE, IO_OP.FLUSH]);
  requests.bytes[0] = 4096;
  requests.user.set([1, 2]);
  requests.count = 2;
  device.submit(requests, 0);
  device.step(clock.now());
  assert(content.every((byte) => byte === 0));
  drive(device, clock, () => (device.poll(completions), completions.count === 2));
  assert(content.every((byte) => byte === 9));
  assertEquals([...completions.user], [1, 2]);
  assertEquals([...completions.result], [4096, 0]);
});

/** The log of a run with its own random reads: what a seed decides and what it does not. */
function logOf(profile: DeviceProfile, seed: number): string {
  const clock = new VirtualClock(), log = createEventLog(4096);
  const inner = createSimulatedDevice({ profile, media: NOWHERE, clock, seed, depth: 16 });
  using device = createTraceDevice({ device: inner, log, clock });
  device.attach(new Uint8Array(4096));
  const random = createRandom(3);
  const requests = createRequests(1), completions = createCompletions(16);
  let done = 0, submitted = 0;
  drive(device, clock, () => {
    completions.count = 0;
    done += device.poll(completions);
    while (submitted < 1000) {
      requests.user[0] = submitted;
      requests.bytes[0] = 512 << random.below(4);
      requests.offsetBytes[0] = 4096 * random.below(2 ** 20);
      requests.count = 1;
      if (device.submit(requests, 0) === 0) break;
      if (random.below(20) === 0) device.cancel(submitted - random.below(3));
      submitted++;
    }
    return done === 1000;
  });
  assertStrictEquals(log.count, 2000);
  assertStrictEquals(log.dropped, 0);
  return log.bytes().join();
}

Deno.test("createSimulatedDevice() gives the same log byte for byte for the same seed only", () => {
  for (const profile of Object.values(PROFILES)) {
    assert(logOf(profile, 7) === logOf(profile, 7), profile.name);
    // Nothing is random in the model of memory.
    const differs = logOf(profile, 7) !== logOf(profile, 8);
    assertStrictEquals(differs, profile.kind !== "memory", profile.name);
  }
});

Deno.test("createSimulatedDevice() completes in the order of time, whatever the steps", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(200_000), { minLength: 1 }), (pauses) => {
      const run = (fine: boolean) => {
        const clock = new VirtualClock();
        const media = memoryMedia(2 ** 16);
        using device = createSimulatedDevice({ profile: PROFILES.p3700, media, clock, depth: 64 });
        device.attach(new Uint8Array(512));
        const requests = createRequests(1), completions = createCompletions(64);
        requests.bytes[0] = 512;
        requests.count = 1;
        const seen: string[] = [];
        const take = () => {
          completions.count = 0;
          device.poll(completions);
          for (let i = 0; i < completions.count; i++) {
            seen.push(`${completions.user[i]}: ${completions.latencyNs[i]}`);
          }
        };
        pauses.forEach((pause, i) => {
          requests.user[0] = i;
          requests.offsetBytes[0] = (i * 7 % 16) * 4096;
          device.submit(requests, 0);
          const untilNs = clock.now() + pause;
          while (fine && device.wakeNs <= untilNs) {
            clock.advanceTo(device.wakeNs);
            device.step(clock.now());
            take();
          }
          clock.advanceTo(untilNs);
          device.step(clock.now());
          take();
        });
        drive(device, clock, () => (take(), seen.length === pauses.length));
        return seen;
      };
      assertEquals(run(true), run(false));
    }),
    { numRuns: 50 },
  );
});

Deno.test("createSimulatedDevice() refuses wrong options", () => {
  const clock = new VirtualClock(), media = memoryMedia(4096);
  const make = (profile: DeviceProfile, depth = 8, seed = 1) =>
    createSimulatedDevice({ profile, media, clock, depth, seed });
  const { p3700, p4800x } = PROFILES;
  const wrong: [string, DeviceProfile][] = [
    ["profile.blockBytes", { ...p3700, blockBytes: 0 }],
    ["profile.channels", { ...p3700, channels: 1.5 }],
    ["profile.diesPerChannel", { ...p3700, diesPerChannel: 1e5 }],
    ["profile.pageBytes", { ...p3700, pageBytes: 0 }],
    ["profile.bufferPages", { ...p3700, bufferPages: -1 }],
    ["profile.senseNs", { ...p3700, senseNs: NaN }],
    ["profile.eraseNs", { ...p3700, eraseNs: -1 }],
    ["profile.units", { ...p4800x, units: 0 }],
    ["profile.granuleBytes", { ...p4800x, granuleBytes: 0 }],
    ["profile.stallShare", { ...p4800x, stallShare: 1.1 }],
    ["profile.jitterNs", { ...p4800x, jitterNs: Infinity }],
    ["profile.read.delayNs", { ...p4800x, read: { ...p4800x.read, delayNs: -1 } }],
    ["profile.write.trailingNs", { ...p4800x, write: { ...p4800x.write, trailingNs: 1e15 } }],
  ];
  for (const [name, profile] of wrong) {
    const error = assertThrows(() => make(profile), RangeError);
    assertStringIncludes(error.message, `Cannot create simulated device: ${name} must be`);
  }
  assertThrows(() => make(p3700, 0), RangeError, "depth must be");
  assertThrows(() => make(p3700, 8, 0.5), RangeError, "seed must be");
  const foreign = { ...p3700, kind: "disk" } as unknown;
  assertThrows(() => make(foreign as DeviceProfile), TypeError, "received disk");
});

Deno.test("createMemoryDevice() refuses wrong options", () => {
  const clock = new VirtualClock(), media = memoryMedia(4096);
  assertThrows(() => createMemoryDevice({ media, clock, depth: 0 }), RangeError, "depth");
  assertThrows(() => createMemoryDevice({ media, clock, blockBytes: 0 }), RangeError, "blockBytes");
});

Deno.test("memoryMedia() reads and writes like an array, at any alignment", () => {
  const place = fc.nat(100);
  fc.assert(
    fc.property(fc.boolean(), place, place, place, place, (write, offset, at, count, skew) => {
      const content = randomBytes(128), memory = randomBytes(256).subarray(skew % 9).fill(3);
      const expected = [content.slice(), memory.slice()];
      const media = memoryMedia(content);
      assertStrictEquals(media.bytes, 128);
      const moved = write
        ? media.write(offset, memory, at, count)
        : media.read(offset, memory, at, count);
      assertStrictEquals(moved, Math.min(count, 128 - offset));
      if (write) expected[0].set(expected[1].subarray(at, at + moved), offset);
      else expected[1].set(expected[0].subarray(offset, offset + moved), at);
      assertEquals(content, expected[0]);
      assertEquals(memory, expected[1]);
    }),
  );
  assertStrictEquals(memoryMedia(8).read(100, new Uint8Array(8), 0, 8), 0);
  assertStrictEquals(memoryMedia(8).write(100, new Uint8Array(8), 0, 8), 0);
  assertThrows(() => memoryMedia(0), RangeError, "Cannot create memory media: bytes must be");
});

Deno.test("fileMedia() reads a file and refuses writes", () => {
  const path = Deno.makeTempFileSync();
  try {
    const content = randomBytes(1000);
    Deno.writeFileSync(path, content);
    const media = fileMedia(path);
    const memory = new Uint8Array(600);
    assertStrictEquals(media.bytes, 1000);
    assertStrictEquals(media.read(512, memory, 100, 500), 488);
    assertEquals(memory.subarray(100, 588), content.subarray(512));
    assertStrictEquals(media.write(0, memory, 0, 8), -9);
    media[Symbol.dispose]();
    media[Symbol.dispose]();
    assertThrows(() => media.read(0, memory, 0, 8), TypeError, "disposed");
  } finally {
    Deno.removeSync(path);
  }
  assertThrows(() => fileMedia(path), Error, "Cannot create file media");
  assertThrows(() => fileMedia(""), TypeError, "Cannot create file media: path");
});

Deno.test("createEventLog() drops what it has no room for", () => {
  const log = createEventLog(1);
  log.record(0, 1, 2, 3, 4);
  log.record(0, 5, 6, 7, 8);
  assertEquals([log.count, log.dropped, log.bytes().length], [1, 1, 40]);
  assertEquals(new Float64Array(log.bytes().buffer as ArrayBuffer)[2], 2);
  assertThrows(() => createEventLog(0), RangeError, "capacity");
});

Deno.test("drive() throws when nothing will happen", () => {
  const clock = new VirtualClock();
  const never = { wakeNs: Infinity, step: () => 0 };
  assertThrows(
    () => drive(never, clock, () => false),
    Error,
    "nothing will ever happen after 0 ns",
  );
  const stuck = { wakeNs: 0, step: () => 0 };
  assertThrows(() => drive(stuck, clock, () => false), Error, "time stands at 0 ns");
  drive(never, clock, () => true);
});
