import { assertEquals, assertThrows } from "@std/assert";
import {
  createKernel,
  type CreateKernelOptions,
  f32,
  type KernelSpec,
  MAX_DIM,
  q8,
  UnsupportedTargetError,
} from "../../kernels/mod.ts";

const good: KernelSpec = { format: q8, dim: 4, pooling: "sum", weighted: false };

/** A spec with one field replaced by anything, as untyped callers may. */
function wrong(field: string, value: unknown): KernelSpec {
  return Object.assign({ ...good }, { [field]: value });
}

Deno.test("createKernel() keeps a copy of the spec and names its target", () => {
  for (const options of [{}, { target: "auto" }, { target: "scalar" }] as CreateKernelOptions[]) {
    const spec = { ...good };
    using kernel = createKernel(spec, options);
    spec.dim = 9;
    assertEquals(kernel.spec, good);
    assertEquals(kernel.target, "scalar");
  }
});

Deno.test("createKernel() throws UnsupportedTargetError on a target that is not there", () => {
  const field: string = "target";
  const options: CreateKernelOptions = Object.assign({}, { [field]: "gpu" });
  const error = assertThrows(() => createKernel(good, options), UnsupportedTargetError);
  assertEquals(
    error.message,
    "Cannot create kernel: target must be one of auto, scalar: received gpu",
  );
});

Deno.test("createKernel() throws RangeError on a wrong spec", () => {
  const dim = "dim must be an integer of at least 1 and at most 65536: received";
  const own = { ...f32, name: "q9" };
  const cases: [spec: KernelSpec, reason: string][] = [
    [wrong("dim", 0), `${dim} 0`],
    [wrong("dim", MAX_DIM + 1), `${dim} 65537`],
    [wrong("dim", 2.5), `${dim} 2.5`],
    [wrong("pooling", "max"), 'pooling must be "sum" or "mean": received max'],
    [wrong("weighted", 1), "weighted must be true or false: received 1"],
    [wrong("format", own), "format must be one of f32, q8: received q9"],
    [wrong("format", undefined), "format must be one of f32, q8: received undefined"],
  ];
  for (const [spec, reason] of cases) {
    const error = assertThrows(() => createKernel(spec), RangeError);
    assertEquals(error.message, `Cannot create kernel: ${reason}`);
  }
});
