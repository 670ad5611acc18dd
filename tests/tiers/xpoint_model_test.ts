import { assert, assertAlmostEquals, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { IO_OP, type MemoryProfile, PROFILES, type XpointProfile } from "../../tiers/mod.ts";
import { MemoryModel } from "../../tiers/models/memory.ts";
import { XpointModel } from "../../tiers/models/xpoint.ts";
import { heapGrowth } from "./allocation.ts";
import { loadDevice, measureLoad } from "../bench/_device_runs.ts";

/** Without what varies. */
function steady(profile: XpointProfile): XpointProfile {
  return { ...profile, jitterNs: 0, stallShare: 0 };
}

/** The model as its description reads, with a Map of chunks and nothing of the real one. */
class SlowTwin {
  readonly #profile: XpointProfile;
  readonly #units: number[];
  readonly #chunks = new Map<number, { unit: number; untilNs: number }>();
  #writtenNs = 0;

  constructor(profile: XpointProfile) {
    this.#profile = profile;
    this.#units = Array.from({ length: profile.units }, () => 0);
  }

  dueNs(op: number, offset: number, bytes: number, nowNs: number): number {
    if (op === IO_OP.FLUSH) return Math.max(nowNs, this.#writtenNs);
    const { granuleBytes, chunkBytes, pipeNs } = this.#profile;
    const { delayNs, granuleNs, trailingNs } = this.#profile[op === IO_OP.WRITE ? "write" : "read"];
    const ends: number[] = [];
    const firstByte = offset - offset % granuleBytes;
    for (let at = firstByte; at < offset + bytes; at += granuleBytes) {
      const held = chunkBytes === undefined
        ? undefined
        : this.#chunks.get(Math.floor(at / chunkBytes));
      const free = this.#units.indexOf(Math.min(...this.#units));
      const unit = held !== undefined && held.untilNs > nowNs ? held.unit : free;
      const untilNs = Math.max(nowNs, this.#units[unit]) + (at === firstByte ? delayNs : 0) +
        granuleNs;
      this.#units[unit] = untilNs + trailingNs;
      if (chunkBytes !== undefined) {
        this.#chunks.set(Math.floor(at / chunkBytes), { unit, untilNs });
      }
      ends.push(untilNs);
    }
    const dueNs = Math.ceil(Math.max(...ends) + pipeNs);
    if (op === IO_OP.WRITE) this.#writtenNs = Math.max(this.#writtenNs, dueNs);
    return dueNs;
  }
}

const times = fc.record({
  delayNs: fc.nat(500),
  granuleNs: fc.integer({ min: 1, max: 5000 }),
  trailingNs: fc.nat(3000),
});

Deno.test("XpointModel gives the same times as its slow twin", () => {
  const profile = fc.record({
    units: fc.integer({ min: 1, max: 9 }),
    granuleBytes: fc.constantFrom(512, 4096),
    pipeNs: fc.nat(2000),
    read: times,
    write: times,
  });
  const operation = fc.tuple(fc.nat(2), fc.nat(40), fc.integer({ min: 1, max: 20 }), fc.nat(9000));
  fc.assert(
    fc.property(
      profile,
      fc.boolean(),
      fc.array(operation, { maxLength: 60 }),
      (given, hasChunks, operations) => {
        const { chunkBytes, ...rest } = steady({ ...PROFILES.p4800x, ...given });
        assertStrictEquals(chunkBytes, 4096);
        const full = hasChunks ? { ...rest, chunkBytes } : rest;
        const model = new XpointModel(full, 1), twin = new SlowTwin(full);
        let nowNs = 0;
        for (const [op, sector, sectors, pauseNs] of operations) {
          nowNs += pauseNs;
          const ours = model.dueNs(op, sector * 512, sectors * 512, nowNs);
          assertStrictEquals(ours, twin.dueNs(op, sector * 512, sectors * 512, nowNs));
          assert(ours >= nowNs && Number.isInteger(ours));
        }
      },
    ),
  );
});

Deno.test("XpointModel serves requests of one chunk one after the other", () => {
  const together = (offset: (i: number) => number): number[] => {
    const model = new XpointModel(steady(PROFILES.p4800x), 1);
    return Array.from({ length: 7 }, (_, i) => model.dueNs(IO_OP.READ, offset(i), 512, 0));
  };
  const { granuleNs, trailingNs } = PROFILES.p4800x.read;
  assertEquals(together((i) => 4096 * i), Array(7).fill(granuleNs));
  // Seven channels, and all but one of them idle.
  const queued = Array.from({ length: 7 }, (_, i) => granuleNs + i * (granuleNs + trailingNs));
  assertEquals(together((i) => 512 * i), queued);
});

Deno.test("XpointModel frees a chunk when it has answered", () => {
  const model = new XpointModel(steady(PROFILES.p4800x), 1);
  const { granuleNs } = PROFILES.p4800x.read;
  assertStrictEquals(model.dueNs(IO_OP.READ, 0, 512, 0), granuleNs);
  // Its unit is still busy, another one is not.
  assertStrictEquals(model.dueNs(IO_OP.READ, 512, 512, granuleNs), 2 * granuleNs);
});

Deno.test("XpointModel leaves other units free for those that do not conflict", () => {
  const model = new XpointModel(steady(PROFILES.p4800x), 1);
  for (let i = 0; i < 12; i++) model.dueNs(IO_OP.READ, 0, 512, 0);
  const { granuleNs } = PROFILES.p4800x.read;
  assertStrictEquals(model.dueNs(IO_OP.READ, 1e6, 512, 0), granuleNs);
});

Deno.test("XpointModel of the first generation follows the unwritten contract", () => {
  const load = { op: "read", order: "random", bytes: 4096, depth: 16, fresh: true } as const;
  const profile = PROFILES.p4800x;
  const { IOPS } = measureLoad(profile, load, 1, 30_000);
  const rate = (other: object) => measureLoad(profile, { ...load, ...other }, 1, 30_000).IOPS;
  assertAlmostEquals(rate({ order: "sequential" }) / IOPS, 1, 0.01);
  assertAlmostEquals(rate({ bytes: 512 }) / IOPS, 1, 0.01);
  // Not aligned to 8 sectors: half of the throughput, as two granules are read.
  const model = new XpointModel(steady(profile), 1);
  const last = (skew: number): number => {
    let dueNs = 0;
    for (let i = 0; i < 700; i++) dueNs = model.dueNs(IO_OP.READ, 12_288 * i + skew, 4096, 0);
    return dueNs;
  };
  const aligned = last(0);
  assertAlmostEquals((last(512) - aligned) / aligned, 2, 0.02);
  // Reads and writes load it alike: a write is as fast alone, and slows reads as reads do.
  const alone = (op: "read" | "write") =>
    measureLoad(profile, { ...load, op, depth: 1 }, 1, 30_000);
  assertAlmostEquals(alone("write").mean, alone("read").mean, 0.02);
});

Deno.test("XpointModel of the second generation gains from 512 bytes", () => {
  const load = { op: "read", order: "random", bytes: 4096, depth: 256, fresh: true } as const;
  const large = measureLoad(PROFILES.p5800x, load, 1, 30_000).IOPS;
  const small = measureLoad(PROFILES.p5800x, { ...load, bytes: 512 }, 1, 30_000).IOPS;
  assertAlmostEquals(small / large, 3.3, 0.165);
});

Deno.test("MemoryModel tells random from sequential, and moves whole granules", () => {
  const profile: MemoryProfile = {
    ...PROFILES.optanePmm,
    readBytesPerSecond: 25.6e9, // 10 ns a granule
    writeBytesPerSecond: 12.8e9,
  };
  const model = new MemoryModel(profile);
  const read = (offset: number, bytes: number, nowNs: number) =>
    model.dueNs(IO_OP.READ, offset, bytes, nowNs) - nowNs;
  assertStrictEquals(read(0, 64, 0), 305);
  assertStrictEquals(read(64, 64, 1000), 169);
  assertStrictEquals(read(256, 64, 2000), 169);
  assertStrictEquals(read(4096, 64, 3000), 305);
  assertStrictEquals(read(0, 1024, 4000), 305 + 30);
  // At once: each waits for the granules before it.
  assertEquals([read(8192, 64, 5000), read(0, 64, 5000), read(8192, 64, 5000)], [305, 315, 325]);
  // Lines of one granule are moved once.
  assertEquals([read(64, 64, 6000), read(128, 64, 6000), read(512, 64, 6000)], [305, 179, 315]);
  const dueNs = model.dueNs(IO_OP.WRITE, 0, 512, 9000);
  assertStrictEquals(dueNs, 9000 + 305 + 20);
  assertStrictEquals(model.dueNs(IO_OP.FLUSH, 0, 0, 9001), dueNs);
});

Deno.test("createSimulatedDevice() of a P4800X makes no object an operation", () => {
  // In sequence: the load's own random numbers are large, and so made on the heap.
  const load = { op: "read", order: "sequential", bytes: 4096, depth: 16, fresh: true } as const;
  const { run } = loadDevice(PROFILES.p4800x, load, 2 ** 30, 1);
  const bytes = heapGrowth((count) => run(count), 1600) / 1600;
  assert(bytes < 8, `${bytes} bytes an operation`);
});
