import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { DeviceError, ERRNO } from "../../base/errors.ts";
import { createFileDevice } from "../../tiers/file_device.ts";
import { createUringDevice } from "../../tiers/uring_device.ts";
import { complete, knownFile, pages, refusalOf, skips } from "./files.ts";
import type { OpenAccess } from "./real_access_cases.ts";

/** Devices whose files others may cut; mapped ones are not among them, and say so. */
const SUBJECTS: Record<string, OpenAccess> = {
  "createUringDevice()": createUringDevice,
  "createFileDevice() by O_DIRECT": (options) => createFileDevice({ ...options, direct: true }),
  "createFileDevice() buffered": (options) => createFileDevice({ ...options, direct: false }),
};

for (const [title, open] of Object.entries(SUBJECTS)) {
  const ignore = skips(title, refusalOf((path) => open({ files: [path] })));

  Deno.test({
    name: `${title} reads short where the file was cut under it`,
    ignore,
    fn: cut(open),
  });

  Deno.test({
    name: `${title} goes on with the file it opened when another takes its name`,
    ignore: ignore || Deno.build.os === "windows",
    fn: replaced(open),
  });
}

function cut(open: OpenAccess): () => void {
  return () => {
    using file = knownFile(16_384, 110);
    using device = open({ files: [file.path], widen: true });
    const memory = pages(1).fill(0xa5);
    device.attach(memory);
    Deno.truncateSync(file.path, 6000);
    assertStrictEquals(complete(device, { offsetBytes: 8192, bytes: 4096 }), 0);
    assertStrictEquals(complete(device, { offsetBytes: 8190, bytes: 77 }), 0);
    assertStrictEquals(complete(device, { offsetBytes: 4096, bytes: 4096, buffer: 8192 }), 1904);
    assertEquals(memory.subarray(8192, 8192 + 1904), file.content.subarray(4096, 6000));
    assert(
      memory.subarray(0, 8192).every((byte) => byte === 0xa5),
      "beyond the end there is nothing",
    );
    Deno.truncateSync(file.path, 16_384); // longer again, with zeros
    assertStrictEquals(complete(device, { offsetBytes: 8192, bytes: 4096 }), 4096);
    assertStrictEquals(memory[0], 0);
  };
}

function replaced(open: OpenAccess): () => void {
  return () => {
    using file = knownFile(8192, 111);
    const old = file.content.slice();
    using device = open({ files: [file.path] });
    const memory = pages(1);
    device.attach(memory);
    using other = knownFile(4096, 112);
    Deno.renameSync(other.path, file.path);
    assertStrictEquals(complete(device, { offsetBytes: 0, bytes: 8192 }), 8192);
    assertEquals(memory.subarray(0, 8192), old);
    Deno.writeFileSync(other.path, new Uint8Array(1)); // for it to be removed
  };
}

const FILL = new URL("./_fill_disk.ts", import.meta.url).pathname;

/** Runs `_fill_disk.ts` on a file system of 64 KiB; its output, or why there is none. */
function onSmallDisk(): { said: string; refusal: string } {
  const folder = Deno.makeTempDirSync({ prefix: "rowtier_" });
  const script = 'mount -t tmpfs -o size=64k none "$1" || exit 9; shift; exec "$@"';
  const run = ["run", "-A", "--no-check", "--no-config", FILL, folder];
  const inside = ["sh", "-c", script, "sh", folder, Deno.execPath(), ...run];
  try {
    const command = new Deno.Command("unshare", { args: ["-Urm", ...inside] });
    const { code, stdout, stderr } = command.outputSync();
    const errors = new TextDecoder().decode(stderr).trim();
    if (code === 9 || errors.startsWith("unshare")) return { said: "", refusal: errors };
    assertStrictEquals(code, 0, errors);
    return { said: new TextDecoder().decode(stdout).trim(), refusal: "" };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { said: "", refusal: "there is no unshare(1)" };
  } finally {
    Deno.removeSync(folder);
  }
}

Deno.test({
  name: "writable devices complete with -ENOSPC on a full disk, and go on",
  ignore: Deno.build.os !== "linux",
  fn() {
    const { said, refusal } = onSmallDisk();
    if (skips("a full disk", refusal)) return;
    const lines = said.split("\n");
    assert(lines.length >= 1 && lines.length <= 3, said);
    for (const line of lines) {
      const [title, ...results] = line.split(" ");
      const [first, full, again, read] = results.map(Number);
      assertStrictEquals(first, 16_384, title);
      assertStrictEquals(full, -ERRNO.ENOSPC, title);
      assertStrictEquals(again, 16_384, `${title}: what has its place is still written`);
      assertStrictEquals(read, 16_384, title);
    }
  },
});

/** Whether files' modes do not bind us: told by the owner of a file that we make. */
function isRoot(): boolean {
  using file = knownFile(512, 1);
  return Deno.statSync(file.path).uid === 0;
}

const unbound = Deno.build.os !== "linux" || isRoot();
const refused = "createFileDevice() throws for a file that may not be read, or not be written";

Deno.test({
  name: unbound ? `${refused} (skipped: run as a user whom the mode of a file binds)` : refused,
  ignore: unbound,
  fn() {
    using file = knownFile(4096, 113);
    for (const mode of [0o000, 0o444]) {
      Deno.chmodSync(file.path, mode);
      const open = () => createFileDevice({ files: [file.path], direct: false, writable: true });
      const error = assertThrows(open, DeviceError, `${file.path} cannot be opened`);
      assertStrictEquals(error.errno, ERRNO.EACCES);
    }
  },
});
