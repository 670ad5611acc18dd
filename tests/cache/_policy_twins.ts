/**
 * Slow twins of the queue and counter policies, by arrays and exhaustive search, and the game that
 * plays a policy and its twin side by side.
 *
 * @module
 */

import { assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { type EvictionPolicy, NO_SLOT, REMOVAL } from "@rowtier/rowtier/cache";
import { createSlots } from "./bare_frame.ts";

/** What a twin does; slots are numbers, and `mayGo` says which may be victims. */
export interface Twin {
  insert(slot: number): void;
  /** The slots that the hit pushes out, in order. */
  hit(slot: number, mayGo: (slot: number) => boolean): number[];
  remove(slot: number): void;
  victim(mayGo: (slot: number) => boolean): number | undefined;
  /** Next victim last. */
  contents(): number[];
}

/** FIFO and CLOCK: places in a queue from the hand on; an empty one stays until it is filled. */
export function twinRing(count: number, most: number): Twin {
  const places = Array.from({ length: count }, (_, slot) => ({ slot, held: false, uses: 0 }));
  const at = (slot: number) => places.find((place) => place.slot === slot)!;
  const turn = (): void => void places.push(places.shift()!);
  return {
    insert: (slot) => Object.assign(at(slot), { held: true, uses: 0 }),
    hit(slot) {
      at(slot).uses = Math.min(most, at(slot).uses + 1);
      return [];
    },
    remove(slot) {
      at(slot).held = false;
      if (places[0].slot === slot) turn();
    },
    victim(mayGo) {
      if (!places.some(({ slot, held }) => held && mayGo(slot))) return undefined;
      for (;; turn()) {
        const [first] = places;
        if (!first.held || !mayGo(first.slot)) continue;
        if (first.uses === 0) return first.slot;
        first.uses--;
      }
    },
    contents: () => places.filter(({ held }) => held).map(({ slot }) => slot).reverse(),
  };
}

/** LFU, and with `ages` LFU-DA: the lowest rank, then the oldest use. */
export function twinCounts(limit: number, ages: boolean): Twin {
  const rows = new Map<number, { uses: number; rank: number; used: number }>();
  let age = 0, now = 0;
  const use = (slot: number, uses: number): void => {
    rows.set(slot, { uses, rank: ages ? age + uses : uses, used: now++ });
  };
  const order = (): number[] => {
    const worse = ([, a]: [number, { rank: number; used: number }]): number =>
      a.rank * 1e6 + a.used;
    return [...rows].sort((a, b) => worse(b) - worse(a)).map(([slot]) => slot);
  };
  return {
    insert: (slot) => use(slot, 1),
    hit(slot) {
      use(slot, Math.min(limit, rows.get(slot)!.uses + 1));
      return [];
    },
    remove: (slot) => void rows.delete(slot),
    victim(mayGo) {
      const victim = order().findLast(mayGo);
      if (victim !== undefined) age = Math.max(age, rows.get(victim)!.rank);
      return victim;
    },
    contents: order,
  };
}

/** Segmented LRU: an array a segment, newest first. */
export function twinSegments(count: number, weights: readonly number[]): Twin {
  const total = weights.reduce((sum, weight) => sum + weight);
  const room = weights.map((weight) => Math.max(1, Math.floor(weight / total * count)));
  const segments: number[][] = weights.map(() => []);
  const segmentOf = (slot: number) => segments.findIndex((segment) => segment.includes(slot));
  const remove = (slot: number): void => {
    const segment = segments[segmentOf(slot)];
    segment.splice(segment.indexOf(slot), 1);
  };
  return {
    remove,
    insert(slot) {
      const roomy = segments.findIndex((segment, i) => segment.length < room[i]);
      segments[Math.max(0, roomy)].unshift(slot);
    },
    hit(slot, mayGo) {
      const top = Math.min(segmentOf(slot) + 1, weights.length - 1);
      remove(slot);
      segments[top].unshift(slot);
      let i = top;
      for (; i > 0 && segments[i].length > room[i]; i--) {
        segments[i - 1].unshift(segments[i].pop()!);
      }
      if (i > 0 || top === 0) return [];
      return segments[0].filter(mayGo).reverse().slice(
        0,
        Math.max(0, segments[0].length - room[0]),
      );
    },
    victim: (mayGo) =>
      segments.map((segment) => segment.findLast(mayGo)).find((s) => s !== undefined),
    contents: () => segments.toReversed().flat(),
  };
}

type Step = [what: "access" | "delete" | "ask" | "pin" | "unpin", which: number];

/** Arrays of steps for fast-check. */
export const STEPS: fc.Arbitrary<Step[]> = fc.array(
  fc.tuple(
    fc.constantFrom<Step[0][]>(
      "access",
      "access",
      "access",
      "access",
      "delete",
      "ask",
      "pin",
      "unpin",
    ),
    fc.nat(15),
  ),
  { maxLength: 120, size: "max" },
);

/** Plays `steps` with a policy and its twin; they must agree on every victim and on the order. */
export function playTwins(
  create: (slots: ReturnType<typeof createSlots>) => EvictionPolicy,
  twin: Twin,
  count: number,
  steps: readonly Step[],
): void {
  const slots = createSlots(count);
  const policy = create(slots);
  const held = new Map<number, number>();
  const free = Array.from({ length: count }, (_, i) => count - 1 - i);
  const mayGo = (slot: number): boolean => !slots.pinned.has(slot);
  const drop = (slot: number, cause: 0 | 1): void => {
    policy.onRemove(slot, cause);
    twin.remove(slot);
    held.delete(slots.key[slot]);
    free.push(slot);
  };
  const ask = (key: number): number | undefined => {
    const victim = policy.victim(key);
    const expected = twin.victim(mayGo);
    assertStrictEquals(victim, expected ?? NO_SLOT);
    return expected;
  };
  const hit = (slot: number): void => {
    const expected = twin.hit(slot, mayGo);
    for (let out = policy.onHit(slot); out !== NO_SLOT; out = policy.pushedOut?.() ?? NO_SLOT) {
      assertStrictEquals(out, expected.shift());
      drop(out, REMOVAL.EVICTED);
    }
    assertEquals(expected, []);
  };
  const enter = (key: number): void => {
    policy.onMiss(key);
    const victim = free.length === 0 ? ask(key) : undefined;
    if (victim !== undefined) drop(victim, REMOVAL.EVICTED);
    const slot = free.pop();
    if (slot === undefined) return;
    slots.key[slot] = key;
    held.set(key, slot);
    policy.onInsert(slot);
    twin.insert(slot);
  };
  for (const [what, which] of steps) {
    const slot = held.get(which);
    if (what === "pin") slots.pinned.add(which % count);
    else if (what === "unpin") slots.pinned.clear();
    else if (what === "ask") ask(which);
    else if (what === "delete" && slot !== undefined) drop(slot, REMOVAL.DELETED);
    else if (what === "access" && slot !== undefined) hit(slot);
    else if (what === "access") enter(which);
    policy.verify();
    assertEquals([...policy.contents()], twin.contents());
  }
}
