import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  addressOf,
  currentPlatform,
  directGranule,
  hugePages,
  libcRefusal,
  mapBytes,
  memoryFile,
  openDirect,
  openLibc,
  unmapBytes,
} from "../../base/libc_ffi.ts";
import { procLines } from "./proc.ts";

const refusal = libcRefusal(currentPlatform());
if (refusal !== "") console.log(`tests of the C library are skipped: ${refusal}`);
const ignore = refusal !== "";

Deno.test({
  name: "mapBytes() gives zeroed memory, and unmapBytes() detaches it first",
  ignore,
  fn() {
    const libc = openLibc();
    assertStrictEquals(openLibc(), libc);
    const mapping = mapBytes(libc, 8192, 3, 0x22, -1, 0); // private, anonymous
    assert(typeof mapping !== "number");
    const bytes = new Uint8Array(mapping.buffer);
    assert(bytes.length === 8192 && bytes.every((byte) => byte === 0));
    bytes[8191] = 7;
    assertStrictEquals(addressOf(bytes) % 4096, 0);
    assertStrictEquals(addressOf(bytes.subarray(100)), addressOf(bytes) + 100);
    unmapBytes(libc, mapping);
    assertStrictEquals(bytes.length, 0);
    assertStrictEquals(bytes[8191], undefined);
  },
});

Deno.test({
  name: "mapBytes() and openDirect() give the negative error number",
  ignore,
  fn() {
    const libc = openLibc();
    assertStrictEquals(mapBytes(libc, 0, 3, 0x22, -1, 0), -22);
    assertStrictEquals(openDirect(libc, "/nowhere/at/all"), -2);
    assertStrictEquals(openDirect(libc, "/proc/version"), -22);
  },
});

Deno.test({
  name: "directGranule() gives a power of two, or 0 where the system does not say",
  ignore,
  fn() {
    const libc = openLibc();
    const path = Deno.makeTempFileSync();
    const fd = openDirect(libc, path);
    if (fd >= 0) {
      const granule = directGranule(libc, fd);
      assert(granule <= 0 || (granule & (granule - 1)) === 0);
      libc.symbols.close(fd);
    }
    assertStrictEquals(directGranule(libc, 99_999), 0);
    Deno.removeSync(path);
  },
});

Deno.test("libcRefusal() gives one reason, the system's before the permission's", () => {
  const said = [
    { os: "", ffi: "denied" },
    { os: "darwin", ffi: "denied" },
    { os: "linux", ffi: "prompt" },
    { os: "linux", ffi: "granted" },
  ].map(libcRefusal);
  assertEquals(said, [
    "FFI is to be had in Deno alone",
    "the operating system is darwin, not linux",
    "FFI is not granted (--allow-ffi grants it)",
    "",
  ]);
});

Deno.test({
  name: "memoryFile() gives a file that holds the bytes, and the negative error number",
  ignore,
  fn() {
    const libc = openLibc();
    const bytes = Uint8Array.from({ length: 10_000 }, (_, i) => i % 251);
    const fd = memoryFile(libc, "rowtier test", bytes);
    assert(fd >= 0, `memoryFile() gave ${fd}`);
    const [name] = procLines("readlink", `fd/${fd}`);
    assert(name.startsWith("/memfd:rowtier test"), name);
    const { stdout } = new Deno.Command("cat", { args: [`/proc/${Deno.pid}/fd/${fd}`] })
      .outputSync();
    assertEquals(stdout, bytes);
    libc.symbols.close(fd);
    assertStrictEquals(memoryFile(libc, "x".repeat(300), bytes), -22); // longest name: 249
  },
});

Deno.test({
  name: "hugePages() advises the whole pages inside a mapping, and says no where none fits",
  ignore,
  fn() {
    const mapping = mapBytes(openLibc(), 2 ** 23, 3, 0x22, -1, 0);
    assert(typeof mapping !== "number");
    const bytes = new Uint8Array(mapping.buffer);
    const advised = hugePages(bytes);
    // Kernels without transparent huge pages refuse.
    const given = procLines("cat", "smaps")
      .some((line) => line.startsWith("VmFlags:") && line.split(" ").includes("hg"));
    assertStrictEquals(advised, given);
    bytes[2 ** 23 - 1] = 7;
    assertStrictEquals(hugePages(bytes.subarray(0, 4096)), false);
    assertStrictEquals(hugePages(new Uint8Array(0)), false);
    unmapBytes(openLibc(), mapping);
  },
});
