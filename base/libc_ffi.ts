/**
 * The C library of Linux, bound lazily: the one place that the other `*_ffi.ts` files reach system
 * calls through. Importing it opens nothing, and no call here ever makes Deno prompt.
 *
 * Parameters are i32 and pointers where they can be: measured here, a call costs 5 ns with those,
 * 18 with a typed array, 28 where a number becomes a BigInt.
 *
 * @module
 */

import { ERRNO, UnsupportedTargetError } from "./errors.ts";

/**
 * The calls that are bound. All but `mmap` return -1 on failure; {@linkcode Libc.errno} then says
 * why.
 */
export interface LibcSymbols {
  /** open(2); `path` ends with a NUL. */
  readonly open: (path: Uint8Array<ArrayBuffer>, flags: number, mode: number) => number;
  /** close(2). */
  readonly close: (fd: number) => number;
  /** write(2). */
  readonly write: (fd: number, bytes: Uint8Array<ArrayBuffer>, count: bigint) => bigint;
  /** mmap(2); the address 2^64 - 1 is failure. */
  readonly mmap: (
    address: Deno.PointerValue,
    bytes: bigint,
    protection: number,
    flags: number,
    fd: number,
    offset: bigint,
  ) => Deno.PointerValue;
  /** munmap(2). */
  readonly munmap: (address: Deno.PointerValue, bytes: bigint) => number;
  /** madvise(2); the range begins on a page. */
  readonly madvise: (address: Deno.PointerValue, bytes: bigint, advice: number) => number;
  /**
   * memfd_create(2), `name` ending with a NUL; null where the C library has none (glibc before
   * 2.27).
   */
  readonly memfdCreate: ((name: Uint8Array<ArrayBuffer>, flags: number) => number) | null;
  /** syscall(425, entries, params): io_uring_setup(2). */
  readonly ringSetup: (
    call: number,
    entries: number,
    params: Uint8Array<ArrayBuffer>,
  ) => number;
  /** syscall(426, fd, toSubmit, minComplete, flags, null, 0): io_uring_enter(2). */
  readonly ringEnter: (
    call: number,
    fd: number,
    toSubmit: number,
    minComplete: number,
    flags: number,
    signals: Deno.PointerValue,
    signalBytes: number,
  ) => number;
  /** syscall(427, fd, opcode, argument, count): io_uring_register(2). */
  readonly ringRegister: (
    call: number,
    fd: number,
    opcode: number,
    argument: Uint8Array<ArrayBuffer>,
    count: number,
  ) => number;
  /** statx(2); null where the C library has none (glibc before 2.28). */
  readonly statx:
    | ((
      folder: number,
      path: Uint8Array<ArrayBuffer>,
      flags: number,
      mask: number,
      result: Uint8Array<ArrayBuffer>,
    ) => number)
    | null;
}

/** The open C library. */
export interface Libc {
  /** Its calls. */
  readonly symbols: LibcSymbols;
  /**
   * The error number of the last call that failed on this thread. Read it right after the call: the
   * runtime makes system calls of its own.
   */
  errno(): number;
}

/** Memory that mmap gave, seen as an ArrayBuffer. */
export interface Mapping {
  /** Its address. */
  readonly pointer: NonNullable<Deno.PointerValue>;
  /** Its bytes; detached by {@linkcode unmapBytes}. */
  readonly buffer: ArrayBuffer;
}

/** What decides whether the library can be bound; a test passes what another machine would say. */
export interface FfiPlatform {
  /** `Deno.build.os`, or "" outside Deno. */
  readonly os: string;
  /** The state of the unscoped ffi permission: "granted", "prompt", "denied". */
  readonly ffi: string;
}

let opened: Libc | undefined;

/**
 * The platform that this process runs on. Asks for no permission: a state that is "prompt" stays
 * so.
 */
export function currentPlatform(): FfiPlatform {
  if (!("Deno" in globalThis)) return { os: "", ffi: "denied" };
  return { os: Deno.build.os, ffi: Deno.permissions.querySync({ name: "ffi" }).state };
}

/** Why the C library cannot be bound on `platform`: one clause for people, "" where it can. */
export function libcRefusal(platform: FfiPlatform): string {
  if (platform.os === "") return "FFI is to be had in Deno alone";
  if (platform.os !== "linux") return `the operating system is ${platform.os}, not linux`;
  // Pointers need the permission without a path: --allow-ffi=libc.so.6 is not enough.
  if (platform.ffi !== "granted") return "FFI is not granted (--allow-ffi grants it)";
  return "";
}

/**
 * Binds the C library, once a thread.
 *
 * @throws {UnsupportedTargetError} where it is not to be had; the message is the reason alone.
 */
export function openLibc(): Libc {
  if (opened !== undefined) return opened;
  const refusal = libcRefusal(currentPlatform());
  if (refusal !== "") throw new UnsupportedTargetError(refusal);
  try {
    opened = bindLibc();
  } catch (error) {
    throw new UnsupportedTargetError(`libc.so.6 cannot be bound (${(error as Error).message})`);
  }
  return opened;
}

function bindLibc(): Libc {
  const { symbols } = Deno.dlopen("libc.so.6", {
    open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
    write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
    munmap: { parameters: ["pointer", "usize"], result: "i32" },
    madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" },
    memfdCreate: {
      name: "memfd_create",
      parameters: ["buffer", "u32"],
      result: "i32",
      optional: true,
    },
    ringSetup: { name: "syscall", parameters: ["i32", "u32", "buffer"], result: "i32" },
    ringEnter: {
      name: "syscall",
      parameters: ["i32", "i32", "u32", "u32", "u32", "pointer", "i32"],
      result: "i32",
    },
    ringRegister: {
      name: "syscall",
      parameters: ["i32", "i32", "u32", "buffer", "u32"],
      result: "i32",
    },
    statx: {
      parameters: ["i32", "buffer", "i32", "u32", "buffer"],
      result: "i32",
      optional: true,
    },
    __errno_location: { parameters: [], result: "pointer" },
  });
  // errno lives at one address a thread, and an isolate never leaves its thread: reading it through
  // a view makes no call that could change it.
  const place = symbols.__errno_location();
  if (place === null) throw new Error("__errno_location gave null");
  const errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(place, 4));
  return { symbols, errno: () => errno[0] };
}

/** mmap(2) of `bytes` bytes at `offset` of `fd` (-1: none); the mapping, or a negative errno. */
export function mapBytes(
  libc: Libc,
  bytes: number,
  protection: number,
  flags: number,
  fd: number,
  offset: number,
): Mapping | number {
  const mapped = libc.symbols.mmap(null, BigInt(bytes), protection, flags, fd, BigInt(offset));
  if (mapped === null || Deno.UnsafePointer.value(mapped) === 2n ** 64n - 1n) return -libc.errno();
  return { pointer: mapped, buffer: Deno.UnsafePointerView.getArrayBuffer(mapped, bytes) };
}

/**
 * munmap(2). The buffer is detached first, so that a view kept by mistake reads nothing, not freed
 * memory.
 */
export function unmapBytes(libc: Libc, mapping: Mapping): void {
  const bytes = mapping.buffer.byteLength;
  mapping.buffer.transfer(0);
  libc.symbols.munmap(mapping.pointer, BigInt(bytes));
}

/**
 * The address of the first byte of `memory`; it stays valid while the memory's buffer is
 * referenced.
 */
export function addressOf(memory: Uint8Array): number {
  // Reading `buffer` moves a small array out of the collected heap, where its address could change.
  if (memory.buffer.byteLength === 0) return 0;
  const pointer = Deno.UnsafePointer.of(memory as Uint8Array<ArrayBuffer>);
  return Number(Deno.UnsafePointer.value(pointer));
}

function libcOrNone(): Libc | undefined {
  try {
    return openLibc();
  } catch (error) {
    if (error instanceof UnsupportedTargetError) return undefined;
    throw error;
  }
}

const MADV_HUGEPAGE = 14;
/** Pages of the largest size that x86-64 and ARM have by default. */
const HUGE_PAGE = 2 ** 21;

/**
 * Asks the system to back `memory` with pages of 2 MiB (madvise(2), MADV_HUGEPAGE), which takes
 * most misses of the address translation out of reads at random places. Best done before the memory
 * is first written. Pipelines do it with their arenas; it is for arenas of one's own. Never
 * prompts.
 *
 * @param memory Any view; the whole pages inside it are meant.
 * @returns False where the system or the lack of FFI refuses it, or no whole page fits; nothing
 * changes then.
 *
 * @example
 * ```ts
 * import { hugePages } from "@rowtier/rowtier/kernels";
 *
 * const memory = new WebAssembly.Memory({ initial: 128, maximum: 128, shared: true });
 * console.log(hugePages(new Uint8Array(memory.buffer)) ? "pages of 2 MiB" : "pages as they come");
 * ```
 */
export function hugePages(memory: Uint8Array): boolean {
  const libc = libcOrNone();
  if (libc === undefined) return false;
  const address = addressOf(memory);
  const first = Math.ceil(address / HUGE_PAGE) * HUGE_PAGE;
  const bytes = Math.floor((address + memory.byteLength - first) / HUGE_PAGE) * HUGE_PAGE;
  if (address === 0 || bytes <= 0) return false;
  const place = Deno.UnsafePointer.create(BigInt(first));
  return libc.symbols.madvise(place, BigInt(bytes), MADV_HUGEPAGE) === 0;
}

const MFD_CLOEXEC = 1;

/**
 * A file in memory that holds `bytes`: a descriptor, to be closed by the caller, or a negative
 * errno.
 */
export function memoryFile(libc: Libc, name: string, bytes: Uint8Array<ArrayBuffer>): number {
  if (libc.symbols.memfdCreate === null) return -ERRNO.ENOSYS;
  const fd = libc.symbols.memfdCreate(new TextEncoder().encode(name + "\0"), MFD_CLOEXEC);
  if (fd < 0) return -libc.errno();
  for (let done = 0; done < bytes.length;) {
    const rest = bytes.subarray(done);
    const written = Number(libc.symbols.write(fd, rest, BigInt(rest.length)));
    if (written <= 0) {
      const errno = written < 0 ? libc.errno() : ERRNO.EIO;
      libc.symbols.close(fd);
      return -errno;
    }
    done += written;
  }
  return fd;
}

const AT_EMPTY_PATH = 0x1000;
const STATX_DIOALIGN = 0x2000;
const O_CLOEXEC = 0o2000000;

/** O_DIRECT has another bit on ARM (arch/arm64/include/uapi/asm/fcntl.h). */
function directFlag(): number {
  return Deno.build.arch === "aarch64" ? 0o200000 : 0o40000;
}

/** open(2) for reading by O_DIRECT; a descriptor, or a negative errno. */
export function openDirect(libc: Libc, path: string): number {
  const fd = libc.symbols.open(new TextEncoder().encode(path + "\0"), directFlag() | O_CLOEXEC, 0);
  return fd < 0 ? -libc.errno() : fd;
}

/**
 * The granule of direct reads that statx(2) tells (STATX_DIOALIGN, Linux 6.1): the larger of what
 * offsets and memory need. 0 where the system does not say, -1 where it says that the file takes
 * none.
 */
export function directGranule(libc: Libc, fd: number): number {
  if (libc.symbols.statx === null) return 0;
  const result = new Uint8Array(256);
  if (libc.symbols.statx(fd, new Uint8Array(1), AT_EMPTY_PATH, STATX_DIOALIGN, result) !== 0) {
    return 0;
  }
  const fields = new DataView(result.buffer);
  if ((fields.getUint32(0, true) & STATX_DIOALIGN) === 0) return 0;
  const memory = fields.getUint32(152, true);
  const offset = fields.getUint32(156, true);
  return offset === 0 ? -1 : Math.max(memory, offset);
}
