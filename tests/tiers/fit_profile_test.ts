import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { DeviceError, ERRNO } from "../../base/errors.ts";
import { fitDevice, loadProfile, type MeasuredProfile, saveProfile } from "../../tiers/mod.ts";

const READ = { op: "read", bytes: 4096, writeShare: 0 } as const;

function measuredOf(kind: "3dxp" | "nand"): MeasuredProfile {
  const points = [{ ...READ, depth: 1, meanNs: 80_000 }, { ...READ, depth: 64, iops: 300_000 }];
  const { profile, errorShare, points: fitted } = fitDevice(points, {
    kind,
    trials: 40,
    operations: 300,
  });
  return { profile, errorShare, noiseShare: 0.03, fitted, heldOut: fitted.slice(1) };
}

/** A folder of its own for `run`, removed after it. */
function inFolder(run: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    run(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("loadProfile() gives what saveProfile() was given", () => {
  inFolder((folder) => {
    for (const kind of ["3dxp", "nand"] as const) {
      const measured = measuredOf(kind);
      saveProfile(`${folder}/profile.json`, measured);
      assertEquals(loadProfile(`${folder}/profile.json`), measured);
    }
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["profile.json"]);
  });
});

Deno.test("saveProfile() leaves nothing behind when it fails", () => {
  inFolder((folder) => {
    const measured = measuredOf("3dxp");
    const gone = assertThrows(() => saveProfile(`${folder}/no/a.json`, measured), DeviceError);
    assertStrictEquals(gone.errno, ERRNO.ENOENT);
    assert(gone.message.startsWith(`Cannot save profile ${folder}/no/a.json: creating failed`));
    Deno.mkdirSync(`${folder}/a.json/b`, { recursive: true }); // a folder that is not empty
    const taken = assertThrows(() => saveProfile(`${folder}/a.json`, measured), DeviceError);
    assert(taken.message.includes("renaming failed"), taken.message);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["a.json"]);
  });
});

Deno.test("loadProfile() refuses anything else", () => {
  inFolder((folder) => {
    const path = `${folder}/profile.json`;
    const measured = measuredOf("3dxp");
    saveProfile(path, measured);
    const saved = Deno.readTextFileSync(path);
    const load = (change: (profile: Record<string, unknown>) => void) => () => {
      const profile = JSON.parse(saved);
      change(profile);
      Deno.writeTextFileSync(path, JSON.stringify(profile));
      loadProfile(path);
    };
    const { profile, fitted } = measured;
    const types: [Record<string, unknown>, string][] = [
      [{ format: "table" }, 'format must be "rowtier device profile": received "table"'],
      [{ version: 2 }, "version must be 1: received 2"],
      [{ profile: 7 }, "profile must be an object: received number"],
      [{ profile: { ...profile, name: 7 } }, "profile.name must be a string: received number"],
      [{ profile: { ...profile, kind: "disk" } }, "profile.kind must be"],
      [{ profile: { ...profile, read: null } }, "profile.read must be an object"],
      [{ fitted: {} }, "fitted must be an array: received object"],
      [{ heldOut: [7] }, "heldOut[0] must be an object: received number"],
      [{ heldOut: [{ point: fitted[0].point }] }, "heldOut[0].figures must be an array"],
    ];
    for (const [change, message] of types) {
      assertThrows(load((each) => Object.assign(each, change)), TypeError, message);
    }
    const figure = { name: "iops", measured: 1, simulated: 1, error: 0 };
    const withFigure = (change: object) => ({
      heldOut: [{ point: fitted[0].point, figures: [{ ...figure, ...change }] }],
    });
    const ranges: [Record<string, unknown>, string][] = [
      [{ errorShare: -1 }, "errorShare must be a number from 0 on: received -1"],
      [{ noiseShare: null }, "noiseShare must be a number"],
      [{ profile: { ...profile, read: {} } }, "profile.read.delayNs must be"],
      [{ profile: { ...profile, jitterNs: null } }, "profile.jitterNs must be"],
      [{ fitted: [{ point: {}, figures: [] }] }, "fitted[0].point"],
      [withFigure({ name: "speed" }), "figures[0].name must be that of a figure: received speed"],
      [withFigure({ measured: "1" }), "figures[0].measured must be"],
      [withFigure({ error: -2 }), "figures[0].error must be a number from -1 on: received -2"],
    ];
    for (const [change, message] of ranges) {
      const error = assertThrows(load((each) => Object.assign(each, change)), Error, message);
      assert(error instanceof RangeError || error instanceof TypeError);
    }
    load(() => {})(); // what was changed back is fine
    Deno.writeTextFileSync(path, saved.slice(0, -10));
    assertThrows(() => loadProfile(path), SyntaxError);
    const gone = assertThrows(() => loadProfile(`${path}.gone`), DeviceError);
    assertStrictEquals(
      gone.message,
      `Cannot load profile ${path}.gone: reading failed: ENOENT (2)`,
    );
  });
});
