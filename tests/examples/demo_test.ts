import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** Runs the demo as its own users can, without the task. */
function demo(args: string[], permissions: string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...permissions, "examples/demo.ts", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "rowtier-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function allowing(folder: string): string[] {
  return ["--allow-read", `--allow-write=${folder}`, "--allow-env", "--allow-ffi"];
}

Deno.test("the demo serves a made-up table, finds it again, and goes down the ladder", async () => {
  await inFolder(async (folder) => {
    const report = join(folder, "report.html"), picture = join(folder, "picture.svg");
    const args = ["--synthetic", "--folder", folder, "--report", report];
    const first = await demo([...args, "--picture", picture], allowing(folder)).output();
    assertEquals(first.code, 0, text(first.stderr));
    assertStringIncludes(text(first.stdout), "Built ");
    assertStringIncludes(text(first.stdout), "Every vector is bit-equal");
    assertStringIncludes(text(first.stdout), "simulated");
    assertStringIncludes(await Deno.readTextFile(report), "<svg");
    assertStringIncludes(await Deno.readTextFile(picture), "<svg");

    const noFfi = allowing(folder).filter((flag) => flag !== "--allow-ffi");
    const second = await demo(args, noFfi).output();
    assertEquals(second.code, 0, text(second.stderr));
    assertStringIncludes(text(second.stdout), "every block verified");
    assertStringIncludes(text(second.stdout), "--allow-ffi");

    const simulated = await demo([...args, "--device", "3dxp"], allowing(folder)).output();
    assertEquals(simulated.code, 0, text(simulated.stderr));
    assert(/device +simulated/.test(text(simulated.stdout)), text(simulated.stdout));
  });
});

Deno.test("the demo refuses a damaged table, saying what and where", async () => {
  await inFolder(async (folder) => {
    const report = join(folder, "report.html");
    const args = ["--synthetic", "--folder", folder, "--report", report];
    assertEquals((await demo(args, allowing(folder)).output()).code, 0);
    const path = join(folder, "synthetic", "q8.rows");
    const bytes = await Deno.readFile(path);
    bytes[4096 + 512 * 7 + 5] ^= 1;
    await Deno.writeFile(path, bytes);
    const { code, stderr } = await demo(args, allowing(folder)).output();
    assertEquals(code, 1);
    assertStringIncludes(text(stderr), `block 7 is damaged (at byte ${4096 + 512 * 7})`);
    assertEquals(text(stderr).trim().split("\n").length, 1);
  });
});

Deno.test("the demo says a wrong option or a refused permission in one line", async () => {
  await inFolder(async (folder) => {
    const wrong = await demo(["--device", "tape"], allowing(folder)).output();
    assertEquals(wrong.code, 2);
    assertStringIncludes(text(wrong.stderr), "--device must be one of");
    assertEquals(text(wrong.stderr).trim().split("\n").length, 1);
    const refused = await demo(["--synthetic", "--folder", folder], ["--allow-read"]).output();
    assertEquals(refused.code, 1);
    assertStringIncludes(text(refused.stderr), "--allow-");
    assertEquals(text(refused.stderr).trim().split("\n").length, 1);
  });
});

Deno.test("the demo leaves no half file when it is interrupted", async () => {
  if (Deno.build.os === "windows") return;
  await inFolder(async (folder) => {
    const built = join(folder, "synthetic");
    const child = demo(["--synthetic", "--folder", folder], allowing(folder)).spawn();
    // Until the first table is being written.
    while (!namesIn(built).some((name) => name.endsWith(".partial"))) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    child.kill("SIGINT");
    const { code } = await child.output();
    assertEquals(code, 130);
    assertEquals(namesIn(built).filter((name) => name.endsWith(".partial")), []);
  });
});

function namesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    return [];
  }
}
