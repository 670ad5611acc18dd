/**
 * A ladder of ways to the same thing, best first: one step down at a time, and the reasons kept.
 *
 * @module
 */

import { UnsupportedTargetError } from "../base/errors.ts";

/** One way. */
export interface Rung<T> {
  /** What people call it. */
  readonly name: string;
  /**
   * Takes it; throws an UnsupportedTargetError, its message the reason, where it is not to be had.
   */
  readonly open: () => T;
}

/** Where a descent ended. */
export interface Landing<T> {
  /** What the rung gave. */
  readonly value: T;
  /** The rung's position. */
  readonly position: number;
  /** Why those above were not taken, as one line; empty for the first. */
  readonly why: string;
}

/**
 * The first of `rungs` that opens. Only an UnsupportedTargetError leads down: a missing file or a
 * wrong option would fail on every rung, and must not be hidden behind the last one's words.
 *
 * @throws {UnsupportedTargetError} with all reasons, where none opens.
 */
export function descend<T>(what: string, rungs: readonly Rung<T>[]): Landing<T> {
  const reasons: string[] = [];
  for (let position = 0; position < rungs.length; position++) {
    const rung = rungs[position];
    try {
      return { value: rung.open(), position, why: reasons.join("; ") };
    } catch (error) {
      if (!(error instanceof UnsupportedTargetError)) throw error;
      reasons.push(`${rung.name} not used: ${error.message}`);
    }
  }
  throw new UnsupportedTargetError(`${what}: ${reasons.join("; ")}`);
}
