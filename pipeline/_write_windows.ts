/**
 * Budgets of writes in bytes a day, given out in short windows of the pipeline's clock.
 *
 * @module
 */

import {
  type AdmissionPolicy,
  type AdmissionPolicyFactory,
  admitAlways,
  WriteBudget,
  writeBudget,
} from "../cache/mod.ts";
import type { PipelineTable } from "./options.ts";

const DAY_NS = 86_400e9;

/**
 * Windows last about a second: short enough that a drive's own buffer evens out what enters at
 * their beginning, long enough that starting them is nothing.
 */
const WINDOW_NS = 1e9;

/** One table's budget. */
interface TableWindow {
  readonly budget: WriteBudget;
  readonly windowNs: number;
  /** When the next window starts. */
  nextNs: number;
}

/** The budgets of a pipeline's tables. */
export class WriteWindows {
  readonly #windows: TableWindow[] = [];
  readonly #startNs: number;

  /** No budgets yet; the windows of all begin at `startNs`. */
  constructor(startNs: number) {
    this.#startNs = startNs;
  }

  /**
   * What says which rows may enter a table's cache, whose rows have `rowBytes` there: what
   * its options say and, where they set one, its budget. A window is as long as its whole number of
   * rows takes, so that nothing is lost to rounding: about a second, or longer where less than a
   * row may enter in one.
   */
  limit(
    { writeBytesPerDay = Infinity, admission }: PipelineTable,
    rowBytes: number,
  ): AdmissionPolicyFactory | undefined {
    if (writeBytesPerDay === Infinity) return admission;
    const rowNs = rowBytes * DAY_NS / writeBytesPerDay;
    const rows = Math.min(Number.MAX_SAFE_INTEGER, Math.max(1, Math.round(WINDOW_NS / rowNs)));
    const budget = new WriteBudget(rows);
    const windowNs = rows * rowNs;
    this.#windows.push({ budget, windowNs, nextNs: this.#startNs + windowNs });
    return (slotCount) => withBudget(slotCount, budget, admission?.(slotCount) ?? admitAlways());
  }

  /** Starts the windows that are due; those that were slept through are lost. */
  start(nowNs: number): void {
    for (const window of this.#windows) {
      if (nowNs < window.nextNs) continue;
      window.budget.startWindow();
      const behind = Math.floor((nowNs - window.nextNs) / window.windowNs);
      window.nextNs += (behind + 1) * window.windowNs;
    }
  }
}

/** `policy`, and of what it admits no more than `budget` has left. */
function withBudget(
  slotCount: number,
  budget: WriteBudget,
  policy: AdmissionPolicy,
): AdmissionPolicy {
  const limit = writeBudget(slotCount, { budget });
  return {
    name: `${policy.name}, ${limit.name}`,
    onAccess: (key) => policy.onAccess(key),
    admit: (key) => policy.admit(key) && limit.admit(key),
    prefers: (candidate, victimKey) => policy.prefers(candidate, victimKey),
  };
}
