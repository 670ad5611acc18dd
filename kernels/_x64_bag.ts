/**
 * x64 code that pools bags: for each bag, panel by panel, a walk over its rows with all of the
 * panel's accumulators in registers.
 *
 * Slots are checked where they are loaded, one fused comparison a row: nothing is stored before a
 * bag's last row, so a bad slot leaves the bag's output as it was. (A pass of its own over the
 * slots reads them twice.)
 *
 * @module
 */

import { type Assembler, at, CONDITION, GENERAL } from "./_x64_assembler.ts";
import { emitConstants, emitResume, emitStore } from "./_x64_decode.ts";
import { V } from "./_x64_instructions.ts";
import { emitPair } from "./_x64_pair.ts";
import type { Plan } from "./_x64_plan.ts";
import {
  AHEAD,
  ARENA,
  BAG,
  BAG_END,
  BAGS_LEFT,
  columnsOf,
  emitMean,
  emitRow,
  emitRowAddress,
  emitZero,
  NEXT_ROW,
  OFFSETS,
  OUTPUT,
  PANEL,
  type Panel,
  ROWS,
  SLOT,
  SLOTS_END,
  STRIDE,
  WEIGHTS,
} from "./_x64_row.ts";

/**
 * The block of arguments: 64-bit fields by their byte positions. The first five are addresses; the
 * code saves there what it is called with, so that the next call may go without.
 */
export const BLOCK = {
  offsets: 0,
  slots: 8,
  weights: 16,
  arena: 24,
  output: 32,
  rowStride: 40,
  rowCount: 48,
  bagCount: 56,
  slotCount: 64,
  /** Bytes of slots that prefetching is ahead; 0: none. */
  ahead: 72,
  /** The address of the entry to call. */
  code: 80,
  bytes: 88,
} as const;

const { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r12, r13, r14, r15 } = GENERAL;
/** Registers that a function must leave as they were (System V ABI for x86-64, 3.2.1). */
const SAVED = [rbx, rbp, r12, r13, r14, r15] as const;

/** Where the code ends, by what it gives back. */
interface Exits {
  readonly finished: number;
  readonly bad: number;
  readonly overrun: number;
}

/** Where functions begin in the code. */
export interface EntryPositions {
  /** (block, offsets, slots, weights, arena, output). */
  readonly fresh: number;
  /** (block): with the addresses of the call before. */
  readonly again: number;
}

/** Writes the functions for `plan`; both return as `Kernel.pool`, in eax. */
export function emitBags(a: Assembler, plan: Plan): EntryPositions {
  const body = a.label();
  a.align(64);
  const fresh = a.length;
  [rsi, rdx, rcx, r8, r9].forEach((reg, i) => a.store(at(rdi, 8 * i), reg));
  a.jump(body);
  a.align(16);
  const again = a.length;
  [rsi, rdx, rcx, r8, r9].forEach((reg, i) => a.move(reg, at(rdi, 8 * i)));
  a.place(body);
  emitPrologue(a, plan);
  const exits = { finished: a.label(), bad: a.label(), overrun: a.label() };
  emitBagLoop(a, plan, exits);
  emitExits(a, exits);
  return { fresh, again };
}

function emitPrologue(a: Assembler, plan: Plan): void {
  for (const reg of SAVED) a.push(reg);
  a.push(rdi);
  a.move(OUTPUT, r9);
  a.move(WEIGHTS, rcx);
  a.move(OFFSETS, rsi);
  a.move(SLOT, rdx);
  a.alu("sub", WEIGHTS, SLOT);
  a.move(STRIDE, at(rdi, BLOCK.rowStride));
  a.move(ROWS, at(rdi, BLOCK.rowCount));
  a.move(BAGS_LEFT, at(rdi, BLOCK.bagCount));
  a.move(SLOTS_END, at(rdi, BLOCK.slotCount));
  a.address(SLOTS_END, at(SLOT, 0, SLOTS_END, 4));
  a.move(AHEAD, at(rdi, BLOCK.ahead));
  emitConstants(a, plan);
}

function emitExits(a: Assembler, { finished, bad, overrun }: Exits): void {
  const leave = a.label();
  a.place(overrun);
  a.move(rdi, at(rsp));
  a.move32(rax, at(rdi, BLOCK.slotCount));
  a.jump(leave);
  a.place(finished);
  a.immediate32(rax, -1);
  a.alu("compare", SLOT, SLOTS_END);
  a.jumpIf(CONDITION.equal, leave);
  a.place(bad);
  a.move(rdi, at(rsp));
  a.move(rax, SLOT);
  a.alu("sub", rax, at(rdi, BLOCK.slots));
  a.shiftRight(rax, 2);
  a.place(leave);
  a.pop(rdi);
  for (const reg of SAVED.toReversed()) a.pop(reg);
  a.vzeroupper();
  a.ret();
}

function emitBagLoop(a: Assembler, plan: Plan, exits: Exits): void {
  const loop = a.label();
  a.align(16);
  a.place(loop);
  if (plan.pairs) emitPair(a, plan, loop);
  a.aluImmediate("sub", BAGS_LEFT, 1);
  a.jumpIf(CONDITION.below, exits.finished);
  // Offsets count modulo 2^32: those that fall are an overrun, not a negative length.
  a.move32(rax, at(OFFSETS, 4));
  a.alu32("sub", rax, at(OFFSETS));
  a.aluImmediate("add", OFFSETS, 4);
  a.move(rdi, SLOTS_END);
  a.alu("sub", rdi, SLOT);
  a.shiftRight(rdi, 2);
  a.alu("compare", rax, rdi);
  a.jumpIf(CONDITION.above, exits.overrun);
  a.address(BAG_END, at(SLOT, 0, rax, 4));
  a.move(BAG, SLOT);
  if (plan.weighting === "position") {
    a.move(rdi, at(rsp));
    a.move(WEIGHTS, at(rdi, BLOCK.weights));
    a.alu("sub", WEIGHTS, SLOT);
  }
  emitPanels(a, plan, exits);
  a.jump(loop);
}

/** The whole panels in a loop, and the last one. */
function emitPanels(a: Assembler, plan: Plan, exits: Exits): void {
  const { panels, panelGroups, lanes, lastGroups } = plan;
  if (panels > 0) {
    const loop = a.label();
    a.alu32("xor", PANEL, PANEL);
    a.place(loop);
    emitPanel(a, plan, exits, { groups: panelGroups, lastColumns: lanes, first: 0, looped: true });
    a.move(SLOT, BAG);
    const bytes = panelGroups * lanes * plan.codeBits / 8;
    a.aluImmediate("add", PANEL, bytes);
    a.aluImmediate("compare", PANEL, panels * bytes);
    a.jumpIf(CONDITION.below, loop);
  }
  emitPanel(a, plan, exits, {
    groups: lastGroups,
    lastColumns: plan.lastColumns,
    first: panels * panelGroups,
    looped: false,
  });
}

function emitPanel(a: Assembler, plan: Plan, exits: Exits, panel: Panel): void {
  const store = a.label();
  const outputBytes = (plan.output === "f32" ? 4 : 2) * plan.lanes;
  emitStart(a, plan, panel, outputBytes);
  a.alu("compare", SLOT, BAG_END);
  a.jumpIf(CONDITION.equal, store);
  if (plan.max) emitFirstRow(a, plan, exits, panel, store);
  emitWalks(a, plan, exits, panel, store);
  a.place(store);
  if (plan.fast) {
    for (let i = 0; i < panel.groups; i++) {
      a.vector(V.vaddps, plan.bits, i, i, plan.registers.biasSum);
    }
  }
  if (plan.mean) {
    a.move(rax, BAG_END);
    a.alu("sub", rax, BAG);
    emitMean(a, plan, 0, panel.groups);
  }
  let bytes = 0;
  for (let i = 0; i < panel.groups; i++) {
    const columns = columnsOf(plan, panel, i);
    emitStore(a, plan, i, at(OUTPUT, outputBytes * i), columns);
    bytes += columns * outputBytes / plan.lanes;
  }
  a.aluImmediate("add", OUTPUT, bytes);
}

/** The accumulators as a bag begins: zeros, or what the output holds. */
function emitStart(a: Assembler, plan: Plan, panel: Panel, outputBytes: number): void {
  for (let i = 0; i < panel.groups; i++) {
    if (plan.resume) {
      emitResume(a, plan, i, at(OUTPUT, outputBytes * i), columnsOf(plan, panel, i));
    } else emitZero(a, i);
  }
  if (plan.fast) emitZero(a, plan.registers.biasSum);
}

/** Behind a loop: the slots that are not rows. -1 goes on at `next`, the others end the call. */
function emitOddSlots(a: Assembler, exits: Exits, odd: number, next: number): void {
  a.place(odd);
  a.aluImmediate("compare", rax, -1, false);
  a.jumpIf(CONDITION.notEqual, exits.bad);
  a.jump(next);
}

/** Pooling "max" starts at the bag's first row that is not pruned: accumulators = its values. */
function emitFirstRow(a: Assembler, plan: Plan, exits: Exits, panel: Panel, store: number): void {
  const [search, odd, found, next] = [a.label(), a.label(), a.label(), a.label()];
  a.place(search);
  emitRowAddress(a, plan.pruned ? odd : exits.bad, rax, SLOT);
  emitRow(a, plan, panel, { ...NEXT_ROW, first: true });
  a.jump(found);
  if (plan.pruned) {
    emitOddSlots(a, exits, odd, next);
    a.place(next);
    a.aluImmediate("add", SLOT, 4);
    a.alu("compare", SLOT, BAG_END);
    a.jumpIf(CONDITION.notEqual, search);
    a.jump(store);
  }
  a.place(found);
  a.aluImmediate("add", SLOT, 4);
  a.alu("compare", SLOT, BAG_END);
  a.jumpIf(CONDITION.equal, store);
}

/** The walk, once with prefetching and once without. */
function emitWalks(a: Assembler, plan: Plan, exits: Exits, panel: Panel, store: number): void {
  const odd = a.label();
  const still = a.label();
  const next = a.label();
  // Rows are fetched whole, so one panel does it: the one that is walked once a bag.
  if (!panel.looped) {
    const fetchingNext = a.label();
    const fetchingOdd = a.label();
    a.aluImmediate("compare", AHEAD, 0);
    a.jumpIf(CONDITION.equal, still);
    emitWalk(a, plan, exits, panel, { odd: fetchingOdd, next: fetchingNext, fetches: true });
    a.jump(store);
    if (plan.pruned) emitOddSlots(a, exits, fetchingOdd, fetchingNext);
    a.place(still);
  }
  emitWalk(a, plan, exits, panel, { odd, next, fetches: false });
  if (!plan.pruned) return;
  a.jump(store);
  emitOddSlots(a, exits, odd, next);
}

function emitWalk(
  a: Assembler,
  plan: Plan,
  exits: Exits,
  panel: Panel,
  walk: { readonly odd: number; readonly next: number; readonly fetches: boolean },
): void {
  const loop = a.label();
  a.align(64);
  a.place(loop);
  if (walk.fetches) emitPrefetch(a, plan);
  emitRowAddress(a, plan.pruned ? walk.odd : exits.bad, rax, SLOT);
  emitRow(a, plan, panel, { ...NEXT_ROW, far: walk.fetches });
  a.place(walk.next);
  a.aluImmediate("add", SLOT, 4);
  a.alu("compare", SLOT, BAG_END);
  a.jumpIf(CONDITION.notEqual, loop);
}

/** Of longer rows, the processor itself fetches what follows. */
const PREFETCH_BYTES = 4096;

/** Fetches every line of the row AHEAD; near the end of the slots, of the row at hand. */
function emitPrefetch(a: Assembler, plan: Plan): void {
  a.address(rdi, at(SLOT, 0, AHEAD));
  a.alu("compare", rdi, SLOTS_END);
  a.moveIf(CONDITION.notBelow, rdi, SLOT);
  // Not checked: a prefetch of an address that is not mapped does nothing.
  a.moveSigned32(rdi, at(rdi));
  a.multiply(rdi, STRIDE);
  const bytes = Math.min(plan.rowBytes, PREFETCH_BYTES);
  for (let byte = 0; byte < bytes; byte += 64) a.prefetch(at(ARENA, byte, rdi));
  if (bytes % 64 !== 1) a.prefetch(at(ARENA, bytes - 1, rdi));
}
