/**
 * What `deno task demo|replay|test|bench|soak|check|ok` runs. Tests and tools import `@std` from
 * the JSR registry; where it cannot be reached they go on with the stand-ins of `tests/offline/`,
 * and say so in one line.
 *
 * @module
 */

const OFFLINE_MAP = "tests/offline/import_map.json";
const REACH_TIMEOUT_MS = 3000;

type Task = (args: string[], map: string[]) => Promise<number>;

const TASKS: Record<string, Task> = { demo, replay, test, bench, soak, check, ok };

/** Whether the registry answers with what it is asked for: a proxy's login page does not count. */
async function isJsrReachable(): Promise<boolean> {
  const registry = (Deno.env.get("JSR_URL") || "https://jsr.io").replace(/\/+$/, "");
  try {
    const signal = AbortSignal.timeout(REACH_TIMEOUT_MS);
    const response = await fetch(`${registry}/@std/assert/meta.json`, { signal });
    return typeof (await response.json()).versions === "object";
  } catch {
    return false;
  }
}

/** Runs Deno with inherited streams and gives its exit code; a signal to us is passed on to it. */
async function runDeno(args: string[]): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), { args }).spawn();
  const forward = (signal: Deno.Signal) => () => {
    try {
      child.kill(signal);
    } catch {
      // It ended in the meantime.
    }
  };
  // Ctrl-C in a terminal reaches the child without us; we only have to outlive it.
  const onInterrupt = Deno.stdin.isTerminal() ? () => {} : forward("SIGINT");
  const onTerminate = forward("SIGTERM");
  Deno.addSignalListener("SIGINT", onInterrupt);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", onTerminate);
  const { code } = await child.status;
  Deno.removeSignalListener("SIGINT", onInterrupt);
  if (Deno.build.os !== "windows") Deno.removeSignalListener("SIGTERM", onTerminate);
  return code;
}

/** Write permission is for the demo's own folder and for what its options name. */
function demo(args: string[], map: string[]): Promise<number> {
  const writable = [".rowtier", ...outputPaths(args)].join(",");
  return runDeno([
    "run",
    "--allow-read",
    `--allow-write=${writable}`,
    "--allow-env",
    "--allow-ffi",
    `--allow-run=${Deno.execPath()}`,
    ...map,
    "examples/demo.ts",
    ...args,
  ]);
}

/**
 * A loop over the accesses of a trace calls the cache's frame and a policy's methods for each. Deno
 * inlines all of them only with this budget, and an access then takes up to 1.4 times less.
 */
const INLINING = "--v8-flags=" +
  "--max-inlined-bytecode-size-cumulative=4000,--max-inlined-bytecode-size=2000";

/** Benchmarks that replay as `deno task replay` does. */
const REPLAYING = ["policies", "replay"];

/** Reads traces and the modules of its workers, writes what its options name, and that is all. */
function replay(args: string[], map: string[]): Promise<number> {
  const writable = outputPaths(args, /^--(?:html|svg)(?:(=)(.*))?$/s);
  return runDeno([
    "run",
    "--no-prompt",
    "--allow-read",
    "--allow-env",
    ...(writable.length === 0 ? [] : [`--allow-write=${writable.join(",")}`]),
    INLINING,
    ...map,
    "examples/replay.ts",
    ...args,
  ]);
}

/** Options of the demo that name what it writes. */
const DEMO_OUTPUT = /^--(?:report|picture|folder)(?:(=)(.*))?$/s;

/** What `--report PATH`, `--folder=PATH` and the like name; a comma would split the permission. */
export function outputPaths(args: string[], pattern: RegExp = DEMO_OUTPUT): string[] {
  const paths = args.map((arg, i) => {
    const option = pattern.exec(arg);
    if (option === null) return "";
    return option[1] === undefined ? args[i + 1] ?? "" : option[2];
  });
  return paths.filter((path) => path !== "").map((path) => path.replaceAll(",", ",,"));
}

/**
 * Examples are type-checked with all exports of their file imported, so the compiler's own options
 * against unused names cannot be on; the linter's rule `no-unused-vars` holds that line.
 */
function test(args: string[], map: string[]): Promise<number> {
  const permissions = ["read", "write", "env", "ffi", "run"].map((name) => `--allow-${name}`);
  return runDeno(["test", "--doc", "--no-prompt", ...permissions, ...map, ...args]);
}

function bench(args: string[], map: string[]): Promise<number> {
  const permissions = ["read", "write", "env", "ffi", "run", "sys"].map((name) =>
    `--allow-${name}`
  );
  const flags = args.some((arg) => REPLAYING.includes(arg)) ? [INLINING] : [];
  const options = ["run", "--no-prompt", ...permissions, ...flags, ...map];
  return runDeno([...options, "tests/bench/main.ts", ...args]);
}

/** All in virtual time and memory: it needs no permission. */
function soak(args: string[], map: string[]): Promise<number> {
  return runDeno(["run", "--no-prompt", ...map, "tests/soak.ts", ...args]);
}

async function check(args: string[], map: string[]): Promise<number> {
  if (args.length > 0) {
    console.error(`Cannot run check: it takes no arguments: received ${args.join(" ")}`);
    return 2;
  }
  const { exports } = JSON.parse(await Deno.readTextFile("deno.json"));
  const steps: [string, string[]][] = [
    ["format", ["fmt", "--check"]],
    ["lint", ["lint"]],
    ["types", ["check", ...map, "."]],
    ["docs", ["doc", "--lint", ...Object.values<string>(exports)]],
    ["publish", ["publish", "--dry-run", "--allow-dirty"]],
    ["house rules", ["test", "--allow-read", "--allow-run", ...map, "tests/tidy_test.ts"]],
  ];
  let failed = 0;
  for (const [name, command] of steps) failed += await runStep(name, command) ? 0 : 1;
  return failed === 0 ? 0 : 1;
}

/** One line for a step that passes; its whole output where it fails. */
async function runStep(name: string, args: string[]): Promise<boolean> {
  const command = new Deno.Command(Deno.execPath(), { args, stdin: "null" });
  const { success, stdout, stderr } = await command.output();
  console.log(`check ${name}: ${success ? "ok" : "failed"}`);
  if (success) return true;
  await Deno.stdout.write(stdout);
  await Deno.stderr.write(stderr);
  return false;
}

async function ok(args: string[], map: string[]): Promise<number> {
  return await check([], map) || await test(args, map);
}

async function main([name, ...args]: string[]): Promise<number> {
  if (!Object.hasOwn(TASKS, name ?? "")) {
    const names = Object.keys(TASKS).join(", ");
    console.error(`Cannot run task: name must be one of ${names}: received ${name}`);
    return 2;
  }
  const map = await isJsrReachable() ? [] : ["--import-map", OFFLINE_MAP];
  if (map.length > 0) {
    // On stderr: standard output belongs to the task (`bench --json` prints one object a line).
    console.error(`The JSR registry cannot be reached; going on with ${OFFLINE_MAP}`);
  }
  return await TASKS[name](args, map);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
