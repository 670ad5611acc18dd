import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import {
  assemble,
  CodeWriter,
  type INDEX_OPS,
  type LANE_OPS,
  type MEMORY_OPS,
  type OPS,
  signed,
  unsigned,
} from "../../kernels/_wasm_assembler.ts";

/**
 * WebAssembly 3.0, 5.4 "Instructions": bytes, operand types and result type of each instruction
 * without immediates. `v` is v128.
 */
const PLAIN: Readonly<Record<keyof typeof OPS, [bytes: string, operands: string, result: string]>> =
  {
    "end": ["0b", "", ""],
    "select": ["1b", "iii", "i"],
    "i32.eqz": ["45", "i", "i"],
    "i32.lt_s": ["48", "ii", "i"],
    "i32.lt_u": ["49", "ii", "i"],
    "i32.gt_u": ["4b", "ii", "i"],
    "i32.ge_u": ["4f", "ii", "i"],
    "i32.add": ["6a", "ii", "i"],
    "i32.sub": ["6b", "ii", "i"],
    "i32.mul": ["6c", "ii", "i"],
    "i32.shl": ["74", "ii", "i"],
    "f64.div": ["a3", "dd", "d"],
    "f32.demote_f64": ["b6", "d", "f"],
    "f64.convert_i32_u": ["b8", "i", "d"],
    "i8x16.swizzle": ["fd 0e", "vv", "v"],
    "i32x4.splat": ["fd 11", "i", "v"],
    "f32x4.splat": ["fd 13", "f", "v"],
    "i32x4.eq": ["fd 37", "vv", "v"],
    "i32x4.lt_u": ["fd 3a", "vv", "v"],
    "i32x4.gt_u": ["fd 3c", "vv", "v"],
    "i32x4.ge_u": ["fd 40", "vv", "v"],
    "f64x2.lt": ["fd 49", "vv", "v"],
    "f64x2.gt": ["fd 4a", "vv", "v"],
    "v128.and": ["fd 4e", "vv", "v"],
    "v128.or": ["fd 50", "vv", "v"],
    "v128.xor": ["fd 51", "vv", "v"],
    "v128.bitselect": ["fd 52", "vvv", "v"],
    "v128.any_true": ["fd 53", "v", "i"],
    "f32x4.demote_f64x2_zero": ["fd 5e", "v", "v"],
    "f64x2.promote_low_f32x4": ["fd 5f", "v", "v"],
    "i16x8.narrow_i32x4_u": ["fd 86 01", "vv", "v"],
    "i16x8.shr_u": ["fd 8d 01", "vi", "v"],
    "i32x4.shr_s": ["fd ac 01", "vi", "v"],
    "i32x4.shr_u": ["fd ad 01", "vi", "v"],
    "i32x4.add": ["fd ae 01", "vv", "v"],
    "i32x4.sub": ["fd b1 01", "vv", "v"],
    "i32x4.min_u": ["fd b7 01", "vv", "v"],
    "i64x2.shr_s": ["fd cc 01", "vi", "v"],
    "i64x2.add": ["fd ce 01", "vv", "v"],
    "i64x2.sub": ["fd d1 01", "vv", "v"],
    "f32x4.add": ["fd e4 01", "vv", "v"],
    "f32x4.mul": ["fd e6 01", "vv", "v"],
    "f32x4.pmax": ["fd eb 01", "vv", "v"],
    "f64x2.add": ["fd f0 01", "vv", "v"],
    "f64x2.sub": ["fd f1 01", "vv", "v"],
    "f64x2.mul": ["fd f2 01", "vv", "v"],
    "f32x4.convert_i32x4_s": ["fd fa 01", "v", "v"],
    "f32x4.relaxed_madd": ["fd 85 02", "vvv", "v"],
  };

/** Loads ("v" or "i" is the result) and stores (nothing is). */
const MEMORY: Readonly<Record<keyof typeof MEMORY_OPS, [bytes: string, result: string]>> = {
  "i32.load": ["28", "i"],
  "i32.load8_u": ["2d", "i"],
  "v128.load": ["fd 00", "v"],
  "v128.load32_splat": ["fd 09", "v"],
  "v128.store": ["fd 0b", ""],
  "v128.load32_zero": ["fd 5c", "v"],
  "v128.load64_zero": ["fd 5d", "v"],
};

const LANES: Readonly<Record<keyof typeof LANE_OPS, [bytes: string, lanes: number]>> = {
  "v128.load8_lane": ["fd 54", 16],
  "v128.load16_lane": ["fd 55", 8],
  "v128.load32_lane": ["fd 56", 4],
  "v128.load64_lane": ["fd 57", 2],
  "v128.store16_lane": ["fd 59", 8],
  "v128.store32_lane": ["fd 5a", 4],
  "v128.store64_lane": ["fd 5b", 2],
};

const INDEX: Readonly<Record<keyof typeof INDEX_OPS, string>> = {
  "br": "0c",
  "br_if": "0d",
  "local.get": "20",
  "local.set": "21",
  "local.tee": "22",
};

function hex(bytes: Iterable<number>): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** What `write` writes, as hexadecimal digits. */
function written(write: (code: CodeWriter) => void): string {
  const code = new CodeWriter(0);
  write(code);
  return hex(code.bytes);
}

/** Whether an engine takes a function of two memories that does what `write` says. */
function isValid(result: string, write: (code: CodeWriter) => void): boolean {
  const code = new CodeWriter(0);
  write(code);
  const results = result === "i" ? ["i32" as const] : result === "v" ? ["v128" as const] : [];
  return WebAssembly.validate(assemble([
    { name: "a", shared: true, pages: 1 },
    { name: "b", shared: false, pages: 1 },
  ], [{ name: "f", params: [], results, code }]));
}

/** Pushes operands: an i32, an f32, an f64 or a v128 for a letter. */
function push(code: CodeWriter, operands: string): void {
  for (const type of operands) {
    if (type === "i") code.i32(1);
    else if (type === "v") code.i32x4(1);
    else {
      code.f64(1);
      if (type === "f") code.op("f32.demote_f64");
    }
  }
}

/** Turns what the stack holds into a v128 where it is no result type. */
function settle(code: CodeWriter, result: string): void {
  if (result === "d") code.op("f32.demote_f64");
  if (result === "d" || result === "f") code.op("f32x4.splat");
}

for (const [name, [bytes, operands, result]] of Object.entries(PLAIN)) {
  Deno.test(`CodeWriter.op() encodes ${name}`, () => {
    const op = name as keyof typeof OPS;
    assertStrictEquals(written((code) => code.op(op)), bytes);
    const returned = result === "d" || result === "f" ? "v" : result;
    assert(isValid(returned, (code) => {
      if (op === "end") code.open("block");
      push(code, operands);
      settle(code.op(op), result);
    }));
    // An operand too few is an error: the instruction is the one that it is taken for.
    if (operands !== "") assert(!isValid(returned, (code) => settle(code.op(op), result)));
  });
}

for (const [name, [bytes, result]] of Object.entries(MEMORY)) {
  Deno.test(`CodeWriter.memory() encodes ${name}`, () => {
    const op = name as keyof typeof MEMORY_OPS;
    assertStrictEquals(written((code) => code.memory(op, 0, 5)), `${bytes} 00 05`);
    assertStrictEquals(written((code) => code.memory(op, 1, 300)), `${bytes} 40 01 ac 02`);
    for (const memory of [0, 1]) {
      assert(isValid(result, (code) => {
        push(code, result === "" ? "iv" : "i");
        code.memory(op, memory, 300);
      }));
    }
  });
}

for (const [name, [bytes, lanes]] of Object.entries(LANES)) {
  Deno.test(`CodeWriter.lane() encodes ${name}`, () => {
    const op = name as keyof typeof LANE_OPS;
    const last = lanes - 1;
    assertStrictEquals(
      written((code) => code.lane(op, 0, 5, last)),
      `${bytes} 00 05 ${hex([last])}`,
    );
    assertStrictEquals(written((code) => code.lane(op, 1, 5, 0)), `${bytes} 40 01 05 00`);
    const write = (lane: number) => (code: CodeWriter) => {
      push(code, "iv");
      code.lane(op, 1, 5, lane);
    };
    const result = name.includes("load") ? "v" : "";
    assert(isValid(result, write(last)));
    assert(!isValid(result, write(lanes)));
  });
}

for (const [name, bytes] of Object.entries(INDEX)) {
  Deno.test(`CodeWriter.index() encodes ${name}`, () => {
    const op = name as keyof typeof INDEX_OPS;
    assertStrictEquals(written((code) => code.index(op, 3)), `${bytes} 03`);
    assertStrictEquals(written((code) => code.index(op, 200)), `${bytes} c8 01`);
  });
}

Deno.test("CodeWriter encodes constants, shuffles and blocks", () => {
  const count = Array.from({ length: 16 }, (_, i) => i);
  const counted = hex(count);
  assertStrictEquals(written((code) => code.i32(-1)), "41 7f");
  assertStrictEquals(written((code) => code.i32(64)), "41 c0 00");
  assertStrictEquals(written((code) => code.i32(-(2 ** 31))), "41 80 80 80 80 78");
  assertStrictEquals(written((code) => code.f64(1)), "44 00 00 00 00 00 00 f0 3f");
  assertStrictEquals(written((code) => code.v128(count)), `fd 0c ${counted}`);
  assertStrictEquals(written((code) => code.i32x4(258)), `fd 0c${" 02 01 00 00".repeat(4)}`);
  assertStrictEquals(written((code) => code.shuffle(count)), `fd 0d ${counted}`);
  assertStrictEquals(written((code) => code.open("block")), "02 40");
  assertStrictEquals(written((code) => code.open("loop")), "03 40");
  assertStrictEquals(written((code) => code.open("if")), "04 40");
  assertStrictEquals(written((code) => code.get(0, 1).set(2).tee(3)), "20 00 20 01 21 02 22 03");
});

Deno.test("CodeWriter.constant() sets a local once, when the function begins", () => {
  const code = new CodeWriter(2);
  code.constant32(7).constant32(7).constant32(8);
  assertStrictEquals(hex(code.bytes), "20 02 20 02 20 03");
  const seven = `fd 0c${" 07 00 00 00".repeat(4)} 21 02`;
  const eight = `fd 0c${" 08 00 00 00".repeat(4)} 21 03`;
  const body = `02 01 7b 01 7b ${seven} ${eight} 20 02 20 02 20 03 0b`;
  assertStrictEquals(hex(code.finish()), `${hex([body.split(" ").length])} ${body}`);
});

Deno.test("unsigned() and signed() write LEB128 that reads back", () => {
  fc.assert(fc.property(fc.nat(2 ** 32 - 1), (value) => {
    const bytes: number[] = [];
    unsigned(bytes, value);
    const read = bytes.reduce((sum, byte, i) => sum + (byte & 0x7f) * 2 ** (7 * i), 0);
    assertStrictEquals(read, value);
    bytes.forEach((byte, i) => assertStrictEquals(byte >= 0x80, i < bytes.length - 1));
  }));
  fc.assert(fc.property(fc.integer(), (value) => {
    const bytes: number[] = [];
    signed(bytes, value);
    const sign = bytes[bytes.length - 1] & 0x40 ? 2 ** (7 * bytes.length) : 0;
    const read = bytes.reduce((sum, byte, i) => sum + (byte & 0x7f) * 2 ** (7 * i), 0);
    assertStrictEquals(read - sign, value);
    bytes.forEach((byte, i) => assertStrictEquals(byte >= 0x80, i < bytes.length - 1));
  }));
});

Deno.test("assemble() lays sections out as the specification has them", () => {
  const code = new CodeWriter(1);
  code.local("v128");
  code.get(0);
  const bytes = assemble(
    [{ name: "m", shared: true, pages: 1 }, { name: "n", shared: false, pages: 0 }],
    [{ name: "f", params: ["i32"], results: ["i32"], code }],
  );
  assertEquals(hex(bytes).split(" "), [
    ...["00", "61", "73", "6d", "01", "00", "00", "00"],
    // Types: one, of a function from i32 to i32.
    ..."01 06 01 60 01 7f 01 7f".split(" "),
    // Imports: env.m, shared, 1 to 65536 pages; env.n, 0 pages or more.
    ..."02 16 02 03 65 6e 76 01 6d 02 03 01 80 80 04".split(" "),
    ..."03 65 6e 76 01 6e 02 00 00".split(" "),
    // Functions: one, of type 0. Exports: f, function 0.
    ..."03 02 01 00 07 05 01 01 66 00 00".split(" "),
    // Code: one body of 6 bytes, one group of one local.
    ..."0a 08 01 06 01 01 7b 20 00 0b".split(" "),
  ]);
  assert(WebAssembly.validate(bytes));
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 3, shared: true });
  const n = new WebAssembly.Memory({ initial: 0 });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
    env: { m: memory, n },
  });
  assertStrictEquals((instance.exports.f as (x: number) => number)(42), 42);
});
