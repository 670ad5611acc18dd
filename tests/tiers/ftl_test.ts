import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { createRandom } from "../../base/random.ts";
import { PageTable } from "../../tiers/models/_page_table.ts";
import { StateReader, StateWriter } from "../../tiers/models/state.ts";
import {
  createFtl,
  type FlashWork,
  type Ftl,
  type FtlOptions,
  steadyWriteAmplification,
} from "../../tiers/mod.ts";
import { heapGrowth } from "./allocation.ts";

/** Flash as it is: what each physical page holds, and that it is programmed once an erase. */
class SlowFlash implements FlashWork {
  readonly cells: Map<number, string> = new Map();
  readonly fill: Map<number, number> = new Map();
  readonly erases: Map<number, number> = new Map();
  /** What the host writes at the moment. */
  content = "";
  readonly #pagesPerBlock: number;

  constructor(pagesPerBlock: number, filledPages: number) {
    this.#pagesPerBlock = pagesPerBlock;
    for (let page = 0; page < filledPages; page++) this.#put(page, `${page} v0`);
  }

  program(to: number): void {
    this.#put(to, this.content);
  }

  copy(from: number, to: number): void {
    const held = this.cells.get(from);
    assert(held !== undefined, `copy from the empty page ${from}`);
    this.#put(to, held);
  }

  erase(block: number): void {
    for (let i = 0; i < this.#pagesPerBlock; i++) {
      this.cells.delete(block * this.#pagesPerBlock + i);
    }
    this.fill.delete(block);
    this.erases.set(block, (this.erases.get(block) ?? 0) + 1);
  }

  /** NAND takes pages in order, each once. */
  #put(at: number, held: string): void {
    const block = Math.floor(at / this.#pagesPerBlock);
    const next = this.fill.get(block) ?? 0;
    assertStrictEquals(at, block * this.#pagesPerBlock + next);
    this.fill.set(block, next + 1);
    this.cells.set(at, held);
  }
}

const SIZES = { logicalPages: 40, pagesPerBlock: 4, blocks: 15 };

/** A translation layer, its flash, and what the host believes. */
function createWorld(options: Partial<FtlOptions>) {
  const flash = new SlowFlash(SIZES.pagesPerBlock, options.filledPages ?? 0);
  const ftl = createFtl({ ...SIZES, ...options, work: flash });
  const written = new Map<number, string>();
  for (let page = 0; page < (options.filledPages ?? 0); page++) written.set(page, `${page} v0`);
  return { ftl, flash, written };
}

type World = ReturnType<typeof createWorld>;

function assertSame({ ftl, flash, written }: World): void {
  ftl.verify();
  for (let page = 0; page < SIZES.logicalPages; page++) {
    const at = ftl.lookup(page);
    assertStrictEquals(at < 0 ? undefined : flash.cells.get(at), written.get(page), `page ${page}`);
  }
  const counters = ftl.counters();
  const inUse = [...flash.fill.values()].filter((fill) => fill > 0).length;
  assertStrictEquals(counters.freeBlocks, SIZES.blocks - inUse);
  assertStrictEquals(counters.erases, [...flash.erases.values()].reduce((a, b) => a + b, 0));
  for (let block = 0; block < SIZES.blocks; block++) {
    assertStrictEquals(ftl.erasesOf(block), flash.erases.get(block) ?? 0);
  }
  assertStrictEquals(counters.maxErases, Math.max(0, ...flash.erases.values()));
}

type Step = readonly ["write" | "trim" | "read", number];

function run(world: World, steps: readonly Step[]): void {
  const { ftl, flash, written } = world;
  steps.forEach(([verb, page], i) => {
    if (verb === "write") {
      flash.content = `${page} v${i + 1}`;
      assertStrictEquals(ftl.write(page), ftl.lookup(page));
      written.set(page, flash.content);
    } else if (verb === "trim") {
      ftl.trim(page);
      written.delete(page);
    } else if (ftl.lookup(page) >= 0) ftl.noteRead(ftl.lookup(page));
  });
}

const step = fc.tuple(
  fc.constantFrom("write" as const, "write" as const, "trim" as const, "read" as const),
  fc.nat(SIZES.logicalPages - 1),
);

const choices = fc.record({
  filledPages: fc.nat(SIZES.logicalPages),
  collection: fc.constantFrom("greedy" as const, "cost-benefit" as const),
  wearSpread: fc.constantFrom(0, 1, 3),
  disturbReads: fc.constantFrom(0, 1, 3),
});

Deno.test("createFtl() keeps every page through writes, trims, reads and collections", () => {
  fc.assert(
    fc.property(choices, fc.array(step, { maxLength: 600, size: "max" }), (options, steps) => {
      const world = createWorld(options);
      assertSame(world);
      run(world, steps);
      assertSame(world);
    }),
    { numRuns: 300 },
  );
});

Deno.test("createFtl() collects for ever when all pages are written again and again", () => {
  for (const collection of ["greedy", "cost-benefit"] as const) {
    const world = createWorld({ collection, wearSpread: 2, filledPages: SIZES.logicalPages });
    for (let round = 0; round < 50; round++) {
      const all = Array.from({ length: SIZES.logicalPages }, (_, page): Step => ["write", page]);
      run(world, all);
      assertSame(world);
    }
    // All pages valid and one spare block more than it needs: still no end.
    assert(world.ftl.counters().erases > 400);
  }
});

Deno.test("createFtl() collects when the last two free blocks are reached, not before", () => {
  const { ftl } = createWorld({});
  for (let i = 0; i < 13 * SIZES.pagesPerBlock; i++) ftl.write(i % 9);
  assertEquals([ftl.counters().freeBlocks, ftl.counters().erases], [2, 0]);
  ftl.write(0);
  assertEquals([ftl.counters().freeBlocks, ftl.counters().erases], [2, 1]);
});

Deno.test("Ftl.restore() goes on as if nothing had been", () => {
  const two = fc.array(step, { maxLength: 300, size: "max" });
  fc.assert(
    fc.property(choices, two, two, (options, before, after) => {
      const world = createWorld(options);
      run(world, before);
      const saved = world.ftl.snapshot();
      const twin = createFtl({ ...SIZES, ...options });
      for (let page = 0; page < 9; page++) twin.write(page);
      twin.restore(saved);
      assertEquals(twin.snapshot(), saved);
      run(world, after);
      replay(twin, after);
      twin.verify();
      assertEquals(twin.counters(), world.ftl.counters());
      for (let page = 0; page < SIZES.logicalPages; page++) {
        assertStrictEquals(twin.lookup(page), world.ftl.lookup(page));
      }
    }),
    { numRuns: 100 },
  );
});

function replay(ftl: Ftl, steps: readonly Step[]): void {
  for (const [verb, page] of steps) {
    if (verb === "write") ftl.write(page);
    else if (verb === "trim") ftl.trim(page);
    else if (ftl.lookup(page) >= 0) ftl.noteRead(ftl.lookup(page));
  }
}

Deno.test("Ftl.restore() refuses foreign and short snapshots and changes nothing", () => {
  const ftl = createFtl(SIZES);
  for (let page = 0; page < 30; page++) ftl.write(page);
  const saved = ftl.snapshot();
  const other = createFtl({ ...SIZES, blocks: 16 }).snapshot();
  assertThrows(() => ftl.restore(other), RangeError, "of the same options: received 16 for 15");
  assertThrows(() => ftl.restore(saved.subarray(0, saved.length - 8)), RangeError, "must hold");
  assertThrows(() => ftl.restore(new Uint8Array(10)), RangeError, "must hold");
  assertEquals(ftl.snapshot(), saved);
});

/** Write amplification of one logical capacity of random writes, after another of them. */
function measureAmplification(percent: number): [number, number] {
  const pagesPerBlock = 256, blocksUsed = 1024;
  const logicalPages = pagesPerBlock * blocksUsed;
  const blocks = Math.floor(blocksUsed * (1 + percent / 100));
  const ftl = createFtl({ logicalPages, blocks, pagesPerBlock, filledPages: logicalPages });
  const random = createRandom(percent);
  for (let i = 0; i < logicalPages; i++) ftl.write(random.below(logicalPages));
  const before = ftl.counters();
  for (let i = 0; i < logicalPages; i++) ftl.write(random.below(logicalPages));
  const after = ftl.counters();
  const copied = after.copiedPages - before.copiedPages;
  return [1 + copied / logicalPages, steadyWriteAmplification(blocks / blocksUsed - 1)];
}

Deno.test("createFtl() amplifies random writes as theory says, within 5 %", () => {
  for (const percent of [7, 15, 28]) {
    const [measured, expected] = measureAmplification(percent);
    const off = measured / expected - 1;
    assert(Math.abs(off) < 0.05, `${percent} %: ${measured}, in theory ${expected}`);
  }
});

/** Nine in ten writes go to a tenth of the pages. */
function writeHot(ftl: Ftl, logicalPages: number, count: number): void {
  const random = createRandom(8);
  for (let i = 0; i < count; i++) {
    const isHot = random.below(10) > 0;
    ftl.write(random.below(isHot ? logicalPages / 10 : logicalPages));
  }
}

Deno.test("createFtl() copies less by cost-benefit when some pages are hot", () => {
  const logicalPages = 32 * 640;
  const copied = (["greedy", "cost-benefit"] as const).map((collection) => {
    const sizes = { logicalPages, pagesPerBlock: 32, blocks: 720, filledPages: logicalPages };
    const ftl = createFtl({ ...sizes, collection });
    writeHot(ftl, logicalPages, 10 * logicalPages);
    return ftl.counters().copiedPages;
  });
  assert(copied[1] < 0.8 * copied[0], `${copied}`);
});

function wearSpreadOf(wearSpread: number): number {
  const logicalPages = 16 * 80;
  const sizes = { logicalPages, pagesPerBlock: 16, blocks: 96, filledPages: logicalPages };
  const ftl = createFtl({ ...sizes, wearSpread });
  const random = createRandom(3);
  // Only a tenth is ever written: the rest never moves by itself.
  for (let i = 0; i < 60 * logicalPages; i++) ftl.write(random.below(logicalPages / 10));
  const erases = Array.from({ length: 96 }, (_, block) => ftl.erasesOf(block));
  ftl.verify();
  return Math.max(...erases) - Math.min(...erases);
}

Deno.test("createFtl() levels wear when asked to", () => {
  assert(wearSpreadOf(0) > 100);
  assert(wearSpreadOf(8) <= 8 + 4, `${wearSpreadOf(8)}`);
});

Deno.test("createFtl() moves a block that is read too often", () => {
  const { ftl, flash } = createWorld({ filledPages: 40, disturbReads: 5 });
  for (let i = 0; i < 4; i++) assertStrictEquals(ftl.noteRead(ftl.lookup(9)), false);
  assertStrictEquals(ftl.lookup(9), 9);
  assertStrictEquals(ftl.noteRead(ftl.lookup(8)), true);
  assertStrictEquals(flash.erases.get(2), 1);
  assert(ftl.lookup(9) !== 9);
  assertEquals(ftl.counters().copiedPages, 4);
});

Deno.test("createFtl() needs as little for a large drive as for a small one", () => {
  const bytes = [2 ** 18, 2 ** 32].map((logicalPages) => {
    const pagesPerBlock = 2 ** 12;
    const blocks = logicalPages / pagesPerBlock * 1.25;
    const ftl = createFtl({ logicalPages, pagesPerBlock, blocks, filledPages: logicalPages });
    assertStrictEquals(ftl.lookup(logicalPages - 1), logicalPages - 1);
    const random = createRandom(1);
    for (let i = 0; i < 1000; i++) ftl.write(random.below(logicalPages));
    assert(ftl.memoryBytes < 1000 * 1200 + 8 * pagesPerBlock, `${ftl.memoryBytes}`);
    return ftl.memoryBytes;
  });
  assert(bytes[1] <= 2 * bytes[0], `${bytes}`);
});

Deno.test("Ftl.write() allocates nothing once its pages are mapped", () => {
  const logicalPages = 32 * 64;
  const sizes = { logicalPages, pagesPerBlock: 32, blocks: 80, filledPages: logicalPages };
  const ftl = createFtl({ ...sizes, wearSpread: 10, disturbReads: 1000 });
  const random = createRandom(1);
  const pages = Uint32Array.from({ length: 500 }, () => random.below(logicalPages));
  const growth = heapGrowth((turns) => {
    for (let i = 0; i < turns; i++) {
      const page = pages[i];
      ftl.write(page);
      ftl.noteRead(ftl.lookup(page));
    }
  }, pages.length);
  assert(growth < 2000, `${growth} bytes`);
});

Deno.test("createFtl() refuses wrong options", () => {
  const wrong: [Partial<FtlOptions>, string][] = [
    [{ logicalPages: 0 }, "logicalPages must be an integer of at least 1"],
    [{ blocks: 13 }, "blocks must be an integer of at least 14"],
    [{ pagesPerBlock: 1 }, "pagesPerBlock"],
    [{ filledPages: 41 }, "filledPages"],
    [{ wearSpread: -1 }, "wearSpread"],
    [{ disturbReads: 0.5 }, "disturbReads"],
  ];
  for (const [options, message] of wrong) {
    assertThrows(() => createFtl({ ...SIZES, ...options }), RangeError, message);
  }
  const lazy = { ...SIZES, collection: "lazy" } as unknown;
  assertThrows(
    () => createFtl(lazy as FtlOptions),
    TypeError,
    "Cannot create FTL: collection must",
  );
});

Deno.test("PageTable holds what was set, like a map", () => {
  const page = fc.oneof(fc.nat(200), fc.integer({ min: 2 ** 40, max: 2 ** 40 + 5000 }), fc.nat());
  fc.assert(
    fc.property(fc.array(fc.tuple(page, fc.integer({ min: -1, max: 5 }))), (sets) => {
      const map = new Map<number, number>();
      let table = new PageTable();
      for (const [at, value] of sets) {
        table.set(at, value);
        map.set(at, value);
        assertStrictEquals(table.get(at), value);
      }
      const to = new StateWriter();
      table.save(to);
      table = new PageTable();
      table.set(3, 3);
      table.load(new StateReader(to.bytes()));
      const seen = new Map<number, number>();
      table.forEach((at, value) => seen.set(at, value));
      for (const [at, value] of map) assertStrictEquals(table.get(at), value);
      for (const [at, value] of seen) assertStrictEquals(map.get(at), value);
      if (!map.has(3)) assertStrictEquals(table.get(3), 0);
    }),
  );
});
