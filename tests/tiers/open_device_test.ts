import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { DeviceError, UnsupportedTargetError } from "../../base/errors.ts";
import { libcRefusal } from "../../base/libc_ffi.ts";
import { descend } from "../../tiers/_ladder.ts";
import { openDevice } from "../../tiers/open_device.ts";
import type { DeviceRung } from "../../tiers/open_device.ts";
import { setupRefusal } from "../../tiers/uring_ffi.ts";
import { complete, knownFile, pages } from "./files.ts";

const MODULE = new URL("../../tiers/open_device.ts", import.meta.url).href;

/** A rung that is refused, as on a machine that this one is not. */
function refused(name: string, reason: string) {
  return {
    name,
    open: (): string => {
      throw new UnsupportedTargetError(reason);
    },
  };
}

function open(name: string) {
  return { name, open: () => name };
}

Deno.test("descend() takes the first rung and says nothing", () => {
  assertEquals(descend("Cannot", [open("a"), open("b")]), { value: "a", position: 0, why: "" });
});

Deno.test("descend() goes down one step at a time and keeps each reason", () => {
  const cases = [
    libcRefusal({ os: "darwin", ffi: "granted" }),
    libcRefusal({ os: "linux", ffi: "prompt" }),
    libcRefusal({ os: "", ffi: "denied" }),
    setupRefusal(38),
    setupRefusal(1),
  ];
  for (const reason of cases) {
    assert(reason !== "");
    const landing = descend("Cannot", [refused("io_uring", reason), open("direct")]);
    assertEquals(landing, { value: "direct", position: 1, why: `io_uring not used: ${reason}` });
  }
  const two = [refused("io_uring", "one"), refused("direct", "two"), open("buffered")];
  assertStrictEquals(descend("Cannot", two).why, "io_uring not used: one; direct not used: two");
});

Deno.test("descend() throws all reasons when no rung opens", () => {
  assertThrows(
    () => descend("Cannot open device", [refused("io_uring", "one"), refused("direct", "two")]),
    UnsupportedTargetError,
    "Cannot open device: io_uring not used: one; direct not used: two",
  );
});

Deno.test("descend() does not hide a mistake behind a lower rung", () => {
  const mistaken = {
    name: "io_uring",
    open: (): string => {
      throw new DeviceError("Cannot open device: x does not exist", 2);
    },
  };
  assertThrows(() => descend("Cannot", [mistaken, open("direct")]), DeviceError, "does not exist");
});

Deno.test("libcRefusal() says nothing on Linux with FFI granted", () => {
  assertStrictEquals(libcRefusal({ os: "linux", ffi: "granted" }), "");
  assertStringIncludes(libcRefusal({ os: "windows", ffi: "granted" }), "windows");
  assertStringIncludes(libcRefusal({ os: "linux", ffi: "denied" }), "--allow-ffi");
});

Deno.test("openDevice() reads by every rung there is, and by the best in auto mode", () => {
  using file = knownFile(8192, 50);
  const had: DeviceRung[] = [];
  for (const mode of ["io_uring", "direct", "buffered"] as const) {
    try {
      const { device, rung, why, fileOffsets } = openDevice({ files: [file.path], mode });
      using _closing = device;
      assertStrictEquals(rung, mode);
      assertStrictEquals(why, "");
      assertEquals(fileOffsets, [0]);
      const memory = pages(1);
      device.attach(memory);
      assertStrictEquals(complete(device, { offsetBytes: 4096, bytes: 4096 }), 4096);
      assertEquals(memory.subarray(0, 4096), file.content.subarray(4096));
      had.push(rung);
    } catch (error) {
      if (!(error instanceof UnsupportedTargetError)) throw error;
      console.log(error.message);
    }
  }
  const { device, rung, why } = openDevice({ files: [file.path] });
  using _closing = device;
  assertStrictEquals(rung, had[0]);
  assertStrictEquals(why === "", rung === "io_uring");
});

Deno.test("openDevice() throws for a mode that is none and for a missing file", () => {
  using file = knownFile(512, 51);
  const mode = "fast" as "auto";
  assertThrows(() => openDevice({ files: [file.path], mode }), RangeError, "received fast");
  const missing = `${file.path}.missing`;
  assertThrows(() => openDevice({ files: [missing] }), DeviceError, `${missing} does not exist`);
});

/**
 * Runs `openDevice` in a process of its own with no more than `permissions`, and gives what it
 * prints.
 */
function openWith(permissions: string[], options: unknown): string {
  const script = `import { openDevice } from ${JSON.stringify(MODULE)};
    try {
      const { device, rung, why } = openDevice(${JSON.stringify(options)});
      console.log(rung + "|" + why);
      device[Symbol.dispose]();
    } catch (error) { console.log(error.name + "|" + error.message); }`;
  const path = Deno.makeTempFileSync({ suffix: ".ts" });
  Deno.writeTextFileSync(path, script);
  const args = ["run", "--quiet", "--no-prompt", "--no-config", "--no-check", ...permissions, path];
  const { stdout, stderr } = new Deno.Command(Deno.execPath(), { args }).outputSync();
  Deno.removeSync(path);
  assertStrictEquals(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("openDevice() goes down and names the flag when FFI is really refused", () => {
  using file = knownFile(4096, 52);
  const [rung, why] = openWith(["--allow-read"], { files: [file.path] }).split("|");
  assert(rung === "direct" || rung === "buffered");
  if (Deno.build.os === "linux") {
    assertStringIncludes(why, "io_uring not used: FFI is not granted (--allow-ffi grants it)");
  }
  const asked = openWith(["--allow-read"], { files: [file.path], mode: "io_uring" });
  assertStringIncludes(asked, "UnsupportedTargetError|Cannot open device: io_uring not used:");
});

Deno.test("openDevice() names the flag when reading is really refused", () => {
  using file = knownFile(4096, 53);
  const said = openWith([], { files: [file.path] });
  assertStringIncludes(said, "DeviceError|");
  assertStringIncludes(said, `reading ${file.path} is not granted (--allow-read grants it)`);
});

Deno.test("openDevice() names the flag when writing is really refused", () => {
  using file = knownFile(4096, 54);
  const said = openWith(["--allow-read"], { files: [file.path], writable: true });
  assertStringIncludes(said, "DeviceError|");
  assertStringIncludes(said, `writing ${file.path} is not granted (--allow-write grants it)`);
});

Deno.test({
  name: "openDevice() goes down to buffered reads on a file system without O_DIRECT",
  ignore: Deno.build.os !== "linux",
  fn() {
    // proc(5) refuses O_DIRECT with EINVAL, as file systems without it do.
    const files = ["/proc/version"];
    const reason = "the file system of /proc/version has no O_DIRECT";
    const [rung, why] = openWith(["--allow-all"], { files }).split("|");
    assertStrictEquals(rung, "buffered");
    assertStringIncludes(why, `direct not used: ${reason}`);
    const said = openWith(["--allow-all"], { files, mode: "direct" });
    assertStrictEquals(
      said,
      `UnsupportedTargetError|Cannot open device: direct not used: ${reason}`,
    );
    // What the runtime itself guards is refused with its own words, which name the flag.
    assertStringIncludes(openWith(["--allow-read"], { files }), "--allow-all flag");
  },
});
