import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import {
  type BudgetPart,
  lruCurve,
  MissRatioCurve,
  sizeClasses,
  sizeClassOf,
  splitBudget,
} from "@rowtier/rowtier/cache";

/** A curve of the given misses at 1, 2, ... slots, of `requests`. */
function curveOf(requests: number, misses: readonly number[]): MissRatioCurve {
  return new MissRatioCurve({
    method: "exact",
    between: "step",
    requests,
    sizes: Float64Array.from(misses, (_, i) => i + 1),
    missRatios: Float64Array.from(misses, (count) => count / requests),
    observed: 0,
    memoryBytes: 0,
  });
}

/** Misses by slots on the part's lower convex hull, by trying all pairs of points around each. */
function hullMisses({ curve, minimumSlots = 0, maximumSlots = 99 }: BudgetPart): number[] {
  const last = Math.min(maximumSlots, curve.sizes.length);
  const at = (size: number): number => curve.missesAt(size);
  return Array.from({ length: last + 1 }, (_, size) => {
    if (size < minimumSlots) return Infinity;
    let best = at(size);
    for (let low = minimumSlots; low < size; low++) {
      for (let high = size + 1; high <= last; high++) {
        const part = (size - low) / (high - low);
        best = Math.min(best, at(low) + part * (at(high) - at(low)));
      }
    }
    return best;
  });
}

/** The least misses on the hulls of any whole numbers of slots within the budget. */
function bruteForce(parts: readonly BudgetPart[], budget: number): number {
  if (budget < 0) return Infinity;
  if (parts.length === 0) return 0;
  const [part, ...rest] = parts;
  let best = Infinity;
  hullMisses(part).forEach((misses, slots) => {
    if (misses === Infinity) return;
    const others = bruteForce(rest, budget - slots * part.slotBytes);
    best = Math.min(best, (part.weight ?? 1) * misses + others);
  });
  return best;
}

const anyPart = fc.record({
  falls: fc.array(fc.nat(20), { minLength: 1, maxLength: 7 }),
  extra: fc.nat(10),
  slotBytes: fc.integer({ min: 1, max: 5 }),
  weight: fc.constantFrom(1, 1, 2, 0),
  minimumSlots: fc.nat(2),
  maximumSlots: fc.integer({ min: 2, max: 8 }),
}).map(({ falls, extra, ...part }): BudgetPart => {
  let left = falls.reduce((sum, fall) => sum + fall, extra) + 1;
  return { ...part, curve: curveOf(left, falls.map((fall) => left -= fall)) };
});

function missesOnHulls(parts: readonly BudgetPart[], slots: readonly number[]): number {
  return parts.reduce((sum, part, i) => {
    const hull = hullMisses(part);
    return sum + (part.weight ?? 1) * hull[Math.min(slots[i], hull.length - 1)];
  }, 0);
}

Deno.test("splitBudget() is the optimum on the hulls, but for what is left of the budget", () => {
  const some = fc.array(anyPart, { minLength: 1, maxLength: 3 });
  fc.assert(fc.property(some, fc.nat(60), fc.boolean(), (given, more, isUniform) => {
    const parts = isUniform ? given.map((part) => ({ ...part, slotBytes: 2 })) : given;
    const least = parts.reduce((sum, part) => sum + part.minimumSlots! * part.slotBytes, 0);
    const budget = least + more;
    const split = splitBudget(parts, budget);
    assert(split.bytes <= budget, "over the budget");
    parts.forEach((part, i) => {
      assert(split.slots[i] >= part.minimumSlots! && split.slots[i] <= part.maximumSlots!);
    });
    assertStrictEquals(
      split.bytes,
      parts.reduce((sum, part, i) => sum + split.slots[i] * part.slotBytes, 0),
    );
    // Curves end where no more hits are to be had; a minimum may lie beyond.
    if (parts.some((part) => part.minimumSlots! > part.curve.sizes.length)) return;
    const gap = missesOnHulls(parts, split.slots) - bruteForce(parts, budget);
    const allowed = isUniform ? 0 : split.hitsPerByte * (budget - split.bytes);
    assert(gap <= allowed + 1e-9, `${gap} misses more than the optimum, ${allowed} allowed`);
  }));
});

Deno.test("splitBudget() weighs a loop by all the slots that it needs", () => {
  const loop = lruCurve({ name: "", keys: new Uint32Array(1000).map((_, i) => i % 100) });
  const hot = curveOf(1000, Array.from({ length: 200 }, (_, i) => 1000 - 4 * (i + 1)));
  const parts = [{ curve: loop, slotBytes: 10 }, { curve: hot, slotBytes: 10 }];
  // 9 hits a slot, but only with all 100 of them; the hot table has 4 for each.
  assertEquals(splitBudget(parts, 1500).slots, [100, 50]);
  assertEquals(splitBudget(parts, 3000).slots, [100, 200]);
  const rich = splitBudget(parts, 1e6);
  assertEquals([rich.slots, rich.bytes, rich.hitsPerByte], [[100, 200], 3000, 0]);
  assertStrictEquals(rich.misses, 100 + 200);
  assertAlmostEquals(splitBudget(parts, 1500).hitsPerByte, 0.4, 1e-9);
});

Deno.test("splitBudget() gives what a large slot leaves to smaller ones", () => {
  const steep = curveOf(100, [50, 0]), gentle = curveOf(100, [90, 80, 70]);
  const split = splitBudget(
    [{ curve: steep, slotBytes: 100 }, { curve: gentle, slotBytes: 30 }],
    170,
  );
  assertEquals(split.slots, [1, 2]);
  assertStrictEquals(split.bytes, 160);
  assertStrictEquals(split.misses, 50 + 80);
});

Deno.test("splitBudget() throws on parts and budgets out of range", () => {
  const curve = curveOf(10, [5]);
  const fails = (part: Partial<BudgetPart>, message: string, budget = 100): void => {
    const parts = [{ curve, slotBytes: 10, ...part }];
    assertThrows(() => splitBudget(parts, budget), RangeError, `Cannot split budget: ${message}`);
  };
  fails({}, "budgetBytes must be", -1);
  fails({ minimumSlots: 11 }, "budgetBytes must cover the minimum slots, 110: received 100");
  fails({ slotBytes: 0 }, "parts[0].slotBytes must be");
  fails({ weight: -1 }, "parts[0].weight must be");
  fails({ minimumSlots: -1 }, "parts[0].minimumSlots must be");
  fails({ minimumSlots: 3, maximumSlots: 2 }, "parts[0].maximumSlots must be");
  const bytes = new MissRatioCurve({
    ...curve,
    standardErrors: new Float64Array(1),
    unit: "bytes",
  });
  fails({ curve: bytes }, "parts[0].curve must be by entries: received bytes");
  assertEquals(splitBudget([], 5), { slots: [], bytes: 0, misses: 0, hitsPerByte: 0 });
});

/** The least waste of any choice of class ends, tried one after the other. */
function leastWaste(sizes: readonly number[], classCount: number): number {
  const ends = [...new Set(sizes)].sort((a, b) => a - b);
  let best = Infinity;
  for (let chosen = 0; chosen < 2 ** (ends.length - 1); chosen++) {
    const kept = ends.filter((_, i) => i === ends.length - 1 || (chosen >> i & 1) === 1);
    if (kept.length > classCount) continue;
    const waste = sizes.reduce((sum, size) => sum + kept.find((end) => end >= size)! - size, 0);
    best = Math.min(best, waste);
  }
  return best;
}

Deno.test("sizeClasses() wastes least of all choices", () => {
  const anySizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 9 });
  fc.assert(fc.property(anySizes, fc.integer({ min: 1, max: 4 }), (sizes, classCount) => {
    const classes = sizeClasses(Uint32Array.from(sizes), { classCount });
    const { slotBytes, objects, wastedBytes } = classes;
    assert(slotBytes.length <= classCount);
    assertStrictEquals(wastedBytes, leastWaste(sizes, classCount));
    const counts = new Float64Array(slotBytes.length);
    for (const size of sizes) {
      const found = sizeClassOf(classes, size);
      assert(slotBytes[found] >= size && (found === 0 || slotBytes[found - 1] < size));
      counts[found]++;
    }
    assertEquals(objects, counts);
    assertStrictEquals(sizeClassOf(classes, 61), -1);
  }));
});

Deno.test("sizeClasses() takes very many sizes within a little of the optimum", () => {
  const sizes = new Uint32Array(5000).map((_, i) => 1 + i * 7919 % 100_000);
  const classes = sizeClasses(sizes, { classCount: 10 });
  assertStrictEquals(classes.slotBytes.length, 10);
  assertStrictEquals(classes.slotBytes[9], sizes.reduce((a, b) => Math.max(a, b)));
  // Ten equal steps over evenly spread sizes waste half a step an object.
  const even = 5000 * 100_000 / 10 / 2;
  assertAlmostEquals(classes.wastedBytes / even, 1, 0.02);
});

Deno.test("sizeClasses() throws on sizes and counts out of range", () => {
  const sizes = Uint32Array.of(1);
  for (const classCount of [0, 65, 1.5]) {
    assertThrows(() => sizeClasses(sizes, { classCount }), RangeError, "classCount must be");
  }
  assertThrows(() => sizeClasses(new Uint32Array(0)), RangeError, "sizes.length must be");
  assertThrows(() => sizeClasses(Uint32Array.of(4, 0)), RangeError, "size must be");
});
