import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { createRandom } from "../../base/random.ts";
import {
  createCompletions,
  createRequests,
  createSimulatedDevice,
  ERRNO,
  IO_OP,
  memoryMedia,
  PROFILES,
  type SimulatedDevice,
  VirtualClock,
} from "../../tiers/mod.ts";
import { type DevicePoint, POINTS, TOLERANCE } from "../bench/_device_points.ts";
import { measureLoad } from "../bench/_device_runs.ts";

const isDeep = ({ metric }: DevicePoint): boolean => metric.startsWith("p99.9");

function assertPoint(point: DevicePoint, count: number): void {
  const { drive, metric, published } = point;
  const ours = measureLoad(PROFILES[drive], point, 1, count)[metric];
  const off = Math.abs(ours / published - 1);
  assert(
    off <= TOLERANCE[metric],
    `${drive} ${point.op} x ${point.depth} ${metric}: ${ours}, ${published}`,
  );
}

Deno.test("PROFILES meet every published mean, median, rate, and p99 of a fresh drive", () => {
  const points = POINTS.filter((point) => point.fresh && !point.heldOut && !isDeep(point));
  assert(points.length > 30);
  for (const point of points) assertPoint(point, point.bytes > 4096 ? 4000 : 40_000);
});

Deno.test("PROFILES meet the published tail of the P4800X", () => {
  for (const point of POINTS) {
    if (!point.heldOut && isDeep(point) && point.drive === "p4800x") assertPoint(point, 2_000_000);
  }
});

Deno.test("PROFILES are all named simulated, and can be made", () => {
  for (const profile of Object.values(PROFILES)) {
    assert(profile.name.startsWith("simulated "), profile.name);
    const clock = new VirtualClock();
    using device = createSimulatedDevice({ profile, media: memoryMedia(2 ** 20), clock });
    assert(device.simulated && device.profile === profile);
  }
});

/** Reads one after the other; the mean latency. */
function readMean(device: SimulatedDevice, clock: VirtualClock, bytes: number): number {
  const requests = createRequests(1), completions = createCompletions(1);
  const random = createRandom(4);
  requests.bytes[0] = bytes;
  requests.count = 1;
  let sumNs = 0;
  for (let i = 0; i < 5000; i++) {
    requests.offsetBytes[0] = 512 * random.below(2048) + 4 * random.below((512 - bytes) / 4 + 1);
    device.submit(requests, 0);
    clock.advanceTo(device.wakeNs);
    device.step(clock.now());
    completions.count = 0;
    device.poll(completions);
    assertEquals(completions.result[0], bytes);
    sumNs += completions.latencyNs[0];
  }
  return sumNs / 5000;
}

Deno.test("createSimulatedDevice() with subBlockReads saves the published bytes and time", () => {
  for (const profile of [PROFILES.p4800x, PROFILES.p5800x]) {
    const measure = (subBlockReads: boolean, bytes: number) => {
      const clock = new VirtualClock(), media = memoryMedia(2 ** 20);
      using device = createSimulatedDevice({ profile, media, clock, subBlockReads, depth: 1 });
      device.attach(new Uint8Array(512));
      const meanNs = readMean(device, clock, bytes);
      return { meanNs, busBytes: device.counters().busBytes };
    };
    const whole = measure(false, 512), part = measure(true, 128);
    assertAlmostEquals(1 - part.busBytes / whole.busBytes, 0.75, 1e-9);
    const saved = 1 - part.meanNs / whole.meanNs;
    assert(saved > 0.03 && saved < 0.05, `${profile.name}: ${saved}`);
    assert(measure(true, 4).meanNs < part.meanNs);
  }
});

Deno.test("createSimulatedDevice() with subBlockReads reads the right bytes, writes blocks", () => {
  const content = Uint8Array.from({ length: 4096 }, (_, i) => i % 251);
  const clock = new VirtualClock(), media = memoryMedia(content);
  const profile = PROFILES.p5800x;
  using device = createSimulatedDevice({ profile, media, clock, subBlockReads: true });
  const memory = new Uint8Array(2048);
  device.attach(memory);
  assertEquals([device.readGranuleBytes, device.blockBytes], [4, 512]);
  const requests = createRequests(4), completions = createCompletions(4);
  // Across a block's end; not of whole granules, twice; a write of less than a block.
  requests.op.set([IO_OP.READ, IO_OP.READ, IO_OP.READ, IO_OP.WRITE]);
  requests.offsetBytes.set([508, 510, 512, 512]);
  requests.bytes.set([12, 4, 6, 4]);
  requests.user.set([0, 1, 2, 3]);
  requests.count = 4;
  device.submit(requests, 0);
  clock.advanceTo(1e6);
  device.step(clock.now());
  device.poll(completions);
  const results = [0, 0, 0, 0];
  for (let i = 0; i < 4; i++) results[completions.user[i]] = completions.result[i];
  assertEquals(results, [12, -ERRNO.EINVAL, -ERRNO.EINVAL, -ERRNO.EINVAL]);
  assertEquals(memory.subarray(0, 13), Uint8Array.of(...content.subarray(508, 520), 0));
  const { busBytes, mediaReadBytes } = device.counters();
  assertEquals([busBytes, mediaReadBytes], [12, 1024]);
});

Deno.test("createSimulatedDevice() refuses subBlockReads where the profile has none", () => {
  const options = { media: memoryMedia(4096), clock: new VirtualClock(), subBlockReads: true };
  assertThrows(
    () => createSimulatedDevice({ ...options, profile: PROFILES.dram }),
    TypeError,
    "subBlockReads must be false for a profile without subBlock",
  );
});
