import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  createSimulatedDevice,
  defineDevice,
  type DeviceDefinition,
  memoryMedia,
  PROFILES,
  VirtualClock,
} from "../../tiers/mod.ts";

Deno.test("defineDevice() fills in the defaults of the kind, not what one drive owns", () => {
  const profile = defineDevice({ kind: "3dxp", name: "mine", units: 3 });
  const { power: _p, endurance: _e, subBlock: _s, ...rest } = PROFILES.p4800x;
  assertEquals(profile, { ...rest, name: "simulated mine", units: 3 });
  const memory = defineDevice({ kind: "memory", name: "simulated lines" });
  assertEquals(memory, { ...PROFILES.dram, name: "simulated lines" });
  const nand = defineDevice({ kind: "nand", name: "mine", diesPerChannel: 8 });
  assertStrictEquals(nand.diesPerChannel, 8);
  assertStrictEquals(nand.senseNs, PROFILES.p3700.senseNs);
  // The defaults themselves stay as they are.
  assertStrictEquals(PROFILES.p4800x.units, 7);
  assertStrictEquals(PROFILES.p4800x.power?.idleWatts, 5.5);
});

Deno.test("defineDevice() makes devices of every kind", () => {
  for (const kind of ["3dxp", "nand", "memory"] as const) {
    const profile = defineDevice({ kind, name: kind });
    const media = memoryMedia(2 ** 16), clock = new VirtualClock();
    using device = createSimulatedDevice({ profile, media, clock });
    assertStrictEquals(device.name, `simulated ${kind}`);
    assertStrictEquals(device.profile, profile);
  }
});

Deno.test("defineDevice() refuses wrong definitions, and says which field", () => {
  const define = (fields: object) => () =>
    defineDevice({ kind: "3dxp", name: "mine", ...fields } as DeviceDefinition<"3dxp">);
  const what = "Cannot define device: ";
  assertThrows(define({ kind: "disk" }), TypeError, `${what}kind must be one of 3dxp, `);
  assertThrows(define({ kind: "toString" }), TypeError, "received toString");
  assertThrows(define({ name: " " }), TypeError, `${what}name must be a text`);
  assertThrows(define({ name: undefined }), TypeError, "received undefined");
  assertThrows(define({ unit: 3 }), TypeError, "received unit");
  assertThrows(define({ senseNs: 3 }), TypeError, "received senseNs");
  assertThrows(define({ units: 0 }), RangeError, `${what}profile.units must be`);
  assertThrows(define({ units: undefined }), RangeError, "received undefined");
  assertThrows(define({ blockBytes: 768 }), RangeError, "must be a power of two: received 768");
  assertThrows(define({ chunkBytes: 5000 }), RangeError, "must be a multiple of 4096");
  assertThrows(define({ chunkBytes: 512 }), RangeError, "profile.chunkBytes must be");
  const endurance = { capacityBytes: 1e12, driveWritesPerDay: 1, years: 5 };
  assertThrows(
    define({ endurance: { ...endurance, capacityBytes: 0.5 } }),
    RangeError,
    "endurance.capacityBytes must be",
  );
  assertThrows(define({ endurance: { ...endurance, years: 0 } }), RangeError, "endurance.years");
  assertThrows(define({ subBlock: { bytes: 0, savedNs: 1 } }), RangeError, "subBlock.bytes");
  assertThrows(define({ subBlock: { bytes: 3, savedNs: 1 } }), RangeError, "must divide 512");
  assertThrows(define({ subBlock: { bytes: 4, savedNs: -1 } }), RangeError, "subBlock.savedNs");
});

Deno.test("defineDevice() refuses wrong memory", () => {
  const define = (fields: object) => () =>
    defineDevice({ kind: "memory", name: "mine", ...fields } as DeviceDefinition<"memory">);
  assertThrows(define({ granuleBytes: 0 }), RangeError, "profile.granuleBytes must be");
  assertThrows(define({ randomNs: -1 }), RangeError, "profile.randomNs must be");
  assertThrows(define({ sequentialNs: NaN }), RangeError, "profile.sequentialNs must be");
  assertThrows(define({ readBytesPerSecond: 0 }), RangeError, "profile.readBytesPerSecond");
  assertThrows(define({ writeBytesPerSecond: Infinity }), RangeError, "writeBytesPerSecond");
});
