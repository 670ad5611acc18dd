import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  type BlockDevice,
  createCompletions,
  createDelayDevice,
  createFaultDevice,
  createHedgeDevice,
  createMirror,
  createRequests,
  createSimulatedDevice,
  ERRNO,
  type Fault,
  type HedgeDevice,
  IO_OP,
  LatencyHistogram,
  memoryMedia,
  PROFILES,
  VirtualClock,
} from "../../tiers/mod.ts";
import { createRandom } from "../../base/random.ts";
import { Bench, BLOCK, CONTENT, memoryDevice } from "./wrappers_setup.ts";

/** A mirror of two memory devices, each with its faults; the first is asked first. */
function mirrorOf(a: readonly Fault[], b: readonly Fault[], afterNs = 1000, depth = 8): Bench {
  return new Bench((clock) => {
    const copy = (faults: readonly Fault[]) =>
      createFaultDevice({ device: memoryDevice(clock, undefined, depth), faults, clock });
    return createHedgeDevice({ devices: [copy(a), copy(b)], afterNs, clock });
  });
}

const hedgeOf = (bench: Bench) => bench.device as HedgeDevice;

Deno.test("createHedgeDevice() asks again after a while, and the first answer counts", () => {
  using bench = mirrorOf([{ kind: "late", share: 1, delayNs: 1e6 }], []);
  bench.submit({ block: 3 });
  assertEquals(bench.finish(1), [{ user: 0, result: BLOCK, latencyNs: 1000 }]);
  assert(bench.holds(3));
  assertEquals([hedgeOf(bench).hedged, hedgeOf(bench).won], [1, 1]);
});

Deno.test("createHedgeDevice() lets no loser write to memory that the caller has again", () => {
  // The first copy cannot be cancelled, and brings the wrong bytes long after.
  const clock = new VirtualClock();
  const slow = createDelayDevice({
    device: memoryDevice(clock, CONTENT.map((byte) => byte ^ 255)),
    delayNs: 1e6,
    clock,
  });
  slow.cancel = () => {};
  const device = createHedgeDevice({ devices: [slow, memoryDevice(clock)], afterNs: 10, clock });
  using bench = new Bench(() => device);
  bench.clock.advanceTo(0);
  const memory = bench.memory;
  const submit = () => bench.submit({ block: 3 });
  const step = (ns: number) => (clock.advanceTo(ns), device.step(clock.now()));
  submit();
  step(10);
  assertEquals(bench.poll().map(({ result }) => result), [BLOCK]);
  assert(bench.holds(3));
  memory.fill(0x77);
  step(5e6);
  assertEquals(bench.poll(), []);
  assert(memory.every((byte) => byte === 0x77), "a loser landed in the caller's memory");
  // Losers hold slots, never so many that nothing is taken.
  for (let turn = 0; turn < 50; turn++) {
    assertStrictEquals(submit(), 1);
    for (let turns = 0; bench.poll().length === 0; turns++) {
      assert(turns < 100);
      step(device.wakeNs);
    }
  }
});

Deno.test("createHedgeDevice() reads the other copy at once when one fails", () => {
  using bench = mirrorOf([{ kind: "error", share: 1, errno: ERRNO.EIO }], [], 1e9);
  assertEquals(bench.run({ block: 5 }), [BLOCK]);
  assert(bench.holds(5) && bench.clock.now() === 0);
  assertStrictEquals(hedgeOf(bench).hedged, 0, "a fail-over is no hedge");
  using both = mirrorOf(
    [{ kind: "error", share: 1, errno: ERRNO.EIO }],
    [{ kind: "error", share: 1, errno: ERRNO.EAGAIN }],
  );
  assertEquals(both.run({}), [-ERRNO.EIO], "the first copy's");
  assertStrictEquals(both.device.wakeNs, Infinity);
});

Deno.test("createHedgeDevice() writes to both copies, and fails when one does", () => {
  const contents = [CONTENT.slice(), CONTENT.slice()];
  using bench = new Bench((clock) => {
    const faults: Fault[] = [{ kind: "error", op: "write", at: 1, errno: ERRNO.EIO }];
    const first = createFaultDevice({ device: memoryDevice(clock, contents[0]), faults, clock });
    return createHedgeDevice({ devices: [first, memoryDevice(clock, contents[1])], clock });
  });
  bench.memory.fill(9);
  assertEquals(bench.run({ op: IO_OP.WRITE, block: 2 }, { op: IO_OP.FLUSH }), [BLOCK, 0]);
  for (const content of contents) assertStrictEquals(content[2 * BLOCK + 100], 9);
  assertEquals(bench.run({ op: IO_OP.WRITE, block: 4 }), [-ERRNO.EIO]);
  assertEquals(bench.run({ op: IO_OP.DISCARD, block: 2 }), [BLOCK]);
  for (const content of contents) assertStrictEquals(content[2 * BLOCK + 100], 0);
  assertEquals(bench.run({ blocks: 33 }), [-ERRNO.EINVAL], "more than maxBytes");
});

Deno.test("createHedgeDevice() ends both reads when it is cancelled", () => {
  const lost: Fault[] = [{ kind: "lost", share: 1 }];
  using bench = mirrorOf(lost, lost);
  bench.submit({}, {});
  bench.device.cancel(1);
  assertEquals(bench.poll().map(({ user, result }) => [user, result]), [[1, -ERRNO.ECANCELED]]);
  bench.moveTo(2000);
  assertStrictEquals(hedgeOf(bench).hedged, 1);
  bench.device.cancel(0);
  bench.device.cancel(0);
  assertEquals(bench.poll().map(({ user, result }) => [user, result]), [[0, -ERRNO.ECANCELED]]);
  assertStrictEquals(bench.device.wakeNs, Infinity);
});

/** Reads one after the other; the histogram of their latencies. */
function latenciesOf(device: BlockDevice, clock: VirtualClock, count: number): LatencyHistogram {
  const histogram = new LatencyHistogram(), random = createRandom(4);
  const requests = createRequests(1), completions = createCompletions(1);
  device.attach(new Uint8Array(4096));
  requests.bytes[0] = 4096;
  requests.count = 1;
  for (let i = 0; i < count; i++) {
    requests.offsetBytes[0] = 4096 * random.below(4096);
    device.submit(requests, 0);
    for (completions.count = 0; device.poll(completions), completions.count === 0;) {
      clock.advanceTo(device.wakeNs);
      device.step(clock.now());
    }
    histogram.record(completions.latencyNs[0]);
  }
  return histogram;
}

Deno.test("createHedgeDevice() by quantile does few reads twice and cuts a mirror's tail", () => {
  const world = (
    make: (devices: [BlockDevice, BlockDevice], clock: VirtualClock) => BlockDevice,
  ) => {
    const clock = new VirtualClock();
    const copy = (seed: number) => {
      const media = memoryMedia(2 ** 24);
      const drive = createSimulatedDevice({ profile: PROFILES.p3700, media, clock, seed });
      // One read in a hundred meets a collection, say, that keeps its die for 3 ms.
      const faults: Fault[] = [{ kind: "late", share: 0.01, delayNs: 3e6 }];
      return createFaultDevice({ device: drive, faults, clock, seed });
    };
    const device = make([copy(1), copy(2)], clock);
    return { device, histogram: latenciesOf(device, clock, 20_000) };
  };
  const plain = world((devices, clock) => createMirror({ devices, clock }));
  const hedged = world((devices, clock) => createHedgeDevice({ devices, clock }));
  const tail = plain.histogram.quantileNs(0.995), cut = hedged.histogram.quantileNs(0.995);
  assert(tail > 3e6 && cut < 0.1 * tail, `${tail} to ${cut}`);
  const { hedged: twice, won, afterNs } = hedged.device as HedgeDevice;
  assert(twice > 0.02 * 20_000 && twice < 0.08 * 20_000, `${twice} of 20,000`);
  assert(won > 150 && won <= twice && afterNs > 50_000 && afterNs < 500_000, `${won}, ${afterNs}`);
});
