import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UsageError } from "../../examples/demo/options.ts";
import { describeGenerators, makeTrace } from "../../examples/replay/generators.ts";
import { HELP, parseOptions } from "../../examples/replay/options.ts";

Deno.test("parseOptions() of the replay has defaults for all but the trace", () => {
  const { policies, ...rest } = parseOptions(["a.u32"]);
  assertEquals(rest, {
    trace: "a.u32",
    reading: {},
    limit: 2 ** 32 - 1,
    sizes: [0.001, 0.01, 0.1],
    admission: "always",
    warmup: 0,
    workers: undefined,
    sample: undefined,
    curves: false,
    json: false,
    html: undefined,
    svg: undefined,
    help: false,
  });
  for (const name of ["belady", "adaptive", "lru", "sieve", "s3fifo", "wtinylfu"]) {
    assert(policies.includes(name), name);
  }
});

Deno.test("parseOptions() of the replay takes every option", () => {
  const args = "--policies lru,sieve,lru --sizes 1%,500,0.25 --admission tinylfu --warmup 10%";
  const more = "--limit 1e6 --format csv --csv-key 2 --csv-size bytes --workers 3 --sample 0.1";
  const last = "--curves --json --html a.html --svg=b.svg --help in.csv";
  assertEquals(parseOptions([args, more, last].flatMap((line) => line.split(" "))), {
    trace: "in.csv",
    reading: { format: "csv", csv: { key: 2, size: "bytes" } },
    limit: 1e6,
    policies: ["lru", "sieve"],
    sizes: [0.01, 500, 0.25],
    admission: "tinylfu",
    warmup: 0.1,
    workers: 3,
    sample: 0.1,
    curves: true,
    json: true,
    html: "a.html",
    svg: "b.svg",
    help: true,
  });
  assert(parseOptions(["a", "--policies", "all"]).policies.includes("belady-bypass"));
});

Deno.test("parseOptions() of the replay refuses a wrong value in one line that names it", () => {
  const cases: [string[], string][] = [
    [[], "there must be one TRACE: received none"],
    [["a", "b"], "received a b"],
    [["a", "--policies", "lruu"], "--policies must be one of belady, belady-bypass, adaptive, "],
    [["a", "--policies", ""], 'received ""'],
    [["a", "--sizes", "0"], "--sizes must be numbers (1000) or percentages above 0"],
    [["a", "--sizes", "1%,,2%"], 'received ""'],
    [["a", "--sizes", "100%"], 'received "100%"'],
    [["a", "--sizes", "1.5"], 'received "1.5"'],
    [["a", "--admission", "none"], "--admission must be one of always, tinylfu"],
    [["a", "--warmup", "x"], 'received "x"'],
    [["a", "--limit", "0"], "--limit must be a whole number from 1 to 4294967295"],
    [["a", "--workers", "999"], "--workers must be a whole number from 0 to 256"],
    [["a", "--sample", "0"], '--sample must be above 0 and at most 1: received "0"'],
    [["a", "--svg="], '--svg must be not empty: received ""'],
    [["a", "--html", " "], "--html must be not empty"],
    [["a", "--fast"], "'--fast'"],
  ];
  for (const [args, message] of cases) {
    const error = assertThrows(() => parseOptions(args), UsageError, message);
    assertStringIncludes(error.message, "Cannot parse options: ");
    assertEquals(error.message.split("\n").length, 1, error.message);
  }
});

Deno.test("parseOptions() of the replay gives options or a UsageError for any arguments", () => {
  const word = fc.oneof(
    fc.constantFrom("--policies", "--sizes", "--limit", "all", "1%", "1e3", "--help", "--"),
    fc.string(),
  );
  fc.assert(fc.property(fc.array(word, { maxLength: 5 }), (args) => {
    try {
      parseOptions(args);
    } catch (error) {
      assert(error instanceof UsageError, String(error));
    }
  }));
});

Deno.test("HELP of the replay names every option and fits a terminal", () => {
  const options = Object.keys(parseOptions(["a"])).filter((name) =>
    !/^(?:trace|reading)$/.test(name)
  );
  for (const name of options) assertStringIncludes(HELP, `--${name}`);
  for (const line of HELP.split("\n")) assert(line.length <= 80, line);
});

Deno.test("makeTrace() makes what each line of the help says", () => {
  for (const line of describeGenerators()) {
    const [name] = line.split(":");
    const few = name === "meta-like"
      ? "2021,tables=2,samples=64"
      : `${line.split(":")[1]},requests=50`;
    const trace = makeTrace(`${name}:${few}`, 1e6);
    assert(trace !== undefined && trace.keys.length >= 50, line);
  }
  assertEquals(makeTrace("loop:3,requests=1e1", 5)?.keys, Uint32Array.of(0, 1, 2, 0, 1));
  assertEquals(makeTrace("loop:length=2,requests=3", 5)?.keys, Uint32Array.of(0, 1, 0));
});

Deno.test("makeTrace() leaves other words to the reader of files", () => {
  for (const word of ["zipf.txt", "a/zipf:1", "C:\\a.u32", "toString", ""]) {
    assertEquals(makeTrace(word, 10), undefined, word);
  }
});

Deno.test("makeTrace() refuses settings that it does not know", () => {
  for (const word of ["zipf:0.9,key=5", "zipf:x", "zipf:0.9,5", "zipf:keys=", "zipf:toString=1"]) {
    const error = assertThrows(() => makeTrace(word, 10), UsageError, "Cannot make zipf: ");
    assertStringIncludes(error.message, "exponent, keys, seed, requests: received ");
  }
  assertThrows(() => makeTrace("zipf:0.9,keys=0,requests=1", 10), RangeError, "keyCount");
  assertThrows(() => makeTrace("meta-like:2020", 10), RangeError, "year must be 2021 or 2022");
});
