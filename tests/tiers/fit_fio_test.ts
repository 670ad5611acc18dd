import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { fitDevice, pointsFromFio } from "../../tiers/mod.ts";

/** A run of fio 3.33 on a virtual disk; see the folder's README. */
const GOLDEN = new URL("../golden/fio_virtual_disk.json", import.meta.url);

Deno.test("pointsFromFio() reads what fio prints", () => {
  const points = pointsFromFio(Deno.readTextFileSync(GOLDEN));
  const read4k = { op: "read", bytes: 4096, writeShare: 0 };
  assertEquals(points.slice(0, 3).map(({ op, bytes, writeShare }) => ({ op, bytes, writeShare })), [
    read4k,
    read4k,
    read4k,
  ]);
  assertEquals(points.map(({ depth }) => depth), [1, 4, 32, 8, 8]);
  assertEquals(points[0], {
    op: "read",
    bytes: 4096,
    depth: 1,
    writeShare: 0,
    iops: 17248.375812,
    meanNs: 57439.020977,
    p50Ns: 56064,
    p99Ns: 85504,
    p999Ns: 173056,
    p9999Ns: 913408,
  });
  const [reads, writes] = points.slice(3);
  assertEquals([reads.op, reads.bytes, writes.op, writes.bytes], ["read", 8192, "write", 8192]);
  assertEquals([reads.writeShare, writes.writeShare], [0.3, 0.3]);
  // 28,785 writes: fewer than three are beyond 99.99 %.
  assertStrictEquals(writes.p9999Ns, undefined);
  assertStrictEquals(writes.p999Ns, 4079616);
});

Deno.test("pointsFromFio() gives points that a profile can be fitted to", () => {
  const points = pointsFromFio(Deno.readTextFileSync(GOLDEN));
  const { errorShare, points: fits } = fitDevice(points, {
    kind: "3dxp",
    operations: 500,
    trials: 150,
  });
  assertEquals(fits.length, points.length);
  // A virtual disk is slower at once when two requests meet, which no drive of the models is.
  assert(errorShare < 0.35, `${errorShare}`);
});

const PART = {
  total_ios: 1e6,
  iops: 1000,
  clat_ns: { mean: 5, percentile: { "50.000000": 4, "99.000000": 9 } },
};

/** The points of one job; `options` of it, or of all. */
function pointsOf(options: object, shared: object = {}, job: object = { read: PART }) {
  return pointsFromFio({ "global options": shared, jobs: [{ "job options": options, ...job }] });
}

Deno.test("pointsFromFio() skips what stands before the JSON", () => {
  const text = `fio: warning {not this}\n${JSON.stringify({ jobs: [{ read: PART }] }, null, 1)}`;
  assertEquals(pointsFromFio(text), [
    // fio's defaults: sequential reads of 4 KB, one at a time.
    {
      op: "read",
      bytes: 4096,
      depth: 1,
      writeShare: 0,
      sequential: true,
      iops: 1000,
      meanNs: 5,
      p50Ns: 4,
      p99Ns: 9,
    },
  ]);
});

Deno.test("pointsFromFio() takes total latencies where fio reports their percentiles", () => {
  const lat = { mean: 7, percentile: { "50.000000": 6 } };
  const [total] = pointsOf({}, {}, { read: { ...PART, lat_ns: lat } });
  assertEquals([total.meanNs, total.p50Ns, total.p99Ns], [7, 6, undefined]);
  const [clat] = pointsOf({}, {}, { read: { ...PART, lat_ns: { mean: 7 } } });
  assertEquals([clat.meanNs, clat.p50Ns, clat.p99Ns], [5, 4, 9]);
});

Deno.test("pointsFromFio() reads sizes, depths, and mixes as fio does", () => {
  const sizes = { "4k": 4096, "512": 512, "1M": 2 ** 20, "8KiB": 8192, "2kb": 2048 };
  for (const [bs, bytes] of Object.entries(sizes)) {
    assertStrictEquals(pointsOf({ bs })[0].bytes, bytes);
  }
  const depth = (options: object) => pointsOf(options)[0].depth;
  assertStrictEquals(depth({ iodepth: "8" }), 1, "psync, fio's default, holds one");
  assertStrictEquals(depth({ iodepth: "8", ioengine: "libaio" }), 8);
  const grouped = { ioengine: "io_uring", iodepth: "8", numjobs: "4", group_reporting: "1" };
  assertStrictEquals(depth(grouped), 32);
  assertStrictEquals(pointsOf({ bs: "8k" }, { bs: "4k" })[0].bytes, 8192, "the job outdoes all");
  const both = { read: PART, write: PART };
  const share = (options: object) => pointsOf(options, {}, both)[0].writeShare;
  assertStrictEquals(share({ rw: "randrw" }), 0.5);
  assertStrictEquals(share({ rw: "randrw", rwmixread: "75" }), 0.25);
  assertStrictEquals(share({ rw: "rw", rwmixwrite: "40" }), 0.4);
  const writes = pointsOf({ rw: "randwrite" }, {}, { read: { total_ios: 0 }, write: PART });
  assertEquals(writes.map(({ op, writeShare }) => [op, writeShare]), [["write", 1]]);
  assertStrictEquals(pointsOf({ rw: "read:8" })[0].sequential, true);
  assertStrictEquals(pointsOf({ rw: "randread" })[0].sequential, undefined);
});

Deno.test("pointsFromFio() refuses what it cannot read", () => {
  const read = (output: object) => () => pointsFromFio(output);
  assertThrows(() => pointsFromFio("no JSON"), SyntaxError);
  assertThrows(() => pointsFromFio("[]"), TypeError, "the output must be an object: received an");
  assertThrows(read({}), TypeError, "Cannot read fio's output: jobs must be an array");
  assertThrows(read({ jobs: [null] }), TypeError, "jobs[0] must be an object: received null");
  assertThrows(read({ jobs: [] }), RangeError, "points.length must be");
  const wrong: [object, object, string][] = [
    [{ rw: "randtrim" }, {}, "jobs[0] rw must be one of"],
    [{ rw: "constructor" }, {}, "jobs[0] rw must be one of"],
    [{ bs: "4k,8k" }, {}, "jobs[0] bs must be one size such as 4k: received 4k,8k"],
    [{ numjobs: "2" }, {}, "jobs[0] of 2 processes must have group_reporting"],
    [{ rw: "randrw", rwmixread: "x" }, {}, "points[0].writeShare must be"],
  ];
  for (const [options, shared, message] of wrong) {
    assertThrows(() => pointsOf(options, shared), RangeError, message);
  }
  const part = (change: object) => () => pointsOf({}, {}, { read: { ...PART, ...change } });
  assertThrows(part({ iops: "fast" }), TypeError, "jobs[0].read.iops must be a number");
  assertThrows(part({ clat_ns: undefined }), TypeError, "jobs[0].read.clat_ns must be an object");
  const odd = { mean: 5, percentile: { "50.000000": "4" } };
  assertThrows(part({ clat_ns: odd }), TypeError, "percentile must be a number: received string");
});
