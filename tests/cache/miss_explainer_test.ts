import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  DISPLAY,
  type ExplainedTable,
  LOOKUP,
  MissExplainer,
  type MissExplainerOptions,
  type MissExplanation,
  type WaitClasses,
} from "@rowtier/rowtier/cache";
import { heapGrowth } from "../tiers/allocation.ts";
import { createRandom } from "../../base/random.ts";

const { HIT, MISS, REFUSED, DELAYED, LATE } = LOOKUP;

function createExplainer(table: Partial<ExplainedTable> = {}): MissExplainer {
  return new MissExplainer({ tables: [{ slotCount: 2, rowBytes: 100, rate: 1, ...table }] });
}

function countsOf(classes: WaitClasses): Record<string, number> {
  return Object.fromEntries(Object.entries(classes).map(([name, { count }]) => [name, count]));
}

const NONE = { firstTouch: 0, capacity: 0, refused: 0, policy: 0, latePrefetch: 0, delayedHit: 0 };

Deno.test("MissExplainer throws on options out of range", () => {
  const what = "Cannot create MissExplainer";
  const make = (options: Partial<MissExplainerOptions>) => () =>
    new MissExplainer({ tables: [{ slotCount: 1, rowBytes: 1 }], ...options });
  const table = (options: Partial<ExplainedTable>) => () => createExplainer(options);
  assertThrows(make({ tables: [] }), RangeError, `${what}: number of tables must be`);
  assertThrows(
    make({ sampleSize: 15 }),
    RangeError,
    `${what}: sampleSize must be an integer of at`,
  );
  assertThrows(make({ seed: NaN }), RangeError, `${what}: seed must be`);
  assertThrows(table({ slotCount: 0 }), RangeError, `${what}: table 0: slotCount must be`);
  assertThrows(table({ rowBytes: 0 }), RangeError, `${what}: table 0: rowBytes must be`);
  for (const rate of [0, -1, 1.5, NaN]) {
    const message = `${what}: table 0: rate must be above 0 and at most 1: received ${rate}`;
    assertThrows(table({ rate }), RangeError, message);
  }
});

Deno.test("MissExplainer.observeAll() throws on arguments out of range", () => {
  const explainer = createExplainer();
  const keys = new Uint32Array(3);
  const all = (partition: number, outcomes: number, count: number) => () =>
    explainer.observeAll(partition, keys, new Uint8Array(outcomes), count);
  assertThrows(all(1, 3, 3), RangeError, "Cannot observe: partition must be");
  assertThrows(all(0, 4, 4), RangeError, "Cannot observe: count must be");
  assertThrows(all(0, 2, 3), RangeError, "Cannot observe: outcomes.length must be");
  assertStrictEquals(explainer.explain().total.lookups, 0);
});

Deno.test("MissExplainer puts a loop's misses on the policy as far as slots could hold it", () => {
  const explainer = createExplainer({ slotCount: 3 });
  const keys = Uint32Array.from({ length: 40 }, (_, i) => i % 4);
  explainer.observeAll(0, keys, new Uint8Array(40).fill(MISS), 40);
  const { tables: [table], advice } = explainer.explain();
  // With bypass three of the four rows stay for good.
  assertEquals(countsOf(table.classes), { ...NONE, firstTouch: 4, capacity: 9, policy: 27 });
  assertEquals([table.lookups, table.waits, table.rate, table.sampledMisses], [40, 40, 1, 40]);
  assertEquals(table.needs.map(({ slots, bytes }) => [slots, bytes]), [[4, 400], [4, 400], [
    4,
    400,
  ]]);
  assertEquals(Object.values(table.classes).map(({ error }) => error), [0, 0, 0, 0, 0, 0]);
  assertAlmostEquals(table.classes.policy.share, 27 / 40);
  assertStringIncludes(advice, "Try another policy for table 0");
  explainer.verify();
});

Deno.test("MissExplainer asks for the memory that LRU would have needed", () => {
  const explainer = createExplainer({ name: "users", slotCount: 1000, rowBytes: 1000, rate: 1 });
  const keys = Uint32Array.from({ length: 60_000 }, (_, i) => i % 20_000);
  const outcomes = new Uint8Array(60_000).fill(MISS);
  explainer.observeAll(0, keys, outcomes, 60_000);
  const { tables: [table], advice } = explainer.explain();
  const [{ slots }] = table.needs;
  assert(Math.abs(slots / 20_000 - 1) < 0.15, `${slots} slots`);
  assertStringIncludes(advice, "Give users more memory: ");
  assertStringIncludes(advice, " MB in place of 1.0 MB would have turned 50 % of its capacity");
});

Deno.test("MissExplainer tells refusals, late prefetches and delayed hits from misses", () => {
  const explainer = createExplainer();
  const see = (key: number, outcome: 0 | 1 | 2 | 3 | 4): Record<string, number> => {
    const before = countsOf(explainer.explain().total.classes);
    explainer.observe(0, key, outcome);
    const after = countsOf(explainer.explain().total.classes);
    return Object.fromEntries(
      Object.keys(NONE).flatMap((name) =>
        after[name] === before[name] ? [] : [[name, after[name] - before[name]]]
      ),
    );
  };
  assertEquals(see(1, REFUSED), { firstTouch: 1 });
  assertEquals(see(1, REFUSED), { refused: 1 });
  assertEquals(see(1, MISS), { refused: 1 });
  assertEquals(see(1, MISS), { policy: 1 });
  assertEquals(see(1, HIT), {});
  assertEquals(see(2, LATE), { latePrefetch: 1 });
  assertEquals(see(2, DELAYED), { delayedHit: 1 });
  assertEquals(see(2, MISS), { policy: 1 });
  // Rows that were deleted begin anew, as those never seen do.
  explainer.forget(0, 1);
  explainer.forget(0, 77);
  assertEquals(see(1, MISS), { firstTouch: 1 });
  explainer.forgetAll(0);
  assertEquals(see(1, MISS), { firstTouch: 1 });
  assertEquals(see(2, REFUSED), { firstTouch: 1 });
  const { total } = explainer.explain();
  assertEquals([total.lookups, total.waits], [11, 10]);
  explainer.verify();
});

/** What is advised when `outcomes` happen to one key after another. */
function adviceFor(lookups: [number, 0 | 1 | 2 | 3 | 4][], slotCount = 100): string {
  const explainer = createExplainer({ slotCount });
  for (const [key, outcome] of lookups) explainer.observe(0, key, outcome);
  return explainer.explain().advice;
}

Deno.test("MissExplainer advises by the largest class", () => {
  assertStrictEquals(adviceFor([[1, HIT]]), "Nothing to change: no lookup had to wait");
  assertStringIncludes(
    adviceFor([[1, MISS], [2, MISS], [2, MISS]]),
    "first touches dominate (67 %",
  );
  const [refused, late, delayed] = [REFUSED, LATE, DELAYED].map((outcome) =>
    adviceFor([[1, outcome], [1, outcome], [1, outcome]])
  );
  assertStringIncludes(refused, "Admit more rows to table 0: ");
  assertStringIncludes(refused, "(67 % of the lookups that waited)");
  assertStringIncludes(late, "Prefetch table 0 earlier: ");
  assertStringIncludes(delayed, "Prefetch table 0: lookups waited");
  // LRU with the slots there are would have hit what Belady gave up for the sake of others.
  const tight: [number, 1][] = [1, 2, 3, 1, 1, 2, 3, 3, 2, 1, 1, 2, 3].map((key) => [key, MISS]);
  assertStringIncludes(adviceFor(tight, 2), "Try another policy for table 0");
  const explainer = new MissExplainer({
    tables: [{ slotCount: 2 ** 20, rowBytes: 1, rate: 1e-9 }],
  });
  for (let i = 0; i < 3; i++) explainer.observe(0, 5, MISS);
  const { advice, total } = explainer.explain();
  assertStringIncludes(advice, "no miss was sampled");
  assertStrictEquals(total.classes.capacity.error, 1);
});

Deno.test("MissExplainer names the table that waits most, and adds tables up", () => {
  const tables = [{ slotCount: 2, rowBytes: 8, rate: 1 }, {
    name: "items",
    slotCount: 9,
    rowBytes: 8,
    rate: 1,
  }];
  const explainer = new MissExplainer({ tables });
  for (const key of [1, 1]) explainer.observe(0, key, MISS);
  for (const key of [1, 1, 1, 1]) explainer.observe(1, key, MISS);
  const { total, tables: told, advice } = explainer.explain();
  assertEquals(countsOf(total.classes), { ...NONE, firstTouch: 2, policy: 4 });
  assertEquals(told.map(({ waits }) => waits), [2, 4]);
  assertAlmostEquals(total.classes.policy.share, 4 / 6);
  assertStringIncludes(advice, "Try another policy for items");
  assertStringIncludes(advice, "(50 % of");
});

/** Runs LRU over skewed keys with scans between, and tells explainers what happened. */
function runLru(seed: number, slotCount: number, explainers: MissExplainer[]): void {
  const random = createRandom(seed);
  const held = new Set<number>();
  const logKeys = Math.log(60_000);
  let scan = 100_000;
  for (let i = 0; i < 250_000; i++) {
    const isScan = i % 5000 > 4000;
    const key = isScan ? scan++ % 7000 + 100_000 : Math.floor(Math.exp(random.unit() * logKeys));
    const hit = held.delete(key);
    held.add(key);
    if (held.size > slotCount) {
      for (const oldest of held) {
        held.delete(oldest);
        break;
      }
    }
    const refused = !hit && i % 11 === 0;
    if (refused) held.delete(key);
    for (const each of explainers) each.observe(0, key, hit ? HIT : refused ? REFUSED : MISS);
  }
}

Deno.test("MissExplainer's sampled shares are within their errors of the full ones", () => {
  let outside = 0, compared = 0;
  for (const seed of [1, 2]) {
    const slotCount = 3000;
    const table = { slotCount, rowBytes: 1 };
    const full = new MissExplainer({ tables: [{ ...table, rate: 1 }], sampleSize: 2 ** 17 });
    const sampled: [MissExplainer, number][] = [
      [new MissExplainer({ tables: [{ ...table, rate: 0.05 }], sampleSize: 2 ** 17, seed }), 0.06],
      [new MissExplainer({ tables: [table], seed }), 0.06],
      [new MissExplainer({ tables: [{ ...table, rate: 1 }], sampleSize: 1024, seed }), 0.12],
    ];
    runLru(seed, slotCount, [full, ...sampled.map(([explainer]) => explainer)]);
    const truth = full.explain();
    for (const [explainer, widest] of sampled) {
      const told = explainer.explain();
      explainer.verify();
      for (const name of ["firstTouch", "capacity", "refused", "policy"] as const) {
        const { share, error } = told.total.classes[name];
        const off = Math.abs(share - truth.total.classes[name].share);
        compared++;
        if (off > error) outside++;
        assert(off < widest, `${name}: ${share} for ${truth.total.classes[name].share}`);
        assert(error > 0 && error < widest, `${name}: error ${error}`);
      }
      told.tables[0].needs.forEach(({ slots }, i) => {
        const exact = truth.tables[0].needs[i].slots;
        assert(Math.abs(slots / exact - 1) < 0.35, `${slots} slots for ${exact}`);
      });
    }
  }
  assert(outside <= 6, `${outside} of ${compared} shares outside of their interval`);
});

Deno.test("MissExplainer keeps its bytes, and a small table is sampled whole at first", () => {
  const options = {
    tables: [{ slotCount: 100, rowBytes: 1 }, { slotCount: 10 ** 6, rowBytes: 1 }],
  };
  const explainer = new MissExplainer(options);
  const [small, large] = explainer.explain().tables;
  assertStrictEquals(small.rate, 1);
  assertAlmostEquals(large.rate, 0.01, 1e-6);
  const { bytes } = explainer;
  for (let key = 0; key < 5000; key++) explainer.observe(0, key, MISS);
  assertStrictEquals(explainer.bytes, bytes);
  assert(bytes / (2 * 2048) < 90, `${bytes} bytes`);
  assert(explainer.explain().tables[0].rate < 0.5);
});

Deno.test("MissExplainer.explain() is a plain object that draws itself", () => {
  const tables = Array.from({ length: 40 }, (_, i) => ({
    name: i === 0 ? `<a & "b">` : `t${i}`,
    slotCount: 10,
    rowBytes: 1,
  }));
  const explainer = new MissExplainer({ tables });
  for (let table = 0; table < 39; table++) {
    for (let i = 0; i < 3 * (40 - table); i++) explainer.observe(table, i % 30, MISS);
  }
  const told: MissExplanation = explainer.explain();
  assertEquals(JSON.parse(JSON.stringify(told)).total.waits, told.total.waits);
  assertStrictEquals(Symbol.for("Jupyter.display"), DISPLAY);
  const { "text/html": html, "text/plain": plain } = told[DISPLAY]();
  assertStringIncludes(html, "&lt;a &amp; &quot;b&quot;&gt;");
  assert(!html.includes("<a &"));
  assertStrictEquals(html.split(`text-anchor="end"`).length - 1, 32);
  assertStringIncludes(html, "8 tables with fewer are not shown.");
  for (const tag of ["figure", "svg", "rect", "text", "title", "figcaption", "strong"]) {
    const opened = html.split(new RegExp(`<${tag}[ >]`)).length;
    const closed = html.split(`</${tag}>`).length +
      html.split(new RegExp(`<${tag} [^>]*/>`)).length - 1;
    assertStrictEquals(opened, closed, tag);
  }
  // The largest table's bar has the whole width, and is cut by class.
  const widths = [...html.matchAll(/<rect[^>]*y="22" width="([\d.]+)"/g)].map(([, w]) => Number(w));
  assertAlmostEquals(widths.reduce((a, b) => a + b, 0), 480, 0.5);
  const lines = plain.split("\n");
  assertStrictEquals(lines.length, 1 + 32 + 1 + 1);
  assert(lines[33].startsWith("all "));
  assertStringIncludes(plain, told.advice);
});

Deno.test("MissExplainer draws what saw nothing", () => {
  const told = createExplainer().explain();
  assertEquals(countsOf(told.total.classes), NONE);
  assertEquals(told.tables[0].needs, []);
  assert(!told[DISPLAY]()["text/html"].includes("NaN"));
  assert(!told[DISPLAY]()["text/plain"].includes("NaN"));
});

Deno.test("MissExplainer allocates nothing in two and a half million lookups", () => {
  const explainer = new MissExplainer({
    tables: [{ slotCount: 1000, rowBytes: 1 }, { slotCount: 2 ** 20, rowBytes: 1 }],
    sampleSize: 256,
  });
  let state = 1;
  const run = (lookups: number): void => {
    for (let i = 0; i < lookups; i++) {
      state = Math.imul(state, 1664525) + 1013904223 | 0;
      const key = (state >>> 8) & ((state >>> 4) | 0xfff);
      explainer.observe(i & 1, key, (i & 3) === 0 ? HIT : MISS);
    }
  };
  const growth = heapGrowth(run, 20_000);
  explainer.verify();
  assert(growth < 50_000, `the heap grew by ${growth} bytes in 20,000 lookups`);
});
