/**
 * The contract of every block device, simulated or real.
 *
 * @module
 */

import type { IoCompletions, IoRequests } from "./io.ts";

/**
 * Whatever moves with time: device, queue, pipeline. One loop drives them all: advance the clock to
 * `wakeNs`, call `step`.
 */
export interface Driven {
  /**
   * When `step` next has something to do, in ns: Infinity when nothing is pending. What moves by
   * itself (a real device) says the current time while anything is in flight.
   */
  readonly wakeNs: number;
  /**
   * Moves the state machine to `nowNs`, which never decreases; returns how many things happened.
   */
  step(nowNs: number): number;
}

/**
 * Media and time. A device is one linear space of blocks; memory is attached once, and requests
 * name places in it. It never blocks, but for the file device, whose read is a system call.
 *
 * Every request taken completes exactly once, and until then the device owns the request's memory.
 */
export interface BlockDevice extends Driven, Disposable {
  /** What it is, for people: "io_uring O_DIRECT", "simulated NAND". */
  readonly name: string;
  /** True when its time is virtual. */
  readonly simulated: boolean;
  /** The granule of offsets and sizes, in bytes. */
  readonly blockBytes: number;
  /** Blocks on the device; requests beyond complete with -EINVAL. */
  readonly blockCount: number;
  /** Requests it can hold in flight. */
  readonly depth: number;
  /** Gives it the memory that requests name by `buffer`; once, before the first submit. */
  attach(memory: Uint8Array): void;
  /**
   * Takes requests `[from, requests.count)` in order, at most as many as it has room for, and
   * returns how many it took. A malformed request is taken and completes with -EINVAL. An
   * instruction to the hardware goes out here: one system call a batch.
   */
  submit(requests: IoRequests, from: number): number;
  /** Appends what has completed to `completions` and returns how many; never waits. */
  poll(completions: IoCompletions): number;
  /**
   * Asks for the request tagged `user` to end early. It still completes exactly once: with
   * -ECANCELED, or as it would have. An unknown tag is ignored.
   */
  cancel(user: number): void;
  /**
   * Blocks the thread until at least `minimum` completions can be polled, if the device is real; a
   * simulated one returns at once, as only its clock's owner can move time. Never waits for more
   * than is in flight.
   */
  wait(minimum: number): void;
}
