import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { zstdCompressSync } from "node:zlib";
import {
  readTrace,
  readTraceChunks,
  type ReadTraceOptions,
  type Trace,
  TraceError,
} from "@rowtier/rowtier/cache";
import { xxh32 } from "../../base/xxh32.ts";
import { DECIMAL, parseDecimal } from "../../cache/traces/_decimal.ts";
import { bytesOf, gzip, oracle, streamOf } from "./trace_bytes.ts";

function read(text: string, options: ReadTraceOptions): Promise<Trace> {
  return readTrace(streamOf(bytesOf(text), [1 << 20]), { name: "t", ...options });
}

async function assertRefused(text: string, options: ReadTraceOptions, message: string) {
  const error = await assertRejects(() => read(text, options), TraceError);
  assertStrictEquals(error.message, message);
  const line = /line (\d+)/.exec(message)?.[1] ?? "0";
  assertStrictEquals(error.line, Number(line));
}

Deno.test("readTrace() reads numbers a line, whatever the editor left", async () => {
  const plain = await read("5\n4294967295\n0\n5\n", { format: "text" });
  assertEquals(plain, { name: "t", keys: Uint32Array.of(5, 2 ** 32 - 1, 0, 5) });
  const odd = await read("\ufeff5\r\n\r\n 4294967295\t\r\n\n000\n5", { format: "text" });
  assertEquals(odd.keys, plain.keys);
  const one = await read("7", { format: "text" });
  assertEquals(one.keys, Uint32Array.of(7));
});

Deno.test("readTrace() numbers all keys when one exceeds 32 bits", async () => {
  const text =
    "9\n9\n18446744073709551615\n4294967296\n9\n18446744073709551615\n18446744073709551614";
  const trace = await read(text, { format: "text" });
  assertEquals(trace, { name: "t", keys: Uint32Array.of(0, 0, 1, 2, 0, 1, 3), keyCount: 4 });
  // The keys before it may fill whole chunks.
  const many = Array.from({ length: 70_000 }, (_, i) => 3 * (i % 1000));
  const wide = await read(`${many.join("\n")}\n99999999999\n0\n`, { format: "lirs" });
  assertStrictEquals(wide.keyCount, 1001);
  assert(many.every((key, i) => wide.keys[i] === key / 3));
  assertEquals([...wide.keys.subarray(70_000)], [1000, 0]);
});

Deno.test("readTrace() tells every u64 from the next", async () => {
  const half = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  const edge = fc.tuple(fc.nat(63), fc.integer({ min: -2, max: 2 }))
    .map(([bits, off]) => 2n ** BigInt(bits) + BigInt(off)).filter((key) => key >= 0n);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(half, edge), { minLength: 1, maxLength: 40 }),
      async (keys) => {
        const order = [...new Set([2n ** 40n, ...keys])];
        const trace = await read([2n ** 40n, ...keys].join("\n"), { format: "text" });
        assertEquals([...trace.keys.subarray(1)], keys.map((key) => order.indexOf(key)));
        // The binary form agrees about what is one key.
        const records = [2n ** 40n, ...keys].map((key) =>
          [Number(key % 2n ** 32n), Number(key >> 32n), 1] as const
        );
        const binary = await readTrace(streamOf(oracle(records), [999]), {
          format: "oracleGeneral",
        });
        assertEquals(binary.keys, trace.keys);
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("readTrace() numbers words, told by the first key or by option", async () => {
  const trace = await read("cat\na dog\ncat\n12\nCat\n", { format: "text" });
  assertEquals(trace, { name: "t", keys: Uint32Array.of(0, 1, 0, 2, 3), keyCount: 4 });
  const told = await read("12\n012\n12\n", { format: "text", keys: "word" });
  assertEquals(told.keys, Uint32Array.of(0, 1, 0));
  const dense = await read("900\n7\n900\n", { format: "text", dense: true });
  assertEquals(dense, { name: "t", keys: Uint32Array.of(0, 1, 0), keyCount: 2 });
});

Deno.test("readTrace() keeps ten thousand words apart, and two of one hash", async () => {
  const words = Array.from({ length: 10_000 }, (_, i) => "w".repeat(i % 50) + (i * 7919 % 10_000));
  const alike = ["word 46900", "word 122744"];
  const [hash, other] = alike.map(bytesOf).map((bytes) => xxh32(bytes, 0, bytes.length, 0));
  assertStrictEquals(hash, other);
  words.push(...alike);
  const trace = await read([...words, ...words].join("\n"), { format: "text", keys: "word" });
  const order = new Map<string, number>();
  for (const word of words) if (!order.has(word)) order.set(word, order.size);
  assertStrictEquals(trace.keyCount, order.size);
  assertEquals([...trace.keys], [...words, ...words].map((word) => order.get(word)));
});

Deno.test("parseDecimal() knows every u64 and nothing else", () => {
  const digits = fc.integer({ min: 1, max: 21 }).chain((length) =>
    fc.array(fc.nat(9), { minLength: length, maxLength: length })
  ).map((all) => all.join(""));
  const near = fc.tuple(fc.nat(64), fc.integer({ min: -3, max: 3 }))
    .map(([bits, off]) => 2n ** BigInt(bits) + BigInt(off)).filter((key) => key >= 0n).map(String);
  fc.assert(
    fc.property(fc.oneof(digits, near), (text) => {
      const value = BigInt(text);
      assertStrictEquals(parseDecimal(bytesOf(`x${text}x`), 1, text.length + 1), value < 2n ** 64n);
      if (value < 2n ** 64n) {
        assertStrictEquals(BigInt(DECIMAL[1]) * 2n ** 32n + BigInt(DECIMAL[0]), value, text);
      }
    }),
    { numRuns: 2000 },
  );
  for (
    const text of ["", "x", "1x", "x1", "-1", "1.0", "1234567890123456x", "x234567890123456789"]
  ) {
    assertStrictEquals(parseDecimal(bytesOf(text), 0, text.length), false, text);
  }
});

Deno.test("readTrace() expands the runs of ARC, over chunks too", async () => {
  const trace = await read("10 3 0 1\n7\t1 0 2\n  4294967295 1\n", { format: "arc" });
  assertEquals([...trace.keys], [10, 11, 12, 7, 4294967295]);
  const long = await read("5 200000 0 1\n9 1 0 2\n", { format: "arc" });
  assertStrictEquals(long.keys.length, 200_001);
  assert(long.keys.every((key, i) => key === (i === 200_000 ? 9 : 5 + i)));
  const over = await read("4294967290 10 0 1\n", { format: "arc" });
  assertEquals([...over.keys], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const stopped = await read("5 9000000000 0 1\n", { format: "arc", limit: 100_000 });
  assertStrictEquals(stopped.keys[99_999], 100_004);
});

Deno.test("readTrace() passes over the marks of LIRS", async () => {
  const trace = await read("*\n1\n2\n * \n1\n", { format: "lirs" });
  assertEquals([...trace.keys], [1, 2, 1]);
});

Deno.test("readTrace() finds the columns of CSV by header, name and number", async () => {
  const text = 'Time,Obj_ID,op, size \n0,11,get,100\n1,12,"a,b",50\n2,11,get,100\n';
  const expected = {
    name: "t",
    keys: Uint32Array.of(11, 12, 11),
    sizes: Uint32Array.of(100, 50, 100),
  };
  assertEquals(await read(text, { format: "csv" }), expected);
  assertEquals(await read(text, { format: "csv", csv: { key: "Obj_ID", size: "size" } }), expected);
  const numbers = { key: 2, size: 4 };
  assertEquals(await read(text, { format: "csv", csv: { ...numbers, header: true } }), expected);
  const bare = text.slice(text.indexOf("\n") + 1);
  assertEquals(await read(bare, { format: "csv", csv: numbers }), expected);
  const words = await read(text, { format: "csv", csv: { key: "op" } });
  assertEquals(words, { name: "t", keys: Uint32Array.of(0, 1, 0), keyCount: 2 });
});

Deno.test("readTrace() takes CSV's quotes, delimiters and empty fields as they come", async () => {
  const read3 = async (text: string, delimiter = ",") => {
    const csv = { key: 3, delimiter };
    return [...(await read(text, { format: "csv", csv, keys: "word" })).keys];
  };
  assertEquals(await read3('a,,x\n"q,1","",x\n"say ""hi, you""",b,"x"\n,,"x"y\n'), [0, 0, 0, 0]);
  assertEquals(await read3("a\t\tx\n\t\tx\n\tb\t x y \n", "\t"), [0, 0, 1]);
  assertEquals(await read3("a;b;c;d\r\na;b;c\r\n", ";"), [0, 0]);
  // A field's last quote is not doubled by what a longer line left behind it.
  const cut = streamOf(bytesOf('key\n"aa"\n"a"\na\n'), [2]);
  assertEquals([...(await readTrace(cut, { format: "csv" })).keys], [0, 1, 1]);
});

Deno.test("readTrace() reads oracleGeneral, with sizes unless all are one", async () => {
  const read2 = (bytes: Uint8Array) =>
    readTrace(streamOf(bytes, [100]), { format: "oracleGeneral", name: "o" });
  assertEquals(await read2(oracle([[7, 0, 10], [2 ** 32 - 1, 0, 2 ** 32 - 1]])), {
    name: "o",
    keys: Uint32Array.of(7, 2 ** 32 - 1),
    sizes: Uint32Array.of(10, 2 ** 32 - 1),
  });
  assertEquals(await read2(oracle([[7, 0, 10], [7, 0, 10]])), {
    name: "o",
    keys: Uint32Array.of(7, 7),
  });
  const wide = await read2(oracle([[7, 0, 1], [7, 1, 1], [7, 0, 1], [0, 2 ** 32 - 1, 1]]));
  assertEquals([...wide.keys], [0, 1, 0, 2]);
});

const SAMPLES: [string, ReadTraceOptions, Uint8Array<ArrayBuffer>][] = [
  ["text", { format: "text" }, bytesOf("\ufeff12\r\n345\n\n6\r\n18446744073709551615\n12")],
  ["words", { format: "text" }, bytesOf("\ufefféa\nb b\néa\r\n\nc")],
  ["csv", { format: "csv" }, bytesOf('\ufeffid,size\n1,2\n"3",44\r\n1,2\n')],
  ["arc", { format: "arc" }, bytesOf("10 3 0 1\n100000 2 0 2\n3 1 0 3")],
  ["lirs", { format: "lirs" }, bytesOf("1\n*\n22\n333\n")],
  ["guessed", {}, bytesOf("1\n*\n22\n333\n")],
  ["guessed arc", {}, bytesOf("1 2 0 1\n22 1 0 3\n")],
  ["u32", { format: "u32" }, new Uint8Array(Uint32Array.of(1, 2 ** 31, 3).buffer)],
  ["oracle", { format: "oracleGeneral" }, oracle([[1, 2, 3], [4, 5, 6], [1, 2, 3]])],
];

for (const [name, options, bytes] of SAMPLES) {
  Deno.test(`readTrace() gives one ${name} trace, wherever its bytes are cut`, async () => {
    const whole = await readTrace(streamOf(bytes, [bytes.length]), options);
    assert(whole.keys.length >= 3);
    const packed = [await gzip(bytes), zstdCompressSync(bytes)];
    const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(lengths, async (cuts) => {
        assertEquals(await readTrace(streamOf(bytes, cuts), options), whole);
        for (const [i, compression] of (["gzip", "zstd"] as const).entries()) {
          const input = streamOf(packed[i], cuts);
          assertEquals(await readTrace(input, { ...options, compression }), whole);
        }
      }),
      { numRuns: 25 },
    );
  });
}

Deno.test("readTrace() keeps every key when a trace has many chunks", async () => {
  const keys = new Uint32Array(200_001).map((_, i) => Math.imul(i, 0x9e3779b1));
  const expected = { name: "stream", keys };
  const input = streamOf(new Uint8Array(keys.buffer), [70_001, 3]);
  assertEquals(await readTrace(input, { format: "u32" }), expected);
  assertEquals(await readTrace(streamOf(bytesOf(keys.join("\n")), [999]), {}), expected);
});

Deno.test("readTraceChunks() streams keys and sizes, and stops where told", async () => {
  const records = Array.from({ length: 70_000 }, (_, i) => [i, i % 2, i + 1] as const);
  let count = 0;
  const options = { format: "oracleGeneral", dense: true, limit: 69_000 } as const;
  for await (const { keys, sizes } of readTraceChunks(streamOf(oracle(records), [4096]), options)) {
    assert(keys.length > 0 && keys.length <= 65_536 && sizes?.length === keys.length);
    assert(keys.every((key, i) => key === count + i && sizes[i] === count + i + 1));
    count += keys.length;
  }
  assertStrictEquals(count, 69_000);
  const words = readTraceChunks(streamOf(bytesOf("a\nb\na"), [9]), { format: "text" });
  for await (const chunk of words) assertEquals(chunk, { keys: Uint32Array.of(0, 1, 0) });
});

Deno.test("readTraceChunks() refuses a key beyond 32 bits unless keys become dense", async () => {
  const chunks = readTraceChunks(streamOf(bytesOf("1\n4294967297\n"), [9]), { format: "text" });
  const error = await assertRejects(() => chunks.next(), TraceError);
  assertStrictEquals(
    error.message,
    "Cannot read trace stream: keys must be below 2^32 unless `dense` is set: received 4294967297",
  );
});

Deno.test("readTrace() stops at the limit, and cancels what it reads", async () => {
  let isCancelled = false;
  const endless = () =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(bytesOf("5\n6\n")),
      cancel: () => void (isCancelled = true),
    });
  const trace = await readTrace(endless(), { format: "text", limit: 3 });
  assertEquals([[...trace.keys], isCancelled], [[5, 6, 5], true]);
  assertStrictEquals((await readTrace(endless(), { format: "text", limit: 0 })).keys.length, 0);
});

const NUMBER = "a whole number below 2^64";
const RUN = 'a block and a count of at least 1 ("start count ignored number")';

/** A trace, how it is read, and what is said of its wrong line. */
const WRONG: [string, ReadTraceOptions, string][] = [
  ["1\n2x\n", { format: "text" }, `line 2 must be ${NUMBER}: received "2x"`],
  ["1\n\n\n-2\n", { format: "text" }, `line 4 must be ${NUMBER}: received "-2"`],
  [
    "1\n18446744073709551616",
    { format: "text" },
    `line 2 must be ${NUMBER}: received ` +
    '"18446744073709551616"',
  ],
  ["x\n", { format: "text", keys: "number" }, `line 1 must be ${NUMBER}: received "x"`],
  ["1\n**\n", { format: "lirs" }, `line 2 must be ${NUMBER} or "*": received "**"`],
  ["1 2", { format: "lirs" }, `line 1 must be ${NUMBER} or "*": received "1 2"`],
  [
    "id,size\n1,\n",
    { format: "csv" },
    "line 2 must be a line with a size, a whole number " +
    'below 2^32, in field 2: received "1,"',
  ],
  [
    "id,size\n1,4294967296\n",
    { format: "csv" },
    "line 2 must be a line with a size, a whole number " +
    'below 2^32, in field 2: received "1,4294967296"',
  ],
  ["id,size\n1\n", { format: "csv" }, 'line 2 must be 2 fields or more: received "1"'],
  [
    "1,2\n,3\n",
    { format: "csv", csv: { key: 1 } },
    "line 2 must be a line with a key in field " +
    '1: received ",3"',
  ],
  [
    "1\nb\n",
    { format: "csv", csv: { key: 1 } },
    `line 2 must be a line with ${NUMBER} in field ` +
    '1: received "b"',
  ],
  [
    "a,b\n",
    { format: "csv" },
    "line 1 must be a header with one of key, id, obj_id, object_id, " +
    'obj, object, or "key" be told: received "a,b"',
  ],
  [
    "a,b\n",
    { format: "csv", csv: { key: "c" } },
    'line 1 must be a header with a column "c": ' +
    'received "a,b"',
  ],
  [
    "a,b\n",
    { format: "csv", csv: { key: "a", size: "c" } },
    "line 1 must be a header with a " +
    'column "c": received "a,b"',
  ],
];

Deno.test("readTrace() names the line, what it must be and what was found", async () => {
  for (const [text, options, message] of WRONG) {
    await assertRefused(text, options, `Cannot read trace t: ${message}`);
  }
  for (const line of ["x", "1", "1 0 0 0", "1 x", "9007199254740992 1 0 0"]) {
    const message = `Cannot read trace t: line 2 must be ${RUN}: received "${line}"`;
    await assertRefused(`5 1 0 1\n${line}`, { format: "arc" }, message);
  }
  const shown = `"${"x".repeat(60)}..."`;
  const message = `Cannot read trace t: line 2 must be ${NUMBER}: received ${shown}`;
  await assertRefused(`1\n${"x".repeat(100)}`, { format: "text" }, message);
});

Deno.test("readTrace() bounds lines, in one piece and in many", async () => {
  const message = "Cannot read trace t: line 2 must be at most 65536 bytes long: received more";
  const fits = await read(`a\n${"x".repeat(65_536)}\nb`, { format: "text" });
  assertStrictEquals(fits.keys.length, 3);
  await assertRefused(`a\n${"x".repeat(65_537)}\nb`, { format: "text" }, message);
  const pieces = streamOf(bytesOf(`a\n${"x".repeat(70_000)}`), [1000]);
  await assertRejects(() => readTrace(pieces, { name: "t", format: "text" }), TraceError, message);
});

Deno.test("readTrace() refuses empty traces and cut records", async () => {
  const message = "Cannot read trace t: it must hold at least one request: received none";
  for (const format of ["text", "lirs", "arc", "u32", "oracleGeneral"] as const) {
    await assertRefused("", { format }, message);
  }
  await assertRefused("\n \r\n*\n", { format: "lirs" }, message);
  await assertRefused("id\n", { format: "csv" }, message);
  await assertRefused("", {}, message);
  const cut = "Cannot read trace t: the last record must be";
  await assertRefused("abcdefg", { format: "u32" }, `${cut} 4 bytes: received 3`);
  await assertRefused("abcdefg", { format: "oracleGeneral" }, `${cut} 24 bytes: received 7`);
});

Deno.test("readTrace() says when it cannot tell the format", async () => {
  for (const text of ["cat\n", "1,2\n", "1 2\n3 4\n", "\n\n"]) {
    await assertRefused(
      text,
      {},
      "Cannot read trace t: format must be told where neither name nor first lines tell it: " +
        "received none",
    );
  }
});

Deno.test("readTrace() refuses wrong options before it reads", async () => {
  const wrong: [ReadTraceOptions, string][] = [
    [
      JSON.parse('{"format":"tsv"}'),
      "format must be one of csv, lirs, arc, oracleGeneral, text, " +
      'u32: received "tsv"',
    ],
    [JSON.parse('{"compression":"xz"}'), "compression must be one of none, gzip, zstd"],
    [JSON.parse('{"keys":"u32"}'), "keys must be one of number, word"],
    [{ limit: -1 }, "limit must be an integer of at least 0"],
    [{ csv: { key: 0 } }, "csv.key must be an integer of at least 1 and at most 1024"],
    [{ csv: { key: 1, size: 1025 } }, "csv.size must be an integer of at least 1"],
    [{ csv: { delimiter: "::" } }, "csv.delimiter must be one ASCII character"],
    [{ csv: { delimiter: '"' } }, "csv.delimiter must be one ASCII character"],
    [{ csv: { delimiter: "é" } }, "csv.delimiter must be one ASCII character"],
  ];
  for (const [options, message] of wrong) {
    const error = await assertRejects(() => read("1\n", options));
    assert(error instanceof RangeError || error instanceof TypeError);
    assert(error.message.startsWith(`Cannot read trace t: ${message}`), error.message);
  }
});
