import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { EVICTION_POLICIES } from "../../cache/mod.ts";
import { cacheRows, HELP, parseOptions, UsageError } from "../../examples/demo/options.ts";

Deno.test("parseOptions() has defaults for all", () => {
  assertEquals(parseOptions([]), {
    device: "auto",
    cache: { share: 0.02 },
    policy: "adaptive",
    batch: 64,
    query: undefined,
    report: ".rowtier/report.html",
    picture: undefined,
    folder: undefined,
    synthetic: false,
    help: false,
  });
});

Deno.test("parseOptions() takes every option", () => {
  const args = "--device 3dxp --cache 0.5% --policy sieve --batch=128 --report a.html";
  const more = "--picture b.svg --folder c --synthetic --help";
  const all = [...args.split(" "), ...more.split(" "), "--query", "two words"];
  assertEquals(parseOptions(all), {
    device: "3dxp",
    cache: { share: 0.005 },
    policy: "sieve",
    batch: 128,
    query: "two words",
    report: "a.html",
    picture: "b.svg",
    folder: "c",
    synthetic: true,
    help: true,
  });
  assertEquals(parseOptions(["--cache", "5000"]).cache, { rows: 5000 });
});

Deno.test("parseOptions() refuses a wrong value in one line that names it", () => {
  const cases: [string[], string][] = [
    [
      ["--device", "tape"],
      "--device must be one of auto, io_uring, direct, buffered, nand, 3dxp: ",
    ],
    [["--policy", "mru"], "--policy must be one of adaptive, arc, clock, fifo, "],
    [["--policy", "mru"], 'received "mru"'],
    [["--cache", "0%"], "--cache must be a percentage above 0 and up to 100 (2%)"],
    [["--cache", "101%"], 'received "101%"'],
    [["--cache", "0"], 'received "0"'],
    [["--cache", "2.5"], 'received "2.5"'],
    [["--cache=-3"], 'received "-3"'],
    [["--batch", "0"], '--batch must be a whole number from 1 to 4096: received "0"'],
    [["--batch", "1e3"], 'received "1e3"'],
    [["--batch", "4097"], 'received "4097"'],
    [["--query", " "], '--query must be not empty: received " "'],
    [["--report", ""], '--report must be not empty: received ""'],
    [["--picture="], '--picture must be not empty: received ""'],
    [["--fast"], "'--fast'"],
    [["extra"], "'extra'"],
    [["--query"], "--query"],
    [["--synthetic=1"], "--synthetic"],
  ];
  for (const [args, message] of cases) {
    const error = assertThrows(() => parseOptions(args), UsageError, message);
    assertStringIncludes(error.message, "Cannot parse options: ");
    assertEquals(error.message.split("\n").length, 1, error.message);
  }
});

Deno.test("parseOptions() gives options or a UsageError, whatever the arguments", () => {
  const word = fc.oneof(
    fc.constantFrom("--device", "--cache", "--batch", "--policy", "nand", "2%", "--help", "--"),
    fc.string(),
  );
  fc.assert(fc.property(fc.array(word, { maxLength: 5 }), (args) => {
    try {
      parseOptions(args);
    } catch (error) {
      assert(error instanceof UsageError, String(error));
      assertEquals(error.message.split("\n").length, 1, error.message);
    }
  }));
});

Deno.test("cacheRows() keeps between one row and all", () => {
  assertEquals(cacheRows({ share: 0.02 }, 341_479), 6829);
  assertEquals(cacheRows({ share: 0.001 }, 10), 1);
  assertEquals(cacheRows({ rows: 50 }, 10), 10);
  assertEquals(cacheRows({ rows: 5 }, 10), 5);
});

Deno.test("HELP names every option and fits a terminal", () => {
  for (const name of Object.keys(parseOptions([]))) assertStringIncludes(HELP, `--${name}`);
  for (const line of HELP.split("\n")) assert(line.length <= 80, line);
});

Deno.test("parseOptions() takes every policy, and HELP names it", () => {
  for (const policy of Object.keys(EVICTION_POLICIES)) {
    assertEquals(parseOptions(["--policy", policy]).policy, policy);
    assert(new RegExp(`\\b${policy}\\b`).test(HELP), policy);
  }
});
