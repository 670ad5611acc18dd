import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** Runs the command line with the permissions given. */
async function run(permissions: string[], ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...permissions, "examples/replay.ts", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), error: text.decode(stderr) };
}

/** A trace of 12 requests for 4 keys. */
async function withTrace(work: (path: string, folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/tiny.txt`;
    await Deno.writeTextFile(path, [7, 8, 7, 9, 7, 8, 5, 7, 8, 9, 7, 8].join("\n"));
    await work(path, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("examples/replay.ts prints a table, with the best marked", () =>
  withTrace(async (path) => {
    const policies = ["--policies", "fifo,lru,belady", "--sizes", "50%,3"];
    const { code, out, error } = await run(["--allow-read"], path, ...policies);
    assertEquals([code, error], [0, ""]);
    const lines = out.split("\n");
    assertEquals(lines[0], "tiny.txt: 12 requests for 4 keys");
    const cells = lines.slice(2, 6).map((line) => line.trim().split(/ {2,}/));
    assertEquals(cells[0], ["policy", "50 % = 2", "ns", "3", "ns"]);
    // Times differ from run to run.
    const shown = cells.slice(1).map(([policy, first, , second]) => [policy, first, second]);
    assertEquals(shown, [
      ["belady", "66.67 %", "41.67 %"],
      ["lru", "83.33 % *", "41.67 % *"],
      ["fifo", "91.67 %", "58.33 %"],
    ]);
  }));

Deno.test("examples/replay.ts --json prints one object a line, curves too", () =>
  withTrace(async (path) => {
    const options = ["--policies", "lru,sieve", "--sizes", "2", "--curves", "--json"];
    const { code, out } = await run(["--allow-read"], path, ...options);
    assertEquals(code, 0);
    const [lru, , curve, replayed, ...rest] = out.trim().split("\n").map((line) =>
      JSON.parse(line)
    );
    assertEquals(rest, []);
    const { trace, policy, admission, slotCount, share, requests, misses, missRatio } = lru;
    assertEquals([trace, policy, admission], ["tiny.txt", "lru", "always"]);
    assertEquals([slotCount, share, requests, misses, missRatio], [2, 0.5, 12, 10, 10 / 12]);
    assert(lru.nsPerAccess >= 0 && lru.memoryBytes > 0);
    assertEquals([curve.policy, curve.method], ["lru", "exact"]);
    assertEquals([replayed.policy, replayed.method], ["sieve", "replayed"]);
    assertEquals(curve.points.at(-1), { share: 0.5, missRatio: 10 / 12 });
    assertEquals(replayed.points.map(({ share }: { share: number }) => share), [0.25, 0.5]);
  }));

Deno.test("examples/replay.ts simulates curves in small, all but Belady's", async () => {
  const trace = "zipf:0.8,keys=2000,requests=20000";
  const options = ["--policies", "sieve,belady", "--sample", "0.2", "--curves", "--json"];
  const { code, out } = await run(["--allow-read"], trace, ...options);
  assertEquals(code, 0);
  const curves = out.trim().split("\n").slice(6).map((line) => JSON.parse(line));
  assertEquals(curves.map(({ method }) => method), ["simulated", "replayed"]);
  assertEquals(curves.map(({ points }) => points.length), [15, 3]);
});

Deno.test("examples/replay.ts draws pictures that stand on their own", () =>
  withTrace(async (path, folder) => {
    const files = ["--svg", `${folder}/a.svg`, "--html", `${folder}/a.html`];
    const permissions = ["--allow-read", "--allow-env", `--allow-write=${folder}`];
    const policies = ["--policies", "belady,lru,fifo"];
    const { code, out, error } = await run(permissions, path, ...policies, ...files);
    assertEquals(code, 0, error);
    assert(!out.includes("Miss ratios in per cent"));
    const svg = await Deno.readTextFile(`${folder}/a.svg`);
    const html = await Deno.readTextFile(`${folder}/a.html`);
    for (const page of [svg, html]) {
      for (const name of ["belady", "lru", "fifo"]) assertStringIncludes(page, `>${name}<`);
      // Nothing is loaded from outside; the only address is a namespace.
      const addresses = [...page.matchAll(/https?:[^"'\s)]*/g)].map(([address]) => address);
      assert(addresses.every((address) => address.startsWith("http://www.w3.org/")));
    }
    assertStringIncludes(html, "tiny.txt");
  }));

Deno.test("examples/replay.ts says what is wrong in one line", async () => {
  const cases: [string[], string[], number, string][] = [
    [
      ["--allow-read"],
      ["no_such_file.u32"],
      1,
      "Cannot read trace no_such_file.u32: opening failed",
    ],
    [[], ["no_such_file.u32"], 1, "run again with the --allow-read flag"],
    [["--allow-read"], ["deno.json"], 1, "format must be told"],
    [["--allow-read"], ["deno.json", "--format", "tar"], 1, "format must be one of csv, lirs"],
    [[], ["zipf", "--policies", "lruu"], 2, "--policies must be one of belady, "],
    [[], ["zipf:1,foo=2"], 2, "Cannot make zipf: settings must be "],
    [[], [], 2, "there must be one TRACE"],
  ];
  await Promise.all(cases.map(async ([permissions, args, expected, message]) => {
    const { code, out, error } = await run(permissions, ...args);
    assertEquals([code, out], [expected, ""], error);
    assertStringIncludes(error, message);
    assertEquals(error.trim().split("\n").length, 1, error);
  }));
});

Deno.test("examples/replay.ts goes on without workers where reading is not allowed", async () => {
  const args = ["loop:10,requests=100", "--policies", "lru,fifo", "--sizes", "5", "--workers", "2"];
  const { code, out, error } = await run([], ...args);
  assertEquals(code, 0, error);
  assertEquals(error.match(/Going on without workers: /g)?.length, 1, error);
  assertStringIncludes(error, "--allow-read");
  assertStringIncludes(out, "100.00 % *");
});

Deno.test("examples/custom_policy.ts runs without permissions", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "examples/custom_policy.ts"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  assert(/^bimodal passes \d+ conformance cases$/.test(lines[0]), lines[0]);
  const cells = (name: string): number[] =>
    lines.find((line) => line.startsWith(name))!.split(/\s{2,}/).slice(1).map(parseFloat);
  assertEquals(cells("lru"), [100, 100, 100]);
  cells("bimodal").forEach((ratio, i) => assert(ratio < 100 && ratio >= cells("belady")[i]));
});
