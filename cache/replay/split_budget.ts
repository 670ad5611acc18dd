/**
 * One budget of memory for many tables or size classes: how many slots each of them gets.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import type { MissRatioCurve } from "./curve.ts";
import { MAX_PARTITION_SLOTS } from "../limits.ts";

/** One table or size class, which becomes a partition. */
export interface BudgetPart {
  /** Its miss ratios by entries; `requests` of it says how much of the traffic is this part's. */
  readonly curve: MissRatioCurve;
  /** Bytes of a slot: the row and what the cache keeps for it. */
  readonly slotBytes: number;
  /** What a hit is worth beside one of another part: bytes of a row, say; 1 by default. */
  readonly weight?: number;
  /** Slots that it gets in any case; 0 by default. */
  readonly minimumSlots?: number;
  /** Most slots of use, up to 2^28, which is also the default: the rows of the table, say. */
  readonly maximumSlots?: number;
}

/** What {@linkcode splitBudget} found. */
export interface BudgetSplit {
  /** Slots of each part, in the order given. */
  readonly slots: number[];
  /** Bytes of all these slots; what is left of the budget buys no hit, or not a whole slot. */
  readonly bytes: number;
  /** Misses of all parts at these slots, each times its weight. */
  readonly misses: number;
  /** Hits, times weight, that one more byte would bring; 0 when every part has all it can use. */
  readonly hitsPerByte: number;
}

/** A straight piece of a part's hull. */
interface Piece {
  readonly part: number;
  readonly slots: number;
  readonly hitsPerByte: number;
}

/**
 * Splits `budgetBytes` so that the parts miss least together: slots go where the next byte brings
 * most hits, piece by piece along the lower convex hull of each curve, as water fills vessels. The
 * hull, not the curve itself, so that a part that needs much before it hits at all (a loop) is
 * weighed by all of it. On the hulls it is the optimum for slots of one size, and within
 * `hitsPerByte` times the bytes left over for others. Where the budget ends a piece is cut: that
 * part stands between two points of its curve, and gets from there what its curve says, no more.
 *
 * O(points log points). It is how a cache serves rows of different sizes: a partition for each
 * size, see {@linkcode sizeClasses}.
 *
 * @throws {RangeError} for an option out of range, a curve by bytes, or a budget that does not
 * cover the minimum slots.
 *
 * @example
 * ```ts
 * import { modelledCurve, splitBudget } from "@rowtier/rowtier/cache";
 *
 * const sizes = Array.from({ length: 100 }, (_, i) => 10 * (i + 1));
 * const [hot, flat] = [1.2, 0.3].map((exponent) => {
 *   const zipf = { keyCount: 1000, exponent };
 *   return modelledCurve({ zipf, policy: "lru", sizes, requests: 1e6 });
 * });
 * const parts = [{ curve: hot, slotBytes: 86 }, { curve: flat, slotBytes: 86 }];
 * const few = splitBudget(parts, 10_000), many = splitBudget(parts, 100_000);
 * if (few.slots[0] < few.slots[1] || many.slots[0] > many.slots[1]) throw new Error("unreachable");
 * ```
 */
export function splitBudget(parts: readonly BudgetPart[], budgetBytes: number): BudgetSplit {
  const what = "Cannot split budget";
  checkInteger(what, "budgetBytes", budgetBytes, 0);
  parts.forEach((part, i) => checkPart(what, part, i));
  const slots = parts.map(({ minimumSlots = 0 }) => minimumSlots);
  const bytesOf = (): number =>
    parts.reduce((sum, { slotBytes }, i) => sum + slotBytes * slots[i], 0);
  let left = budgetBytes - bytesOf();
  if (left < 0) {
    throw new RangeError(
      `${what}: budgetBytes must cover the minimum slots, ${bytesOf()}: received ${budgetBytes}`,
    );
  }
  // Pieces of one part come in falling order already, and a stable sort keeps them so.
  const pieces = parts.flatMap(piecesOf).sort((a, b) => b.hitsPerByte - a.hitsPerByte);
  let hitsPerByte = 0;
  for (const piece of pieces) {
    const { slotBytes } = parts[piece.part];
    const taken = Math.min(piece.slots, Math.floor(left / slotBytes));
    slots[piece.part] += taken;
    left -= taken * slotBytes;
    if (taken < piece.slots && hitsPerByte === 0) hitsPerByte = piece.hitsPerByte;
  }
  const misses = parts.reduce((sum, { curve, weight = 1 }, i) => {
    return sum + weight * curve.missesAt(slots[i]);
  }, 0);
  return { slots, bytes: bytesOf(), misses, hitsPerByte };
}

function checkPart(what: string, part: BudgetPart, i: number): void {
  const { curve, slotBytes, weight = 1, minimumSlots = 0, maximumSlots } = part;
  const name = `parts[${i}]`;
  if (curve.unit !== "entries") {
    throw new RangeError(`${what}: ${name}.curve must be by entries: received ${curve.unit}`);
  }
  checkInteger(what, `${name}.slotBytes`, slotBytes, 1);
  if (!(weight >= 0 && weight < Infinity)) {
    throw new RangeError(
      `${what}: ${name}.weight must be finite and at least 0: received ${weight}`,
    );
  }
  checkInteger(what, `${name}.minimumSlots`, minimumSlots, 0, MAX_PARTITION_SLOTS);
  if (maximumSlots === undefined) return;
  checkInteger(what, `${name}.maximumSlots`, maximumSlots, minimumSlots, MAX_PARTITION_SLOTS);
}

/** The pieces of a part's lower convex hull that bring hits, the steepest first. */
function piecesOf(part: BudgetPart, index: number): Piece[] {
  const { curve, slotBytes, weight = 1 } = part;
  const { slots, misses } = hullOf(part);
  const pieces: Piece[] = [];
  for (let i = 1; i < slots.length; i++) {
    const count = slots[i] - slots[i - 1];
    const hits = weight * curve.requests * (misses[i - 1] - misses[i]);
    if (hits <= 0) break;
    pieces.push({ part: index, slots: count, hitsPerByte: hits / (count * slotBytes) });
  }
  return pieces;
}

/** The lower convex hull of miss ratio over slots (Andrew's monotone chain). */
function hullOf(part: BudgetPart): { slots: number[]; misses: number[] } {
  const { curve, minimumSlots = 0, maximumSlots = MAX_PARTITION_SLOTS } = part;
  const slots = [minimumSlots];
  const misses = [curve.at(minimumSlots)];
  const add = (size: number): void => {
    const ratio = curve.at(size);
    // The last corner goes while it lies on or above the line from the one before to the new point.
    for (let last = slots.length - 1; last > 0; last--) {
      const rise = (misses[last] - misses[last - 1]) * (size - slots[last - 1]);
      if (rise < (ratio - misses[last - 1]) * (slots[last] - slots[last - 1])) break;
      slots.pop();
      misses.pop();
    }
    slots.push(size);
    misses.push(ratio);
  };
  for (const size of curve.sizes) {
    const whole = Math.ceil(size);
    if (whole > slots[slots.length - 1] && whole < maximumSlots) add(whole);
  }
  const end = Math.min(maximumSlots, Math.ceil(curve.sizes.at(-1) ?? 0));
  if (end > slots[slots.length - 1]) add(end);
  return { slots, misses };
}
