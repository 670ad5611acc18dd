/**
 * Admission by a budget of writes, for caches on flash, whose cells wear out.
 *
 * @module
 */

import { checkInteger } from "../../base/checks.ts";
import type { AdmissionPolicy } from "../admission.ts";

/**
 * How many rows may still enter until the window ends. It knows no time: whoever has a clock starts
 * the windows. One budget may serve several partitions, as one drive does.
 */
export class WriteBudget {
  /** Admissions in a window, at most. */
  readonly admissionsPerWindow: number;
  #left: number;

  /**
   * A budget whose first window has begun.
   *
   * @throws {RangeError} when `admissionsPerWindow` is no integer of at least 0.
   */
  constructor(admissionsPerWindow: number) {
    const what = "Cannot create WriteBudget";
    this.admissionsPerWindow = checkInteger(what, "admissionsPerWindow", admissionsPerWindow, 0);
    this.#left = admissionsPerWindow;
  }

  /** Admissions left in this window. */
  get left(): number {
    return this.#left;
  }

  /** Ends the window and starts the next; what is left over is lost, so that no burst builds up. */
  startWindow(): void {
    this.#left = this.admissionsPerWindow;
  }

  /** Takes one admission; false when none is left. */
  take(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }
}

/** What {@linkcode writeBudget} is made from. */
export interface WriteBudgetOptions {
  /** What it draws on. */
  budget: WriteBudget;
}

/**
 * Admits rows while the budget lasts. A drive that may take 1 TB of writes a day and rows of 4 KB
 * make 2,825 admissions a second. An admission is counted when it is granted, also where the row
 * then finds every slot held.
 *
 * @example
 * ```ts
 * import { lru, RowCache, WriteBudget, writeBudget } from "@rowtier/rowtier/cache";
 *
 * const budget = new WriteBudget(2825);
 * const admission = (slotCount: number) => writeBudget(slotCount, { budget });
 * new RowCache({ partitions: [{ slotCount: 8, scratchCount: 8, eviction: lru, admission }] });
 * // Every second:
 * budget.startWindow();
 * ```
 */
export function writeBudget(_slotCount: number, options: WriteBudgetOptions): AdmissionPolicy {
  const { budget } = options;
  return {
    name: "write-budget",
    onAccess: () => {},
    admit: () => budget.take(),
    prefers: () => true,
  };
}
