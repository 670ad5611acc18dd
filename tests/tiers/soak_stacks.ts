/**
 * Random stacks of wrappers over random devices, each with what it may do to a request.
 *
 * @module
 */

import type { Random } from "../../base/random.ts";
import {
  type BlockDevice,
  blockSum,
  createChecksumDevice,
  createDelayDevice,
  createEventLog,
  createFaultDevice,
  createHedgeDevice,
  createHost,
  createMemoryDevice,
  createMirror,
  createPowerCutDevice,
  createRetryDevice,
  createSimulatedDevice,
  createStatisticsDevice,
  createStripe,
  createThrottleDevice,
  createTraceDevice,
  type DeviceProfile,
  DeviceStatistics,
  ERRNO,
  type Fault,
  type Media,
  memoryMedia,
  PROFILES,
  type VirtualClock,
  volatileMedia,
} from "../../tiers/mod.ts";

/** Bytes of a block of every stack. */
export const BLOCK = 512;
/** Blocks of every stack. */
export const BLOCKS = 64;
/** Blocks below this are never written. */
export const READ_ONLY = 32;

/** What block `block` is full of at the start; never 0, which discards leave. */
export function fillOf(block: number): number {
  return 1 + (block * 37) % 199;
}

/** A stack, and what may come of it. */
export interface Stack {
  readonly device: BlockDevice;
  /** Its layers, from the base up, for messages. */
  readonly name: string;
  /** Errors that its faults give. */
  readonly errors: ReadonlySet<number>;
  /** Whether a read of blocks that are never written may bring wrong bytes. */
  readonly rots: boolean;
  /** Whether blocks that are written may hold or bring anything. */
  readonly muddles: boolean;
  /** Whether fewer bytes than asked for may be moved. */
  readonly cuts: boolean;
}

/** What stacks are built from. */
export interface Ground {
  readonly random: Random;
  readonly clock: VirtualClock;
}

type Layer = (stack: Stack, ground: Ground) => Stack;

const CONTENT = Uint8Array.from(
  { length: BLOCKS * BLOCK },
  (_, at) => fillOf(Math.floor(at / BLOCK)),
);
const SUMS = Int32Array.from(
  { length: BLOCKS },
  (_, block) => blockSum(CONTENT, block * BLOCK, BLOCK, block, 7),
);
const DRIVES: readonly DeviceProfile[] = [PROFILES.p4800x, PROFILES.p5800x, PROFILES.p3700];

/** A stack of up to four wrappers over one base, or several. */
export function createStack(ground: Ground, most = 4): Stack {
  let stack = createBase(ground);
  for (let layers = ground.random.below(most + 1); layers > 0; layers--) {
    stack = LAYERS[ground.random.below(LAYERS.length)](stack, ground);
  }
  return stack;
}

function createBase({ random, clock }: Ground): Stack {
  const media = memoryMedia(CONTENT.slice());
  const depth = 1 + random.below(16);
  const clean = { errors: new Set<number>(), rots: false, muddles: false, cuts: false };
  if (random.below(4) > 0) {
    const device = createBare(media, depth, random, clock);
    return { ...clean, device, name: device.name };
  }
  const cached = volatileMedia({ media, cacheBlocks: 1 + random.below(8) });
  const device = createPowerCutDevice({
    device: createBare(cached, depth, random, clock),
    media: cached,
    cutAt: random.below(200),
    clock,
  });
  return { ...clean, device, name: device.name, errors: new Set([ERRNO.EIO]) };
}

function createBare(
  media: Media,
  depth: number,
  random: Random,
  clock: VirtualClock,
): BlockDevice {
  const drive = random.below(DRIVES.length + 1);
  if (drive === DRIVES.length) return createMemoryDevice({ media, clock, depth });
  return createSimulatedDevice({
    profile: DRIVES[drive],
    media,
    clock,
    depth,
    seed: random.u32(),
  });
}

function named(
  stack: Stack,
  device: BlockDevice,
  layer: string,
  change: Partial<Stack> = {},
): Stack {
  return { ...stack, device, name: `${stack.name} < ${layer}`, ...change };
}

/** Both copies may fail, rot and so on, each as it likes. */
function paired(a: Stack, b: Stack, device: BlockDevice, layer: string): Stack {
  const fails = a.errors.size + b.errors.size > 0 || a.cuts || b.cuts;
  return {
    device,
    name: `(${a.name}; ${b.name}) < ${layer}`,
    errors: new Set([...a.errors, ...b.errors]),
    rots: a.rots || b.rots,
    // A write that reached one copy alone, by its fault or a cancellation, leaves two contents.
    muddles: a.muddles || b.muddles || fails,
    cuts: a.cuts || b.cuts,
  };
}

function randomFaults(random: Random): Fault[] {
  const share = () => random.unit() * 0.15;
  const op = (["read", "write", "flush"] as const)[random.below(3)];
  const all: Fault[] = [
    { kind: "error", op, share: share(), errno: ERRNO.EIO },
    { kind: "error", op, at: random.below(20), errno: ERRNO.EAGAIN },
    { kind: "short", share: share() },
    { kind: "short", op: "write", share: share() },
    { kind: "corrupt", share: share() },
    { kind: "misplaced", share: share() },
    { kind: "lost", op, share: share() },
    { kind: "late", op, share: share(), delayNs: random.below(60_000) },
  ];
  return all.filter(() => random.below(3) === 0);
}

const LAYERS: readonly Layer[] = [
  function fault(stack, { random, clock }) {
    const faults = randomFaults(random);
    const errors = new Set(stack.errors);
    for (const one of faults) if (one.kind === "error") errors.add(one.errno);
    const spoils = faults.some(({ kind }) => kind === "corrupt" || kind === "misplaced");
    const device = createFaultDevice({ device: stack.device, faults, clock, seed: random.u32() });
    return named(stack, device, `faults ${faults.map(({ kind }) => kind).join("+")}`, {
      errors,
      rots: stack.rots || spoils,
      muddles: stack.muddles || spoils,
      cuts: stack.cuts || faults.some(({ kind }) => kind === "short"),
    });
  },
  function delay(stack, { random, clock }) {
    const delayNs = random.below(20_000), jitterNs = random.below(20_000);
    const device = createDelayDevice({ device: stack.device, delayNs, jitterNs, clock });
    return named(stack, device, "delay");
  },
  function throttle(stack, { random, clock }) {
    const device = createThrottleDevice({
      device: stack.device,
      operationsPerSecond: 20_000 + random.below(1e6),
      bytesPerSecond: 1e7 + random.below(1e9),
      burstNs: random.below(1e6),
      clock,
    });
    return named(stack, device, "throttle");
  },
  function statistics(stack, { clock }) {
    const counters = new DeviceStatistics({ precisionBits: 2 });
    const device = createStatisticsDevice({ device: stack.device, statistics: counters, clock });
    return named(stack, device, "statistics");
  },
  function retry(stack, { random, clock }) {
    const backoffNs = random.below(3) * 1000;
    const device = createRetryDevice({ device: stack.device, backoffNs, clock });
    return named(stack, device, "retry");
  },
  function checksum(stack, { clock }) {
    const device = createChecksumDevice({ device: stack.device, sums: SUMS, seed: 7, clock });
    const errors = new Set([...stack.errors, ERRNO.EBADMSG]);
    return named(stack, device, "checksum", { errors, rots: false });
  },
  function trace(stack, { clock }) {
    const device = createTraceDevice({ device: stack.device, log: createEventLog(50), clock });
    return named(stack, device, "trace");
  },
  function hedge(stack, ground) {
    const other = createStack(ground, 1);
    const afterNs = ground.random.below(2) === 0 ? {} : { afterNs: ground.random.below(30_000) };
    const devices = [stack.device, other.device] as const;
    const device = createHedgeDevice({ devices, maxBytes: 4096, clock: ground.clock, ...afterNs });
    return paired(stack, other, device, "hedge");
  },
  function mirror(stack, ground) {
    const other = createStack(ground, 1);
    const device = createMirror({ devices: [stack.device, other.device], clock: ground.clock });
    return paired(stack, other, device, "mirror");
  },
  function stripe(stack, { clock }) {
    const device = createStripe({ devices: [stack.device], chunkBytes: BLOCK, clock });
    return named(stack, device, "stripe");
  },
  function host(stack, { clock }) {
    const device = createHost({
      device: stack.device,
      clock,
      linkBytesPerSecond: 1e9,
      submitNs: 300,
      completeNs: 300,
      completion: { kind: "interrupt", interruptNs: 1000 },
    });
    return named(stack, device, "host");
  },
];
