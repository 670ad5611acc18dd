/**
 * One memory for all tables of the kernels' benchmark, on small or on huge pages: a
 * `WebAssembly.Memory`, as every target can read it, whose pages madvise(2) chooses.
 *
 * @module
 */

/** Pages of a WebAssembly memory. */
const PAGE_BYTES = 65_536;

const MADV_DONTNEED = 4, MADV_HUGEPAGE = 14, MADV_NOHUGEPAGE = 15;

/** The memory, and the say over its pages. */
export interface TableMemory {
  /** The memory; it has no maximum of its own and never grows. */
  readonly memory: WebAssembly.Memory;
  /** All of its bytes but the last page, so that a view of them can be had on every engine. */
  readonly arena: Uint8Array<ArrayBuffer>;
  /**
   * Gives all pages back, so that the memory reads as zeros, and has the next ones be huge (2 MiB)
   * or small; false when the system refused.
   */
  renew(huge: boolean): boolean;
}

/** Takes `bytes` (a multiple of 64 KiB, at most 4 GiB) of address space; pages come with use. */
export function createTableMemory(bytes: number): TableMemory {
  const memory = new WebAssembly.Memory({ initial: bytes / PAGE_BYTES });
  const arena = new Uint8Array(memory.buffer as ArrayBuffer, 0, bytes - PAGE_BYTES);
  const { symbols: { madvise } } = Deno.dlopen("libc.so.6", {
    madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  });
  const pointer = Deno.UnsafePointer.of(arena);
  const advise = (advice: number): boolean => madvise(pointer, BigInt(bytes), advice) === 0;
  return {
    memory,
    arena,
    renew: (huge) => advise(MADV_DONTNEED) && advise(huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE),
  };
}
