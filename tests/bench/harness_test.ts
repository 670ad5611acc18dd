import { assertEquals, assertStrictEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { otherTicks, parseBusy, parseProcess } from "./_processor.ts";
import { alternate, lineOf, spreadOf, tableOf } from "./harness.ts";
import type { Figure } from "./harness.ts";
import { benchNames, isBench, readArguments } from "./main.ts";

const figure: Figure = {
  world: "real",
  case: "reads",
  unit: "us/read",
  ours: { value: 3, low: 2, high: 4 },
  better: "lower",
  peer: { name: "fio", spread: { value: 6, low: 5, high: 7 } },
  must: 1.5,
};

Deno.test("spreadOf() gives the median and the extremes in any order", () => {
  assertEquals(spreadOf([5, 1, 3]), { value: 3, low: 1, high: 5 });
  assertEquals(spreadOf([4, 1, 3, 2]), { value: 2.5, low: 1, high: 4 });
  assertThrows(() => spreadOf([]), RangeError, "must not be empty");
  fc.assert(fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
    const { value, low, high } = spreadOf(values);
    const below = values.filter((one) => one <= value).length;
    const above = values.filter((one) => one >= value).length;
    return low === Math.min(...values) && high === Math.max(...values) &&
      2 * below >= values.length && 2 * above >= values.length;
  }));
});

Deno.test("alternate() turns the order each round and keeps results apart", async () => {
  const order: string[] = [];
  const side = (name: string) => (round: number) => {
    order.push(name);
    return `${name}${round}`;
  };
  assertEquals(await alternate(3, [side("a"), side("b")]), [["a0", "a1", "a2"], [
    "b0",
    "b1",
    "b2",
  ]]);
  assertEquals(order.join(""), "abbaab");
});

Deno.test("lineOf() has the keys of the format, and a ratio above 1 when we are better", () => {
  assertEquals(lineOf("io", figure), {
    bench: "io",
    case: "real: reads",
    unit: "us/read",
    value: 3,
    low: 2,
    high: 4,
    peer: "fio",
    peerValue: 6,
    ratio: 2,
  });
  assertStrictEquals(lineOf("io", { ...figure, better: "higher" }).ratio, 0.5);
  const { peer: _peer, ...alone } = figure;
  const line = lineOf("io", { ...alone, world: "simulated" });
  assertStrictEquals(line.case, "simulated: reads");
  assertEquals([line.peer, line.peerValue, line.ratio], [null, null, null]);
});

Deno.test("tableOf() shows whether what must be reached was", () => {
  assertStringIncludes(tableOf("io", [figure]), "2.00  >= 1.50 met");
  assertStringIncludes(tableOf("io", [{ ...figure, must: 2.5 }]), ">= 2.50 MISSED");
  const { peer: _peer, ...alone } = figure;
  assertStringIncludes(tableOf("io", [alone]), ">= 1.50 not judged");
  const large = { ...alone, ours: { value: 98_126.4, low: 1, high: 1e6 } };
  assertStringIncludes(tableOf("io", [large]), "98,126  1.00  1,000,000");
});

Deno.test("readArguments() takes a known name and options, else says why not", () => {
  assertEquals(readArguments(["io", "--json"], ["io"]), {
    name: "io",
    quick: false,
    json: true,
    peers: false,
  });
  assertStrictEquals(
    readArguments(["oi"], ["io", "x"]),
    "Cannot run bench: name must be one of io, x: received oi",
  );
  assertStrictEquals(
    readArguments([], ["io"]),
    "Cannot run bench: name must be one of io: received none",
  );
  assertStrictEquals(
    readArguments(["io", "--fast"], ["io"]),
    "Cannot run bench: option must be one of --quick, --json, --peers: received --fast",
  );
});

Deno.test("benchNames() lists benchmarks alone", () => {
  assertEquals(benchNames().includes("io"), true);
  assertEquals(["io.ts", "main.ts", "_fio.ts", "harness_test.ts", "x.md"].map(isBench), [
    true,
    false,
    false,
    false,
    false,
  ]);
});

Deno.test("parseBusy() leaves idle, waiting and stolen time out", () => {
  assertStrictEquals(parseBusy("cpu  100 20 300 9999 888 40 5 777 0 0\ncpu0 1 2 3"), 465);
});

Deno.test("parseProcess() finds its fields behind any name", () => {
  const stat = "42 (a) b (c) R 7 42 7 0 -1 4194304 1 2 3 4 100 20 3 4 20 0 1 0 99";
  assertEquals(parseProcess(stat), { pid: 42, parent: 7, ticks: 127 });
});

Deno.test("otherTicks() counts neither us, nor what we started, nor the kernel", () => {
  const processes = [
    { pid: 1, parent: 0, ticks: 1 },
    { pid: 2, parent: 0, ticks: 10 },
    { pid: 3, parent: 2, ticks: 100 },
    { pid: 50, parent: 1, ticks: 1000 },
    { pid: 60, parent: 50, ticks: 10_000 },
    { pid: 61, parent: 60, ticks: 100_000 },
    { pid: 70, parent: 999, ticks: 1_000_000 },
  ];
  assertStrictEquals(otherTicks(processes, 60), 1_001_001);
});
