import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { createRandom } from "../../base/random.ts";
import {
  type BlockDevice,
  blockSum,
  createChecksumDevice,
  createCompletions,
  createDelayDevice,
  createFaultDevice,
  createHedgeDevice,
  createMemoryDevice,
  createPowerCutDevice,
  createRequests,
  createRetryDevice,
  createStatisticsDevice,
  createThrottleDevice,
  DeviceStatistics,
  ERRNO,
  type Fault,
  IO_OP,
  memoryMedia,
  VirtualClock,
  volatileMedia,
} from "../../tiers/mod.ts";
import { heapGrowth } from "./allocation.ts";
import { Bench, BLOCK, CONTENT, memoryDevice, simulatedDevice } from "./wrappers_setup.ts";

const { READ, WRITE, FLUSH } = IO_OP;

/** Sums of what the content's blocks hold. */
const SUMS = Int32Array.from({ length: 64 }, (_, b) => blockSum(CONTENT, b * BLOCK, BLOCK, b, 0));

/** A bench over a memory device with `faults`, below what `wrap` adds. */
function faultyBench(
  faults: readonly Fault[],
  wrap: (device: BlockDevice, clock: VirtualClock) => BlockDevice,
): Bench {
  return new Bench((clock) =>
    wrap(createFaultDevice({ device: memoryDevice(clock), faults, clock }), clock)
  );
}

Deno.test("createDelayDevice() delays by the device's time, however late it is stepped", () => {
  const latencies = (lateNs: number) => {
    using bench = new Bench((clock) =>
      createDelayDevice({ device: simulatedDevice(clock), delayNs: 5000, jitterNs: 900, clock })
    );
    bench.submit({ block: 3 }, { block: 4, place: 1 }, { op: FLUSH });
    if (lateNs > 0) bench.moveTo(lateNs);
    return bench.finish(3).map(({ latencyNs }) => latencyNs);
  };
  const prompt = latencies(0);
  assertEquals(latencies(1e6), prompt);
  assert(prompt.every((ns) => ns >= 5000 && ns < 60_000), String(prompt));
});

Deno.test("createDelayDevice() ends a delayed read when it is cancelled", () => {
  using bench = new Bench((clock) =>
    createDelayDevice({ device: memoryDevice(clock), delayNs: 1e9, clock })
  );
  bench.submit({}, {});
  assertEquals(bench.poll(), []);
  bench.device.cancel(1);
  assertEquals(bench.poll().map(({ user, result }) => [user, result]), [[1, -ERRNO.ECANCELED]]);
  assertEquals(bench.finish(1).map(({ latencyNs }) => latencyNs), [1e9]);
});

Deno.test("createDelayDevice() does not delay what is cancelled at its device", () => {
  using bench = new Bench((clock) =>
    createDelayDevice({ device: simulatedDevice(clock), delayNs: 1e9, clock })
  );
  bench.submit({});
  bench.device.cancel(0);
  assertEquals(bench.finish(1), [{ user: 0, result: -ERRNO.ECANCELED, latencyNs: 0 }]);
});

Deno.test("createThrottleDevice() lets go what two simple token buckets would", () => {
  const arrivals = fc.array(
    fc.record({ gapNs: fc.nat(3000), blocks: fc.integer({ min: 1, max: 8 }) }),
    {
      minLength: 1,
      maxLength: 40,
    },
  );
  fc.assert(fc.property(arrivals, fc.nat(20_000), (list, burstNs) => {
    using bench = new Bench((clock) =>
      createThrottleDevice({
        device: memoryDevice(clock, undefined, 64),
        operationsPerSecond: 500_000,
        bytesPerSecond: 1e9,
        burstNs,
        clock,
      })
    );
    // The twin: buckets in ns, filled as time goes by; a request goes when neither is in debt.
    let nowNs = 0, operations = burstNs, bytes = burstNs;
    const expected = list.map(({ gapNs, blocks }) => {
      nowNs += gapNs;
      operations = Math.min(burstNs, operations + gapNs);
      bytes = Math.min(burstNs, bytes + gapNs);
      const waitNs = Math.max(0, -operations, -bytes);
      operations -= 2000;
      bytes -= blocks * BLOCK;
      return waitNs;
    });
    nowNs = 0;
    const ended = list.flatMap(({ gapNs, blocks }) => {
      bench.moveTo(nowNs += gapNs);
      bench.submit({ blocks });
      return bench.poll();
    });
    ended.push(...bench.finish(list.length - ended.length));
    const got = ended.toSorted((a, b) => a.user - b.user).map(({ latencyNs }) => latencyNs);
    got.forEach((ns, i) =>
      assert(ns >= expected[i] && ns < expected[i] + gap(list), `${got}; ${expected}`)
    );
  }));
  // Steps come with arrivals here, so that one may be seen as late as the next arrival.
  function gap(list: readonly { gapNs: number }[]): number {
    return Math.max(...list.map(({ gapNs }) => gapNs)) + 2;
  }
});

Deno.test("createThrottleDevice() keeps its rate to the last operation, and cancels", () => {
  using bench = new Bench((clock) =>
    createThrottleDevice({ device: memoryDevice(clock), operationsPerSecond: 300_000, clock })
  );
  for (let turn = 0; turn < 100; turn++) {
    bench.submit({}, { op: FLUSH }, { op: WRITE, block: 9, place: 9 });
    bench.finish(3);
  }
  assertStrictEquals(bench.clock.now(), Math.ceil(299 * 1e9 / 300_000));
  bench.submit({}, {});
  bench.device.cancel(301);
  assertEquals(bench.finish(2).map(({ result }) => result), [BLOCK, -ERRNO.ECANCELED]);
});

Deno.test("createRetryDevice() tries again until it succeeds or its tries are up", () => {
  const faults: Fault[] = [
    { kind: "error", at: 0, errno: ERRNO.EIO },
    { kind: "error", at: 1, errno: ERRNO.EAGAIN },
    { kind: "short", at: 2 },
    { kind: "error", op: "write", share: 1, errno: ERRNO.EIO },
    { kind: "error", op: "flush", at: 0, errno: ERRNO.EIO },
  ];
  using bench = faultyBench(
    faults,
    (device, clock) => createRetryDevice({ device, backoffNs: 100, maxBackoffNs: 150, clock }),
  );
  bench.submit({ block: 5 });
  assertEquals(bench.finish(1), [{ user: 0, result: BLOCK, latencyNs: 100 + 150 + 150 }]);
  assert(bench.holds(5));
  assertEquals(bench.run({ op: WRITE, block: 9 }, { op: FLUSH }), [-ERRNO.EIO, -ERRNO.EIO]);
  assertStrictEquals(bench.clock.now(), 400 + 400);
});

Deno.test("createRetryDevice() leaves other errors, cancelled requests and short ends", () => {
  using bench = faultyBench(
    [{ kind: "error", at: 0, errno: ERRNO.EBADF }, { kind: "error", at: 1, errno: ERRNO.EIO }],
    (device, clock) => createRetryDevice({ device, backoffNs: 1000, retries: 1, clock }),
  );
  assertEquals(bench.run({}), [-ERRNO.EBADF]);
  bench.submit({});
  assertEquals(bench.poll(), []);
  bench.device.cancel(1);
  assertEquals(bench.poll().map(({ result }) => result), [-ERRNO.ECANCELED]);
  const stubborn = faultyBench([{ kind: "error", share: 1, errno: ERRNO.EIO }], (inner, clock) => {
    const device = createDelayDevice({ device: inner, delayNs: 10, clock });
    device.cancel = () => {};
    return createRetryDevice({ device, backoffNs: 1000, clock });
  });
  stubborn.submit({});
  stubborn.device.cancel(0);
  assertEquals(stubborn.finish(1), [{ user: 0, result: -ERRNO.EIO, latencyNs: 10 }]);
  using ends = new Bench((clock) =>
    createRetryDevice({ device: memoryDevice(clock, new Uint8Array(700)), clock })
  );
  assertEquals(ends.run({ blocks: 2 }), [700], "short after all tries");
});

Deno.test("createChecksumDevice() finds every flipped byte and every misplaced read", () => {
  for (const kind of ["corrupt", "misplaced"] as const) {
    using bench = faultyBench(
      [{ kind, share: 0.5 }],
      (device, clock) => createChecksumDevice({ device, sums: SUMS, clock }),
    );
    const wrong = Array.from({ length: 200 }, (_, i) => {
      const block = i % 60, blocks = 1 + i % 4;
      const [result] = bench.run({ block, blocks });
      const right = bench.memory.subarray(0, blocks * BLOCK).every((byte, at) =>
        byte === CONTENT[block * BLOCK + at]
      );
      assertStrictEquals(result, right ? blocks * BLOCK : -ERRNO.EBADMSG);
      return right ? 0 : 1;
    }).reduce((sum: number, one) => sum + one, 0);
    assert(wrong > 60 && wrong < 140, `${wrong} of 200`);
  }
});

Deno.test("createChecksumDevice() learns from writes, not from failed or overlapping ones", () => {
  const content = CONTENT.slice();
  using bench = new Bench((clock) => {
    const faults: Fault[] = [{ kind: "error", op: "write", at: 3, errno: ERRNO.EIO }];
    const device = createFaultDevice({ device: simulatedDevice(clock, content), faults, clock });
    return createChecksumDevice({ device, seed: 9, clock });
  });
  const rot = (block: number) => content[block * BLOCK + 100] ^= 4;
  bench.memory.fill(1, 0, BLOCK);
  rot(7);
  assertEquals(bench.run({ block: 7, place: 5 }), [BLOCK], "no sum yet");
  bench.run({ op: WRITE, block: 7, place: 0 });
  rot(7);
  assertEquals(bench.run({ block: 7, place: 5 }), [-ERRNO.EBADMSG]);
  rot(7);
  assertEquals(bench.run({ block: 7, place: 5 }), [BLOCK]);
  bench.run({ op: WRITE, block: 7 }, { op: WRITE, block: 6, blocks: 2 });
  rot(7);
  rot(6);
  assertEquals(bench.run({ block: 7, place: 5 }), [BLOCK], "two writes overlapped");
  assertEquals(bench.run({ block: 6, place: 5 }), [-ERRNO.EBADMSG], "one alone wrote this");
  rot(6);
  assertEquals(bench.run({ op: WRITE, block: 6 }), [-ERRNO.EIO]);
  rot(6);
  assertEquals(bench.run({ block: 6, place: 5 }), [BLOCK], "a write failed");
  bench.run({ op: WRITE, block: 6 });
  bench.run({ op: WRITE, block: 6 });
  bench.submit({ op: IO_OP.DISCARD, block: 6 });
  bench.finish(1);
  assertEquals(bench.run({ block: 6, place: 5 }), [BLOCK], "discarded");
});

Deno.test("createChecksumDevice() does not judge a read by a write that it did not see", () => {
  using bench = faultyBench(
    [{ kind: "late", at: 0, delayNs: 500 }, { kind: "late", op: "write", at: 1, delayNs: 500 }],
    (device, clock) => createChecksumDevice({ device, sums: SUMS, clock }),
  );
  bench.memory.fill(1);
  // The read has the old bytes when the write has ended already.
  bench.submit({ block: 6, place: 5 });
  bench.submit({ op: WRITE, block: 6 });
  assertEquals(bench.finish(2).map(({ result }) => result), [BLOCK, BLOCK]);
  bench.memory.fill(2);
  bench.submit({ op: WRITE, block: 6, place: 1 });
  bench.submit({ block: 6, place: 5 });
  assertEquals(bench.finish(2).map(({ result }) => result), [BLOCK, BLOCK], "while in flight");
});

Deno.test("blockSum() tells blocks and devices apart", () => {
  const zeros = new Uint8Array(BLOCK);
  const sums = [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1]].map(([block, seed]) =>
    blockSum(zeros, 0, BLOCK, block, seed)
  );
  assertStrictEquals(new Set(sums).size, 5);
});

Deno.test("createChecksumDevice() and createRetryDevice() above it hide corruption", () => {
  using bench = faultyBench(
    [{ kind: "corrupt", share: 0.3 }, { kind: "misplaced", share: 0.2 }],
    (device, clock) => {
      const checked = createChecksumDevice({ device, sums: SUMS, clock });
      return createRetryDevice({ device: checked, retries: 64, clock });
    },
  );
  for (let block = 0; block < 64; block++) {
    assertEquals(bench.run({ block }), [BLOCK]);
    assert(bench.holds(block));
  }
});

/** What volatile media hold, and what each of their blocks may hold after a cut. */
class VolatileTwin {
  readonly durable = new Uint8Array(100);
  readonly #seen = new Uint8Array(100);
  readonly #possible = Array.from({ length: 50 }, () => new Set<string>());

  constructor() {
    this.settle();
  }

  /** What is seen now is what is kept, and nothing else. */
  settle(): void {
    this.#seen.set(this.durable);
    this.#possible.forEach((set, b) => (set.clear(), set.add(blockOf(this.#seen, b))));
  }

  write(at: number, bytes: Uint8Array): void {
    this.#seen.set(bytes, at);
    this.#possible.forEach((set, b) => set.add(blockOf(this.#seen, b)));
  }

  read(at: number, bytes: number): Uint8Array {
    return this.#seen.subarray(at, at + bytes);
  }

  checkDurable(flushed: boolean): void {
    if (flushed) assertEquals(this.durable, this.#seen);
    this.#possible.forEach((set, b) => assert(set.has(blockOf(this.durable, b)), `block ${b}`));
    this.settle();
  }
}

function blockOf(bytes: Uint8Array, block: number): string {
  return bytes.subarray(2 * block, 2 * block + 2).join();
}

Deno.test("volatileMedia() reads what was written, and keeps what was flushed", () => {
  const action = fc.record({
    kind: fc.constantFrom("write", "write", "write", "read", "read", "flush", "cut"),
    at: fc.nat(99),
    bytes: fc.integer({ min: 1, max: 40 }),
  });
  const caches = fc.record({
    cacheBlocks: fc.integer({ min: 1, max: 32 }),
    keptShare: fc.constantFrom(0, 0.5, 1),
    seed: fc.nat(),
  });
  fc.assert(fc.property(fc.array(action, { maxLength: 60 }), caches, (actions, cache) => {
    const twin = new VolatileTwin();
    const media = volatileMedia({ media: memoryMedia(twin.durable), blockBytes: 2, ...cache });
    const random = createRandom(cache.seed);
    for (const { kind, at, bytes } of actions) {
      const moved = Math.min(bytes, 100 - at);
      const memory = Uint8Array.from({ length: 50 }, () => random.below(256));
      if (kind === "flush") {
        media.flush();
        twin.checkDurable(true);
      } else if (kind === "cut") {
        media.cut();
        assertEquals([media.read(0, memory, 0, 8), media.powered], [-ERRNO.EIO, false]);
        assertStrictEquals(media.write(0, memory, 0, 8), -ERRNO.EIO);
        media.restore();
        twin.checkDurable(false);
      } else if (kind === "write") {
        assertStrictEquals(media.write(at, memory, 5, bytes), moved);
        twin.write(at, memory.subarray(5, 5 + moved));
      } else {
        assertStrictEquals(media.read(at, memory, 5, bytes), moved);
        assertEquals(memory.subarray(5, 5 + moved), twin.read(at, moved));
      }
      assert(media.dirtyBlocks <= cache.cacheBlocks);
    }
  }));
});

Deno.test("createPowerCutDevice() keeps what was flushed, and fails what is in flight", () => {
  const content = new Uint8Array(64 * BLOCK);
  const media = volatileMedia({ media: memoryMedia(content) });
  using bench = new Bench((clock) => {
    const inner = createMemoryDevice({ media, clock });
    const device = createDelayDevice({ device: inner, delayNs: 9000, clock });
    return createPowerCutDevice({ device, media, cutAt: 4, clock });
  });
  const device = bench.device as ReturnType<typeof createPowerCutDevice>;
  bench.memory.fill(7);
  bench.run({ op: WRITE, block: 1 });
  bench.run({ op: FLUSH });
  bench.run({ op: WRITE, block: 2 });
  bench.submit({ op: WRITE, block: 3 });
  bench.submit({ op: WRITE, block: 4 }, { op: FLUSH });
  assertThrows(() => device.restore(), TypeError, "requests in flight must be 0: received 3");
  assertEquals(bench.finish(3).map(({ result }) => result), [-5, -5, -5]);
  assertEquals([device.powered, ...bench.run({}, { op: FLUSH })], [false, -ERRNO.EIO, -ERRNO.EIO]);
  device.cut();
  device.restore();
  const held = [1, 2, 3, 4].map((block) => content[block * BLOCK]);
  assertEquals(held, [7, 0, 0, 0]);
  assertEquals([device.powered, ...bench.run({ block: 2 })], [true, BLOCK]);
  assertStrictEquals(bench.memory[0], 0);
});

Deno.test("wrappers refuse wrong options", () => {
  const clock = new VirtualClock();
  const device = memoryDevice(clock), other = memoryDevice(clock);
  const refuse = (make: () => unknown, message: string, type: typeof Error = RangeError) =>
    assertThrows(make, type, message);
  const delay = (o: object) => () => createDelayDevice({ device, delayNs: 1, clock, ...o });
  refuse(delay({ delayNs: -1 }), "Cannot create delay device: delayNs must be");
  refuse(delay({ jitterNs: 2 ** 51 }), "jitterNs must be");
  refuse(delay({ seed: 0.5 }), "seed must be");
  const throttle = (o: object) => () => createThrottleDevice({ device, clock, ...o });
  refuse(throttle({}), "Cannot create throttle device: one of", TypeError);
  refuse(throttle({ operationsPerSecond: 0 }), "operationsPerSecond must be");
  refuse(throttle({ bytesPerSecond: 2e12 }), "bytesPerSecond must be");
  refuse(throttle({ bytesPerSecond: 1, burstNs: -1 }), "burstNs must be");
  const retry = (o: object) => () => createRetryDevice({ device, clock, ...o });
  refuse(retry({ retries: 0 }), "Cannot create retry device: retries must be");
  refuse(retry({ backoffNs: -1 }), "backoffNs must be");
  refuse(retry({ backoffNs: 10, maxBackoffNs: 9 }), "maxBackoffNs must be");
  refuse(retry({ errnos: [5, 0] }), "errnos[1] must be");
  const checksum = (o: object) => () => createChecksumDevice({ device, clock, ...o });
  refuse(checksum({ sums: new Int32Array(65) }), "Cannot create checksum device: sums.length");
  refuse(checksum({ seed: -1 }), "seed must be");
  const huge = { ...device, blockCount: 2 ** 26 + 1 } as BlockDevice;
  refuse(checksum({ device: huge }), "device.blockCount must be");
  const media = (o: object) => () => volatileMedia({ media: memoryMedia(8), ...o });
  refuse(media({ cacheBlocks: 0 }), "Cannot create volatile media: cacheBlocks must be");
  refuse(media({ blockBytes: 0 }), "blockBytes must be");
  refuse(media({ keptShare: 2 }), "keptShare must be from 0 to 1: received 2");
  const power = () => createPowerCutDevice({ device, media: media({})(), cutAt: -1, clock });
  refuse(power, "Cannot create power cut device: cutAt must be");
  const hedge = (o: object) => () => createHedgeDevice({ devices: [device, other], clock, ...o });
  refuse(hedge({ devices: [device, device] }), "Cannot create hedge device: devices must be");
  refuse(hedge({ devices: [device, other, device] }), "devices.length must be");
  refuse(hedge({ afterNs: -1 }), "afterNs must be");
  refuse(hedge({ quantile: NaN }), "quantile must be");
  refuse(hedge({ maxBytes: 2 ** 30 }), "maxBytes must be");
  refuse(hedge({ maxBytes: 700 }), "maxBytes must be a multiple of 512: received 700");
  refuse(
    hedge({ devices: [device, { ...other, blockBytes: 4096 } as BlockDevice] }),
    "devices[1].blockBytes must be",
  );
});

Deno.test("wrappers allocate nothing for an IO", () => {
  const makes: Record<string, (clock: VirtualClock) => BlockDevice> = {
    delay: (clock) =>
      createDelayDevice({ device: memoryDevice(clock), delayNs: 900, jitterNs: 90, clock }),
    throttle: (clock) =>
      createThrottleDevice({ device: memoryDevice(clock), operationsPerSecond: 1e6, clock }),
    statistics: (clock) => {
      const statistics = new DeviceStatistics();
      return createStatisticsDevice({ device: memoryDevice(clock), statistics, clock });
    },
    retry: (clock) => createRetryDevice({ device: memoryDevice(clock), clock }),
    checksum: (clock) => createChecksumDevice({ device: memoryDevice(clock), sums: SUMS, clock }),
    hedge: (clock) =>
      createHedgeDevice({ devices: [memoryDevice(clock), memoryDevice(clock)], clock }),
    fault: (clock) => {
      const faults: Fault[] = [{ kind: "error", share: 0.01, errno: 5 }, {
        kind: "corrupt",
        at: 5,
      }];
      return createFaultDevice({ device: memoryDevice(clock), faults, clock });
    },
  };
  for (const [name, make] of Object.entries(makes)) {
    const bytes = bytesAnIo(make);
    // A time that a getter returns is 16 bytes where the compiler does not inline the getter: that
    // is the price of `wakeNs`, and how often it is paid is up to the engine.
    assert(bytes < 24, `${name}: ${bytes} bytes an IO`);
  }
});

function bytesAnIo(make: (clock: VirtualClock) => BlockDevice): number {
  using bench = new Bench(make);
  const { device, clock } = bench;
  const requests = createRequests(8), completions = createCompletions(8);
  requests.bytes.fill(BLOCK);
  requests.count = 8;
  const run = (turns: number) => {
    for (let turn = 0; turn < turns; turn++) {
      for (let i = 0; i < 8; i++) {
        requests.user[i] = i;
        requests.offsetBytes[i] = (turn * 8 + i) % 64 * BLOCK;
        requests.op[i] = (turn + i) % 8 === 0 ? WRITE : READ;
      }
      device.submit(requests, 0);
      for (completions.count = 0; device.poll(completions), completions.count < 8;) {
        clock.advanceTo(device.wakeNs);
        device.step(clock.now());
      }
    }
  };
  return heapGrowth(run, 200) / (200 * 8);
}
