/**
 * What the memory allows, measured where the table lies: reading it from end to end, and touching
 * every cache line of random rows, without any decoding. Machine code where it is to be had; else
 * WebAssembly SIMD, whose loads of 16 bytes are still far above what DRAM gives.
 *
 * @module
 */

import { addressOf } from "../../base/libc_ffi.ts";
import { loadImage } from "../../kernels/_elf_image_ffi.ts";
import { assemble, CodeWriter } from "../../kernels/_wasm_assembler.ts";
import { x64Refusal } from "../../kernels/x64_code_ffi.ts";

const LINE_BYTES = 64;
/** How far the random loop looks ahead. */
export const AHEAD = 64;
/** Bytes of one turn of the sequential loop. */
const TURN_BYTES = 256;

/** The two loops over one memory. */
export interface LimitLoops extends Disposable {
  /** Reads `bytes` (rounded down to 256) from the start. */
  sequential(bytes: number): void;
  /** Reads all lines of the rows at `slots`, but for the last 64, which it only looks ahead to. */
  random(slots: Int32Array): void;
}

/** Makes the loops for rows of `rowBytes`. */
export function limitLoops(memory: WebAssembly.Memory, rowBytes: number): LimitLoops {
  return x64Refusal() === "" ? machineLoops(memory, rowBytes) : wasmLoops(memory, rowBytes);
}

/** Arguments: the table, turns. Four chains of vpor over 256 bytes a turn, then vzeroupper. */
const SEQUENTIAL = "c5f9efc0 c5f1efc9 c5e9efd2 c5e1efdb " + // vpxor xmm0-3
  "c5fdeb07 c5f5eb4f20 c5edeb5740 c5e5eb5f60 " + // turn: vpor ymm0-3, [rdi + 0, 32, 64, 96]
  "c5fdeb8780000000 c5f5eb8fa0000000 c5edeb97c0000000 c5e5eb9fe0000000 " + // + 128 to 224
  "4881c700010000 48ffce 75c1 c5f877 c3"; // add rdi, 256; dec rsi; jnz turn

/**
 * Arguments: the table, slots, how many, bytes of a row - 1. The lines of the row 64 slots on are
 * asked for, then one byte of every line of this row is read: without the first, 30 % slower.
 */
const RANDOM = "4c8d5101 48638600010000 490fafc2 4801f8 4531c0 " + // row: rax = slot 64 on
  "420f180c00 4983c040 4939c8 72f2 0f180c08 " + // prefetcht0 [rax + 0, 64, ..., and rcx]
  "486306 490fafc2 4801f8 4531c0 " + // rax = rdi + [rsi] * (rcx + 1)
  "460a0c00 4983c040 4939c8 72f3 440a0c08 " + // or r9b, [rax + 0, 64, ..., and rcx]
  "4883c604 48ffca 75b6 c3"; // add rsi, 4; dec rdx; jnz row

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/[\da-f]{2}/g) ?? [], (byte) => parseInt(byte, 16));
}

function machineLoops(memory: WebAssembly.Memory, rowBytes: number): LimitLoops {
  const [sequential, random] = [bytesOf(SEQUENTIAL), bytesOf(RANDOM)];
  const code = new Uint8Array([...sequential, ...random]);
  const image = loadImage(code, [
    { name: "sequential", position: 0 },
    { name: "random", position: sequential.length },
  ], {
    sequential: { parameters: ["usize", "usize"], result: "void" },
    random: { parameters: ["usize", "buffer", "usize", "usize"], result: "void" },
  });
  const table = BigInt(addressOf(new Uint8Array(memory.buffer)));
  const last = BigInt(rowBytes - 1);
  return {
    sequential: (count) => image.symbols.sequential(table, BigInt(Math.floor(count / TURN_BYTES))),
    random(slots) {
      const count = BigInt(slots.length - AHEAD);
      image.symbols.random(table, slots as Int32Array<ArrayBuffer>, count, last);
    },
    [Symbol.dispose]: image.close,
  };
}

function wasmLoops(memory: WebAssembly.Memory, rowBytes: number): LimitLoops {
  const own = new WebAssembly.Memory({ initial: 128 });
  const bytes = assemble(
    [{ name: "arena", shared: false, pages: 1 }, { name: "slots", shared: false, pages: 128 }],
    [
      { name: "sequential", params: ["i32"], results: [], code: sequentialCode() },
      { name: "random", params: ["i32"], results: [], code: randomCode(rowBytes) },
    ],
  );
  const imports = { env: { arena: memory, slots: own } };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports);
  const sequential = exports.sequential as (turns: number) => void;
  const random = exports.random as (rows: number) => void;
  const room = new Int32Array(own.buffer);
  let staged: Int32Array | undefined;
  return {
    sequential: (count) => sequential(Math.floor(count / TURN_BYTES)),
    random(slots) {
      // Copied once a stream: all rounds read the same part of it.
      if (staged !== slots) room.set(slots);
      staged = slots;
      random(slots.length - AHEAD);
    },
    [Symbol.dispose]() {},
  };
}

/** Four chains of `or`, so that no chain waits for a load; the sum is stored so that it counts. */
function sequentialCode(): CodeWriter {
  const code = new CodeWriter(1);
  const at = code.local("i32");
  const chains = [0, 1, 2, 3].map(() => code.local("v128"));
  code.open("loop");
  for (let offset = 0; offset < TURN_BYTES; offset += 16) {
    const chain = chains[offset / 16 % 4];
    code.get(chain).get(at).memory("v128.load", 0, offset).op("v128.or").set(chain);
  }
  code.get(at).i32(TURN_BYTES).op("i32.add").set(at);
  countDown(code, 0);
  keep(code, chains);
  return code;
}

function randomCode(rowBytes: number): CodeWriter {
  const code = new CodeWriter(1);
  const at = code.local("i32");
  const row = code.local("i32");
  const chains = [0, 1, 2, 3].map(() => code.local("v128"));
  // Every line of a row that starts on a line; a row that straddles one more is touched at its end.
  const offsets: number[] = [];
  for (let offset = 0; offset < rowBytes - 16; offset += LINE_BYTES) offsets.push(offset);
  offsets.push(rowBytes - 16);
  code.open("loop");
  code.get(at).memory("i32.load", 1, 0).i32(rowBytes).op("i32.mul").set(row);
  offsets.forEach((offset, i) => {
    const chain = chains[i % 4];
    code.get(chain).get(row).memory("v128.load", 0, offset).op("v128.or").set(chain);
  });
  code.get(at).i32(4).op("i32.add").set(at);
  countDown(code, 0);
  keep(code, chains);
  return code;
}

/** The end of a loop that runs as often as its counter says. */
function countDown(code: CodeWriter, counter: number): void {
  code.get(counter).i32(1).op("i32.sub").tee(counter).index("br_if", 0).op("end");
}

/** Past the slots: the last page of their memory is nobody's. */
function keep(code: CodeWriter, chains: readonly number[]): void {
  code.i32(127 * 65_536);
  code.get(chains[0], chains[1]).op("v128.or").get(chains[2]).op("v128.or").get(chains[3]);
  code.op("v128.or").memory("v128.store", 1, 0);
}
