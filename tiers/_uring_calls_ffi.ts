/**
 * Calls of the C library that only rings need, beside those that the whole library shares.
 *
 * @module
 */

import { openLibc } from "../base/libc_ffi.ts";

/** The calls; each gives -1 on failure, and errno says why. */
export interface RingCalls {
  /** eventfd(2). */
  readonly eventfd: (start: number, flags: number) => number;
  /** read(2) on a thread of the runtime; errno is lost there. */
  readonly read: (fd: number, bytes: Uint8Array<ArrayBuffer>, count: bigint) => Promise<bigint>;
  /**
   * io_uring_enter(2) with an argument. Its size goes by the stack as the seventh of syscall(2),
   * where the kernel reads 64 bits: as an i32 the upper half would be whatever lay there.
   */
  readonly enter: (
    call: number,
    fd: number,
    toSubmit: number,
    minComplete: number,
    flags: number,
    argument: Uint8Array<ArrayBuffer>,
    argumentBytes: bigint,
  ) => number;
  /** io_uring_register(2) without an argument. */
  readonly unregister: (
    call: number,
    fd: number,
    opcode: number,
    argument: Deno.PointerValue,
    count: number,
  ) => number;
}

let bound: RingCalls | undefined;

/** Binds the calls, once a thread; where there is no FFI it throws as `openLibc` does. */
export function ringCalls(): RingCalls {
  if (bound !== undefined) return bound;
  openLibc();
  bound = Deno.dlopen("libc.so.6", {
    eventfd: { parameters: ["u32", "i32"], result: "i32" },
    read: { parameters: ["i32", "buffer", "usize"], result: "isize", nonblocking: true },
    enter: {
      name: "syscall",
      parameters: ["i32", "i32", "u32", "u32", "u32", "buffer", "usize"],
      result: "i32",
    },
    unregister: {
      name: "syscall",
      parameters: ["i32", "i32", "u32", "pointer", "u32"],
      result: "i32",
    },
  }).symbols;
  return bound;
}
