import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ABSENT, GhostTable } from "../../cache/eviction/_ghost_table.ts";
import { createRandom } from "../../base/random.ts";
import { Ghosts } from "../../cache/eviction/_ghosts.ts";

/** Keys that share their high bits after the table's hash: 0x9e3779b1 times its inverse is 1. */
const colliding = (i: number): number => Math.imul(0xf0000000 | i, 0xe8b2f51) >>> 0;

const anyKey = fc.oneof(
  fc.nat(30),
  fc.nat(20).map(colliding),
  fc.constantFrom(0, 0x7fffffff, 0x80000000, 0xffffffff),
);

Deno.test("ghosts_test draws keys that collide", () => {
  assertStrictEquals(Math.imul(0x9e3779b1, 0xe8b2f51) >>> 0, 1);
});

type Step = readonly [what: string, queue: number, key: number];

/** Does a step on the ghosts and on arrays of keys, youngest first, and compares all they tell. */
function step(ghosts: Ghosts, model: number[][], [what, queue, key]: Step): void {
  const home = model.findIndex((keys) => keys.includes(key));
  if (what === "take") {
    assertStrictEquals(ghosts.take(key), home);
    if (home !== -1) model[home].splice(model[home].indexOf(key), 1);
  } else if (what === "push" && home === -1 && model.flat().length < ghosts.capacity) {
    ghosts.push(queue, key);
    model[queue].unshift(key);
  } else if (what === "drop" && model[queue].length > 0) {
    ghosts.dropOldest(queue);
    model[queue].pop();
  }
  ghosts.verify("ghosts");
  assertStrictEquals(ghosts.has(key), model.some((keys) => keys.includes(key)));
  for (const [each, keys] of model.entries()) {
    assertEquals([...ghosts.keys(each)], keys);
    assertStrictEquals(ghosts.size(each), keys.length);
  }
}

Deno.test("Ghosts does what arrays of keys do", () => {
  const setup = fc.record({
    capacity: fc.integer({ min: 1, max: 20 }),
    queueCount: fc.constantFrom<1 | 2>(1, 2),
    keyCount: fc.constantFrom(undefined, 31),
  });
  const drawn = fc.tuple(
    fc.constantFrom("push", "push", "push", "take", "drop"),
    fc.constantFrom<0 | 1>(0, 1),
    anyKey,
  );
  fc.assert(
    fc.property(
      setup,
      fc.array(drawn, { minLength: 30, maxLength: 200, size: "max" }),
      ({ capacity, queueCount, keyCount }, steps) => {
        const ghosts = new Ghosts(capacity, keyCount);
        const model: number[][] = [[], []];
        for (const [what, either, key] of steps) {
          const bounded = keyCount === undefined ? key : key % keyCount;
          step(ghosts, model, [what, either % queueCount, bounded]);
        }
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("Ghosts goes on when its numbers begin anew", () => {
  // 16 numbers for each cell and chain, 8 and 8 or 31 of them here: many times over.
  for (const keyCount of [undefined, 31]) {
    const random = createRandom(1);
    const ghosts = new Ghosts(4, keyCount);
    const model: number[][] = [[], []];
    for (let i = 0; i < 6000; i++) {
      const what = ["push", "push", "drop", "take"][random.u32() % 4];
      const key = random.u32() % 31;
      const chosen = keyCount === undefined ? colliding(key) : key;
      step(ghosts, model, [what, random.u32() % 2, chosen]);
    }
  }
});

Deno.test("Ghosts packs a ring that takes from the middle have filled with holes", () => {
  const ghosts = new Ghosts(4, undefined);
  ghosts.push(0, 1000);
  // The oldest stays while the others come and go, round the ring many times.
  for (let key = 0; key < 100; key++) {
    ghosts.push(0, key);
    assertStrictEquals(ghosts.take(key), 0);
  }
  ghosts.verify("ghosts");
  assertEquals([...ghosts.keys(0)], [1000]);
});

Deno.test("GhostTable finds, moves and removes by bucket", () => {
  for (const keyCount of [undefined, 100]) {
    const table = new GhostTable(10, keyCount);
    for (let key = 0; key < 10; key++) table.insert(key, 5 * key);
    table.verify("table", 10);
    assertStrictEquals(table.find(10), ABSENT);
    const bucket = table.find(7);
    assertStrictEquals(table.nodeAt(bucket), 35);
    table.moveAt(bucket, 0);
    assertStrictEquals(table.nodeAt(table.find(7)), 0);
    table.removeAt(bucket);
    assertStrictEquals(table.find(7), ABSENT);
    table.verify("table", 9);
    assertThrows(() => table.verify("table", 10), Error, "10 ghosts must be found: received 9");
  }
});

Deno.test("GhostTable takes 4 bytes a key where keys are bounded, else 16 to 32 a node", () => {
  assertStrictEquals(new GhostTable(10, 320).bytes, 4 * 320);
  const { bytes } = new GhostTable(1000, undefined);
  assert(bytes >= 16 * 1000 && bytes <= 32 * 1000, `${bytes} bytes`);
});
