import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type BlockDevice,
  createCompletions,
  createEventLog,
  createFaultDevice,
  createMemoryDevice,
  createRequests,
  createSimulatedDevice,
  createStripe,
  createTraceDevice,
  ERRNO,
  type Fault,
  IO_OP,
  memoryMedia,
  openDevice,
  PROFILES,
  RealClock,
  VirtualClock,
} from "../../tiers/mod.ts";
import { heapGrowth } from "./allocation.ts";
import { testDevice } from "./device_cases.ts";
import { knownFile } from "./files.ts";
import { randomBytes, runBatch, virtualWorld } from "./spread_setup.ts";

const CHUNK = 2048;

/** The parts of `content` that each of `count` devices holds. */
function partsOf(content: Uint8Array, count: number, chunkBytes: number): Uint8Array[] {
  const parts = Array.from({ length: count }, () => new Uint8Array(content.length / count));
  for (let chunk = 0; chunk * chunkBytes < content.length; chunk++) {
    const bytes = content.subarray(chunk * chunkBytes, (chunk + 1) * chunkBytes);
    parts[chunk % count].set(bytes, Math.floor(chunk / count) * chunkBytes);
  }
  return parts;
}

type Make = (part: Uint8Array, clock: VirtualClock) => BlockDevice;

const inMemory: Make = (part, clock) =>
  createMemoryDevice({ media: memoryMedia(part), clock, depth: 4 });
const simulated: Make = (part, clock) =>
  createSimulatedDevice({ profile: PROFILES.p4800x, media: memoryMedia(part), clock, depth: 4 });

function stripeOf(make: Make, content: Uint8Array, clock: VirtualClock, count = 3) {
  const devices = partsOf(content, count, CHUNK).map((part) => make(part, clock));
  return createStripe({ devices, chunkBytes: CHUNK, clock });
}

for (const [name, make] of Object.entries({ "memory": inMemory, "3DXP": simulated })) {
  testDevice(`createStripe() of ${name}`, () => {
    const clock = new VirtualClock();
    const content = randomBytes(12 * 3 * CHUNK);
    return virtualWorld(stripeOf(make, content, clock), content, clock);
  });
}

testDevice("createStripe() of files", () => {
  const content = randomBytes(12 * 3 * CHUNK);
  const clock = new RealClock();
  const devices = partsOf(content, 3, CHUNK).map((part) => {
    using file = knownFile(0, 1); // its name goes with the block, what is open stays
    Deno.writeFileSync(file.path, part);
    return openDevice({ files: [file.path], mode: "buffered", depth: 4 }).device;
  });
  const device = createStripe({ devices, chunkBytes: CHUNK, clock });
  return { device, content, advance: () => (device.wait(1), void device.step(clock.now())) };
});

const block = fc.nat(71), length = fc.integer({ min: 1, max: 12 });
const action = fc.oneof(
  fc.record({ write: fc.constant(true), block, length }),
  fc.record({
    write: fc.constant(false),
    reads: fc.array(fc.record({ block, length }), { minLength: 1, maxLength: 20 }),
  }),
);

for (const [name, make] of Object.entries({ "memory": inMemory, "3DXP": simulated })) {
  Deno.test(`createStripe() of ${name} is one array of bytes, whatever is cut`, () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 20 }), fc.integer({ min: 1, max: 4 }), (
        actions,
        count,
      ) => {
        const clock = new VirtualClock();
        const model = randomBytes(12 * CHUNK);
        const memory = randomBytes(20 * 6144, 6);
        using device = stripeOf(make, model, clock, count);
        device.attach(memory);
        const clip = (at: number, blocks: number) => Math.min(blocks, 48 - at % 48) * 512;
        for (const each of actions) {
          if ("length" in each) {
            const offsetBytes = each.block % 48 * 512, bytes = clip(each.block, each.length);
            const asks = [{ op: IO_OP.WRITE, offsetBytes, bytes, buffer: 512 }];
            assertStrictEquals(runBatch(device, clock, asks)[0].result, bytes);
            model.set(memory.subarray(512, 512 + bytes), offsetBytes);
            continue;
          }
          const asks = each.reads.map((read, i) => ({
            offsetBytes: read.block % 48 * 512,
            bytes: clip(read.block, read.length),
            buffer: i * 6144,
          }));
          runBatch(device, clock, asks).forEach(({ result }, i) => {
            const { offsetBytes, bytes, buffer } = asks[i];
            assertStrictEquals(result, bytes);
            assertEquals(
              memory.subarray(buffer, buffer + bytes),
              model.subarray(offsetBytes, offsetBytes + bytes),
            );
          });
        }
        assertStrictEquals(runBatch(device, clock, [{ op: IO_OP.FLUSH }])[0].result, 0);
      }),
      { numRuns: 40 },
    );
  });
}

Deno.test("createStripe() completes once each, whatever fails, is late, or is cancelled", () => {
  const errors: Fault[] = [
    { kind: "error", share: 0.2, errno: ERRNO.EIO },
    { kind: "late", share: 0.2, delayNs: 40_000 },
    { kind: "short", share: 0.2 },
  ];
  fc.assert(
    fc.property(fc.integer(), fc.array(fc.nat(60), { maxLength: 30 }), (seed, cancels) => {
      const clock = new VirtualClock();
      const content = randomBytes(12 * CHUNK);
      const devices = partsOf(content, 2, CHUNK).map((part, i) =>
        createFaultDevice({
          device: simulated(part, clock),
          faults: errors,
          clock,
          seed: seed + i,
        })
      );
      const memory = new Uint8Array(16_384);
      using device = createStripe({ devices, chunkBytes: CHUNK, clock, depth: 5 });
      device.attach(memory);
      const asks = Array.from({ length: 60 }, (_, i) => ({
        op: i % 7 === 6 ? IO_OP.FLUSH : IO_OP.READ,
        offsetBytes: i % 16 * 512,
        bytes: (1 + i % 32) * 512,
      }));
      const left = [...cancels];
      const answers = runBatch(device, clock, asks, () => device.cancel(left.pop() ?? -1));
      answers.forEach(({ result, latencyNs }, i) => {
        const { op, bytes } = asks[i];
        const failed = result === -ERRNO.EIO || result === -ERRNO.ECANCELED;
        const fits = op === IO_OP.FLUSH ? result === 0 : result > 0 && result <= bytes;
        assert(fits || failed, `${i}: ${result}`);
        assert(latencyNs >= 0);
      });
    }),
    { numRuns: 60 },
  );
});

/** A stripe of two devices over four chunks of 512 bytes, of which reads of one kind fail. */
function withFaults(faults: readonly Fault[]) {
  const clock = new VirtualClock();
  const devices = [0, 1].map((i) =>
    createFaultDevice({
      device: createMemoryDevice({ media: memoryMedia(1024), clock }),
      faults: i === 0 ? [] : faults,
      clock,
    })
  );
  const device = createStripe({ devices, chunkBytes: 512, clock });
  device.attach(new Uint8Array(4096));
  return { device, clock };
}

Deno.test("createStripe() says what lies before the first gap", () => {
  const { device, clock } = withFaults([{ kind: "short", at: 0 }]);
  // Pieces: 512 of the first device, half of 512 of the second, 512 of the first.
  assertStrictEquals(runBatch(device, clock, [{ bytes: 1536 }])[0].result, 768);
  device[Symbol.dispose]();
});

Deno.test("createStripe() takes the first of several gaps, whichever came last", () => {
  const clock = new VirtualClock();
  const devices = [0, 1].map(() =>
    createFaultDevice({
      device: createMemoryDevice({ media: memoryMedia(1024), clock }),
      faults: [{ kind: "short", at: 0 }],
      clock,
    })
  );
  using device = createStripe({ devices, chunkBytes: 512, clock });
  device.attach(new Uint8Array(4096));
  assertStrictEquals(runBatch(device, clock, [{ bytes: 1024 }])[0].result, 256);
});

Deno.test("createStripe() never sends what was cancelled before its turn", () => {
  for (const cancelled of [0, 1]) {
    const clock = new VirtualClock();
    const log = createEventLog(1000);
    const devices = [0, 1].map(() => {
      const media = memoryMedia(2 ** 16);
      const device = createSimulatedDevice({ profile: PROFILES.p4800x, media, clock, depth: 1 });
      return createTraceDevice({ device, log, clock });
    });
    // Four pieces in all: the first request waits with its fifth, the second with its first.
    using device = createStripe({ devices, chunkBytes: 512, clock, depth: 2 });
    device.attach(new Uint8Array(2 ** 16));
    const asks = [{ bytes: 12 * 512 }, { bytes: 12 * 512 }];
    const answers = runBatch(device, clock, asks, () => device.cancel(cancelled));
    assertStrictEquals(answers[cancelled].result, -ERRNO.ECANCELED);
    assertStrictEquals(answers[1 - cancelled].result, 12 * 512);
    // 12 of the one, and of the other what both devices had at once.
    const sent = 12 + (cancelled === 0 ? 2 : 0);
    assertStrictEquals(log.count, 2 * sent);
  }
});

Deno.test("createStripe() gives the first errno, whatever else came", () => {
  const { device, clock } = withFaults([
    { kind: "error", at: 0, errno: ERRNO.ENOMEM },
    { kind: "error", at: 1, errno: ERRNO.EIO },
  ]);
  assertStrictEquals(runBatch(device, clock, [{ bytes: 2048 }])[0].result, -ERRNO.ENOMEM);
  device[Symbol.dispose]();
});

Deno.test("createStripe() is as late as its latest piece, with its wait for a full device", () => {
  const clock = new VirtualClock();
  const profile = { ...PROFILES.p4800x, jitterNs: 0, stallShare: 0 };
  const make = () =>
    createSimulatedDevice({ profile, media: memoryMedia(2 ** 16), clock, depth: 1 });
  using device = createStripe({ devices: [make(), make()], chunkBytes: 4096, clock, depth: 8 });
  device.attach(new Uint8Array(2 ** 16));
  const latency = (bytes: number) => runBatch(device, clock, [{ bytes }])[0].latencyNs;
  const one = latency(4096);
  assertStrictEquals(latency(8192), one);
  // The third chunk waits until its device is free.
  assert(latency(12_288) > 1.9 * one && latency(12_288) < 2.5 * one);
});

Deno.test("createStripe() flushes all devices, and discards where the bytes are", () => {
  const clock = new VirtualClock();
  const contents = [0, 1].map(() => new Uint8Array(8192).fill(7));
  const devices = contents.map((content) =>
    createMemoryDevice({ media: memoryMedia(content), clock })
  );
  using device = createStripe({ devices, chunkBytes: 2048, clock });
  device.attach(new Uint8Array(512));
  const answers = runBatch(device, clock, [
    { op: IO_OP.FLUSH, bytes: 99 },
    { op: IO_OP.DISCARD, offsetBytes: 1024, bytes: 4096 },
  ]);
  assertEquals(answers.map(({ result }) => result), [0, 4096]);
  // The last 1024 of chunk 0 and the first 1024 of chunk 2 on one device, chunk 1 on the other.
  const discarded = contents.map((content) =>
    [...content.keys()].filter((at) => content[at] === 0)
  );
  assertEquals(discarded[0], Array.from({ length: 2048 }, (_, i) => 1024 + i));
  assertEquals(discarded[1], Array.from({ length: 2048 }, (_, i) => i));
});

Deno.test("createStripe() allocates nothing for an IO of several pieces", () => {
  const clock = new VirtualClock();
  const content = new Uint8Array(64 * CHUNK);
  using device = stripeOf(inMemory, content, clock, 4);
  device.attach(new Uint8Array(8192));
  const requests = createRequests(8), completions = createCompletions(8);
  requests.bytes.fill(6144);
  const run = (turns: number) => {
    for (let i = 0; i < turns; i++) {
      for (let r = 0; r < 8; r++) requests.offsetBytes[r] = (i * 8 + r) % 50 * 512;
      requests.count = 8;
      completions.count = 0;
      device.submit(requests, 0);
      while (completions.count < 8) {
        device.step(clock.now());
        device.poll(completions);
      }
    }
  };
  assert(heapGrowth(run, 100) < 2000, `${heapGrowth(run, 100)} bytes for 800 requests`);
});

Deno.test("createStripe() waits for real devices until enough can be polled", () => {
  using file = knownFile(8 * CHUNK, 3);
  const clock = new RealClock();
  const devices = [0, 1].map(() => openDevice({ files: [file.path], depth: 2 }).device);
  using device = createStripe({ devices, chunkBytes: CHUNK, clock, depth: 6 });
  assert(!device.simulated);
  device.attach(new Uint8Array(new WebAssembly.Memory({ initial: 2, maximum: 2 }).buffer));
  const requests = createRequests(6), completions = createCompletions(6);
  requests.bytes.fill(4 * CHUNK);
  requests.count = 6;
  assertStrictEquals(device.submit(requests, 0), 6);
  device.wait(6);
  assertStrictEquals(device.poll(completions), 6);
  assert(completions.result.every((result) => result === 4 * CHUNK));
  device.wait(1); // nothing is in flight, so nothing is waited for
});

Deno.test("createStripe() refuses wrong options", () => {
  const clock = new VirtualClock();
  const make = (blockBytes = 512, bytes = 65_536, of: VirtualClock | RealClock = clock) =>
    createMemoryDevice({ media: memoryMedia(bytes), clock: of, blockBytes });
  const stripe = (devices: BlockDevice[], chunkBytes = 4096, depth = 8) =>
    createStripe({ devices, chunkBytes, clock, depth });
  const one = make();
  assertThrows(() => stripe([]), RangeError, "Cannot create stripe: devices.length must be");
  assertThrows(() => stripe([one, one]), RangeError, "received one twice");
  assertThrows(() => stripe([one], 4096 + 100), RangeError, "multiple of the block, 512");
  assertThrows(() => stripe([one], 256), RangeError, "chunkBytes must be");
  assertThrows(() => stripe([one], 2 ** 20), RangeError, "at most the shortest device, 65536");
  assertThrows(() => stripe([one], 4096, 0), RangeError, "depth must be");
  assertThrows(() => stripe([make(512), make(768)]), RangeError, "must divide the largest, 768");
  const real = make(512, 65_536, new RealClock());
  assertThrows(() => stripe([one, real]), TypeError, "received 1 simulated of 2");
});
