/**
 * The gate that all generated x64 code is called through, and what the processor can do.
 *
 * Deno compiles a trampoline for each foreign function that it opens, 0.3 to 0.7 ms each here,
 * while loading an image takes 0.13. So a thread opens two functions once, which jump to the
 * address in the block of arguments; a kernel's image has nothing but code.
 *
 * @module
 */

import { loadLastingImage } from "./_elf_image_ffi.ts";
import { Assembler, at, GENERAL } from "./_x64_assembler.ts";
import { BLOCK } from "./_x64_bag.ts";
import { CPU_WORDS, emitCpuid, isasOf } from "./_x64_cpu.ts";
import type { Isa } from "./_x64_plan.ts";

/** Shared memory passes as well; Deno's types say otherwise. */
export type Bytes = BufferSource;

/** Both ways to call the code that a block of arguments names. */
export interface Gate {
  /** To an entry that is told all addresses: about 65 ns. */
  readonly fresh: (
    block: Bytes,
    offsets: Bytes,
    slots: Bytes,
    weights: Bytes,
    arena: Bytes,
    output: Bytes,
  ) => number;
  /** To an entry that has them from the call before, with the block's address: about 8 ns. */
  readonly again: (block: bigint) => number;
  /** The instruction sets that there is code for here, the best one last. */
  readonly isas: readonly Isa[];
}

let opened: Gate | undefined;

/**
 * The gate, opened once a thread and never closed.
 *
 * @throws {UnsupportedTargetError} when code cannot be loaded; the message is the reason alone.
 */
export function openGate(): Gate {
  return opened ??= loadGate();
}

function loadGate(): Gate {
  const a = new Assembler();
  const gate = a.length;
  a.jumpTo(at(GENERAL.rdi, BLOCK.code));
  a.align(16);
  const probe = emitCpuid(a);
  const symbols = loadLastingImage(
    a.finish(),
    [{ name: "gate", position: gate }, { name: "probe", position: probe }],
    {
      fresh: {
        name: "gate",
        parameters: ["buffer", "buffer", "buffer", "buffer", "buffer", "buffer"],
        result: "i32",
      },
      again: { name: "gate", parameters: ["usize"], result: "i32" },
      probe: { parameters: ["buffer"], result: "void" },
    },
  );
  const words = new Uint32Array(CPU_WORDS);
  symbols.probe(words);
  return { fresh: symbols.fresh, again: symbols.again, isas: isasOf(words) };
}
