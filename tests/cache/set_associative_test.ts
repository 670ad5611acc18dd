import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type EvictionPolicy,
  type EvictionPolicyFactory,
  lru,
  NO_SLOT,
  REMOVAL,
  setLfu,
  setLru,
  type Slots,
} from "@rowtier/rowtier/cache";
import { createSlots, missesOf } from "./bare_frame.ts";
import { countedSynthetic } from "./golden.ts";

/** The finaliser of MurmurHash3 in exact arithmetic. */
function mix(key: number): number {
  let x = BigInt(key);
  x ^= x >> 16n;
  x = BigInt.asUintN(32, x * 0x85ebca6bn);
  x ^= x >> 13n;
  x = BigInt.asUintN(32, x * 0xc2b2ae35n);
  return Number(x ^ (x >> 16n));
}

interface Row {
  key: number;
  slot: number;
}

/** Sets as arrays of rows, oldest first, and counts of uses in a map. */
class SetModel {
  readonly sets: Row[][];
  readonly uses = new Map<number, number>();
  readonly #sizes: number[];

  constructor(count: number, ways: number) {
    const sets = Math.ceil(count / ways);
    this.sets = Array.from({ length: sets }, () => []);
    // Slots dealt out to the sets one by one.
    this.#sizes = this.sets.map((_, set) => {
      return Array.from({ length: count }, (_, i) => i).filter((i) => i % sets === set).length;
    });
  }

  setOf(key: number): Row[] {
    return this.sets[mix(key) % this.sets.length];
  }

  isFull(key: number): boolean {
    return this.setOf(key).length >= this.#sizes[mix(key) % this.sets.length];
  }

  find(key: number): Row | undefined {
    return this.setOf(key).find((row) => row.key === key);
  }

  use(key: number): void {
    this.uses.set(key, this.usesOf(key) + 1);
  }

  usesOf(key: number): number {
    return this.uses.get(key) ?? 0;
  }

  move(row: Row): void {
    this.remove(row);
    this.setOf(row.key).push(row);
  }

  remove(row: Row): void {
    const set = this.setOf(row.key);
    set.splice(set.indexOf(row), 1);
  }

  contents(): number[] {
    return this.sets.flatMap((set) => set.toReversed().map(({ slot }) => slot));
  }
}

type Pick = (model: SetModel, key: number, mayGo: Row[]) => Row | undefined;

const leastRecent: Pick = (_model, _key, [first]) => first;
const leastUsed: Pick = (model, key, mayGo) => {
  const fewest = Math.min(...mayGo.map((row) => model.usesOf(row.key)));
  if (fewest > model.usesOf(key)) return undefined;
  return mayGo.find((row) => model.usesOf(row.key) === fewest);
};

interface Play {
  create: (slots: Slots, ways: number) => EvictionPolicy;
  moves: boolean;
  pick: Pick;
}

const STEP = fc.tuple(
  fc.constantFrom("access", "access", "access", "access", "delete", "pin", "unpin"),
  fc.nat(29),
);

/** Plays the same steps with the policy and the model. */
function play(
  { create, moves, pick }: Play,
  count: number,
  ways: number,
  steps: [string, number][],
) {
  const slots = createSlots(count);
  const policy = create(slots, ways);
  const model = new SetModel(count, ways);
  const free = Array.from({ length: count }, (_, i) => i);
  const drop = (row: Row): void => {
    policy.onRemove(row.slot, REMOVAL.EVICTED);
    model.remove(row);
    free.push(row.slot);
  };
  const enter = (key: number): void => {
    policy.onMiss(key);
    model.use(key);
    assertStrictEquals(policy.crowded?.(key), model.isFull(key));
    if (free.length === 0 || model.isFull(key)) {
      const mayGo = model.setOf(key).filter(({ slot }) => !slots.pinned.has(slot));
      const victim = mayGo.length === 0 ? undefined : pick(model, key, mayGo);
      assertStrictEquals(policy.victim(key), victim?.slot ?? NO_SLOT);
      if (victim === undefined) return;
      drop(victim);
    }
    const row = { key, slot: free.pop()! };
    slots.key[row.slot] = key;
    policy.onInsert(row.slot);
    model.setOf(key).push(row);
  };
  for (const [what, key] of steps) {
    const row = model.find(key);
    if (what === "pin") slots.pinned.add(key % count);
    else if (what === "unpin") slots.pinned.clear();
    else if (what === "delete" && row !== undefined) drop(row);
    else if (what === "access" && row === undefined) enter(key);
    else if (what === "access" && row !== undefined) {
      assertStrictEquals(policy.onHit(row.slot), NO_SLOT);
      model.use(key);
      if (moves) model.move(row);
    }
    policy.verify();
    assertEquals([...policy.contents()], model.contents());
  }
}

const PLAYS: Record<string, Play> = {
  "setLru()": {
    create: (slots, ways) => setLru(slots, { ways }),
    moves: true,
    pick: leastRecent,
  },
  "setLfu() with a counter a row": {
    create: (slots, ways) => setLfu(slots, { ways, rowCount: 30 }),
    moves: false,
    pick: leastUsed,
  },
};

for (const [name, each] of Object.entries(PLAYS)) {
  Deno.test(`${name} does what arrays of rows do`, () => {
    const shape = fc.tuple(fc.integer({ min: 1, max: 13 }), fc.constantFrom(1, 2, 3, 4, 8, 32));
    const steps = fc.array(STEP, { maxLength: 120, size: "max" });
    fc.assert(
      fc.property(shape, steps, ([count, ways], steps) => play(each, count, ways, steps)),
      { numRuns: 300 },
    );
  });
}

const [drift] = countedSynthetic();
const factory = (ways: number): EvictionPolicyFactory => (slots) => setLru(slots, { ways });

Deno.test("setLru() is LRU when one set has all slots, and close to it with 32 ways", () => {
  const { ids } = drift;
  assertStrictEquals(
    missesOf({ eviction: factory(400) }, ids, 400),
    missesOf({ eviction: lru }, ids, 400),
  );
  const full = missesOf({ eviction: lru }, ids, 1024);
  const above = [32, 4].map((ways) =>
    (missesOf({ eviction: factory(ways) }, ids, 1024) - full) / ids.length
  );
  assert(Math.abs(above[0]) < 0.005, `32 ways: ${above[0]}`);
  assert(above[0] < above[1] && above[1] < 0.03, `4 ways: ${above[1]}`);
});

Deno.test("setLfu() keeps the rows looked up most, with a counter a row or a sketch", () => {
  const ids = new Uint32Array(40_000).map((_, i) => i % 4 === 0 ? i / 4 % 100 : 100 + i % 30_000);
  for (const rowCount of [ids.length, undefined]) {
    const eviction = (slots: Slots) => setLfu(slots, rowCount === undefined ? {} : { rowCount });
    const misses = missesOf({ eviction }, ids, 256);
    const fewest = 30_000 + 100 - 7500;
    assert(misses >= fewest && misses <= 30_000 + 1500, `${rowCount}: ${misses} misses`);
  }
});

Deno.test("setLfu() keeps out what was used less than every row of the set", () => {
  const slots = createSlots(2);
  const policy = setLfu(slots, { rowCount: 10 });
  for (const slot of [0, 1]) {
    slots.key[slot] = slot;
    policy.onMiss(slot);
    policy.onInsert(slot);
    policy.onHit(slot);
  }
  policy.onMiss(9);
  assertStrictEquals(policy.victim(9), NO_SLOT);
  policy.onMiss(9);
  // Twice each by now: the one that came first goes.
  assertStrictEquals(policy.victim(9), 0);
  slots.pinned.add(0);
  assertStrictEquals(policy.victim(9), 1);
});

Deno.test("setLru() and setLfu() cost the bytes that they say", () => {
  const slots = createSlots(1000);
  const sets = 8 * 1000 + 12 * 32;
  assertStrictEquals(setLru(slots).bytes, sets);
  assertStrictEquals(setLfu(slots).bytes, sets + 8 * 1024);
  assertStrictEquals(setLfu(slots, { rowCount: 77 }).bytes, sets + 4 * 77);
});

Deno.test("verify() of setLru() and setLfu() finds a row in another set, and a doubled one", () => {
  for (const create of [setLru, setLfu]) {
    const slots = createSlots(64);
    const policy = create(slots, { ways: 1 });
    slots.key[0] = 5;
    policy.onInsert(0);
    policy.verify();
    slots.key[0] = 6;
    assertThrows(() => policy.verify(), Error, `Broken invariant: ${policy.name}: slot 0 must be`);
    slots.key.set([5, 5]);
    policy.onInsert(1);
    assertThrows(() => policy.verify(), Error, `must have at most 1 rows: received 2`);
  }
});

Deno.test("setLru() and setLfu() throw on options out of range", () => {
  const slots = createSlots(4);
  for (const ways of [0, 1.5, NaN]) {
    assertThrows(() => setLru(slots, { ways }), RangeError, "Cannot create setLru: ways must be");
    assertThrows(() => setLfu(slots, { ways }), RangeError, "Cannot create setLfu: ways must be");
  }
  for (const rowCount of [0, 2 ** 32 + 1]) {
    const message = "Cannot create setLfu: rowCount must be";
    assertThrows(() => setLfu(slots, { rowCount }), RangeError, message);
  }
  const policy = setLfu(slots, { rowCount: 10 });
  assertThrows(() => policy.onMiss(10), RangeError, "Cannot count key: key must be an integer");
});
