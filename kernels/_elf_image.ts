/**
 * The smallest ELF shared object that a dynamic loader takes (System V ABI, gABI 4.1 chapter 5):
 * code read-execute, the dynamic section read-write in a page of its own, a stack that must not be
 * executable. Machine code reaches memory through the loader, so no page is ever writable and
 * executable.
 *
 * @module
 */

const PAGE = 4096;
const EHDR = 64;
const PHDR = 56;
const SYMBOL = 24;
const DYNAMIC = 16;
const HEADERS = EHDR + 4 * PHDR;

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
/** Left out, glibc takes the stack to be executable and makes it so. */
const PT_GNU_STACK = 0x6474e551;
const READ = 4;
const WRITE = 2;
const EXECUTE = 1;

const DT_HASH = 4;
const DT_STRTAB = 5;
const DT_SYMTAB = 6;
const DT_STRSZ = 10;
const DT_SYMENT = 11;

/** An exported function. */
export interface ElfSymbol {
  /** Its name, ASCII. */
  readonly name: string;
  /** Where it begins in the code. */
  readonly position: number;
}

/** Where the parts of an image lie; addresses are the same as offsets in the file. */
interface Layout {
  readonly symbols: number;
  readonly strings: number;
  readonly hash: number;
  readonly code: number;
  readonly codeEnd: number;
  readonly dynamic: number;
  readonly end: number;
}

/** `bytes` rounded up to a multiple of `unit`. */
function roundUp(bytes: number, unit: number): number {
  return Math.ceil(bytes / unit) * unit;
}

function layOut(symbolCount: number, stringBytes: number, codeBytes: number): Layout {
  const symbols = HEADERS;
  const strings = symbols + (symbolCount + 1) * SYMBOL;
  const hash = roundUp(strings + stringBytes, 8);
  // One bucket: header, the bucket, and a chain over all symbols and the null symbol.
  const code = roundUp(hash + 4 * (3 + symbolCount + 1), 64);
  const codeEnd = code + codeBytes;
  const dynamic = roundUp(codeEnd, PAGE);
  return { symbols, strings, hash, code, codeEnd, dynamic, end: dynamic + 6 * DYNAMIC };
}

/** A shared object for x86-64 that exports `symbols` of `code`, code being aligned to 64 bytes. */
export function elfImage(
  code: Uint8Array,
  symbols: readonly ElfSymbol[],
): Uint8Array<ArrayBuffer> {
  const names = new TextEncoder().encode("\0" + symbols.map(({ name }) => name + "\0").join(""));
  const layout = layOut(symbols.length, names.length, code.length);
  const image = new Uint8Array(layout.end);
  const view = new DataView(image.buffer);
  writeHeader(view);
  const data = { offset: layout.dynamic, bytes: 6 * DYNAMIC };
  writeSegment(view, 0, PT_LOAD, READ | EXECUTE, { offset: 0, bytes: layout.codeEnd }, PAGE);
  writeSegment(view, 1, PT_LOAD, READ | WRITE, data, PAGE);
  writeSegment(view, 2, PT_DYNAMIC, READ | WRITE, data, 8);
  writeSegment(view, 3, PT_GNU_STACK, READ | WRITE, { offset: 0, bytes: 0 }, 16);
  writeSymbols(view, layout, symbols);
  image.set(names, layout.strings);
  image.set(code, layout.code);
  writeDynamic(view, layout, names.length);
  return image;
}

function writeHeader(view: DataView): void {
  view.setUint32(0, 0x7f454c46); // "\x7fELF"
  view.setUint32(4, 0x02010100); // 64 bits, little-endian, version 1
  view.setUint16(16, 3, true); // ET_DYN
  view.setUint16(18, 62, true); // EM_X86_64
  view.setUint32(20, 1, true);
  view.setBigUint64(32, BigInt(EHDR), true); // program headers
  view.setUint16(52, EHDR, true);
  view.setUint16(54, PHDR, true);
  view.setUint16(56, 4, true);
  view.setUint16(58, 64, true); // no section headers, but their size is checked by some
}

function writeSegment(
  view: DataView,
  index: number,
  type: number,
  flags: number,
  part: { readonly offset: number; readonly bytes: number },
  alignment: number,
): void {
  const at = EHDR + index * PHDR;
  view.setUint32(at, type, true);
  view.setUint32(at + 4, flags, true);
  for (const field of [8, 16, 24]) view.setBigUint64(at + field, BigInt(part.offset), true);
  for (const field of [32, 40]) view.setBigUint64(at + field, BigInt(part.bytes), true);
  view.setBigUint64(at + 48, BigInt(alignment), true);
}

/** The symbol table, and a hash table of one bucket: a handful of names needs no more. */
function writeSymbols(view: DataView, layout: Layout, symbols: readonly ElfSymbol[]): void {
  const count = symbols.length;
  view.setUint32(layout.hash, 1, true);
  view.setUint32(layout.hash + 4, count + 1, true);
  view.setUint32(layout.hash + 8, count, true); // the chain starts at the last symbol
  let name = 1;
  for (let i = 1; i <= count; i++) {
    const symbol = symbols[i - 1];
    const at = layout.symbols + i * SYMBOL;
    view.setUint32(at, name, true);
    view.setUint8(at + 4, 0x12); // global function
    view.setUint16(at + 6, 1, true); // any section but "undefined"
    view.setBigUint64(at + 8, BigInt(layout.code + symbol.position), true);
    view.setUint32(layout.hash + 12 + 4 * i, i - 1, true);
    name += symbol.name.length + 1;
  }
}

function writeDynamic(view: DataView, layout: Layout, stringBytes: number): void {
  const entries: readonly (readonly [number, number])[] = [
    [DT_HASH, layout.hash],
    [DT_STRTAB, layout.strings],
    [DT_SYMTAB, layout.symbols],
    [DT_STRSZ, stringBytes],
    [DT_SYMENT, SYMBOL],
    [0, 0],
  ];
  entries.forEach(([tag, value], i) => {
    view.setBigUint64(layout.dynamic + i * DYNAMIC, BigInt(tag), true);
    view.setBigUint64(layout.dynamic + i * DYNAMIC + 8, BigInt(value), true);
  });
}
