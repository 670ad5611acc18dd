/**
 * Loads machine code: an ELF image in a file that lives in memory, opened by the dynamic loader.
 * The loader maps the code read-execute and the rest read-write.
 *
 * @module
 */

import { errnoName, UnsupportedTargetError } from "../base/errors.ts";
import { memoryFile, openLibc } from "../base/libc_ffi.ts";
import { elfImage, type ElfSymbol } from "./_elf_image.ts";

/** Loaded functions. */
export interface LoadedImage<S extends Deno.ForeignLibraryInterface> {
  /** The functions. */
  readonly symbols: Deno.DynamicLibrary<S>["symbols"];
  /** Unloads them: none may be called any more. */
  readonly close: () => void;
}

/**
 * Loads `code`, whose functions begin at `symbols`.
 *
 * @throws {UnsupportedTargetError} when the system refuses; the message is the reason alone.
 */
export function loadImage<const S extends Deno.ForeignLibraryInterface>(
  code: Uint8Array,
  symbols: readonly ElfSymbol[],
  signatures: S,
): LoadedImage<S> {
  const fd = writeImage(code, symbols);
  // The loader takes a path that it has open for the same library, whatever lies there now. The
  // descriptor stays open while the image is loaded, so that no other can have its number.
  const library = openImage(`/proc/self/fd/${fd}`, fd, signatures);
  const close = () => {
    library.close();
    openLibc().symbols.close(fd);
  };
  return { symbols: library.symbols, close };
}

/**
 * Loads `code` for the life of the thread, and keeps no descriptor. Every call in a process must be
 * with the same code: another thread's may be given, as numbers of descriptors come again. Its path
 * is spelt unlike those of {@linkcode loadImage}, so it is not taken for one.
 *
 * @throws {UnsupportedTargetError} when the system refuses; the message is the reason alone.
 */
export function loadLastingImage<const S extends Deno.ForeignLibraryInterface>(
  code: Uint8Array,
  symbols: readonly ElfSymbol[],
  signatures: S,
): Deno.DynamicLibrary<S>["symbols"] {
  const fd = writeImage(code, symbols);
  const library = openImage(`/proc/thread-self/fd/${fd}`, fd, signatures);
  openLibc().symbols.close(fd);
  return library.symbols;
}

/** A descriptor of a file that holds the image. */
function writeImage(code: Uint8Array, symbols: readonly ElfSymbol[]): number {
  const fd = memoryFile(openLibc(), "rowtier", elfImage(code, symbols));
  if (fd < 0) throw new UnsupportedTargetError(`memfd_create failed: ${errnoName(-fd)}`);
  return fd;
}

/** Opens the image at `path`; closes `fd` where that fails. */
function openImage<const S extends Deno.ForeignLibraryInterface>(
  path: string,
  fd: number,
  signatures: S,
): Deno.DynamicLibrary<S> {
  try {
    return Deno.dlopen(path, signatures);
  } catch (error) {
    openLibc().symbols.close(fd);
    throw new UnsupportedTargetError(`the code cannot be loaded (${(error as Error).message})`);
  }
}
