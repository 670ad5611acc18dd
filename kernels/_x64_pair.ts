/**
 * x64 code that pools two bags at a time: the rows that both have by turns, then what the longer
 * one has left. A short cut: where anything is out of the ordinary it stores nothing and leaves the
 * first bag to the walk over one.
 *
 * @module
 */

import { type Assembler, at, CONDITION, GENERAL } from "./_x64_assembler.ts";
import { emitStore } from "./_x64_decode.ts";
import type { Plan } from "./_x64_plan.ts";
import {
  AHEAD,
  BAG,
  BAG_END,
  BAGS_LEFT,
  columnsOf,
  emitMean,
  emitRow,
  emitRowAddress,
  emitZero,
  OFFSETS,
  OUTPUT,
  PANEL,
  type Panel,
  type RowPlace,
  SLOT,
  SLOTS_END,
} from "./_x64_row.ts";

const { rax, rsp, rdi } = GENERAL;
/** The slot of the second bag: there is one panel. */
const OTHER_SLOT = PANEL;
/** Where the second bag's slots begin and the first one's end; AHEAD is 0 here. */
const OTHER = AHEAD;
/** Where they end, in the red zone (System V ABI, 3.2.2): no register is left. */
const OTHER_END = at(rsp, -8);

/** Pools two bags and goes back to `loop`, or does nothing and goes on. */
export function emitPair(a: Assembler, plan: Plan, loop: number): void {
  const single = a.label();
  const restart = a.label();
  const groups = plan.lastGroups;
  const panel: Panel = { groups, lastColumns: plan.lastColumns, first: 0, looped: false };
  const one: RowPlace = { row: rax, slot: SLOT, acc: 0, first: false, far: false };
  const other: RowPlace = { row: rdi, slot: OTHER_SLOT, acc: groups, first: false, far: false };
  emitConditions(a, single);
  for (let i = 0; i < 2 * groups; i++) emitZero(a, i);
  emitTogether(a, plan, panel, [one, other], restart);
  a.move(BAG_END, OTHER);
  emitRest(a, plan, panel, one, restart);
  a.move(BAG_END, OTHER_END);
  emitRest(a, plan, panel, other, restart);
  emitStores(a, plan, panel);
  a.move(SLOT, BAG_END);
  a.alu32("xor", AHEAD, AHEAD);
  a.aluImmediate("add", OFFSETS, 8);
  a.aluImmediate("sub", BAGS_LEFT, 2);
  a.jump(loop);
  a.place(restart);
  a.move(SLOT, BAG);
  a.alu32("xor", AHEAD, AHEAD);
  a.place(single);
}

/** Sets the registers up, or jumps to `single`: two bags, neither empty, of slots there are. */
function emitConditions(a: Assembler, single: number): void {
  a.aluImmediate("compare", AHEAD, 0);
  a.jumpIf(CONDITION.notEqual, single);
  a.aluImmediate("compare", BAGS_LEFT, 2);
  a.jumpIf(CONDITION.below, single);
  // Each offset is read once, as another thread could change it.
  a.move32(BAG, at(OFFSETS, 4));
  a.move32(rdi, at(OFFSETS, 8));
  a.alu32("sub", rdi, BAG);
  a.alu32("sub", BAG, at(OFFSETS));
  a.move(rax, SLOTS_END);
  a.alu("sub", rax, SLOT);
  a.shiftRight(rax, 2);
  a.address(OTHER_SLOT, at(BAG, 0, rdi));
  a.alu("compare", OTHER_SLOT, rax);
  a.jumpIf(CONDITION.above, single);
  a.move(rax, BAG);
  a.alu("compare", rdi, rax);
  a.moveIf(CONDITION.below, rax, rdi);
  a.aluImmediate("compare", rax, 0);
  a.jumpIf(CONDITION.equal, single);
  a.address(BAG_END, at(SLOT, 0, rax, 4));
  a.address(OTHER, at(SLOT, 0, BAG, 4));
  a.address(rdi, at(OTHER, 0, rdi, 4));
  a.store(OTHER_END, rdi);
  a.move(OTHER_SLOT, OTHER);
  a.move(BAG, SLOT);
}

/** The rows that both bags have, by turns, up to BAG_END in the first. */
function emitTogether(
  a: Assembler,
  plan: Plan,
  panel: Panel,
  places: readonly RowPlace[],
  restart: number,
): void {
  const loop = a.label();
  a.align(64);
  a.place(loop);
  for (const { row, slot } of places) emitRowAddress(a, restart, row, slot);
  for (const place of places) emitRow(a, plan, panel, place);
  for (const { slot } of places) a.aluImmediate("add", slot, 4);
  a.alu("compare", SLOT, BAG_END);
  a.jumpIf(CONDITION.notEqual, loop);
}

/** One bag's rows up to BAG_END. */
function emitRest(
  a: Assembler,
  plan: Plan,
  panel: Panel,
  place: RowPlace,
  restart: number,
): void {
  const loop = a.label();
  const done = a.label();
  a.alu("compare", place.slot, BAG_END);
  a.jumpIf(CONDITION.equal, done);
  a.align(16);
  a.place(loop);
  emitRowAddress(a, restart, place.row, place.slot);
  emitRow(a, plan, panel, place);
  a.aluImmediate("add", place.slot, 4);
  a.alu("compare", place.slot, BAG_END);
  a.jumpIf(CONDITION.notEqual, loop);
  a.place(done);
}

/** Ends both bags; BAG_END is the second one's. */
function emitStores(a: Assembler, plan: Plan, panel: Panel): void {
  const bytes = plan.output === "f32" ? 4 : 2;
  const { groups } = panel;
  for (let bag = 0; bag < 2; bag++) {
    if (plan.mean) {
      a.move(rax, bag === 0 ? OTHER : BAG_END);
      a.alu("sub", rax, bag === 0 ? BAG : OTHER);
      emitMean(a, plan, bag * groups, groups);
    }
    for (let i = 0; i < groups; i++) {
      const place = at(OUTPUT, bytes * (bag * plan.dim + i * plan.lanes));
      emitStore(a, plan, bag * groups + i, place, columnsOf(plan, panel, i));
    }
  }
  a.aluImmediate("add", OUTPUT, 2 * bytes * plan.dim);
}
