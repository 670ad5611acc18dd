import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { checkArrows, checkNamedExports, checkPrivate, importsOf } from "./tidy/imports.ts";
import { checkModuleDoc, checkNames, wordsOf } from "./tidy/names.ts";
import { checkForeign, checkText, checkTime } from "./tidy/places.ts";
import { checkFunctions, checkLengths, functionsOf, type Ratchet } from "./tidy/sizes.ts";
import { createSource, type Rule, type Source } from "./tidy/source.ts";

/** Functions longer than the limit, each with the reason; entries may shrink and go, never grow. */
const LONG_FUNCTIONS: Ratchet = {};

const ROOT = new URL("../", import.meta.url);
const SKIPPED = new Set([".git", ".rowtier", "node_modules", "coverage"]);
const TEXT = /\.(?:ts|md|json|jsonl|yml|html|svg|txt)$|^\.ci\/|^\.gitignore$|^LICENSE$/;

async function readTree(folder = ""): Promise<Source[]> {
  const sources: Source[] = [];
  for await (const entry of Deno.readDir(new URL(folder || ".", ROOT))) {
    const path = folder + entry.name;
    if (SKIPPED.has(entry.name)) continue;
    if (entry.isDirectory) sources.push(...await readTree(`${path}/`));
    else if (TEXT.test(path)) {
      sources.push(createSource(path, await Deno.readTextFile(new URL(path, ROOT))));
    }
  }
  return sources;
}

const tree = await readTree();
const modules = tree.filter(({ path }) => path.endsWith(".ts"));

const RULES: [string, readonly Source[], Rule][] = [
  ["imports follow the arrows", modules, checkArrows],
  ["private files stay private", modules, checkPrivate],
  ["mod.ts files re-export by name", modules, checkNamedExports],
  ["only *_ffi.ts names the FFI", modules, checkForeign],
  ["clocks, timers, and randomness stay in their place", modules, checkTime],
  ["lines and files are short", modules, checkLengths],
  ["functions are short", modules, (source) => checkFunctions(source, LONG_FUNCTIONS)],
  ["names say something", modules, checkNames],
  ["every module has a module doc", modules, checkModuleDoc],
  ["no notes to self, no addresses of one machine", tree, checkText],
];

for (const [name, sources, rule] of RULES) {
  Deno.test(`tidy: ${name}`, () => {
    const complaints = sources.flatMap(rule);
    assert(complaints.length === 0, `\n${complaints.join("\n")}`);
  });
}

Deno.test("tidy: the ratchet names files that exist", () => {
  const paths = new Set(modules.map(({ path }) => path));
  const gone = Object.keys(LONG_FUNCTIONS).filter((key) => !paths.has(key.split(" ")[0]));
  assertEquals(gone, []);
});

// What runs before the exports: whoever touches time, chance, or the outside while imported throws.
const TRAPS = `
for (const [owner, names] of [
  [globalThis, ["setTimeout", "setInterval", "fetch", "Worker", "queueMicrotask"]],
  [Date, ["now"]], [performance, ["now"]], [Math, ["random"]],
  [Deno, ["dlopen", "open", "openSync", "readFile", "readFileSync"]],
  [Deno, ["Command", "addSignalListener"]],
  [WebAssembly, ["Memory", "Module", "Instance", "compile", "instantiate"]],
]) {
  for (const name of names) {
    owner[name] = function () { throw new Error("called while importing: " + name); };
  }
}`;

Deno.test("tidy: importing every export needs no permission and starts nothing", async () => {
  const { exports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const lines = Object.values<string>(exports).map((path) => {
    return `import ${JSON.stringify(new URL(path, ROOT).href)};`;
  });
  const traps = `import "data:application/javascript,${encodeURIComponent(TRAPS)}";`;
  assertEquals(await runWithoutPermission([traps, ...lines]), "imported");
});

Deno.test("tidy: an import with a side effect is caught", async () => {
  const traps = `import "data:application/javascript,${encodeURIComponent(TRAPS)}";`;
  const bad = `import "data:application/javascript,setTimeout(() => {}, 1)";`;
  const output = await runWithoutPermission([traps, bad]);
  assert(output.includes("called while importing: setTimeout"), output);
});

/** Runs a module from standard input; its output once it ended by itself, or what went wrong. */
async function runWithoutPermission(lines: string[]): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", "--cached-only", "-"],
    cwd: fromFileUrl(ROOT),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode([...lines, 'console.log("imported");'].join("\n")));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  return new TextDecoder().decode(success ? stdout : stderr).trim();
}

/** Asserts that a rule finds as many faults in made-up text as it should. */
function assertFaults(rule: Rule, path: string, text: string, count: number): void {
  const complaints = rule(createSource(path, text));
  assertEquals(complaints.length, count, `${path}: ${complaints.join("; ") || "no complaint"}`);
}

Deno.test("createSource() blanks comments, strings, templates, and regular expressions", () => {
  const { code, text } = createSource(
    "a.ts",
    'a("Date.now"); // Date.now\nb(/Date.now\\/["]/); /* Date.now */ ' +
      "`Date.now ${c({ d: `x` })} e` / 2;\n",
  );
  assertEquals(code.length, text.length);
  assert(!code.includes("Date"), code);
  assert(/c\(\{ d: ` ` ?\}\)/.test(code), code);
  assert(code.trimEnd().endsWith("` / 2;"), code);
});

Deno.test("importsOf() finds every form of import", () => {
  const text =
    'import a from "./a.ts";\nimport type { B } from "./b.ts";\nexport {\n  type C,\n} from ' +
    '"./c.ts";\nimport "./d.ts";\nconst e = await import("./e.ts");\n// import "./f.ts"\n';
  assertEquals(
    importsOf(createSource("x.ts", text)).map(({ specifier, isType }) => [specifier, isType]),
    [["./a.ts", false], ["./b.ts", true], ["./c.ts", true], ["./d.ts", false], ["./e.ts", false]],
  );
});

Deno.test("checkArrows() objects to a broken arrow", () => {
  assertFaults(checkArrows, "cache/a.ts", 'import { b } from "../tiers/b.ts";', 1);
  assertFaults(checkArrows, "cache/a.ts", 'import { b } from "../base/b.ts";', 0);
  assertFaults(checkArrows, "base/a.ts", 'import { b } from "../cache/b.ts";', 1);
  assertFaults(checkArrows, "prefetch/a.ts", 'import { b } from "../cache/b.ts";', 1);
  assertFaults(checkArrows, "prefetch/a.ts", 'import type { B } from "../cache/b.ts";', 0);
  assertFaults(checkArrows, "pipeline/a.ts", 'import { b } from "../cache/mod.ts";', 0);
  assertFaults(checkArrows, "pipeline/a.ts", 'import { b } from "../mod.ts";', 1);
  assertFaults(checkArrows, "pipeline/a.ts", 'import { b } from "./mod.ts";', 1);
  assertFaults(checkArrows, "pipeline/a.ts", 'import { b } from "npm:b@1";', 1);
  assertFaults(checkArrows, "pipeline/a.ts", 'import { b } from "node:fs";', 0);
  assertFaults(checkArrows, "mod.ts", 'export { b } from "./base/b.ts";', 1);
  assertFaults(checkArrows, "examples/a.ts", 'import { b } from "../mod.ts";', 1);
  assertFaults(checkArrows, "examples/a.ts", 'import { b } from "@rowtier/rowtier/cache";', 0);
  assertFaults(checkArrows, "examples/a.ts", 'import { b } from "@std/path";', 0);
  assertFaults(checkArrows, "tests/a_test.ts", 'import { b } from "../tiers/b.ts";', 0);
});

Deno.test("checkPrivate() objects to another folder's private file", () => {
  assertFaults(checkPrivate, "pipeline/a.ts", 'import { b } from "../cache/_b.ts";', 1);
  assertFaults(checkPrivate, "cache/a.ts", 'import { b } from "./_b.ts";', 0);
});

Deno.test("checkNamedExports() objects to a star", () => {
  assertFaults(checkNamedExports, "cache/mod.ts", 'export * from "./a.ts";', 1);
  assertFaults(checkNamedExports, "cache/mod.ts", 'export { a } from "./a.ts";', 0);
});

Deno.test("checkForeign() objects to the FFI outside its files", () => {
  const text = "const l = Deno.dlopen(p, {});\nconst { UnsafePointer } = Deno;\n";
  assertFaults(checkForeign, "tiers/a.ts", text, 2);
  assertFaults(checkForeign, "tiers/a_ffi.ts", text, 0);
});

Deno.test("checkTime() objects to clocks, timers, and randomness", () => {
  const text = "Date.now(); performance.now(); Math.random(); setTimeout(f); setInterval(f);";
  assertFaults(checkTime, "cache/a.ts", text, 5);
  assertFaults(checkTime, "examples/demo/a.ts", text, 5);
  for (const path of ["tiers/clock.ts", "examples/demo.ts", "tests/bench/a.ts"]) {
    assertFaults(checkTime, path, text, 0);
  }
});

Deno.test("checkLengths() objects to long lines and files", () => {
  assertFaults(checkLengths, "a.ts", `${"x".repeat(101)}\n${"x".repeat(100)}\n`, 1);
  assertFaults(checkLengths, "a.ts", "x\n".repeat(501), 1);
  assertFaults(checkLengths, "a.ts", "x\n".repeat(500), 0);
});

Deno.test("checkFunctions() objects to long functions, and lets a ratchet only shrink", () => {
  const body = (count: number) => "  x();\n".repeat(count);
  const plain = (count: number) => `function f(a: { b: 1 }): { c: 1 } {\n${body(count)}}\n`;
  assertFaults((source) => checkFunctions(source, {}), "a.ts", plain(68), 0);
  assertFaults((source) => checkFunctions(source, {}), "a.ts", plain(69), 1);
  const method = `class A {\n  async *m<T>(a: T): AsyncIterable<T> {\n${body(69)}  }\n}\n`;
  assertFaults((source) => checkFunctions(source, {}), "a.ts", method, 1);
  const arrow = `const f = () => {\n${body(69)}};\n`;
  assertFaults((source) => checkFunctions(source, {}), "a.ts", arrow, 1);
  const ratchet: Ratchet = { "a.ts f": { lines: 80, reason: "made up" } };
  assertFaults((source) => checkFunctions(source, ratchet), "a.ts", plain(78), 0);
  assertFaults((source) => checkFunctions(source, ratchet), "a.ts", plain(79), 1);
  assertFaults((source) => checkFunctions(source, ratchet), "a.ts", plain(60), 1);
  const signature = createSource("a.ts", "interface I {\n  m(a: number): void;\n}\n{\n}\n");
  assertEquals(functionsOf(signature), []);
});

Deno.test("checkNames() objects to words that say nothing", () => {
  assertEquals(wordsOf("readRowData"), ["read", "row", "data"]);
  assertEquals(wordsOf("IOHandler_x"), ["io", "handler", "x"]);
  assertFaults(checkNames, "cache/row_utils.ts", "", 1);
  const text = "export function rowData() {}\nexport { a as InfoBox } from 'b';\nconst info = 1;\n";
  assertFaults(checkNames, "cache/a.ts", text, 2);
  assertFaults(checkNames, "cache/a.ts", "export const metadataBytes = 1;", 0);
});

Deno.test("checkModuleDoc() objects to a module without one", () => {
  assertFaults(checkModuleDoc, "cache/a.ts", "/** Some function. */\nexport function f() {}\n", 1);
  assertFaults(checkModuleDoc, "cache/a.ts", "/**\n * Rows.\n *\n * @module\n */\n", 0);
});

Deno.test("checkText() objects to notes to self and addresses of one machine", () => {
  assertFaults(checkText, "README.md", "a TO" + "DO, and FIX" + "ME", 2);
  assertFaults(checkText, "README.md", "cd /ro" + "ot/x; ls /tm" + "p/y", 2);
  assertFaults(checkText, "README.md", "see ../sha" + "red/x", 1);
  const hosts = ["10.0.0.1/x", "mirror:8080/y", "proxy/z", "npm.internal/q", "deno.com/ok"];
  assertFaults(checkText, "README.md", hosts.map((host) => `http:/${"/"}${host}`).join(" "), 4);
});
