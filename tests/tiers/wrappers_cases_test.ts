import { createRandom } from "../../base/random.ts";
import {
  type BlockDevice,
  blockSum,
  type Clock,
  createChecksumDevice,
  createDelayDevice,
  createEventLog,
  createFaultDevice,
  createFileDevice,
  createHedgeDevice,
  createMemoryDevice,
  createPowerCutDevice,
  createRetryDevice,
  createSimulatedDevice,
  createStatisticsDevice,
  createThrottleDevice,
  createTraceDevice,
  DeviceStatistics,
  memoryMedia,
  PROFILES,
  RealClock,
  VirtualClock,
  volatileMedia,
} from "../../tiers/mod.ts";
import { type CaseWorld, testDevice } from "./device_cases.ts";
import { type KnownFile, knownFile } from "./files.ts";

const BLOCK = 512;
const random = createRandom(3);
const CONTENT = Uint8Array.from({ length: 64 * BLOCK }, () => random.below(256));
const SUMS = Int32Array.from({ length: 64 }, (_, b) => blockSum(CONTENT, b * BLOCK, BLOCK, b, 5));

type Make = (clock: Clock, content: Uint8Array) => BlockDevice;

const drive: Make = (clock, content) => {
  const media = memoryMedia(content);
  return createSimulatedDevice({ profile: PROFILES.p5800x, media, clock, depth: 8 });
};

const WRAPPERS: Record<
  string,
  (make: Make, clock: Clock, content: Uint8Array) => BlockDevice
> = {
  "createDelayDevice()": (make, clock, content) =>
    createDelayDevice({ device: make(clock, content), delayNs: 700, jitterNs: 900, clock }),
  "createThrottleDevice()": (make, clock, content) => {
    const device = make(clock, content);
    return createThrottleDevice({
      device,
      operationsPerSecond: 90_000,
      bytesPerSecond: 9e7,
      burstNs: 30_000,
      clock,
    });
  },
  "createStatisticsDevice()": (make, clock, content) => {
    const statistics = new DeviceStatistics({ precisionBits: 3 });
    return createStatisticsDevice({ device: make(clock, content), statistics, clock });
  },
  "createRetryDevice()": (make, clock, content) =>
    createRetryDevice({ device: make(clock, content), backoffNs: 100, clock }),
  "createChecksumDevice()": (make, clock, content) =>
    createChecksumDevice({ device: make(clock, content), sums: SUMS, seed: 5, clock }),
  "createFaultDevice()": (make, clock, content) =>
    createFaultDevice({ device: make(clock, content), faults: [], clock }),
  "createTraceDevice()": (make, clock, content) =>
    createTraceDevice({ device: make(clock, content), log: createEventLog(64), clock }),
  "createHedgeDevice() by quantile": (make, clock, content) =>
    createHedgeDevice({ devices: [make(clock, content), make(clock, content.slice())], clock }),
  "createHedgeDevice() at once": (make, clock, content) => {
    const devices = [make(clock, content), make(clock, content.slice())] as const;
    return createHedgeDevice({ devices, afterNs: 0, clock });
  },
};

function worldOf(make: (clock: VirtualClock) => BlockDevice): CaseWorld {
  const clock = new VirtualClock();
  const device = make(clock);
  const advance = () => {
    if (device.wakeNs < Infinity) clock.advanceTo(device.wakeNs);
    device.step(clock.now());
  };
  return { device, content: CONTENT, advance };
}

for (const [name, wrap] of Object.entries(WRAPPERS)) {
  testDevice(`${name} over a drive`, () => worldOf((clock) => wrap(drive, clock, CONTENT.slice())));
}

// On real files and in real time, where what is held back comes out by steps alone.
for (const [name, wrap] of Object.entries(WRAPPERS)) {
  testDevice(`${name} over a file`, () => {
    const clock = new RealClock();
    const files: KnownFile[] = [];
    const make = (_: unknown, content: Uint8Array) => {
      const file = knownFile(64 * BLOCK, 3);
      files.push(file);
      Deno.writeFileSync(file.path, content);
      return createFileDevice({ files: [file.path], direct: false, depth: 8 });
    };
    const device = wrap(make, clock, CONTENT.slice());
    if (Deno.build.os !== "windows") { for (const file of files) file[Symbol.dispose](); }
    const advance = () => {
      device.wait(1);
      device.step(clock.now());
    };
    return { device, content: CONTENT, advance };
  });
}

testDevice("createPowerCutDevice()", () =>
  worldOf((clock) => {
    const media = volatileMedia({ media: memoryMedia(CONTENT.slice()), cacheBlocks: 4 });
    const device = createMemoryDevice({ media, clock, depth: 8 });
    return createPowerCutDevice({ device, media, clock });
  }));

testDevice("all wrappers in a stack", () =>
  worldOf((clock) => {
    const seed = 4;
    const inner = drive(clock, CONTENT.slice());
    const faults = [{ kind: "error", share: 0.02, errno: 5 }, {
      kind: "corrupt",
      share: 0.02,
    }] as const;
    let device = createFaultDevice({ device: inner, faults, clock, seed });
    device = createChecksumDevice({ device, sums: SUMS, seed: 5, clock });
    device = createDelayDevice({ device, delayNs: 300, jitterNs: 2000, clock });
    device = createRetryDevice({ device, retries: 20, backoffNs: 10, clock });
    const other = createMemoryDevice({ media: memoryMedia(CONTENT.slice()), clock, depth: 8 });
    device = createHedgeDevice({ devices: [device, other], afterNs: 1000, clock });
    device = createThrottleDevice({ device, operationsPerSecond: 1e6, clock });
    return createStatisticsDevice({ device, statistics: new DeviceStatistics(), clock });
  }));
