import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

Deno.test("the README shows examples/serve.ts as it stands, and it runs", async () => {
  const source = await Deno.readTextFile(`${ROOT}examples/serve.ts`);
  const body = source.slice(source.indexOf("import "));
  assertStringIncludes(await Deno.readTextFile(`${ROOT}README.md`), `\`\`\`ts\n${body}\`\`\`\n`);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-read", "--allow-write", "--allow-ffi"].concat(
      "examples/serve.ts",
    ),
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  assertEquals(new TextDecoder().decode(stdout).split("\n")[0], "18 4242 10");
});
