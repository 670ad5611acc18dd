import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { zstdCompressSync } from "node:zlib";
import { readTrace, TraceError, writeTrace } from "@rowtier/rowtier/cache";
import { ZstdFrames } from "../../cache/traces/_zstd_frames.ts";
import { bytesOf, gzip, oracle, streamOf } from "./trace_bytes.ts";

/** `content` as a frame with a checksum (parameter 201). */
function zstd(content: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(zstdCompressSync(content, { params: { 201: 1 } }));
}

Deno.test("readTrace() finds damage in what is compressed", async () => {
  const text = bytesOf(Array.from({ length: 90_000 }, (_, i) => `${i * i % 8191}\n`).join(""));
  const refuse = async (bytes: Uint8Array, compression: "gzip" | "zstd") => {
    const input = streamOf(bytes, [1000]);
    return (await assertRejects(
      () => readTrace(input, { name: "t", format: "text", compression }),
      TraceError,
      `Cannot read trace t: its ${compression}`,
    )).message;
  };
  for (
    const [compression, bytes] of [
      ["gzip", await gzip(text)],
      ["zstd", zstd(text)],
    ] as const
  ) {
    await refuse(bytes.slice(0, -1), compression);
    await refuse(bytes.slice(0, bytes.length / 2), compression);
    await refuse(text, compression);
    const flipped = bytes.slice();
    flipped[Math.floor(bytes.length / 2)] ^= 0x55;
    await refuse(flipped, compression);
  }
});

Deno.test("readTrace() lets through what its own stream throws", async () => {
  for (const compression of ["none", "gzip", "zstd"] as const) {
    const input = new ReadableStream<Uint8Array>({
      start: (controller) => controller.error(new Error("the line is dead")),
    });
    await assertRejects(
      () => readTrace(input, { format: "text", compression }),
      Error,
      "the line is dead",
    );
  }
});

Deno.test("readTrace() reads every frame of zstd, skippable ones passed over", async () => {
  const skippable = Uint8Array.of(0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3);
  const [one, two] = [bytesOf("1\n"), bytesOf("2\n".repeat(30_000))].map(zstd);
  const read = async (parts: readonly Uint8Array[]) => {
    const bytes = Uint8Array.from(parts.flatMap((part) => [...part]));
    const options = { name: "t", format: "text", compression: "zstd" } as const;
    const [whole, cut] = await Promise.all([[1 << 20], [1]].map((lengths) => {
      return readTrace(streamOf(bytes, lengths), options);
    }));
    assertEquals(cut, whole);
    return whole.keys.length;
  };
  assertStrictEquals(await read([one, two, one]), 30_002);
  assertStrictEquals(await read([skippable, one, skippable, skippable, one, skippable]), 2);
  await assertRejects(
    () => read([one, new Uint8Array(9)]),
    TraceError,
    "Cannot read trace t: its zstd bytes must be frames: received others",
  );
  await assertRejects(
    () => read([one, two.subarray(0, -1)]),
    TraceError,
    "Cannot read trace t: its zstd bytes must be whole: received a part",
  );
});

function isMagic(bytes: Uint8Array, at: number): boolean {
  return [0x28, 0xb5, 0x2f, 0xfd].every((byte, i) => bytes[at + i] === byte);
}

Deno.test("ZstdFrames knows where frames end, whatever their header", () => {
  const text = bytesOf("some content, some content, some content\n".repeat(4000));
  const noise = crypto.getRandomValues(new Uint8Array(60_000));
  for (const content of [text, noise, bytesOf("x"), bytesOf("y".repeat(300)), bytesOf("")]) {
    for (const params of [{}, { 200: 0 }, { 201: 1 }, { 200: 0, 201: 1 }]) {
      const frame = new Uint8Array(zstdCompressSync(content, { params }));
      const both = Uint8Array.from([...frame, ...frame]);
      for (const step of [1, 7, frame.length - 1, both.length]) {
        const frames = new ZstdFrames();
        assertStrictEquals(frames.isWhole, true);
        const ends: number[] = [];
        for (let at = 0; at < both.length;) {
          at = frames.push(both.subarray(0, Math.min(at + step, both.length)), at);
          if (frames.isWhole) ends.push(at);
        }
        // The compressor may end with an empty frame.
        assert(ends.every((end) => end === both.length || isMagic(both, end)), ends.join());
        assertEquals(ends.filter((end) => end % frame.length === 0), [frame.length, both.length]);
        assert(ends.length <= 4);
      }
    }
  }
});

Deno.test("readTrace() takes format, compression and name from the file's name", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const text = bytesOf("3\n1\n3\n");
    const words = bytesOf("a\nb\n");
    const files: [string, Uint8Array<ArrayBuffer>, number[], string][] = [
      ["plain.txt", text, [3, 1, 3], "plain"],
      ["words.txt.gz", await gzip(words), [0, 1], "words"],
      ["two.parts.lirs.zst", new Uint8Array(zstdCompressSync(text)), [3, 1, 3], "two.parts"],
      ["P1.lis", bytesOf("3 2 0 0\n"), [3, 4], "P1"],
      ["x.u32", new Uint8Array(Uint32Array.of(8, 9).buffer), [8, 9], "x"],
      ["x.oracleGeneral.bin", oracle([[5, 0, 1]]), [5], "x"],
      ["x.oracleGeneral.gz", await gzip(oracle([[5, 0, 1]])), [5], "x"],
      ["y.csv", bytesOf("id\n4\n"), [4], "y"],
      ["some.trace", text, [3, 1, 3], "some.trace"],
      ["50%.txt", text, [3, 1, 3], "50%"],
    ];
    for (const [name, bytes, keys, traceName] of files) {
      await Deno.writeFile(`${folder}/${name}`, bytes);
      const trace = await readTrace(`${folder}/${name}`);
      assertEquals([trace.name, [...trace.keys]], [traceName, keys], name);
    }
    const url = new URL(`file://${folder}/50%25.txt`);
    assertEquals((await readTrace(url)).name, "50%");
    const limited = await readTrace(`${folder}/words.txt.gz`, { limit: 1, name: "first" });
    assertEquals(limited, { name: "first", keys: Uint32Array.of(0), keyCount: 1 });
    await assertRejects(
      () => readTrace(`${folder}/none.txt`),
      Error,
      `Cannot read trace ${folder}/none.txt: opening failed: ENOENT (2)`,
    );
    await Deno.writeTextFile(`${folder}/bad.txt`, "1\nx\n");
    await assertRejects(
      () => readTrace(`${folder}/bad.txt`),
      TraceError,
      `Cannot read trace ${folder}/bad.txt: line 2 must be`,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("writeTrace() writes what readTrace() reads, whole or not at all", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/a.u32`;
    for (const length of [1, 1000, 300_000]) {
      const keys = new Uint32Array(length).map((_, i) => Math.imul(i, 0x85ebca6b));
      await writeTrace(path, { name: "a", keys });
      assertEquals(await readTrace(path), { name: "a", keys });
    }
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["a.u32"]);
    // A folder is in the way: the rename fails, and nothing is left aside.
    await Deno.mkdir(`${folder}/b.u32`);
    const trace = { name: "b", keys: Uint32Array.of(1) };
    await assertRejects(
      () => writeTrace(`${folder}/b.u32`, trace),
      Error,
      `Cannot write trace ${folder}/b.u32: `,
    );
    assertStrictEquals([...Deno.readDirSync(folder)].length, 2);
    await assertRejects(() => writeTrace(`${folder}/no/c.u32`, trace), Error, "ENOENT (2)");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
