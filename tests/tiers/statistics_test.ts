import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  createCompletions,
  createFaultDevice,
  createMemoryDevice,
  createRequests,
  createStatisticsDevice,
  DeviceStatistics,
  ERRNO,
  IO_OP,
  LatencyHistogram,
  memoryMedia,
  VirtualClock,
} from "../../tiers/mod.ts";
import { heapGrowth } from "./allocation.ts";

/** From 0 to 1 in steps: doubles of fast-check are nearly all next to 0. */
const shares = fc.nat(4096).map((n) => n / 4096);

/** Of all sizes alike: uniform in the exponent. */
const latencies = fc.array(
  fc.tuple(fc.integer({ min: 0, max: 52 }), shares).map(
    ([exponent, part]) => Math.floor(2 ** exponent * (1 + part)) - 1,
  ),
  { minLength: 1, maxLength: 200 },
);

function histogramOf(values: readonly number[], precisionBits = 7): LatencyHistogram {
  const histogram = new LatencyHistogram({ precisionBits });
  for (const value of values) histogram.record(value);
  return histogram;
}

Deno.test("LatencyHistogram knows each quantile to its precision", () => {
  fc.assert(fc.property(
    latencies,
    fc.integer({ min: 1, max: 12 }),
    shares,
    (values, precisionBits, part) => {
      const histogram = histogramOf(values, precisionBits);
      const sorted = values.toSorted((a, b) => a - b);
      const exact = sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)];
      const off = Math.abs(histogram.quantileNs(part) - exact);
      assert(off <= exact * 2 ** -(precisionBits + 1), `${off} from ${exact}`);
      assertStrictEquals(histogram.count, values.length);
      assertStrictEquals(histogram.minimumNs, sorted[0]);
      assertStrictEquals(histogram.maximumNs, sorted.at(-1));
    },
  ));
});

Deno.test("LatencyHistogram merges into what one histogram of all would be", () => {
  fc.assert(fc.property(latencies, latencies, (a, b) => {
    const merged = histogramOf(a);
    merged.merge(LatencyHistogram.fromArray(histogramOf(b).toArray()));
    const sums = (histogram: LatencyHistogram) => [...histogram.toArray()].toSpliced(2, 1);
    assertEquals(sums(merged), sums(histogramOf([...a, ...b])));
  }));
});

Deno.test("LatencyHistogram takes what is no latency for the nearest that is", () => {
  const histogram = histogramOf([-5, NaN, 0.9, 2.7]);
  assertEquals([histogram.count, histogram.minimumNs, histogram.maximumNs], [4, 0, 2]);
  assertStrictEquals(histogram.meanNs, 0.5);
  histogram.record(Infinity);
  assertStrictEquals(histogram.maximumNs, 2 ** 53 - 1);
  assertStrictEquals(histogram.quantileNs(1), 2 ** 53 - 1);
});

Deno.test("LatencyHistogram is empty at first and when cleared", () => {
  const histogram = histogramOf([1, 2, 3]);
  histogram.clear();
  assertEquals(histogram.toArray(), new LatencyHistogram().toArray());
  assert(Number.isNaN(histogram.quantileNs(0.5)) && Number.isNaN(histogram.meanNs));
});

Deno.test("LatencyHistogram refuses a wrong precision, quantile, or array", () => {
  for (const precisionBits of [0, 13, 1.5]) {
    assertThrows(
      () => new LatencyHistogram({ precisionBits }),
      RangeError,
      "Cannot create LatencyHistogram: precisionBits must be",
    );
  }
  const histogram = histogramOf([5]);
  for (const part of [-0.1, 1.1, NaN]) {
    assertThrows(() => histogram.quantileNs(part), RangeError, "part must be from 0 to 1");
  }
  assertThrows(
    () => histogram.merge(new LatencyHistogram({ precisionBits: 3 })),
    RangeError,
    "Cannot merge LatencyHistogram: precisionBits must be 7: received 3",
  );
  const array = histogram.toArray();
  const wrong: [Float64Array, string][] = [
    [new Float64Array(3), "array[0] must be"],
    [array.subarray(0, 50), "array.length must be"],
    [array.with(20, -1), "array[20] must be"],
    [array.with(20, 1), "array[1] must be"],
  ];
  for (const [bad, name] of wrong) {
    assertThrows(() => LatencyHistogram.fromArray(bad), RangeError, `LatencyHistogram: ${name}`);
  }
});

Deno.test("LatencyHistogram records without allocating", () => {
  const histogram = new LatencyHistogram();
  const run = (turns: number) => {
    for (let i = 0; i < turns; i++) histogram.record((i * 7919) % 1_000_000);
  };
  const bytes = heapGrowth(run, 4000) / 4000;
  assert(bytes < 8, `${bytes} bytes a latency`);
});

Deno.test("createStatisticsDevice() counts by operation and outcome", () => {
  const clock = new VirtualClock();
  const statistics = new DeviceStatistics();
  const faulty = createFaultDevice({
    device: createMemoryDevice({ media: memoryMedia(8192), clock }),
    faults: [
      { kind: "error", at: 1, errno: ERRNO.EIO },
      { kind: "short", at: 2 },
      { kind: "late", at: 3, delayNs: 700 },
      { kind: "lost", at: 4 },
    ],
    clock,
  });
  using device = createStatisticsDevice({ device: faulty, statistics, clock });
  device.attach(new Uint8Array(1024));
  const requests = createRequests(7), completions = createCompletions(7);
  requests.bytes.fill(1024);
  requests.op.set([0, 0, 0, 0, 0, IO_OP.WRITE, IO_OP.FLUSH]);
  requests.user.set([0, 1, 2, 3, 4, 5, 6]);
  requests.count = 7;
  device.submit(requests, 0);
  device.poll(completions);
  clock.advanceTo(700);
  device.step(700);
  device.cancel(4);
  device.poll(completions);
  assertStrictEquals(completions.count, 7);
  const { read, write, other } = statistics;
  assertEquals([read.bytes, read.short, read.failed, read.cancelled], [2560, 1, 1, 1]);
  assertEquals([read.latency.count, read.latency.maximumNs], [3, 700]);
  assertEquals([write.bytes, write.latency.count], [1024, 1]);
  assertEquals([other.bytes, other.short, other.latency.count], [0, 0, 1]);
  const total = new DeviceStatistics();
  total.merge(statistics);
  total.merge(statistics);
  assertEquals([total.read.bytes, total.read.short, total.read.failed], [5120, 2, 2]);
  assertEquals([total.read.cancelled, total.read.latency.count], [2, 6]);
  assertEquals([total.write.bytes, total.other.latency.count], [2048, 2]);
  assertThrows(() => total.merge(new DeviceStatistics({ precisionBits: 3 })), RangeError);
});
