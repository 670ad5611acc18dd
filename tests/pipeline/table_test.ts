import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { join } from "@std/path";
import fc from "fast-check";
import { f32, q8, type RowFormat } from "../../kernels/mod.ts";
import {
  buildTable,
  openTable,
  readTable,
  TableFileError,
  tableRows,
  verifyTable,
} from "../../pipeline/mod.ts";
import { xxh32 } from "../../base/xxh32.ts";

const ID = Uint8Array.from({ length: 16 }, (_, i) => 17 * i);

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "rowtier-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function someRows(count: number, dim: number): Float32Array[] {
  return Array.from(
    { length: count },
    (_, r) => Float32Array.from({ length: dim }, (_, c) => Math.sin(r * dim + c)),
  );
}

/** Everything openTable and verifyTable find wrong. */
function faultOf(path: string): TableFileError | undefined {
  try {
    verifyTable(openTable(path));
    return undefined;
  } catch (error) {
    if (error instanceof TableFileError) return error;
    throw error;
  }
}

/** Rows of f32, but for their number and their name. */
const own: RowFormat = { ...f32, name: "own", code: 1000 };

Deno.test("openTable() reads a user's own format when it is given, and only then", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "own.rows"), rows = someRows(20, 7);
    await buildTable(path, rows, { dim: 7, format: own });
    const table = openTable(path, { formats: [q8, own] });
    assertStrictEquals(table.format, own);
    assertEquals([...tableRows(table)].length, 20);
    assertStringIncludes(faultOf(path)!.message, 'row format 1000 ("own") is not known here');
    const other = { ...own, name: "other" };
    const error = assertThrows(() => openTable(path, { formats: [other] }), TableFileError);
    assertStringIncludes(error.message, 'row format 1000 is "own" in the file and "other" here');
  });
});

Deno.test("buildTable() rejects a format that a file cannot name", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "t.rows");
    const build = async (changes: Partial<RowFormat>): Promise<string> => {
      const format = { ...own, ...changes };
      const error = await assertRejects(
        () => buildTable(path, someRows(1, 4), { dim: 4, format }),
        RangeError,
      );
      return error.message;
    };
    assertStringIncludes(await build({ code: 999 }), "must be an integer of at least 1000");
    assertStringIncludes(await build({ code: 2 }), "must be an integer of at least 1000");
    assertStringIncludes(await build({ name: "" }), "format.name must be 1 to 16 ASCII characters");
    assertStringIncludes(await build({ name: "seventeen letters" }), "format.name must be 1 to 16");
  });
});

Deno.test("buildTable() writes rows that readTable() gives back, whatever the shape", async () => {
  const shape = fc.record({
    dim: fc.integer({ min: 1, max: 200 }),
    rows: fc.integer({ min: 1, max: 150 }),
    sectors: fc.integer({ min: 2, max: 9 }),
    format: fc.constantFrom(f32, q8),
  });
  await inFolder(async (folder) => {
    const path = join(folder, "t.rows");
    await fc.assert(
      fc.asyncProperty(shape, async ({ dim, rows, sectors, format }) => {
        const source = someRows(rows, dim);
        await buildTable(path, source, { dim, format, blockBytes: 512 * sectors, id: ID });
        const table = openTable(path);
        verifyTable(table);
        assertEquals([table.rowCount, table.dim, table.format], [rows, dim, format]);
        const stride = table.rowBytes + 3;
        const arena = new Uint8Array(rows * stride).fill(0x55);
        readTable(table, arena, stride);
        const wanted = new Uint8Array(rows * stride).fill(0x55);
        source.forEach((row, r) => format.quantise(row, 0, dim, wanted, r * stride));
        assertEquals(arena, wanted);
      }),
      { numRuns: 60 },
    );
  });
});

Deno.test("buildTable() lays bytes out as the module documents", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "t.rows");
    const rows = someRows(7, 100);
    await buildTable(path, rows, { dim: 100, id: ID });
    const bytes = await Deno.readFile(path);
    const view = new DataView(bytes.buffer);
    const u32 = (at: number) => view.getUint32(at, true);
    const u64 = (at: number) => Number(view.getBigUint64(at, true));
    assertEquals([...bytes.subarray(0, 8)], [0x89, 0x52, 0x57, 0x54, 0x0d, 0x0a, 0x1a, 0x0a]);
    const words = [8, 12, 16, 20, 24, 28, 32, 36].map(u32);
    assertEquals(words, [1, 4096, 2, 100, 108, 512, 4, 0]);
    assertEquals([40, 48, 56, 64].map(u64), [7, 2, 4096 + 1024, 4096 + 1024 + 512]);
    assertEquals(bytes.length, 4096 + 1024 + 512);
    assertEquals(bytes.subarray(72, 88), ID);
    assertEquals(u32(88), xxh32(bytes, 5120, 5632, 0) >>> 0);
    assertEquals(new TextDecoder().decode(bytes.subarray(92, 94)), "q8");
    assertEquals(u32(4092), xxh32(bytes, 0, 4092, 0) >>> 0);
    const seed = u32(72);
    assertEquals(u32(5120), xxh32(bytes, 4096, 4608, seed) >>> 0);
    assertEquals(u32(5124), xxh32(bytes, 4608, 5120, seed + 1) >>> 0);
    const row5 = new Uint8Array(108);
    q8.quantise(rows[5], 0, 100, row5, 0);
    assertEquals(bytes.subarray(4608 + 108, 4608 + 216), row5);
    assertEquals(bytes.subarray(4608 + 324, 5120), new Uint8Array(188));
  });
});

Deno.test("buildTable() fills the last block with zeros, also after a megabyte", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "t.rows");
    // 2,048 blocks of four rows are written at a time.
    const row = new Float32Array(100).fill(1);
    const { checksumsOffset } = await buildTable(path, Array(8193).fill(row), { dim: 100, id: ID });
    const bytes = await Deno.readFile(path);
    const last = bytes.subarray(checksumsOffset - 512, checksumsOffset);
    assert(last.subarray(100, 108).some((byte) => byte !== 0));
    assertEquals(last.subarray(108), new Uint8Array(404));
    verifyTable(openTable(path));
  });
});

Deno.test("a table file cut anywhere is refused, saying where", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "t.rows");
    await buildTable(path, someRows(20, 10), { dim: 10, id: ID });
    const whole = await Deno.readFile(path);
    fc.assert(fc.property(fc.nat(whole.length - 1), (length) => {
      Deno.writeFileSync(path, whole.subarray(0, length));
      const fault = faultOf(path);
      assert(fault !== undefined, `${length} of ${whole.length} bytes were accepted`);
      assertStringIncludes(fault.message, path);
      assert(fault.offsetBytes <= length);
    }));
  });
});

Deno.test("a table file with any bit flipped is refused, saying where", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "t.rows");
    await buildTable(path, someRows(20, 100), { dim: 100, id: ID });
    const whole = await Deno.readFile(path);
    const bits = fc.nat(8 * whole.length - 1);
    fc.assert(
      fc.property(bits, (bit) => {
        const flipped = whole.slice();
        flipped[bit >> 3] ^= 1 << (bit & 7);
        Deno.writeFileSync(path, flipped);
        assert(faultOf(path) !== undefined, `bit ${bit} flipped was accepted`);
      }),
      { numRuns: 400 },
    );
    const flipped = whole.slice();
    flipped[4096 + 512 + 3] ^= 1;
    Deno.writeFileSync(path, flipped);
    assertStringIncludes(faultOf(path)!.message, "block 1 is damaged (at byte 4608)");
  });
});

Deno.test("a block in the wrong place, or of another file, is refused", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "t.rows"), other = join(folder, "u.rows");
    await buildTable(path, someRows(20, 100), { dim: 100, id: ID });
    const rows = someRows(20, 100).reverse();
    await buildTable(other, rows, { dim: 100, id: ID.map((byte) => byte ^ 1) });
    const whole = await Deno.readFile(path), foreign = await Deno.readFile(other);
    const swapped = whole.slice();
    swapped.copyWithin(4096, 4096 + 512, 4096 + 1024);
    swapped.set(whole.subarray(4096, 4096 + 512), 4096 + 512);
    Deno.writeFileSync(path, swapped);
    assertStringIncludes(faultOf(path)!.message, "block 0 is damaged");
    const mixed = whole.slice();
    mixed.set(foreign.subarray(4096 + 512, 4096 + 1024), 4096 + 512);
    Deno.writeFileSync(path, mixed);
    assertStringIncludes(faultOf(path)!.message, "block 1 is damaged");
  });
});

Deno.test("a foreign file, a later version and an unknown format are refused by name", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "t.rows");
    await Deno.writeTextFile(path, "word,0.1,0.2\n".repeat(1000));
    assertStringIncludes(faultOf(path)!.message, "not a Rowtier table");
    await buildTable(path, someRows(3, 10), { dim: 10, id: ID });
    const whole = await Deno.readFile(path);
    const later = whole.slice();
    new DataView(later.buffer).setUint32(8, 9, true);
    Deno.writeFileSync(path, later);
    assertStringIncludes(faultOf(path)!.message, "version 9");
    assertStringIncludes(faultOf(path)!.message, "build the table again");
    const odd = whole.slice();
    new DataView(odd.buffer).setUint32(16, 4242, true);
    new DataView(odd.buffer).setUint32(4092, xxh32(odd, 0, 4092, 0), true);
    Deno.writeFileSync(path, odd);
    assertStringIncludes(faultOf(path)!.message, 'row format 4242 ("q8")');
  });
});

Deno.test("hostile header fields behind a good checksum are refused", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "t.rows");
    await buildTable(path, someRows(9, 10), { dim: 10, id: ID });
    const whole = await Deno.readFile(path);
    const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 17 }), word, (index, value) => {
        const hostile = whole.slice();
        const view = new DataView(hostile.buffer);
        // Fewer or more rows in as many blocks (word 10) are a table as good as another.
        if (index === 10 || view.getUint32(4 * index, true) === value) return;
        view.setUint32(4 * index, value, true);
        view.setUint32(4092, xxh32(hostile, 0, 4092, 0), true);
        Deno.writeFileSync(path, hostile);
        assert(faultOf(path) !== undefined, `word ${index} = ${value} was accepted`);
      }),
      { numRuns: 300 },
    );
  });
});

Deno.test("buildTable() leaves nothing half-written when the rows fail", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "t.rows");
    await buildTable(path, someRows(5, 4), { dim: 4, id: ID });
    const before = await Deno.readFile(path);
    async function* failing(): AsyncIterable<Float32Array> {
      yield* someRows(3, 4);
      await Promise.resolve();
      throw new Error("the source broke");
    }
    await assertRejects(() => buildTable(path, failing(), { dim: 4 }), Error, "the source broke");
    const stop = new AbortController();
    function* stopping(): Iterable<Float32Array> {
      yield* someRows(3, 4);
      stop.abort(new Error("stopped"));
      yield* someRows(3, 4);
    }
    const stopped = buildTable(path, stopping(), { dim: 4, signal: stop.signal });
    await assertRejects(() => stopped, Error, "stopped");
    const short = buildTable(path, [new Float32Array(3)], { dim: 4 });
    await assertRejects(() => short, RangeError, "row 0 must have 4 values: received 3");
    const nan = buildTable(path, [Float32Array.of(1, NaN, 2, 3)], { dim: 4 });
    await assertRejects(() => nan, RangeError, "NaN");
    await assertRejects(() => buildTable(path, [], { dim: 4 }), RangeError, "received 0");
    assertEquals(await Deno.readFile(path), before);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["t.rows"]);
  });
});

Deno.test("buildTable() refuses wrong options before it touches the disk", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "t.rows");
    const rows = someRows(1, 4);
    const bad = [
      [{ dim: 0 }, "dim must be"],
      [{ dim: 4, blockBytes: 700 }, "multiple of 512: received 700"],
      [{ dim: 1000, blockBytes: 512 }, "blockBytes must be"],
      [{ dim: 4, id: new Uint8Array(3) }, "id.length must be"],
    ] as const;
    for (const [options, message] of bad) {
      await assertRejects(() => buildTable(path, rows, options), RangeError, message);
    }
    assertEquals([...Deno.readDirSync(folder)], []);
  });
});

Deno.test("buildTable() removes the unfinished file when the disk is full", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "rowtier-" });
  const mount = new Deno.Command("mount", {
    args: ["-t", "tmpfs", "-o", "size=256k", "tmpfs", folder],
    stderr: "null",
  });
  const mounted = await mount.output().then(({ success }) => success, () => false);
  try {
    if (!mounted) {
      console.log("skipped: mounting a small tmpfs needs root");
      return;
    }
    await t.step("on a file system of 256 KiB", async () => {
      const full = buildTable(join(folder, "t.rows"), someRows(5000, 100), { dim: 100 });
      await assertRejects(() => full, Error, "ENOSPC");
      assertEquals([...Deno.readDirSync(folder)], []);
    });
  } finally {
    if (mounted) await new Deno.Command("umount", { args: [folder] }).output();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("readTable() refuses an arena that is too short", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "t.rows");
    await buildTable(path, someRows(5, 4), { dim: 4, id: ID });
    const table = openTable(path);
    assertThrows(() => readTable(table, new Uint8Array(59)), RangeError, "arena.length");
    assertThrows(() => readTable(table, new Uint8Array(60), 11), RangeError, "rowStride");
  });
});
