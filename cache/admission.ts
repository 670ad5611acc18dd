/**
 * The contract of admission policies: whether a missed row enters the cache at all.
 *
 * @module
 */

/** An admission policy for one partition. */
export interface AdmissionPolicy {
  /** Its name. */
  readonly name: string;
  /** Every lookup of `key`, hit or miss. */
  onAccess(key: number): void;
  /**
   * Whether `key`, just missed, may enter; asked before the eviction policy hears of it, so that a
   * refusal moves no hand and uses up no ghost.
   */
  admit(key: number): boolean;
  /** Whether `candidate` deserves the place of `victimKey`. */
  prefers(candidate: number, victimKey: number): boolean;
}

/** Makes the admission policy of one partition of `slotCount` slots. */
export type AdmissionPolicyFactory = (slotCount: number) => AdmissionPolicy;

/** Admits every row: what a cache without admission does. */
export function admitAlways(): AdmissionPolicy {
  return { name: "always", onAccess: () => {}, admit: () => true, prefers: () => true };
}
