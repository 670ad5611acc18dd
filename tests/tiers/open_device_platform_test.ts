import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { DeviceError, UnsupportedTargetError } from "../../base/errors.ts";
import { openOn, rungRefusal, RUNGS, thisPlatform } from "../../tiers/_open_on.ts";
import type { LadderPlatform } from "../../tiers/_open_on.ts";
import { complete, knownFile, pages } from "./files.ts";

const NO_DIRECT = "the operating system has no O_DIRECT";
const NO_FFI = "FFI is not granted (--allow-ffi grants it)";

/** What each platform would say of io_uring and of direct reads; "" where it has them. */
const PLATFORMS: [string, LadderPlatform, string, string][] = [
  ["Linux", { os: "linux", ffi: "granted", hasDirect: true }, "", ""],
  ["Linux without FFI", { os: "linux", ffi: "prompt", hasDirect: true }, NO_FFI, ""],
  [
    "macOS",
    { os: "darwin", ffi: "granted", hasDirect: false },
    "the operating system is darwin, not linux",
    NO_DIRECT,
  ],
  [
    "Windows",
    { os: "windows", ffi: "granted", hasDirect: false },
    "the operating system is windows, not linux",
    NO_DIRECT,
  ],
  [
    "FreeBSD, which has O_DIRECT",
    { os: "freebsd", ffi: "granted", hasDirect: true },
    "the operating system is freebsd, not linux",
    "",
  ],
  [
    "Node on Linux",
    { os: "", ffi: "denied", hasDirect: true },
    "FFI is to be had in Deno alone",
    "",
  ],
];

for (const [title, platform, ring, direct] of PLATFORMS) {
  Deno.test(`rungRefusal() says what ${title} lacks`, () => {
    assertEquals(RUNGS.map((rung) => rungRefusal(rung, platform)), [ring, direct, ""]);
  });

  // Direct reads are made for real, so that this machine has to have them.
  const ignore = platform.hasDirect && !thisPlatform().hasDirect;
  Deno.test({
    name: `openOn() takes the best rung of ${title}, says why, and reads by it`,
    ignore,
    fn() {
      using file = knownFile(8192, 140);
      const { device, rung, why } = openOn(platform, { files: [file.path] });
      using _closing = device;
      // What this machine itself lacks may lead further down; never further up.
      if (ring !== "") assertStrictEquals(rung === "io_uring", false);
      if (direct !== "") assertStrictEquals(rung, "buffered");
      if (ring !== "" && direct !== "") {
        assertStrictEquals(why, `io_uring not used: ${ring}; direct not used: ${direct}`);
      }
      const memory = pages(1);
      device.attach(memory);
      assertStrictEquals(complete(device, { offsetBytes: 4096, bytes: 4096 }), 4096);
      assertEquals(memory.subarray(0, 4096), file.content.subarray(4096));
    },
  });
}

Deno.test("openOn() throws for a rung that the platform lacks where it is asked for", () => {
  using file = knownFile(4096, 141);
  const mac: LadderPlatform = { os: "darwin", ffi: "granted", hasDirect: false };
  for (const mode of ["io_uring", "direct"] as const) {
    assertThrows(
      () => openOn(mac, { files: [file.path], mode }),
      UnsupportedTargetError,
      `Cannot open device: ${mode} not used: the operating system`,
    );
  }
  const { device, why } = openOn(mac, { files: [file.path], mode: "buffered", writable: true });
  assertStrictEquals(why, "");
  device[Symbol.dispose]();
  const missing = `${file.path}.missing`;
  assertThrows(() => openOn(mac, { files: [missing] }), DeviceError, "does not exist");
  assertThrows(() => openOn(mac, { files: [] }), RangeError, "files must be an array");
});

Deno.test("thisPlatform() agrees with what the runtime says", () => {
  assertStrictEquals(thisPlatform().os, Deno.build.os);
  if (Deno.build.os === "linux") assertStrictEquals(thisPlatform().hasDirect, true);
});

/** Another machine's `Deno.build`, in a process whose modules are loaded after it was put there. */
function loadAs(os: string): string {
  const fake = `Object.defineProperty(Deno, "build", { value: { ...Deno.build, os: "${os}" } });`;
  const module = new URL("../../tiers/mod.ts", import.meta.url).href;
  const script = `${fake}
    const { openDevice, createMmapDevice, createUringDevice } = await import("${module}");
    const files = [Deno.args[0]];
    const { device, rung, why } = openDevice({ files });
    device[Symbol.dispose]();
    console.log(rung + "|" + why);
    for (const create of [createMmapDevice, createUringDevice]) {
      try { create({ files }); } catch (error) { console.log(error.name + "|" + error.message); }
    }`;
  using file = knownFile(4096, 142);
  const path = Deno.makeTempFileSync({ suffix: ".ts" });
  Deno.writeTextFileSync(path, script);
  const args = ["run", "-A", "--quiet", "--no-config", "--no-check", path, file.path];
  const { stdout, stderr } = new Deno.Command(Deno.execPath(), { args }).outputSync();
  Deno.removeSync(path);
  assertStrictEquals(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout).trim();
}

for (const os of ["darwin", "windows"]) {
  Deno.test(`openDevice() loads where the system is ${os}, and opens no C library`, () => {
    const [opened, mapped, ring] = loadAs(os).split("\n");
    const reason = `the operating system is ${os}, not linux`;
    assertStrictEquals(opened.split("|")[1].startsWith(`io_uring not used: ${reason}`), true);
    assertStrictEquals(mapped, `UnsupportedTargetError|${reason}`);
    assertStrictEquals(ring, `UnsupportedTargetError|${reason}`);
  });
}
