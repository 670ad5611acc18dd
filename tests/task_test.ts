import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { outputPaths } from "./task.ts";

Deno.test("outputPaths() finds what the demo's options name", () => {
  const args = ["--report", "a.html", "--batch", "8", "--picture=b.svg", "--report=c,d", "--query"];
  assertEquals(outputPaths(args), ["a.html", "b.svg", "c,,d"]);
  assertEquals(outputPaths(["--report"]), []);
  assertEquals(outputPaths(["--report="]), []);
  const pattern = /^--(?:html|svg)(?:(=)(.*))?$/s;
  assertEquals(outputPaths(["--svg", "a.svg", "--html=b", "--report", "c"], pattern), [
    "a.svg",
    "b",
  ]);
});

async function runTask(...args: string[]): Promise<{ code: number; error: string }> {
  const command = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-env",
      fromFileUrl(import.meta.resolve("./task.ts")),
      ...args,
    ],
    env: { NO_COLOR: "1" },
  });
  const { code, stderr } = await command.output();
  return { code, error: new TextDecoder().decode(stderr) };
}

Deno.test("a task without a name that exists gets one line and exit code 2", async () => {
  for (const name of ["tset", "toString"]) {
    const { code, error } = await runTask(name);
    assertEquals(code, 2);
    const names = "demo, replay, test, bench, soak, check, ok";
    assertEquals(error, `Cannot run task: name must be one of ${names}: received ${name}\n`);
  }
});

Deno.test("check takes no arguments, and the map is named where JSR is out of reach", async () => {
  // Without the permission for the network the registry is out of reach wherever this runs.
  const { code, error } = await runTask("check", "--fast");
  assertEquals(code, 2);
  assertStringIncludes(
    error,
    "The JSR registry cannot be reached; going on with tests/offline/import_map.json\n",
  );
  assertStringIncludes(error, "Cannot run check: it takes no arguments: received --fast\n");
});
