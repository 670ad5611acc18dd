/**
 * What a replay is asked for, and what it gives.
 *
 * @module
 */

import type { AdmissionPolicyFactory } from "../admission.ts";
import type { EvictionPolicyFactory } from "../eviction.ts";
import type { DISPLAY, Display } from "../explain/explanation.ts";
import type { Trace } from "../traces/trace.ts";

/** A policy of one's own that cannot leave the isolate that calls: its replays run there. */
export interface ReplayFactory<Factory> {
  /** Its name in results. */
  readonly name: string;
  /** Makes it. */
  readonly factory: Factory;
}

/** A policy of one's own that a worker imports. */
export interface ReplayModule {
  /** Its name in results. */
  readonly name: string;
  /** Where its module is. */
  readonly module: URL;
  /** The factory's name among the module's exports; "default" by default. */
  readonly export?: string;
}

/** A policy by its name in the registry, or one of one's own. */
export type ReplayChoice<Factory> = string | ReplayFactory<Factory> | ReplayModule;

/** How far a replay is. */
export interface ReplayProgress {
  /** Accesses made, over all policies and sizes. */
  readonly done: number;
  /** Accesses to make. */
  readonly total: number;
}

/** What {@linkcode replay} is told. */
export interface ReplayOptions {
  /** The requests. With `sizes`, memory is split into classes of object sizes. */
  readonly trace: Trace;
  /**
   * Names of `EVICTION_POLICIES`, or "belady" or "belady-bypass", which know the trace; or policies
   * of one's own.
   */
  readonly policies: readonly ReplayChoice<EvictionPolicyFactory>[];
  /**
   * Cache sizes. From 1 on slots, at most 2^28; below 1 shares of the trace's distinct keys, at
   * least a slot. For objects of different sizes: slots of the mean object, shares of all bytes.
   */
  readonly sizes: readonly number[];
  /**
   * A name of `ADMISSION_POLICIES`, or one of one's own; "always" by default. Belady's algorithm is
   * replayed without: it has to see every request.
   */
  readonly admission?: ReplayChoice<AdmissionPolicyFactory>;
  /** Requests at the beginning that are replayed but not counted; 0 by default. */
  readonly warmup?: number;
  /** Workers at a time, 0 to 256: as many as processors by default; 0: all in this isolate. */
  readonly workers?: number;
  /** A clock in nanoseconds, to measure the time of an access. */
  readonly now?: () => number;
  /** Told every few milliseconds how far it is. */
  readonly onProgress?: (progress: ReplayProgress) => void;
  /** Told in one line why there are no workers, where they were wanted; all goes on without. */
  readonly onNotice?: (line: string) => void;
  /** Ends it: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** One policy at one size. */
export interface ReplayResult {
  /** The policy's name. */
  readonly policy: string;
  /** The admission policy's name. */
  readonly admission: string;
  /** Slots of the cache; of all classes together where objects differ in size. */
  readonly slotCount: number;
  /** Slots over the distinct keys of the trace; budget over their bytes where objects differ. */
  readonly share: number;
  /** Bytes that all slots together may have; only where objects differ in size. */
  readonly budgetBytes?: number;
  /** Requests counted: all after the warm-up. */
  readonly requests: number;
  /** Those that missed. */
  readonly misses: number;
  /** Misses over requests; 0 where there are none. */
  readonly missRatio: number;
  /** Bytes of the objects that missed; only where objects differ in size. */
  readonly missBytes?: number;
  /** These over the bytes requested; likewise. */
  readonly byteMissRatio?: number;
  /**
   * Nanoseconds an access, warm-up and engine's own included, as the calling isolate's clock saw
   * it; only with a clock. Workers that run side by side slow each other.
   */
  readonly nsPerAccess?: number;
  /** Bytes of index, policy and keys; those of admission are left out. */
  readonly memoryBytes: number;
}

/** Every policy at every size, policy by policy. Notebooks (Jupyter, Deno) show it as a picture. */
export type ReplayResults = readonly ReplayResult[] & {
  /** Draws it: a table, and curves where there are three sizes or more. */
  [DISPLAY](): Display;
};
