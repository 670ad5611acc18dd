import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  belady,
  EVICTION_POLICIES,
  type EvictionPolicyFactory,
  NO_SLOT,
  REMOVAL,
} from "@rowtier/rowtier/cache";
import { NEVER, nextUses } from "../../cache/eviction/_next_uses.ts";
import { createSlots, missesOf } from "./bare_frame.ts";
import { countedSynthetic } from "./golden.ts";

/** `eviction`, and a note of whether it ever kept a newcomer out. */
function watch(
  eviction: EvictionPolicyFactory,
): { eviction: EvictionPolicyFactory; refused: boolean } {
  const watched = { eviction, refused: false };
  watched.eviction = (slots) => {
    const policy = eviction(slots);
    const ask = policy.victim.bind(policy);
    policy.victim = (key) => {
      const victim = ask(key);
      watched.refused ||= victim === NO_SLOT;
      return victim;
    };
    return policy;
  };
  return watched;
}

const IDS = fc.array(fc.nat(9), { minLength: 1, maxLength: 60, size: "max" }).map((keys) => {
  // The bare frame wants keys below the length.
  return Uint32Array.from(keys, (key) => key % keys.length);
});
const SIZE = fc.integer({ min: 1, max: 6 });

Deno.test("belady() misses no more than what always inserts, and with bypass than any", () => {
  fc.assert(
    fc.property(IDS, SIZE, (ids, size) => {
      const best = missesOf({ eviction: belady(ids) }, ids, size);
      const bound = missesOf({ eviction: belady(ids, { bypass: true }) }, ids, size);
      assert(bound <= best);
      for (const [name, eviction] of Object.entries(EVICTION_POLICIES)) {
        const watched = watch(eviction);
        const misses = missesOf({ eviction: watched.eviction }, ids, size);
        assert(misses >= bound, `${name} missed ${misses} times, less than ${bound}`);
        assert(watched.refused || misses >= best, `${name} missed ${misses}, less than ${best}`);
      }
    }),
  );
});

/** The fewest misses of all choices: every one of them is tried. */
function fewest(keys: readonly number[], size: number, bypass: boolean): number {
  const known = new Map<string, number>();
  const search = (at: number, held: readonly number[]): number => {
    if (at === keys.length) return 0;
    const state = `${at} ${held}`;
    const found = known.get(state);
    if (found !== undefined) return found;
    const key = keys[at];
    const choices = held.map((gone) => [...held.filter((each) => each !== gone), key]);
    if (held.length < size) choices.push([...held, key]);
    if (bypass) choices.push([...held]);
    const misses = held.includes(key)
      ? search(at + 1, held)
      : 1 + Math.min(...choices.map((choice) => search(at + 1, choice.sort())));
    known.set(state, misses);
    return misses;
  };
  return search(0, []);
}

Deno.test("belady() misses as often as the best of all choices, with and without bypass", () => {
  const keys = fc.array(fc.nat(4), { minLength: 5, maxLength: 12, size: "max" });
  fc.assert(fc.property(keys, fc.integer({ min: 1, max: 3 }), (keys, size) => {
    const ids = Uint32Array.from(keys);
    for (const bypass of [false, true]) {
      const misses = missesOf({ eviction: belady(ids, { bypass }) }, ids, size);
      assertStrictEquals(misses, fewest(keys, size, bypass));
    }
  }));
});

Deno.test("belady() with bypass misses less on loops", () => {
  const { ids } = countedSynthetic().find(({ trace }) => trace === "loop")!;
  const misses = [false, true].map((bypass) =>
    missesOf({ eviction: belady(ids, { bypass }) }, ids, 100)
  );
  assert(misses[1] < misses[0], `${misses}`);
});

const STEP = fc.tuple(fc.nat(11), fc.constantFrom("", "", "", "delete", "pin", "unpin"), fc.nat(5));

/** Plays a trace with 6 slots; every victim must be the one that a search finds. */
function playSearch(steps: readonly [number, string, number][], bypass: boolean): void {
  const keys = Uint32Array.from(steps, ([key]) => key);
  const nextUse = (key: number, after: number): number => {
    const next = keys.indexOf(key, after + 1);
    return next === -1 ? Infinity : next;
  };
  const slots = createSlots(6);
  const policy = belady(keys, { bypass })(slots);
  const held = new Map<number, number>();
  const free = [0, 1, 2, 3, 4, 5];
  const drop = (slot: number): void => {
    policy.onRemove(slot, REMOVAL.DELETED);
    held.delete(slots.key[slot]);
    free.push(slot);
  };
  const makeRoom = (key: number, at: number): void => {
    const victim = policy.victim(key);
    const mayGo = [...held].filter(([, slot]) => !slots.pinned.has(slot));
    const farthest = Math.max(...mayGo.map(([key]) => nextUse(key, at)));
    const keeps = mayGo.length === 0 || bypass && nextUse(key, at) >= farthest;
    assertStrictEquals(victim === NO_SLOT, keeps);
    if (keeps) return;
    assertStrictEquals(slots.pinned.has(victim), false);
    assertStrictEquals(nextUse(slots.key[victim], at), farthest);
    drop(victim);
  };
  for (const [at, [key, what, slot]] of steps.entries()) {
    if (what === "pin") slots.pinned.add(slot);
    if (what === "unpin") slots.pinned.clear();
    if (what === "delete" && held.get(slots.key[slot]) === slot) drop(slot);
    const found = held.get(key);
    if (found !== undefined) policy.onHit(found);
    else {
      policy.onMiss(key);
      if (free.length === 0) makeRoom(key, at);
      const place = free.pop();
      if (place !== undefined) {
        slots.key[place] = key;
        held.set(key, place);
        policy.onInsert(place);
      }
    }
    policy.verify();
    const uses = [...policy.contents()].map((slot) => nextUse(slots.key[slot], at));
    assertEquals(uses, [...held.keys()].map((key) => nextUse(key, at)).sort((a, b) => a - b));
  }
}

Deno.test("belady() gives up the farthest row that may go while rows leave in between", () => {
  const steps = fc.array(STEP, { maxLength: 80, size: "max" });
  fc.assert(fc.property(steps, fc.boolean(), playSearch));
});

Deno.test("belady() throws when it is told of another trace", () => {
  const slots = createSlots(2);
  const policy = belady(Uint32Array.of(5, 6, 5))(slots);
  const message = "Cannot follow trace: request 0 must be for key 5: received key 6";
  assertThrows(() => policy.onMiss(6), Error, message);
  assertThrows(() => policy.onInsert(0), Error, "Cannot insert: key must be the one just missed");
  policy.onMiss(5);
  slots.key[0] = 7;
  assertThrows(() => policy.onInsert(0), Error, "just missed: received 7");
  slots.key[0] = 5;
  policy.onInsert(0);
  assertThrows(() => policy.onHit(0), Error, "request 1 must be for key 6: received key 5");
  policy.onMiss(6);
  policy.onHit(0);
  assertThrows(() => policy.onMiss(5), Error, "request 3 must be none, after the last: received");
  policy.verify();
});

Deno.test("belady() serves several caches from one trace, at 12 bytes a slot", () => {
  const factory = belady(Uint32Array.of(1, 2, 1));
  const policies = [createSlots(3), createSlots(5)].map(factory);
  for (const policy of policies) policy.onMiss(1);
  assertEquals(policies.map(({ bytes }) => bytes), [36, 60]);
  assertStrictEquals(policies[0].victim(1), NO_SLOT);
});

Deno.test("verify() of belady() finds a slot that was inserted twice", () => {
  const slots = createSlots(2);
  const policy = belady(Uint32Array.of(0, 0))(slots);
  policy.onMiss(0);
  policy.onInsert(0);
  policy.onInsert(0);
  assertThrows(
    () => policy.verify(),
    Error,
    "Broken invariant: belady: slot 0 must be in its place",
  );
});

Deno.test("verify() of belady() finds a row whose use has passed", () => {
  const slots = createSlots(2);
  const policy = belady(Uint32Array.of(0, 0, 0))(slots);
  policy.onMiss(0);
  policy.onInsert(0);
  policy.onMiss(0);
  assertThrows(
    () => policy.verify(),
    Error,
    "Broken invariant: belady: slot 0 must be used in future",
  );
});

Deno.test("nextUses() finds what a search does, for keys of any size", () => {
  const key = fc.oneof(fc.nat(5), fc.constantFrom(2048, 2 ** 22, 2 ** 31, 2 ** 32 - 1), fc.nat());
  fc.assert(fc.property(fc.array(key, { maxLength: 40, size: "max" }), (keys) => {
    const expected = keys.map((key, at) => {
      const next = keys.indexOf(key, at + 1);
      return next === -1 ? NEVER : next;
    });
    assertEquals([...nextUses(Uint32Array.from(keys))], expected);
  }));
});
