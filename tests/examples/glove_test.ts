import { createHash } from "node:crypto";
import { assertEquals, assertRejects } from "@std/assert";
import { type GloveRow, readGlove } from "../../examples/demo/glove.ts";

const WORDS = ["the", '"quoted"', "br]ack[et", "back\\slash", "naïve", "vectors"];

function vector(index: number): number[] {
  return Array.from({ length: 100 }, (_, i) => (index * 100 + i) / 64 - 2);
}

/** A small file of the published one's form. */
function document(head: Record<string, unknown> = {}): string {
  const entries = WORDS.map((word, i) => {
    return `${JSON.stringify(word)}:${JSON.stringify([...vector(i), 1.5, i])}`;
  });
  const { words, ...rest } = {
    precision: 8,
    l2NormIndex: 100,
    wordIndex: 101,
    size: WORDS.length,
    dimensions: 100,
    words: WORDS,
    ...head,
  };
  const start = JSON.stringify({ ...rest, words }).slice(0, -1);
  return `${start},"vectors":{${entries.join(",")}},"unkVector":${JSON.stringify(vector(0))}}\n`;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

async function read(text: string, sum = sha256(text)): Promise<GloveRow[]> {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(path, text);
    return await Array.fromAsync(readGlove(path, { sha256: sum }));
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("readGlove() gives every word its vector, without the last two columns", async () => {
  const rows = await read(document());
  assertEquals(rows.map(({ word }) => word), WORDS);
  rows.forEach(({ row }, i) => assertEquals(row, Float32Array.from(vector(i))));
});

Deno.test("readGlove() reads entries that straddle its reads", async () => {
  // A long list of words moves the entries across the end of the first read, of 1 MiB.
  for (let pad = 2 ** 20 - 1800; pad < 2 ** 20 - 600; pad += 97) {
    const rows = await read(document({ words: ["x".repeat(pad)] }));
    assertEquals(rows.map(({ word }) => word), WORDS);
  }
});

Deno.test("readGlove() reports its progress up to the file's size", async () => {
  const path = await Deno.makeTempFile();
  const text = document();
  await Deno.writeTextFile(path, text);
  const seen: [number, number][] = [];
  const onProgress = (bytes: number, total: number) => seen.push([bytes, total]);
  await Array.fromAsync(readGlove(path, { onProgress, sha256: sha256(text) }));
  await Deno.remove(path);
  const size = byteLength(text);
  assertEquals(seen.at(-1), [size, size]);
});

Deno.test("readGlove() refuses a file that is cut anywhere", async () => {
  const text = document();
  const bytes = text.length;
  for (let end = 0; end < bytes - 2; end += 61) {
    await assertRejects(() => read(text.slice(0, end)), Error, "Cannot read ");
  }
  const cut = text.slice(0, text.lastIndexOf('"naïve"') + 100);
  const at = byteLength(cut);
  await assertRejects(() => read(cut), Error, `byte ${at}: the file ends in entry 4 of 6`);
  await assertRejects(
    () => read(text.slice(0, 30)),
    Error,
    'byte 30: the file ends before "vectors"',
  );
});

Deno.test("readGlove() refuses a flipped byte that still is JSON", async () => {
  const text = document();
  const flipped = text.replace("-1.984375", "-1.984374");
  await assertRejects(() => read(flipped, sha256(text)), Error, "its SHA-256 must be");
});

Deno.test("readGlove() says what is wrong, and at which byte", async () => {
  const text = document();
  const at = (part: string) => byteLength(text.slice(0, text.indexOf(part)));
  const cases: [string, string][] = [
    [document({ dimensions: 50 }), "byte 0: dimensions must be 100: received 50"],
    [document({ l2NormIndex: 7 }), "byte 0: l2NormIndex must be 100: received 7"],
    [document({ size: -1 }), "byte 0: size must be a positive integer: received -1"],
    [document({ size: 5 }), "no end of the vectors behind entry 4"],
    [document({ size: 7 }), `byte ${at('},"unk')}: no comma before entry 6`],
    [text.replace("1.5,0]", "1.5,3]"), "entry 0 must end in its index: received 3"],
    [text.replace("-1.984375,", ""), "entry 0 must have 102 numbers: received 101"],
    [text.replace("-1.984375", "null"), "entry 0, column 1: not a number"],
    [text.replace("-1.984375", "-1.9-8"), "the array of entry 0 is not JSON"],
    [text.replace('"the":[', '"the":{'), `byte ${at('"the":[') + 5}: no array at entry 0`],
    [text.replace('{"the":[', "{the:["), `byte ${at('"the":[')}: no word at entry 0`],
    [text.replace('"precision":', "precision:"), "byte 0: the head is not JSON"],
    [text.replace('"unkVector"', '"other"'), "no unkVector in the tail"],
    [`${text}x`, "the tail is not JSON"],
  ];
  for (const [bad, message] of cases) await assertRejects(() => read(bad), Error, message);
});

Deno.test("readGlove() refuses a foreign file", async () => {
  await assertRejects(() => read("PK\x03\x04 something else"), Error, 'ends before "vectors"');
  await assertRejects(() => read("x".repeat(7 * 2 ** 20)), Error, "no end within 6 MiB");
});
