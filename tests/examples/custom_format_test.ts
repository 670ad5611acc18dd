import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

Deno.test("examples/custom_format.ts runs, and its kernel and its pipeline agree", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-read", "--allow-write", "examples/custom_format.ts"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  const mean = [5, 10, 15].reduce((sum, row) => sum + Math.sin(row * 64), 0) / 3;
  const shown = mean.toFixed(3);
  assertEquals(lines.length, 3);
  const [, kernel, pipeline] = /^kernel (\S+), pipeline (\S+)$/.exec(lines[2])!;
  assertEquals(kernel, pipeline);
  assertEquals(Number(kernel).toFixed(3), shown);
});
