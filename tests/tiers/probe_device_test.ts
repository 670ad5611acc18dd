import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { DeviceError, ERRNO } from "../../base/errors.ts";
import {
  type BlockDevice,
  createFaultDevice,
  createSimulatedDevice,
  createUringDevice,
  memoryMedia,
  probeDevice,
  type ProbeDeviceOptions,
  PROFILES,
  RealClock,
  VirtualClock,
} from "../../tiers/mod.ts";
import { figureOf, LoadPattern, simulateLoad } from "../../tiers/fit/_closed_loop.ts";
import { type Bench, measureLoad, readThrough } from "../../tiers/fit/_measure_load.ts";
import type { FigureName } from "../../tiers/fit/device_point.ts";
import { knownFile, refusalOf, skips } from "./files.ts";

const SPAN = 2 ** 22;

/** A bench over a device in virtual time. */
function benchOf(wrap: (device: BlockDevice, clock: VirtualClock) => BlockDevice = (d) => d) {
  const clock = new VirtualClock();
  const media = memoryMedia(SPAN);
  const inner = createSimulatedDevice({ profile: PROFILES.p3700, media, clock, depth: 32 });
  const device = wrap(inner, clock);
  device.attach(new Uint8Array(2 ** 21));
  const advance = () => {
    clock.advanceTo(device.wakeNs);
    device.step(clock.now());
  };
  const bench: Bench = { device, clock, advance, spanBytes: SPAN, what: "Cannot probe it" };
  return { bench, clock };
}

Deno.test("measureLoad() measures what simulateLoad() says, and lets all come home", () => {
  const { bench } = benchOf();
  for (const [depth, writeShare] of [[1, 0], [16, 0], [8, 0.3]]) {
    const load = { bytes: 4096, depth, writeShare };
    const measured = measureLoad(bench, load, 0.2e9, 1);
    const simulated = simulateLoad(PROFILES.p3700, load, 10_000, 1);
    for (const name of ["iops", "meanNs", "p50Ns"] as FigureName[]) {
      const ratio = figureOf(measured.read, name) / figureOf(simulated.read, name);
      assert(Math.abs(ratio - 1) < 0.15, `${name} at depth ${depth}: ${ratio}`);
    }
    assertStrictEquals(measured.write.sortedNs.length > 0, writeShare > 0);
    assertStrictEquals(bench.device.wakeNs, Infinity, "nothing is left in flight");
  }
});

Deno.test("measureLoad() throws for a read that fails or comes short", () => {
  const load = { bytes: 4096, depth: 4, writeShare: 0 };
  const failing = benchOf((device, clock) =>
    createFaultDevice({ device, faults: [{ kind: "error", at: 9, errno: ERRNO.EIO }], clock })
  );
  const error = assertThrows(() => measureLoad(failing.bench, load, 1e9, 1), DeviceError);
  assertEquals([error.errno, error.message], [5, "Cannot probe it: reading failed: EIO (5)"]);
  const short = benchOf((device, clock) =>
    createFaultDevice({ device, faults: [{ kind: "short", at: 9 }], clock })
  );
  const run = () => measureLoad(short.bench, load, 1e9, 1);
  assertThrows(run, RangeError, "reading must move 4096 bytes: received 2048");
});

Deno.test("readThrough() reads every byte of the span, as often as it should", () => {
  const seen = new Map<number, number>();
  const { bench } = benchOf((device) => {
    const submit = device.submit.bind(device);
    device.submit = (requests, from) => {
      for (let i = from; i < requests.count; i++) {
        const at = requests.offsetBytes[i];
        seen.set(at, (seen.get(at) ?? 0) + 1);
        assertStrictEquals(requests.bytes[i], 2 ** 18);
      }
      return submit(requests, from);
    };
    return device;
  });
  readThrough(bench, 2);
  assertStrictEquals(seen.size, SPAN / 2 ** 18);
  // A full queue submits some again, and what is in flight at the end comes on top.
  assert([...seen.values()].every((times) => times >= 2 && times <= 4), `${[...seen.values()]}`);
  assertStrictEquals(bench.device.wakeNs, Infinity);
});

Deno.test("LoadPattern stays in its span, in order where it is sequential", () => {
  const load = { bytes: 4096, depth: 1, writeShare: 0.5 };
  const random = new LoadPattern(load, 10 * 4096 + 100, 3);
  const places = Array.from({ length: 1000 }, () => random.place());
  assertEquals([...new Set(places)].sort((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const ops = Array.from({ length: 1000 }, () => random.op());
  const writes = ops.filter((op) => op === 1).length;
  assert(writes > 400 && writes < 600 && ops.every((op) => op <= 1));
  const ordered = new LoadPattern({ ...load, sequential: true }, 3 * 4096, 3);
  assertEquals(Array.from({ length: 5 }, () => ordered.place()), [0, 1, 2, 0, 1]);
});

const refusal = refusalOf((path) => createUringDevice({ files: [path] }));
const ignore = skips("probeDevice()", refusal);

const QUICK = {
  depths: [1, 2, 4, 8],
  sizes: [512, 4096],
  loadNs: 3e6,
  rounds: 2,
  kind: "3dxp",
  trials: 40,
  name: "this disk",
} as const;

Deno.test({
  name: "probeDevice() measures a disk and leaves the file as it was",
  ignore,
  fn() {
    using file = knownFile(2 ** 21 + 100, 4);
    const calls: [number, number][] = [];
    const onProgress = (done: number, total: number) => void calls.push([done, total]);
    const measured = probeDevice(file.path, { clock: new RealClock(), ...QUICK, onProgress });
    const { profile, errorShare, noiseShare, fitted, heldOut } = measured;
    const loads = (fits: typeof fitted) => fits.map(({ point }) => [point.bytes, point.depth]);
    assertEquals(loads(fitted), [[512, 1], [512, 4], [4096, 2], [4096, 8]]);
    assertEquals(loads(heldOut), [[512, 2], [512, 8], [4096, 1], [4096, 4]]);
    const worst = Math.max(
      ...heldOut.flatMap(({ figures }) =>
        figures.filter(({ name }) => name === "iops" || name === "meanNs").map(({ error }) =>
          Math.abs(error)
        )
      ),
    );
    assertStrictEquals(errorShare, worst);
    assert(noiseShare >= 0);
    const percent = (100 * errorShare).toFixed(errorShare < 0.1 ? 1 : 0);
    assertStrictEquals(
      profile.name,
      `this disk, simulated, means and IOPS within ${percent} %`,
    );
    assertEquals(calls, Array.from({ length: 17 }, (_, i) => [i, 16]));
    assertEquals(Deno.readFileSync(file.path), file.content);
  },
});

Deno.test({
  name: "probeDevice() writes to a scratch file only, and removes it",
  ignore,
  fn() {
    using file = knownFile(2 ** 20, 4);
    const scratchFolder = Deno.makeTempDirSync();
    try {
      const spread = { scratchFolder, spanBytes: 2 ** 20, writeShares: [0.5], sizes: [4096] };
      let most = 0;
      const onProgress = () => {
        const files = [...Deno.readDirSync(scratchFolder)];
        most = Math.max(most, files.length);
        for (const { name } of files) {
          assertStrictEquals(Deno.statSync(`${scratchFolder}/${name}`).size, 2 ** 20);
        }
      };
      const options = { clock: new RealClock(), ...QUICK, ...spread, onProgress };
      const { fitted, heldOut } = probeDevice(file.path, options);
      const all = [...fitted, ...heldOut].map(({ point }) => `${point.op} ${point.writeShare}`);
      assertEquals([...new Set(all)], ["read 0", "read 0.5", "write 0.5"]);
      assertStrictEquals(most, 1);
      assertEquals([...Deno.readDirSync(scratchFolder)], []);
      assertEquals(Deno.readFileSync(file.path), file.content);
    } finally {
      Deno.removeSync(scratchFolder, { recursive: true });
    }
  },
});

Deno.test({
  name: "probeDevice() removes its scratch file when the probe fails",
  ignore,
  fn() {
    using file = knownFile(2 ** 20, 4);
    const scratchFolder = Deno.makeTempDirSync();
    try {
      const onProgress = () => {
        if ([...Deno.readDirSync(scratchFolder)].length > 0) throw new Error("enough");
      };
      const spread = { scratchFolder, spanBytes: 2 ** 20 };
      const options = { clock: new RealClock(), ...QUICK, ...spread, onProgress };
      assertThrows(() => probeDevice(file.path, options), Error, "enough");
      assertEquals([...Deno.readDirSync(scratchFolder)], []);
    } finally {
      Deno.removeSync(scratchFolder);
    }
    const gone = { clock: new RealClock(), ...QUICK, spanBytes: 2 ** 20, scratchFolder };
    const error = assertThrows(() => probeDevice(file.path, gone), DeviceError);
    assertStrictEquals(error.errno, ERRNO.ENOENT);
    assert(error.message.includes("making a scratch file failed"));
  },
});

Deno.test({
  name: "probeDevice() refuses a file that is missing or shorter than a request",
  ignore,
  fn() {
    const clock = new RealClock();
    using file = knownFile(2048, 4);
    assertThrows(
      () => probeDevice(file.path, { clock, ...QUICK }),
      RangeError,
      `Cannot probe ${file.path}: the file must hold 4096 bytes: received 2048`,
    );
    assertThrows(() => probeDevice(`${file.path}.gone`, { clock, ...QUICK }), DeviceError);
  },
});

Deno.test("probeDevice() refuses wrong options before it opens anything", () => {
  const wrong: [Partial<ProbeDeviceOptions>, string][] = [
    [{ depths: [1, 2, 2] }, "depths.length must be an integer of at least 3 and at most 32"],
    [{ depths: [0, 1, 2] }, "each of depths must be"],
    [{ sizes: [] }, "sizes.length must be"],
    [{ sizes: [1000] }, "each of sizes in sectors must be"],
    [{ loadNs: 10 }, "loadNs must be"],
    [{ rounds: 0 }, "rounds must be"],
    [{ spanBytes: 512 }, "spanBytes must be"],
    [{ trials: 1 }, "trials must be"],
    [{ seed: 0.5 }, "seed must be"],
    [{ writeShares: [0] }, "each of writeShares must be in (0, 1]: received 0"],
  ];
  for (const [options, message] of wrong) {
    const probe = () => probeDevice("no file", { clock: new RealClock(), ...options });
    assertThrows(probe, RangeError, message);
  }
});
