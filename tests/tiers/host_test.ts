import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  createCompletions,
  createHost,
  createMemoryDevice,
  createRequests,
  createSimulatedDevice,
  drive,
  ERRNO,
  type HostOptions,
  IO_OP,
  memoryMedia,
  pcieBytesPerSecond,
  type PollingCompletion,
  PROFILES,
  RealClock,
  VirtualClock,
} from "../../tiers/mod.ts";
import { heapGrowth } from "./allocation.ts";
import { testDevice } from "./device_cases.ts";
import { type Ask, randomBytes, runBatch, virtualWorld } from "./spread_setup.ts";

type Costs = Partial<Omit<HostOptions, "device" | "clock">>;

/** A host of round numbers over memory, where all time is the host's. */
function hostOf(costs: Costs = {}) {
  const clock = new VirtualClock();
  const device = createMemoryDevice({ media: memoryMedia(2 ** 20), clock });
  const host = createHost({
    device,
    clock,
    linkBytesPerSecond: 1e9,
    submitNs: 100,
    completeNs: 50,
    completion: { kind: "interrupt", interruptNs: 1000 },
    ...costs,
  });
  host.attach(new Uint8Array(65_536));
  return { host, clock };
}

for (
  const completion of [
    { kind: "interrupt", interruptNs: 1000 },
    { kind: "polling", everyNs: 300 },
  ] as const
) {
  testDevice(`createHost() by ${completion.kind}`, () => {
    const clock = new VirtualClock();
    const content = randomBytes(64 * 512);
    const inner = { profile: PROFILES.p4800x, media: memoryMedia(content.slice()), clock };
    const device = createHost({
      device: createSimulatedDevice({ ...inner, depth: 3 }),
      clock,
      linkBytesPerSecond: 3e9,
      submitNs: 500,
      completeNs: 400,
      completion,
      depth: 8,
    });
    return virtualWorld(device, content, clock);
  });
}

Deno.test("createHost() adds submission, bus, and interrupt to a read", () => {
  const { host, clock } = hostOf();
  const [answer] = runBatch(host, clock, [{ bytes: 4096 }]);
  assertEquals(answer, { result: 4096, latencyNs: 100 + 4096 + 1000 + 50 });
  assertEquals([host.cpuNs, host.readBytes, host.writtenBytes], [1150, 4096, 0]);
  assertStrictEquals(host.name, "memory behind a host");
});

Deno.test("createHost() sends what is written before the device has it", () => {
  const { host, clock } = hostOf();
  const [write, flush] = runBatch(host, clock, [
    { op: IO_OP.WRITE, bytes: 4096 },
    { op: IO_OP.FLUSH },
  ]);
  assertEquals(write, { result: 4096, latencyNs: 100 + 4096 + 1000 + 50 });
  // A flush has no bytes: 200 ns to submit after the write's, and one interrupt.
  assertEquals(flush, { result: 0, latencyNs: 200 + 1050 });
  assertEquals([host.readBytes, host.writtenBytes], [0, 4096]);
});

Deno.test("createHost() by polling sees a completion at the next look", () => {
  const { host, clock } = hostOf({ completion: { kind: "polling", everyNs: 3000 } });
  const [answer] = runBatch(host, clock, [{ bytes: 4096 }]);
  assertStrictEquals(answer.latencyNs, 6000 + 50); // arrived at 4196
  assertStrictEquals(host.cpuNs, 6050, "busy all the while");
  const once = hostOf({ completion: { kind: "polling", everyNs: 0 } });
  assertStrictEquals(runBatch(once.host, once.clock, [{ bytes: 4096 }])[0].latencyNs, 4246);
});

const reads = (count: number, bytes: number): Ask[] =>
  Array.from({ length: count }, (_, i) => ({ offsetBytes: i % 16 * bytes, bytes }));

Deno.test("createHost() is bound by its bus, in each direction by itself", () => {
  const one = hostOf();
  runBatch(one.host, one.clock, reads(100, 4096));
  assert(one.clock.now() >= 100 * 4096 && one.clock.now() < 103 * 4096, `${one.clock.now()}`);
  const up = hostOf();
  runBatch(up.host, up.clock, reads(100, 4096).map((ask) => ({ ...ask, op: IO_OP.WRITE })));
  assert(up.clock.now() >= 100 * 4096, `${up.clock.now()}`);
  const two = hostOf();
  const mixed = reads(200, 4096).map((ask, i) => ({ ...ask, op: i % 2 }));
  runBatch(two.host, two.clock, mixed);
  assert(two.clock.now() < 103 * 4096 + 200 * 1150, `${two.clock.now()}`);
});

Deno.test("createHost() is bound by its core where the bus is not", () => {
  const { host, clock } = hostOf({ linkBytesPerSecond: Infinity });
  runBatch(host, clock, reads(100, 4096));
  assertStrictEquals(clock.now(), 100 * (100 + 1000 + 50));
  assertStrictEquals(host.cpuNs, clock.now());
});

Deno.test("createHost() never makes a device faster, and completes once each", () => {
  const ask = fc.record({
    op: fc.nat(2),
    block: fc.nat(31),
    blocks: fc.integer({ min: 1, max: 8 }),
  });
  fc.assert(
    fc.property(fc.array(ask, { maxLength: 60 }), fc.array(fc.nat(60), { maxLength: 10 }), (
      asked,
      cancels,
    ) => {
      const clock = new VirtualClock();
      const profile = { ...PROFILES.p4800x, jitterNs: 0, stallShare: 0 };
      const device = createSimulatedDevice({
        profile,
        media: memoryMedia(2 ** 15),
        clock,
        depth: 4,
      });
      const host = createHost({
        device,
        clock,
        linkBytesPerSecond: 2e9,
        submitNs: 700,
        completeNs: 300,
        completion: { kind: "interrupt", interruptNs: 2000 },
        depth: 16,
      });
      host.attach(new Uint8Array(8192));
      const asks = asked.map(({ op, block, blocks }) => ({
        op,
        offsetBytes: block * 512,
        bytes: blocks * 512,
      }));
      const left = [...cancels];
      const cancel = () => host.cancel(left.pop() ?? -1);
      runBatch(host, clock, asks, cancel).forEach(({ result, latencyNs }, i) => {
        if (result === -ERRNO.ECANCELED) return assert(cancels.includes(i));
        const { op, bytes } = asks[i];
        assertStrictEquals(result, op === IO_OP.FLUSH ? 0 : bytes);
        const leastNs = op === IO_OP.FLUSH ? 3000 : 3000 + 8660 + bytes / 2;
        assert(latencyNs >= leastNs, `${latencyNs} for ${bytes} bytes of ${op}`);
      });
      host[Symbol.dispose]();
    }),
    { numRuns: 60 },
  );
});

Deno.test("createHost() ends what is cancelled on its way to the device", () => {
  const { host, clock } = hostOf();
  const requests = createRequests(1), completions = createCompletions(1);
  requests.bytes[0] = 512;
  requests.count = 1;
  host.submit(requests, 0);
  clock.advanceTo(40);
  host.cancel(0);
  assertStrictEquals(host.wakeNs, 40);
  host.poll(completions);
  assertEquals([completions.result[0], completions.latencyNs[0]], [-ERRNO.ECANCELED, 40]);
  assertStrictEquals(host.readBytes, 0);
});

Deno.test("createHost() allocates nothing for an IO", () => {
  const { host, clock } = hostOf();
  const requests = createRequests(8), completions = createCompletions(8);
  requests.bytes.fill(512);
  const done = () => (host.poll(completions), completions.count === 8);
  const run = (turns: number) => {
    for (let i = 0; i < turns; i++) {
      requests.count = 8;
      completions.count = 0;
      host.submit(requests, 0);
      drive(host, clock, done);
    }
  };
  assert(heapGrowth(run, 100) < 2000, `${heapGrowth(run, 100)} bytes for 800 requests`);
});

Deno.test("createHost() refuses wrong options", () => {
  const wrong: [Costs, string][] = [
    [{ linkBytesPerSecond: 0 }, "linkBytesPerSecond must be at least 1: received 0"],
    [{ linkBytesPerSecond: NaN }, "linkBytesPerSecond must be"],
    [{ submitNs: -1 }, "submitNs must be from 0 to 1e9: received -1"],
    [{ completeNs: Infinity }, "completeNs must be"],
    [{ completion: { kind: "interrupt", interruptNs: NaN } }, "completion.interruptNs must be"],
    [{ completion: { kind: "polling", everyNs: 2e9 } }, "completion.everyNs must be"],
    [{ depth: 0 }, "depth must be"],
  ];
  for (const [costs, message] of wrong) {
    assertThrows(() => hostOf(costs), RangeError, message);
  }
  const foreign: unknown = { kind: "signal" };
  assertThrows(
    () => hostOf({ completion: foreign as PollingCompletion }),
    TypeError,
    "received signal",
  );
  const device = createMemoryDevice({ media: memoryMedia(512), clock: new RealClock() });
  const real = { device, clock: new RealClock(), linkBytesPerSecond: 1, submitNs: 0 };
  const completion = { kind: "polling", everyNs: 0 } as const;
  assertThrows(() => createHost({ ...real, completeNs: 0, completion }), TypeError, "simulated");
});

Deno.test("pcieBytesPerSecond() grows with lanes, generations, and payload", () => {
  const at = (generation: number, lanes: number, payloadBytes?: number) =>
    pcieBytesPerSecond({ generation, lanes, ...(payloadBytes !== undefined && { payloadBytes }) });
  assertStrictEquals(at(1, 4), 1e9 * 256 / 282);
  assertStrictEquals(at(2, 1), 0.5e9 * 256 / 282);
  assert(Math.abs(at(3, 4) - 3.576e9) < 1e6, `${at(3, 4)}`);
  assertStrictEquals(at(5, 8), 8 * at(4, 2));
  assert(at(4, 4, 512) > at(4, 4) && at(4, 4, 128) < at(4, 4));
  for (const [generation, lanes, payload] of [[0, 1, 256], [6, 1, 256], [3, 17, 256], [3, 1, 8]]) {
    assertThrows(() => at(generation, lanes, payload), RangeError, "Cannot compute PCIe");
  }
});
