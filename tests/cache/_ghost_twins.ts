/**
 * Slow twins of the policies with ghosts, by arrays of rows, newest first, and the game that plays
 * a policy and its twin side by side.
 *
 * @module
 */

import { assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { type EvictionPolicyFactory, NO_SLOT, REMOVAL, type Slots } from "@rowtier/rowtier/cache";

type MayGo = (slot: number) => boolean;

/** A row: its slot, its key, and what a twin counts. */
interface Row {
  slot: number;
  key: number;
  uses: number;
}

/** What a twin does. */
export interface KeyTwin {
  miss(key: number): void;
  insert(slot: number, key: number): void;
  hit(slot: number): void;
  remove(slot: number, isEvicted: boolean): void;
  victim(mayGo: MayGo): number | undefined;
  /** Whether a row must leave though slots are free. */
  crowded?(mayGo: MayGo): boolean;
  /** Next victim last. */
  contents(): number[];
}

/** Takes what satisfies `is` out of an array. */
function takeOut<T>(from: T[], is: (each: T) => boolean): T | undefined {
  const at = from.findIndex(is);
  return at === -1 ? undefined : from.splice(at, 1)[0];
}

const oldest = (rows: Row[], mayGo: MayGo): number | undefined =>
  rows.findLast(({ slot }) => mayGo(slot))?.slot;

const slotsOf = (...queues: Row[][]): number[] => queues.flat().map(({ slot }) => slot);

/** 2Q. */
export function twinTwoQ(count: number): KeyTwin {
  const inRoom = Math.max(1, Math.floor(count / 4));
  const outRoom = Math.max(1, Math.floor(count / 2));
  const a: Row[] = [], main: Row[] = [], out: number[] = [];
  let returns = false;
  return {
    miss: (key) => returns = takeOut(out, (each) => each === key) !== undefined,
    insert(slot, key) {
      (returns ? main : a).unshift({ slot, key, uses: 0 });
      returns = false;
    },
    hit(slot) {
      const row = takeOut(main, (each) => each.slot === slot);
      if (row !== undefined) main.unshift(row);
    },
    remove(slot, isEvicted) {
      takeOut(main, (each) => each.slot === slot);
      const row = takeOut(a, (each) => each.slot === slot);
      if (row === undefined || !isEvicted) return;
      out.unshift(row.key);
      out.length = Math.min(out.length, outRoom);
    },
    victim: (mayGo) =>
      a.length > inRoom
        ? oldest(a, mayGo) ?? oldest(main, mayGo)
        : oldest(main, mayGo) ?? oldest(a, mayGo),
    crowded: (mayGo) =>
      returns && main.length >= Math.max(1, count - inRoom) && oldest(main, mayGo) !== undefined,
    contents: () => a.length > inRoom ? slotsOf(main, a) : slotsOf(a, main),
  };
}

/** ARC; lists 0 and 1 are rows seen once and often, and their ghosts. */
export function twinArc(count: number): KeyTwin {
  const t: Row[][] = [[], []];
  const b: number[][] = [[], []];
  let p = 0;
  let origin = -1;
  const replaced = (): number => {
    if (t[1].length === 0) return 0;
    const fromOnce = t[0].length > p || t[0].length === p && origin === 1;
    return t[0].length > 0 && fromOnce ? 0 : 1;
  };
  const makeRoom = (): boolean => {
    if (origin === -1 && t[0].length + b[0].length >= count) return b[0].pop() !== undefined;
    if (origin === -1 && t.flat().length + b.flat().length >= 2 * count) b[1].pop();
    if (b.flat().length === count) (b[1].length > 0 ? b[1] : b[0]).pop();
    return true;
  };
  return {
    miss(key) {
      origin = b.findIndex((ghosts) => ghosts.includes(key));
      if (origin === -1) return;
      const step = Math.max(1, b[1 - origin].length / b[origin].length);
      p = origin === 0 ? Math.min(count, p + step) : Math.max(0, p - step);
      takeOut(b[origin], (each) => each === key);
    },
    insert(slot, key) {
      t[origin === -1 ? 0 : 1].unshift({ slot, key, uses: 0 });
      origin = -1;
    },
    hit(slot) {
      const row = takeOut(t[0], (each) => each.slot === slot) ??
        takeOut(t[1], (each) => each.slot === slot)!;
      t[1].unshift(row);
    },
    remove(slot, isEvicted) {
      const from = t[0].some((row) => row.slot === slot) ? 0 : 1;
      const leaves = isEvicted && makeRoom();
      const row = takeOut(t[from], (each) => each.slot === slot)!;
      if (leaves) b[from].unshift(row.key);
    },
    victim: (mayGo) => oldest(t[replaced()], mayGo) ?? oldest(t[1 - replaced()], mayGo),
    contents: () => slotsOf(t[1 - replaced()], t[replaced()]),
  };
}

/** S3-FIFO at its defaults. */
export function twinS3Fifo(count: number, fillsMain: boolean): KeyTwin {
  const small: Row[] = [], main: Row[] = [], ghosts: number[] = [];
  const room = Math.max(1, Math.floor(count * 0.1));
  const ghostRoom = Math.max(1, Math.floor(count * 0.9));
  let returns = false, fresh = fillsMain;
  const fromSmall = (mayGo: MayGo): number | undefined => {
    for (const row of small.toReversed().filter(({ slot }) => mayGo(slot))) {
      if (row.uses < 2) return row.slot;
      takeOut(small, (each) => each === row);
      main.unshift({ ...row, uses: 0 });
    }
    return undefined;
  };
  const fromMain = (mayGo: MayGo): number | undefined => {
    let at = main.length - 1;
    while (at >= 0) {
      const row = main[at];
      if (!mayGo(row.slot)) at--;
      else if (row.uses === 0) return row.slot;
      else main.unshift({ ...main.splice(at, 1)[0], uses: row.uses - 1 });
    }
    return undefined;
  };
  const mainNext = (): boolean => main.length > count - room;
  return {
    miss: (key) => returns = takeOut(ghosts, (each) => each === key) !== undefined,
    insert(slot, key) {
      const toMain = returns || fresh && small.length >= room;
      (toMain ? main : small).unshift({ slot, key, uses: 0 });
      returns = false;
    },
    hit(slot) {
      const row = [...small, ...main].find((each) => each.slot === slot)!;
      row.uses = Math.min(3, row.uses + 1);
    },
    remove(slot, isEvicted) {
      fresh &&= !isEvicted;
      takeOut(main, (each) => each.slot === slot);
      const row = takeOut(small, (each) => each.slot === slot);
      if (row === undefined || !isEvicted) return;
      ghosts.unshift(row.key);
      ghosts.length = Math.min(ghosts.length, ghostRoom);
    },
    victim: (mayGo) =>
      mainNext() || small.length === 0
        ? fromMain(mayGo) ?? fromSmall(mayGo)
        : fromSmall(mayGo) ?? fromMain(mayGo),
    contents: () => mainNext() ? slotsOf(small, main) : slotsOf(main, small),
  };
}

/** LIRS; an entry without a slot is a ghost. */
export function twinLirs(count: number, ghostCount: number): KeyTwin {
  const hirRoom = Math.min(count, Math.max(2, Math.floor(count / 100)));
  type Entry = { key: number; slot: number; isLir: boolean };
  const stack: Entry[] = [], queue: Entry[] = [], ghosts: Entry[] = [];
  let last = NO_SLOT, returns = false;
  const lirs = () => stack.filter(({ isLir }) => isLir);
  const prune = (): void => {
    while (stack.length > 0 && !stack.at(-1)!.isLir) {
      const entry = stack.pop()!;
      takeOut(ghosts, (each) => each === entry);
    }
  };
  const promote = (entry: Entry): void => {
    stack.unshift({ ...entry, isLir: true });
    if (lirs().length <= count - hirRoom) return;
    queue.unshift({ ...stack.pop()!, isLir: false });
    prune();
  };
  const is = (slot: number) => (each: Entry): boolean => each.slot === slot;
  return {
    miss(key) {
      last = NO_SLOT;
      const ghost = takeOut(ghosts, (each) => each.key === key);
      returns = ghost !== undefined;
      takeOut(stack, (each) => each === ghost);
    },
    insert(slot, key) {
      last = slot;
      const entry = { key, slot, isLir: false };
      const free = count - lirs().length - queue.length;
      if (returns || free > hirRoom || lirs().length === 0) promote(entry);
      else for (const list of [stack, queue]) list.unshift(entry);
      returns = false;
    },
    hit(slot) {
      if (slot === last) return;
      last = slot;
      const stacked = takeOut(stack, is(slot));
      const queued = takeOut(queue, is(slot));
      if (queued === undefined) {
        stack.unshift(stacked!);
        prune();
      } else if (stacked !== undefined || lirs().length === 0) promote(queued);
      else for (const list of [stack, queue]) list.unshift(queued);
    },
    remove(slot, isEvicted) {
      if (slot === last) last = NO_SLOT;
      const queued = takeOut(queue, is(slot));
      const at = stack.findIndex(is(slot));
      if (at === -1) return;
      if (queued === undefined || !isEvicted) stack.splice(at, 1);
      else {
        if (ghosts.length === ghostCount) {
          const dropped = ghosts.pop();
          takeOut(stack, (each) => each === dropped);
        }
        const ghost = stack.find(is(slot))!;
        ghost.slot = NO_SLOT;
        ghosts.unshift(ghost);
      }
      prune();
    },
    victim: (mayGo) => [...lirs(), ...queue].findLast(({ slot }) => mayGo(slot))?.slot,
    contents: () => [...lirs(), ...queue].map(({ slot }) => slot),
  };
}

type Step = [what: "access" | "adopt" | "delete" | "fail" | "pin" | "unpin", key: number];

const KINDS: Step[0][] = ["adopt", "delete", "fail", "pin", "unpin"];

/** Arrays of steps for fast-check. */
export const KEY_STEPS: fc.Arbitrary<Step[]> = fc.array(
  fc.tuple(
    fc.oneof(
      { arbitrary: fc.constant<Step[0]>("access"), weight: 12 },
      { arbitrary: fc.constantFrom(...KINDS), weight: 1 },
    ),
    fc.nat(20),
  ),
  { minLength: 40, maxLength: 160, size: "max" },
);

/** Plays `steps` with a policy and its twin; they must agree on every victim and on the order. */
export function playKeyTwins(
  create: EvictionPolicyFactory,
  twin: KeyTwin,
  options: { count: number; isDense: boolean; scale: number },
  steps: readonly Step[],
): void {
  const { count, isDense, scale } = options;
  const pinned = new Set<number>();
  const mayGo = (slot: number): boolean => !pinned.has(slot);
  const key = new Uint32Array(count);
  const slots: Slots = { count, key, evictable: mayGo, ...(isDense ? { keyCount: 21 } : {}) };
  const policy = create(slots);
  const held = new Map<number, number>();
  const free = Array.from({ length: count }, (_, i) => count - 1 - i);
  const drop = (slot: number, cause: 0 | 1 | 2): void => {
    policy.onRemove(slot, cause);
    twin.remove(slot, cause === REMOVAL.EVICTED);
    held.delete(key[slot]);
    free.push(slot);
  };
  const isCrowded = (newcomer: number): boolean => {
    const crowded = policy.crowded?.(newcomer) ?? false;
    assertStrictEquals(crowded, twin.crowded?.(mayGo) ?? false);
    return crowded;
  };
  const insert = (newcomer: number): void => {
    const slot = free.pop();
    if (slot === undefined) return;
    key[slot] = newcomer;
    held.set(newcomer, slot);
    policy.onInsert(slot);
    twin.insert(slot, newcomer);
  };
  const enter = (newcomer: number): void => {
    policy.onMiss(newcomer);
    twin.miss(newcomer);
    while (isCrowded(newcomer) || free.length === 0) {
      const victim = policy.victim(newcomer);
      assertStrictEquals(victim, twin.victim(mayGo) ?? NO_SLOT);
      if (victim === NO_SLOT) return;
      drop(victim, REMOVAL.EVICTED);
    }
    insert(newcomer);
  };
  for (const [what, which] of steps) {
    const used = isDense ? which : Math.imul(which, scale) >>> 0;
    const slot = held.get(used);
    if (what === "pin") pinned.add(which % count);
    else if (what === "unpin") pinned.clear();
    else if (slot === undefined) {
      if (what === "access") enter(used);
      else if (what === "adopt" && free.length > 0) {
        // Without a word of a miss: the newcomer may be a ghost all the same.
        twin.miss(used);
        insert(used);
      }
    } else if (what === "access") {
      assertStrictEquals(policy.onHit(slot), NO_SLOT);
      twin.hit(slot);
    } else if (what !== "adopt") {
      drop(slot, what === "delete" ? REMOVAL.DELETED : REMOVAL.FAILED);
    }
    policy.verify();
    assertEquals([...policy.contents()], twin.contents());
  }
}
