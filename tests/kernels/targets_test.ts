import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  createKernel,
  type CreateKernelOptions,
  type KernelSpec,
  ROW_FORMATS,
  UnsupportedTargetError,
} from "../../kernels/mod.ts";
import { anyCall, anyRows, type Call, compareWithTwin } from "./_bags.ts";
import { checkGoldenBag, goldenBags } from "./golden_cases.ts";

/** One memory for all: an arena is copied to its end, so that a read past it traps. */
const memory = new WebAssembly.Memory({ initial: 4 });
const TARGETS: readonly CreateKernelOptions[] = [
  { target: "wasm", memory },
  { target: "x64" },
];
const LAYOUTS = ROW_FORMATS.filter(({ layout }) => layout !== undefined);
const spec: KernelSpec = {
  format: LAYOUTS[0],
  dim: 4,
  pooling: "sum",
  weighting: "none",
  output: "f32",
  pruned: false,
  numerics: "exact",
};

/** Why a target is not to be had here; "" when it is. */
function refusal(options: CreateKernelOptions): string {
  try {
    createKernel(spec, options)[Symbol.dispose]();
    return "";
  } catch (error) {
    if (error instanceof UnsupportedTargetError) return error.message;
    throw error;
  }
}

function placed({ target }: CreateKernelOptions, batch: Call["batch"]): Call["batch"] {
  if (target !== "wasm") return batch;
  const bytes = new Uint8Array(memory.buffer);
  const arena = bytes.subarray(bytes.length - batch.arena.length);
  arena.set(batch.arena);
  return { ...batch, arena };
}

for (const options of TARGETS) {
  const { target } = options, reason = refusal(options);
  if (reason !== "") console.log(`target ${target} is skipped: ${reason}`);

  Deno.test({
    name: `Kernel.pool() on target ${target} gives FBGEMM's vectors`,
    ignore: reason !== "",
    fn() {
      let count = 0;
      for (const one of goldenBags()) {
        using kernel = createKernel(one.spec, options);
        checkGoldenBag(one, kernel, placed(options, one.batch));
        count++;
      }
      assertEquals(count, 2206 + 150 + 72 + 125);
    },
  });

  for (const format of LAYOUTS) {
    Deno.test({
      name: `Kernel.pool() on target ${target} equals exact arithmetic over ${format.name} rows`,
      ignore: reason !== "",
      fn() {
        const call = anyRows(format).chain((rows) =>
          fc.boolean().chain((bad) => anyCall(rows, bad))
        );
        const property = fc.property(call, ({ spec, batch }) => {
          using kernel = createKernel(spec, options);
          compareWithTwin(kernel, { spec, batch: placed(options, batch) });
        });
        fc.assert(property, { numRuns: 300 });
      },
    });
  }
}
