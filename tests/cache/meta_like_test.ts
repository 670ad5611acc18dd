import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { interleave, META_REUSE, metaLike, type MetaLikeTable } from "@rowtier/rowtier/cache";
import { reuseBin } from "../../cache/traces/meta_reuse.ts";
import { planReuse } from "../../cache/traces/_reuse_plan.ts";

const STATISTICS = new URL("../../../shared/data/traces/meta-locality-stats/", import.meta.url);

/** The lookups of each row of a table. */
function countsOf({ trace }: MetaLikeTable): Uint32Array {
  const counts = new Uint32Array(trace.keyCount ?? 0);
  for (const key of trace.keys) counts[key]++;
  return counts;
}

/** The shares of rows and of lookups by doubling bins, counted from the keys. */
function histogram(tables: readonly MetaLikeTable[]): { rows: number[]; lookups: number[] } {
  const rows = new Array<number>(17).fill(0);
  const lookups = new Array<number>(17).fill(0);
  for (const table of tables) {
    for (const count of countsOf(table)) {
      rows[reuseBin(count)]++;
      lookups[reuseBin(count)] += count;
    }
  }
  const share = (values: number[]) => {
    const sum = values.reduce((a, b) => a + b, 0);
    return values.map((value) => value / sum);
  };
  return { rows: share(rows), lookups: share(lookups) };
}

for (const year of [2021, 2022] as const) {
  Deno.test(`metaLike() has the reuse of ${year} in every bin, two tables of the batch`, () => {
    const { rowShares, lookupShares, lookups, rows, sampleCount, tableCount } = META_REUSE[year];
    const tables = metaLike({ year, tableCount: 2, seed: 3 });
    const found = histogram(tables);
    for (const [published, own] of [[rowShares, found.rows], [lookupShares, found.lookups]]) {
      published.forEach((share, i) => {
        const bound = share > 0.01 ? 0.1 * share : 0.001;
        assertAlmostEquals(own[i], share, bound, `bin ${i} of ${year}`);
      });
    }
    const all = tables.reduce((sum, { trace }) => sum + trace.keys.length, 0);
    const keys = tables.reduce((sum, { trace }) => sum + (trace.keyCount ?? 0), 0);
    assertAlmostEquals(all / keys / (lookups / rows), 1, 0.01);
    assertAlmostEquals(all / (2 * sampleCount) / (lookups / (tableCount * sampleCount)), 1, 0.001);
  });

  const path = new URL(`locality_stats_${year}.txt`, STATISTICS);
  const isMissing = !existsSync(path);
  const why = isMissing ? " (skipped: the published file is not here)" : "";
  Deno.test({
    name: `META_REUSE is what was published in ${year}${why}`,
    ignore: isMissing,
    fn: () => {
      const text = Deno.readTextFileSync(path);
      const { rowShares, lookupShares, lookups, rows, sampleCount, tableCount } = META_REUSE[year];
      const [, tables, samples] = /^fbgemm_t(\d+)_bs(\d+)/.exec(text) ?? [];
      assertEquals([Number(tables), Number(samples)], [tableCount, sampleCount]);
      assert(text.includes(`indices: ${lookups}\nAvg # of unique cols: ${rows}\n`));
      const shares = [...text.matchAll(/^\(.*: ([\d.]+)$/gm)].map((match) => Number(match[1]));
      assertEquals(shares.slice(0, 34), [...rowShares, ...lookupShares]);
    },
  });
}

function existsSync(path: URL): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

Deno.test("metaLike() gives tables whose bags and keys fit together, whatever the size", () => {
  const options = fc.record({
    year: fc.constantFrom<2021 | 2022>(2021, 2022),
    tableCount: fc.integer({ min: 1, max: 12 }),
    sampleCount: fc.integer({ min: 64, max: 700 }),
    locality: fc.constantFrom(0, 0.3, 1),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(options, (option) => {
      const tables = metaLike(option);
      assertEquals(tables.length, option.tableCount);
      for (const table of tables) {
        const { trace, offsets } = table;
        assertEquals([offsets.length, offsets[0]], [option.sampleCount + 1, 0]);
        assertEquals(offsets.at(-1), trace.keys.length);
        assert(offsets.every((offset, i) => i === 0 || offset >= offsets[i - 1]));
        const counts = countsOf(table);
        assert(counts.every((count) => count > 0 && count <= option.sampleCount));
        assert(trace.keys.every((key) => key < counts.length));
      }
    }),
    { numRuns: 40 },
  );
});

Deno.test("metaLike() is the same for the same seed", () => {
  const options = { year: 2021, tableCount: 2, sampleCount: 100 } as const;
  assertEquals(metaLike({ ...options, seed: 5 }), metaLike({ ...options, seed: 5 }));
  const [first, second] = [5, 6].map((seed) => metaLike({ ...options, seed })[0].trace.keys);
  assert(first.join() !== second.join());
});

Deno.test("metaLike() has two user tables in three, and hotter item tables", () => {
  const tables = metaLike({ year: 2022, tableCount: 6, sampleCount: 5000, seed: 2 });
  assertEquals(tables.map(({ side }) => side), ["user", "user", "user", "user", "item", "item"]);
  const reuse = (side: string) => {
    const own = tables.filter((table) => table.side === side);
    const lookups = own.reduce((sum, { trace }) => sum + trace.keys.length, 0);
    return lookups / own.reduce((sum, { trace }) => sum + (trace.keyCount ?? 0), 0);
  };
  assert(reuse("item") > 1.2 * reuse("user"), `${reuse("item")} against ${reuse("user")}`);
  assertEquals(new Set(tables.map(({ trace }) => trace.name)).size, 6);
});

/** The share of lookups whose key came within the last `window` lookups, too. */
function nearShare(keys: Uint32Array, window: number): number {
  const last = new Map<number, number>();
  let near = 0;
  keys.forEach((key, i) => {
    if (i - (last.get(key) ?? -Infinity) <= window) near++;
    last.set(key, i);
  });
  return near / keys.length;
}

Deno.test("metaLike() repeats rows sooner with more locality", () => {
  const shares = [0, 0.3, 0.8].map((locality) => {
    const options = { year: 2021, tableCount: 1, sampleCount: 5000, seed: 2, locality } as const;
    const { keys } = metaLike(options)[0].trace;
    return nearShare(keys, keys.length / 100);
  });
  assert(shares[0] < shares[1] - 0.05 && shares[1] < shares[2] - 0.05, shares.join());
});

/** Asserts that a plan spends all lookups, and gives no row more than it may. */
function assertSpends(year: 2021 | 2022, lookups: number, most: number): void {
  const counts = planReuse(META_REUSE[year], lookups, most);
  assertEquals(counts.reduce((sum, count) => sum + count, 0), lookups);
  assert(counts.every((count) => count >= 1 && count <= most));
}

Deno.test("planReuse() spends all lookups, on rows of at most as many as it may", () => {
  const size = fc.integer({ min: 100, max: 60_000 });
  const year = fc.constantFrom<2021 | 2022>(2021, 2022);
  fc.assert(fc.property(year, size, size, assertSpends));
  // The highest bin wants 1.5 rows and gets two: rows of one lookup make up for it.
  for (let lookups = 2200; lookups < 2300; lookups++) {
    for (const year of [2021, 2022] as const) assertSpends(year, lookups, 700);
  }
});

Deno.test("reuseBin() doubles", () => {
  const bins = [1, 2, 3, 4, 5, 8, 9, 32_768, 32_769, 65_537, 2 ** 32 - 1].map(reuseBin);
  assertEquals(bins, [0, 1, 2, 2, 3, 3, 4, 15, 16, 16, 16]);
});

Deno.test("interleave() goes sample by sample, table by table", () => {
  const table = (keys: number[], offsets: number[], keyCount: number): MetaLikeTable => ({
    side: "user",
    trace: { name: "", keys: Uint32Array.from(keys), keyCount },
    offsets: Uint32Array.from(offsets),
  });
  const tables = [table([0, 1, 0], [0, 2, 3], 2), table([2, 0, 1], [0, 0, 3], 3)];
  const trace = interleave(tables, "both");
  assertEquals([...trace.keys], [0, 1, 0, 4, 2, 3]);
  assertEquals([trace.name, trace.keyCount], ["both", 5]);
  assertEquals(interleave([], "none"), { name: "none", keys: new Uint32Array(0), keyCount: 0 });
  assertThrows(
    () => interleave([tables[0], table([], [0, 0], 0)], "x"),
    RangeError,
    "Cannot interleave tables: all must have 2 samples: received 1",
  );
});

Deno.test("metaLike() refuses wrong options", () => {
  const options = { year: 2021, seed: 1 } as const;
  const year = JSON.parse("2020");
  assertThrows(
    () => metaLike({ ...options, year }),
    RangeError,
    "Cannot create MetaLike: year must be 2021 or 2022: received 2020",
  );
  const wrong: [Partial<Parameters<typeof metaLike>[0]>, string][] = [
    [{ tableCount: 0 }, "tableCount must be an integer of at least 1"],
    [{ sampleCount: 63 }, "sampleCount must be an integer of at least 64"],
    [{ locality: 2 }, "locality must be a number from 0 to 1: received 2"],
    [{ tableCount: 65_536 }, "tableCount * sampleCount * lookups a bag must be"],
    [{ seed: 1.5, tableCount: 1, sampleCount: 64 }, "seed must be a safe integer"],
  ];
  for (const [part, message] of wrong) {
    assertThrows(() => metaLike({ ...options, ...part }), RangeError, message);
  }
});
