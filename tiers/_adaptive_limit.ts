/**
 * How many requests a device may have outstanding, found by what it answers: additive increase,
 * multiplicative decrease, as TCP finds its window (Chiu, Jain, 1989). Near saturation a NAND
 * drive's latency explodes while its throughput hardly grows, so that the limit is held by latency.
 *
 * @module
 */

/** The state of one device's limit. */
export interface AdaptiveLimit {
  /** The limit now. */
  limit: number;
  /** Completions in this window, and those of them that were later than the target. */
  seen: number;
  /** See `seen`. */
  late: number;
  /** Whether the limit was reached in this window: only then can it have been too low. */
  reached: boolean;
  /** Whether it has never been lowered: until then it doubles (slow start, RFC 5681). */
  starting: boolean;
}

/** What moves it. */
export interface AdaptiveRules {
  /** The latency at the device that a completion should not exceed, in ns. */
  readonly targetNs: number;
  /** The share of completions that may. */
  readonly lateShare: number;
  /** Completions that are looked at together. */
  readonly window: number;
  /** The limit is never below this. */
  readonly minimum: number;
  /** Nor above this. */
  readonly maximum: number;
}

/**
 * Completions to look at together: two late ones are allowed then, as with one a single straggler
 * would lower the limit. At least 32, where the share is large or 0; at most 4,096.
 */
export function windowFor(lateShare: number): number {
  return lateShare === 0 ? 32 : Math.min(4096, Math.max(32, Math.ceil(2 / lateShare)));
}

/** What a decrease leaves: CUBIC's 0.7 (RFC 9438); Reno's half swings the throughput more. */
const DECREASE = 0.7;

/** Starts at the minimum: a cold start must not be the one that is too much. */
export function createAdaptiveLimit(rules: AdaptiveRules): AdaptiveLimit {
  return { limit: rules.minimum, seen: 0, late: 0, reached: false, starting: true };
}

/** Tells of one successful completion. */
export function observe(state: AdaptiveLimit, rules: AdaptiveRules, latencyNs: number): void {
  state.seen++;
  if (latencyNs > rules.targetNs) state.late++;
  if (state.seen < rules.window) return;
  if (state.late > rules.lateShare * state.seen) {
    state.limit = Math.max(rules.minimum, Math.floor(state.limit * DECREASE));
    state.starting = false;
  } else if (state.reached) {
    const raised = state.starting ? 2 * state.limit : state.limit + 1;
    state.limit = Math.min(rules.maximum, raised);
  }
  state.seen = state.late = 0;
  state.reached = false;
}
