import {
  assert,
  assertAlmostEquals,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import {
  createSimulatedDevice,
  lifetimeYears,
  memoryMedia,
  type PowerProfile,
  PROFILES,
  type ThermalProfile,
  VirtualClock,
  type XpointProfile,
} from "../../tiers/mod.ts";
import { PowerMeter } from "../../tiers/models/power.ts";
import { ThermalGate } from "../../tiers/models/throttle.ts";
import { loadDevice } from "../bench/_device_runs.ts";

const POWER: PowerProfile = {
  idleWatts: 5,
  activeWatts: 2,
  readNanojoules: 1,
  writeNanojoules: 3,
};

Deno.test("PowerMeter adds up the same joules as counting every ns", () => {
  const operation = fc.record({
    pause: fc.nat(20),
    duration: fc.nat(40),
    bytes: fc.nat(9),
    write: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(operation), fc.nat(100), (operations, laterNs) => {
      const meter = new PowerMeter(POWER);
      const busy = new Set<number>();
      let nowNs = 0, joules = 0;
      for (const { pause, duration, bytes, write } of operations) {
        nowNs += pause;
        meter.add(write, bytes, nowNs, nowNs + duration);
        for (let ns = nowNs; ns < nowNs + duration; ns++) busy.add(ns);
        joules += bytes * (write ? 3 : 1) * 1e-9;
      }
      nowNs += laterNs;
      const active = [...busy].filter((ns) => ns < nowNs).length;
      const expected = joules + (5 * nowNs + 2 * active) * 1e-9;
      assertAlmostEquals(meter.joules(nowNs), expected, 1e-15);
    }),
  );
});

Deno.test("PowerMeter.lastJoules is what the last operation takes beyond idling", () => {
  const meter = new PowerMeter(POWER);
  const add = (isWrite: boolean, bytes: number, nowNs: number, dueNs: number) => {
    meter.add(isWrite, bytes, nowNs, dueNs);
    return meter.lastJoules;
  };
  assertAlmostEquals(add(false, 100, 0, 1000), 100e-9 + 2e-6, 1e-15);
  assertAlmostEquals(add(true, 100, 500, 1500), 300e-9 + 1e-6, 1e-15);
  assertAlmostEquals(add(true, 0, 600, 700), 0, 1e-15);
});

Deno.test("PROFILES.p4800x draws what is published: 5-6 idle, 8-10 reading, 13-15 writing", () => {
  const watts = (op: "read" | "write"): number => {
    const load = { op, order: "sequential", bytes: 131_072, depth: 16, fresh: true } as const;
    const { device, run } = loadDevice(PROFILES.p4800x, load, 2 ** 36, 1);
    run(20_000);
    return device.counters().meanWatts ?? 0;
  };
  assert(watts("read") > 8 && watts("read") < 10, `${watts("read")}`);
  assert(watts("write") > 13 && watts("write") < 15, `${watts("write")}`);
  const clock = new VirtualClock();
  using device = createSimulatedDevice({
    profile: PROFILES.p4800x,
    media: memoryMedia(4096),
    clock,
  });
  assertStrictEquals(device.counters().meanWatts, null);
  clock.advanceTo(2e9);
  assertAlmostEquals(device.counters().meanWatts ?? 0, 5.5, 1e-9);
  assertAlmostEquals(device.counters().joules ?? 0, 11, 1e-9);
});

/** A small body, so that it is hot within milliseconds: 10 ms is its time constant. */
const THERMAL: ThermalProfile = {
  ambientCelsius: 40,
  kelvinPerWatt: 5,
  joulesPerKelvin: 0.002,
  throttleCelsius: 75,
  resumeCelsius: 72,
  throttledBytesPerSecond: 100e6,
};

Deno.test("ThermalGate warms to where heat and cooling are even, and cools by Newton's law", () => {
  const gate = new ThermalGate({ ...THERMAL, throttleCelsius: 1000, resumeCelsius: 1000 }, 2);
  assertStrictEquals(gate.celsius(0), 50);
  let nowNs = 0;
  for (let i = 0; i < 10_000; i++) {
    assertStrictEquals(gate.startNs(4096, nowNs), nowNs);
    gate.heat(3e-5); // every 10 us: 3 W
    nowNs += 10_000;
  }
  assertAlmostEquals(gate.celsius(nowNs), 40 + 5 * (2 + 3), 0.02);
  const half = gate.celsius(nowNs + 10e6 * Math.LN2);
  assertAlmostEquals(half, 50 + 15 / 2, 0.02);
  assertAlmostEquals(gate.celsius(nowNs + 1e9), 50, 1e-6);
  assertStrictEquals(gate.throttledNs, 0);
});

Deno.test("ThermalGate holds back from the upper limit on until it is below the lower one", () => {
  const gate = new ThermalGate(THERMAL, 2);
  const waits = (nowNs: number): boolean => {
    const before = gate.startNs(1000, nowNs);
    return gate.startNs(1000, nowNs) > before;
  };
  assert(!waits(0));
  gate.heat((74.9 - 50) * 0.002);
  assert(!waits(1));
  gate.heat(0.2 * 0.002);
  assert(waits(2));
  // The second of the two waits as long as 1,000 bytes take.
  assertStrictEquals(gate.throttledNs, 1e4);
  // 23 K above idling are left of 25.1 after 0.87 ms, 21 after 1.78 ms.
  assert(waits(0.8e6));
  assert(!waits(1.8e6));
  gate.heat(1 * 0.002);
  assert(!waits(1.8e6 + 1));
});

Deno.test("createSimulatedDevice() throttles while it is hot, and only then", () => {
  const cool: XpointProfile = { ...PROFILES.p4800x, thermal: THERMAL };
  const load = { op: "write", order: "sequential", bytes: 131_072, depth: 8, fresh: true } as const;
  const { device, clock, run } = loadDevice(cool, load, 2 ** 36, 1);
  assertStrictEquals(device.counters().celsius, 40 + 5 * 5.5);
  run(20);
  assertStrictEquals(device.counters().throttledNs, 0);
  run(5000);
  const fromNs = clock.now();
  run(5000);
  const hot = device.counters();
  assert(hot.throttledNs > 0);
  // It hovers about the two limits, at a rate between the two that it has.
  assert((hot.celsius ?? 0) > 71 && (hot.celsius ?? 0) < 77, `${hot.celsius}`);
  const rate = 5000 * 131_072 / (clock.now() - fromNs) * 1e9;
  assert(rate > 110e6 && rate < 1500e6, `${rate}`);
  clock.advanceTo(clock.now() + 1e9);
  assertAlmostEquals(device.counters().celsius ?? 0, 67.5, 0.001);
});

Deno.test("createSimulatedDevice() tells no power, temperature, wear without figures", () => {
  const clock = new VirtualClock();
  const media = memoryMedia(4096);
  using device = createSimulatedDevice({ profile: PROFILES.dram, media, clock });
  const { joules, meanWatts, celsius, throttledNs, wornShare } = device.counters();
  for (const value of [joules, meanWatts, celsius, wornShare]) assertStrictEquals(value, null);
  assertStrictEquals(throttledNs, 0);
});

Deno.test("createSimulatedDevice() counts wear as its share of the drive writes", () => {
  const endurance = { capacityBytes: 4096 * 100, driveWritesPerDay: 2, years: 5 };
  const profile = { ...PROFILES.p4800x, endurance };
  const load = { op: "write", order: "random", bytes: 512, depth: 1, fresh: true } as const;
  const { device, run } = loadDevice(profile, load, 2 ** 30, 1);
  run(1000);
  // One more is in flight: each 512 bytes wear a whole granule.
  const { writes, mediaWriteBytes, busBytes, wornShare } = device.counters();
  assertStrictEquals(mediaWriteBytes, writes * 4096);
  assertStrictEquals(busBytes, writes * 512);
  assertAlmostEquals(wornShare ?? 0, writes / 100 / (2 * 365 * 5), 1e-12);
});

Deno.test("lifetimeYears() spreads the writes of a drive over its years", () => {
  const endurance = { capacityBytes: 86_400e3, driveWritesPerDay: 3, years: 5 };
  assertAlmostEquals(lifetimeYears(endurance, 3000), 5, 1e-12);
  assertAlmostEquals(lifetimeYears(endurance, 1500), 10, 1e-12);
  assertStrictEquals(lifetimeYears(endurance, 0), Infinity);
  for (const rate of [-1, NaN, Infinity]) {
    assertThrows(() => lifetimeYears(endurance, rate), RangeError, `received ${rate}`);
  }
});

Deno.test("createSimulatedDevice() refuses wrong power and temperature", () => {
  const clock = new VirtualClock(), media = memoryMedia(4096);
  const base: XpointProfile = { ...PROFILES.p4800x, power: POWER };
  const wrong: [string, XpointProfile][] = [
    ["profile.power.idleWatts", { ...base, power: { ...POWER, idleWatts: -1 } }],
    ["profile.power.readNanojoules", { ...base, power: { ...POWER, readNanojoules: NaN } }],
    ["profile.thermal.kelvinPerWatt", { ...base, thermal: { ...THERMAL, kelvinPerWatt: 0 } }],
    ["profile.thermal.joulesPerKelvin", {
      ...base,
      thermal: { ...THERMAL, joulesPerKelvin: Infinity },
    }],
    ["profile.thermal.throttledBytesPerSecond", {
      ...base,
      thermal: { ...THERMAL, throttledBytesPerSecond: 0.5 },
    }],
    ["profile.thermal.ambientCelsius", { ...base, thermal: { ...THERMAL, ambientCelsius: -300 } }],
    ["profile.thermal.resumeCelsius", { ...base, thermal: { ...THERMAL, resumeCelsius: 39 } }],
    ["profile.thermal.throttleCelsius", { ...base, thermal: { ...THERMAL, throttleCelsius: 71 } }],
  ];
  for (const [name, profile] of wrong) {
    const error = assertThrows(
      () => createSimulatedDevice({ profile, media, clock }),
      RangeError,
    );
    assertStringIncludes(error.message, `Cannot create simulated device: ${name} must be`);
  }
  const { power: _, ...rest } = { ...base, thermal: THERMAL };
  assertThrows(
    () => createSimulatedDevice({ profile: rest, media, clock }),
    TypeError,
    "profile.thermal must come with profile.power",
  );
});
