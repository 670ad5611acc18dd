import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  createKernel,
  type CreateKernelOptions,
  f32,
  type KernelShape,
  type KernelSpec,
  MAX_DIM,
  q8,
  type RowFormat,
  UnsupportedTargetError,
} from "../../kernels/mod.ts";

const good: KernelShape = { format: q8, dim: 4 };
const full: KernelSpec = {
  ...good,
  pooling: "sum",
  weighting: "none",
  output: "f32",
  pruned: false,
  numerics: "exact",
};

/** A shape with one field replaced by anything, as untyped callers may. */
function wrong(field: string, value: unknown): KernelShape {
  return Object.assign({ ...good }, { [field]: value });
}

Deno.test("createKernel() keeps a copy of the shape, with defaults, and names its target", () => {
  const shape = { ...good };
  using kernel = createKernel(shape, { target: "scalar" });
  shape.dim = 9;
  assertEquals(kernel.spec, full);
  assertEquals(kernel.target, "scalar");
});

Deno.test("createKernel() never prompts, and takes the fastest target that is to be had", () => {
  using bare = createKernel(good);
  const memory = new WebAssembly.Memory({ initial: 1 });
  using within = createKernel(good, { memory });
  const granted = Deno.permissions.querySync({ name: "ffi" }).state === "granted";
  if (!granted) assertEquals([bare.target, within.target], ["scalar", "wasm"]);
  else assert(bare.target !== "wasm" && within.target !== "scalar");
  // No target but the scalar one knows how to read a format without a layout.
  const { layout: _, ...own } = q8;
  using generic = createKernel({ ...good, format: own }, { memory });
  assertEquals(generic.target, "scalar");
});

Deno.test("createKernel() takes no x64 code without the permission to load it", async () => {
  const code = `
    import { createKernel, q8 } from "${new URL("../../kernels/mod.ts", import.meta.url)}";
    const shape = { format: q8, dim: 4 }, memory = new WebAssembly.Memory({ initial: 1 });
    let refusal = "none";
    try {
      createKernel(shape, { target: "x64" });
    } catch (error) {
      refusal = error.name;
    }
    console.log(createKernel(shape).target, createKernel(shape, { memory }).target, refusal);`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-lock", "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
    env: { NO_COLOR: "1" },
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(code));
  await writer.close();
  const { stdout } = await child.output();
  assertEquals(
    new TextDecoder().decode(stdout).trim(),
    "scalar wasm UnsupportedTargetError",
  );
});

Deno.test("createKernel() throws UnsupportedTargetError on a target that is not there", () => {
  const field: string = "target";
  const text = (options: CreateKernelOptions, shape: KernelShape = good): string =>
    assertThrows(() => createKernel(shape, options), UnsupportedTargetError).message;
  assertEquals(
    text(Object.assign({}, { [field]: "gpu" })),
    "Cannot create kernel: target must be one of auto, scalar, wasm, x64: received gpu",
  );
  assertEquals(
    text({ target: "wasm" }),
    "Cannot create kernel: memory must be given for target wasm: received undefined",
  );
  const { layout: _, ...own } = q8;
  const reason = text({ target: "x64" }, { ...good, format: own });
  assert(reason.startsWith("Cannot create kernel: target x64 is not to be had here: "), reason);
});

Deno.test("createKernel() throws RangeError on a wrong shape", () => {
  const dim = "dim must be an integer of at least 1 and at most 65536: received";
  const cases: [shape: KernelShape, reason: string][] = [
    [wrong("dim", 0), `${dim} 0`],
    [wrong("dim", MAX_DIM + 1), `${dim} 65537`],
    [wrong("dim", 2.5), `${dim} 2.5`],
    [wrong("pooling", "min"), "pooling must be one of sum, mean, max, none: received min"],
    [wrong("weighting", 1), "weighting must be one of none, sample, position: received 1"],
    [wrong("output", "f64"), "output must be one of f32, f16, bf16: received f64"],
    [wrong("pruned", "no"), "pruned must be one of false, true: received no"],
    [wrong("numerics", ""), "numerics must be one of exact, fast: received "],
    [wrong("format", undefined), "format must be a RowFormat: received undefined"],
    [
      { ...good, pooling: "max", weighting: "sample" },
      "weighting must be none for pooling max: received sample",
    ],
    [
      { ...good, pooling: "none", weighting: "position" },
      "weighting must be none or sample for pooling none: received position",
    ],
  ];
  for (const [shape, reason] of cases) {
    const error = assertThrows(() => createKernel(shape), RangeError);
    assertEquals(error.message, `Cannot create kernel: ${reason}`);
  }
});

Deno.test("createKernel() pools rows of a user's own format, with or without a layout", () => {
  const negated: RowFormat = {
    name: "negated",
    code: 1000,
    rowBytes: (dim) => f32.rowBytes(dim),
    quantise: (values, at, dim, row, start) =>
      f32.quantise(values.map((x) => -x), at, dim, row, start),
    dequantise(row, start, dim, values, at) {
      f32.dequantise(row, start, dim, values, at);
      for (let j = 0; j < dim; j++) values[at + j] = -values[at + j];
    },
  };
  const renamed: RowFormat = { ...f32, name: "renamed", code: 1001 };
  for (const format of [negated, renamed]) {
    const arena = new Uint8Array(format.rowBytes(2) * 2);
    format.quantise(Float32Array.of(1, 2), 0, 2, arena, 0);
    format.quantise(Float32Array.of(10, 20), 0, 2, arena, 8);
    using kernel = createKernel({ format, dim: 2 });
    const output = new Float32Array(2);
    kernel.pool({
      bagCount: 1,
      lengths: Int32Array.of(2),
      slots: Int32Array.of(0, 1),
      slotCount: 2,
      arena,
      rowStride: 8,
      rowCount: 2,
    }, output);
    assertEquals([...output], [11, 22]);
  }
});
