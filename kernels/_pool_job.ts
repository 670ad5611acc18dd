/**
 * What a `KernelPool` and its workers say to each other.
 *
 * @module
 */

import type { BagBatch, KernelSpec, KernelTarget } from "./kernel.ts";

/** Place in the control words: workers that have checked their part of the batch. */
export const ARRIVED = 0;
/** Place in the control words: number of the last batch that all workers have checked. */
export const DONE_BATCH = 1;
/** Place in the control words: the first bad position that any worker has found. */
export const FIRST_BAD = 2;
/** How many control words there are. */
export const CONTROL_WORDS = 3;
/** Where no slot is bad. */
export const NONE_BAD: number = 2 ** 31 - 1;

/** The first message: the kernel that a worker shall make. */
export interface Start {
  /** Tells the messages apart. */
  readonly kind: "start";
  /** What the kernel computes; a format has functions and goes by its name. */
  readonly shape: Omit<KernelSpec, "format"> & { readonly format: string };
  /** As `createKernel` takes them. */
  readonly options: {
    readonly target: "auto" | KernelTarget;
    readonly memory?: WebAssembly.Memory;
    readonly prefetchRows?: number;
  };
  /** {@linkcode CONTROL_WORDS} words that all workers share. */
  readonly control: Int32Array;
}

/** A worker's part of a batch. */
export interface Job {
  /** Tells the messages apart. */
  readonly kind: "job";
  /** Number of the batch, from 1, modulo 2^31. */
  readonly number: number;
  /** Workers that take part. */
  readonly parties: number;
  /** The whole batch, its arrays shared. */
  readonly batch: BagBatch;
  /** The whole output, shared. */
  readonly output: Float32Array | Uint16Array;
  /** Whether the arena is a view of the pool's memory, whose buffer is another object here. */
  readonly inMemory: boolean;
  /** The first bag of the part. */
  readonly firstBag: number;
  /** One past its last bag. */
  readonly endBag: number;
  /** Position of its first slot. */
  readonly firstSlot: number;
  /** One past its last slot. */
  readonly endSlot: number;
}

/** What a worker answers to every message. */
export type Reply =
  | { readonly target: KernelTarget }
  | { readonly failed: string; readonly unsupported: boolean };

/** Rows of a bag, modulo 2^32: a negative length, or offsets that fall, overrun every batch. */
export function lengthOf({ offsets, lengths }: BagBatch, bag: number): number {
  return (offsets === undefined ? lengths![bag] : offsets[bag + 1] - offsets[bag]) >>> 0;
}
