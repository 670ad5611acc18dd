import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { createRandom } from "../../base/random.ts";
import { NandModel } from "../../tiers/models/nand.ts";
import {
  createCompletions,
  createRequests,
  createSimulatedDevice,
  drive,
  IO_OP,
  type Media,
  memoryMedia,
  type NandProfile,
  PROFILES,
  type SimulatedDevice,
  VirtualClock,
} from "../../tiers/mod.ts";
import { testDevice } from "./device_cases.ts";

const { READ, WRITE, DISCARD } = IO_OP;
const PAGE = 4096;

/** One die that is always the same, a program a page. */
const PLAIN: NandProfile = {
  ...PROFILES.p3700,
  channels: 1,
  diesPerChannel: 1,
  planes: 1,
  flashPageBytes: PAGE,
  capacityBytes: PAGE,
  jitterNs: 0,
  eraseEveryNs: 0,
};

/** A small drive, full: 4 dies, 40 blocks of 256 pages on each, 15 % spare. */
const BUSY: NandProfile = { ...PLAIN, channels: 4, capacityBytes: 1, spareShare: 0.15 };
const BUSY_BYTES = 4 * 40 * 256 * PAGE;

testDevice("createSimulatedDevice() of NAND with everything on", () => {
  const clock = new VirtualClock();
  const random = createRandom(5);
  const content = Uint8Array.from({ length: 64 * 512 }, () => random.u32());
  const profile: NandProfile = {
    ...PROFILES.p4510,
    channels: 2,
    diesPerChannel: 1,
    capacityBytes: 1,
    pagesPerBlock: 2,
    collection: "cost-benefit",
    wearSpread: 2,
    retryShare: 0.5,
    disturbReads: 3,
    slcPrograms: 2,
    slcProgramNs: 100_000,
  };
  const media = memoryMedia(content.slice());
  const device = createSimulatedDevice({ profile, media, clock, depth: 8 });
  const advance = () => {
    if (device.wakeNs < Infinity) clock.advanceTo(device.wakeNs);
    device.step(clock.now());
  };
  return { device, content, advance };
});

/** Media that hold nothing: what is measured is time. */
const nowhere = (bytes: number): Media => ({ bytes, read: (_o, _m, _a, n) => n, write: () => 0 });

interface Measured {
  readonly iops: number;
  readonly meanNs: number;
  /** The latency that a share of the reads stays below. */
  quantileNs(share: number): number;
}

/** Random 4 KB reads at a constant depth. */
function measure(profile: NandProfile, depth: number, count: number): Measured {
  const model = new NandModel(profile, 3, 2 ** 37);
  const random = createRandom(99);
  const dueNs = new Float64Array(depth), latencyNs = new Float64Array(count);
  let nowNs = 0;
  for (let i = 0; i < count; i++) {
    let first = i < depth ? i : 0;
    if (i >= depth) { for (let k = 1; k < depth; k++) if (dueNs[k] < dueNs[first]) first = k; }
    nowNs = dueNs[first];
    dueNs[first] = model.dueNs(READ, random.below(2 ** 25) * PAGE, PAGE, nowNs);
    latencyNs[i] = dueNs[first] - nowNs;
  }
  latencyNs.sort();
  return {
    iops: count / nowNs * 1e9,
    meanNs: latencyNs.reduce((sum, ns) => sum + ns) / count,
    quantileNs: (share) => latencyNs[Math.floor(share * count)],
  };
}

function assertWithin(what: string, value: number, published: number, share: number): void {
  const off = value / published - 1;
  assert(Math.abs(off) <= share, `${what}: ${value}, published ${published}`);
}

Deno.test("PROFILES of NAND agree with the published figures", () => {
  const { p3700, micron9100, p4510 } = PROFILES;
  for (
    const [profile, meanNs, medianNs, p99Ns, p99999Ns, iops, deepIops, deepMeanNs] of [
      [p3700, 77_900, 76_000, 96_000, 2_768_000, 12_800, 167_200, 93_900],
      [micron9100, 107_700, 104_000, 117_000, 306_000, 9_200, 135_700, 116_200],
    ] as const
  ) {
    const one = measure(profile, 1, 1_000_000);
    assertWithin(`${profile.name}, mean`, one.meanNs, meanNs, 0.05);
    assertWithin(`${profile.name}, IOPS`, one.iops, iops, 0.05);
    assertWithin(`${profile.name}, median`, one.quantileNs(0.5), medianNs, 0.05);
    assertWithin(`${profile.name}, p99`, one.quantileNs(0.99), p99Ns, 0.15);
    assertWithin(`${profile.name}, p99.999`, one.quantileNs(0.99999), p99999Ns, 0.3);
    const deep = measure(profile, 16, 200_000);
    assertWithin(`${profile.name} at depth 16, IOPS`, deep.iops, deepIops, 0.05);
    assertWithin(`${profile.name} at depth 16, mean`, deep.meanNs, deepMeanNs, 0.05);
  }
  const tlc = measure(p4510, 1, 400_000);
  assertWithin("P4510, mean", tlc.meanNs, 90_000, 0.05);
  assertWithin("P4510, p99.99", tlc.quantileNs(0.9999) / tlc.meanNs, 2.5, 0.2);
});

/** A device over a full drive, and reads and writes for it. */
function createWorld(media: Media, depth = 16) {
  const clock = new VirtualClock();
  const profile: NandProfile = { ...BUSY, jitterNs: 3000, retryShare: 0.1, eraseEveryNs: 1e8 };
  const device = createSimulatedDevice({ profile, media, clock, depth });
  device.attach(new Uint8Array(PAGE));
  return { clock, device, random: createRandom(4), latencies: [] as number[] };
}

function mix(world: ReturnType<typeof createWorld>, count: number): void {
  const { device, clock, random, latencies } = world;
  const requests = createRequests(1), completions = createCompletions(16);
  requests.bytes[0] = PAGE;
  requests.count = 1;
  let done = 0, submitted = 0;
  drive(device, clock, () => {
    completions.count = 0;
    done += device.poll(completions);
    for (let i = 0; i < completions.count; i++) latencies.push(completions.latencyNs[i]);
    while (submitted < count) {
      requests.op[0] = [READ, WRITE, WRITE, WRITE][random.below(4)];
      if (random.below(50) === 0) requests.op[0] = DISCARD;
      requests.offsetBytes[0] = random.below(BUSY_BYTES / PAGE) * PAGE;
      if (device.submit(requests, 0) === 0) break;
      submitted++;
    }
    return done === count;
  });
}

Deno.test("SimulatedDevice.restore() goes on with a NAND drive that collects", () => {
  const first = createWorld(nowhere(BUSY_BYTES)), second = createWorld(nowhere(BUSY_BYTES));
  mix(first, 30_000);
  second.clock.advanceTo(first.clock.now());
  second.device.restore(first.device.snapshot());
  first.random = createRandom(5);
  second.random = createRandom(5);
  first.latencies.length = 0;
  mix(first, 5000);
  mix(second, 5000);
  assertEquals(second.latencies, first.latencies);
  assertEquals(second.device.counters(), first.device.counters());
  assert((first.device.counters().flash?.erases ?? 0) > 0);
  const { device } = createWorld(nowhere(BUSY_BYTES / 2));
  assertThrows(() => device.restore(first.device.snapshot()), RangeError);
});

function request(device: SimulatedDevice, clock: VirtualClock, op: number, offset: number): number {
  const requests = createRequests(1), completions = createCompletions(1);
  requests.op[0] = op;
  requests.offsetBytes[0] = offset;
  requests.bytes[0] = PAGE;
  requests.count = 1;
  device.submit(requests, 0);
  drive(device, clock, () => device.poll(completions) > 0);
  assertStrictEquals(completions.result[0], PAGE);
  return completions.latencyNs[0];
}

Deno.test("createSimulatedDevice() of NAND drops what is discarded, and reads zeros fast", () => {
  const clock = new VirtualClock();
  const content = new Uint8Array(8 * PAGE).fill(7), memory = new Uint8Array(PAGE);
  const media = memoryMedia(content);
  using device = createSimulatedDevice({ profile: PLAIN, media, clock });
  device.attach(memory);
  const { controllerNs, busNs, channelNs, senseNs } = PLAIN;
  assertStrictEquals(request(device, clock, DISCARD, PAGE), controllerNs);
  assertStrictEquals(request(device, clock, READ, PAGE), controllerNs + busNs);
  assert(memory.every((byte) => byte === 0));
  assertStrictEquals(
    request(device, clock, READ, 2 * PAGE),
    controllerNs + busNs + channelNs + senseNs,
  );
  assert(memory.every((byte) => byte === 7));
  assertEquals(content.indexOf(0), PAGE);
  assertEquals(content.lastIndexOf(0), 2 * PAGE - 1);
});

Deno.test("createSimulatedDevice() refuses a wrong NAND profile", () => {
  const create = (changes: Partial<NandProfile>) => () => {
    const profile = { ...PLAIN, ...changes };
    createSimulatedDevice({ profile, media: memoryMedia(PAGE), clock: new VirtualClock() });
  };
  const wrong: [Partial<NandProfile>, string][] = [
    [{ capacityBytes: 0 }, "profile.capacityBytes must be an integer"],
    [{ spareShare: -0.1 }, "profile.spareShare must be from 0 to 100: received -0.1"],
    [{ flashPageBytes: 6000 }, "profile.flashPageBytes must be a multiple of 4096"],
    [{ planes: 0 }, "profile.planes"],
    [{ pagesPerBlock: 1 }, "profile.pagesPerBlock"],
    [{ planes: 64, channels: 2048 }, "profile.pagesPerBlock must be at most 128 with"],
    [{ eraseNs: 0, eraseEveryNs: 999 }, "profile.eraseEveryNs must be 0, or at least 1000 with"],
    [{ wearSpread: 1.5 }, "profile.wearSpread"],
    [{ disturbReads: -1 }, "profile.disturbReads"],
    [{ slcPrograms: -1 }, "profile.slcPrograms"],
    [{ retryShare: 1.1 }, "profile.retryShare must be from 0 to 1"],
    [{ eraseSuspendNs: NaN }, "profile.eraseSuspendNs"],
    [{ retryNs: -1 }, "profile.retryNs"],
    [{ slcProgramNs: Infinity }, "profile.slcProgramNs"],
  ];
  for (const [changes, message] of wrong) assertThrows(create(changes), RangeError, message);
  const lazy = { collection: "lazy" } as unknown;
  assertThrows(create(lazy as Partial<NandProfile>), TypeError, "profile.collection must be");
});
