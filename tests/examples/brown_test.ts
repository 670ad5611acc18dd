import { createHash } from "node:crypto";
import { assertEquals, assertRejects } from "@std/assert";
import { readBrown, type Sentences, toBags } from "../../examples/demo/brown.ts";

const CA01 = "\n\n\tThe/at Jury/nn-tl said/vbd ,/, ``/`` 1/2/cd cup/nn ''/'' ./.\n\n";
const CB02 = "\tWho/wps ,/, ,/, ?/. ?/.\n\tMr./np Jr./np ./.";

async function withFolder<T>(
  files: Record<string, string>,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    return await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function read(files: Record<string, string>, texts: string): Promise<Sentences> {
  const sha256 = createHash("sha256").update(texts).digest("hex");
  return withFolder(files, (folder) => readBrown(folder, { sha256 }));
}

Deno.test("readBrown() reads the texts in the order of their names, and nothing else", async () => {
  const files = { cb02: CB02, ca01: CA01, README: "BROWN", CONTENTS: "none", "cats.txt": "ca01 x" };
  assertEquals(await read(files, CA01 + CB02), {
    sentences: ["The Jury said, “1/2 cup”.", "Who,?", "Mr. Jr."],
    words: ["the jury said , `` 1/2 cup '' .", "who , , ? ?", "mr. jr. ."],
  });
});

Deno.test("readBrown() refuses a token without a tag, and says where", async () => {
  for (const bad of ["word", "/tag"]) {
    const text = `\tA/b c/d\n\tE/f ${bad}\n`;
    await assertRejects(
      () => read({ ca01: text }, text),
      Error,
      `ca01: line 2: no tag at "${bad}"`,
    );
  }
});

Deno.test("readBrown() refuses texts that are cut, flipped, or missing", async () => {
  const good = { ca01: CA01, cb02: CB02 };
  const bad: Record<string, string>[] = [
    { ...good, ca01: CA01.replace(/ \S+\s*$/, "") },
    { ...good, cb02: CB02.replace("Who", "Why") },
    { ca01: CA01 },
  ];
  for (const files of bad) {
    await assertRejects(() => read(files, CA01 + CB02), Error, "the SHA-256 of its texts must be");
  }
  await assertRejects(() => read({ README: "x" }, ""), Error, "it holds no text");
});

Deno.test("toBags() gives a bag for every sentence, and counts words without a row", () => {
  const brown: Sentences = { sentences: [], words: ["a b a", "x y", "b"] };
  const bags = toBags(brown, new Map([["a", 7], ["b", 3]]));
  assertEquals(bags, {
    keys: Uint32Array.of(7, 3, 7, 3),
    offsets: Uint32Array.of(0, 3, 3, 4),
    skipped: 2,
  });
});
