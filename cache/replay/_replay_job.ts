/**
 * What a replay and its workers say to each other.
 *
 * @module
 */

/** A policy that can be sent: by its name in the registry, or by its module's address. */
export interface Choice {
  /** Its name. */
  readonly name: string;
  /** Where it is; left out: in the registry. */
  readonly module?: string;
  /** The factory's name among the module's exports. */
  readonly export?: string;
}

/** The requests of one size class, or of the whole trace: what one cache sees. */
export interface Part {
  /** The keys in order, in shared memory where workers replay. */
  readonly keys: Uint32Array;
  /** Where set, keys are dense. */
  readonly keyCount?: number;
  /** Bytes of each request's object. */
  readonly sizes?: Uint32Array;
  /** Requests at the beginning that do not count. */
  readonly warmup: number;
}

/** One policy at some sizes. */
export interface Job {
  /** The policy. */
  readonly policy: Choice;
  /** What admits. */
  readonly admission: Choice;
  /** What is replayed. */
  readonly parts: readonly Part[];
  /** By size, the slots of each part. */
  readonly slots: readonly (readonly number[])[];
}

/** The only message to a worker. */
export interface Order {
  /** What to do. */
  readonly job: Job;
  /**
   * A shared word: how many sizes may begin. Without it a caller that is late sees begin and end
   * of a short replay at once, and takes it for one of no time.
   */
  readonly starts: Int32Array;
}

/** What one size gave. */
export interface Counts {
  /** Misses after the warm-up. */
  readonly misses: number;
  /** Bytes of the objects that missed after the warm-up; 0 without sizes. */
  readonly missBytes: number;
  /** Bytes of the caches. */
  readonly memoryBytes: number;
}

/** What a worker says: once that it is there, and then of each size that it begins and ends. */
export type Reply =
  | { readonly kind: "ready" }
  | { readonly kind: "begun" }
  | { readonly kind: "progress"; readonly requests: number }
  | { readonly kind: "done"; readonly counts: Counts }
  | { readonly kind: "failed"; readonly message: string };
