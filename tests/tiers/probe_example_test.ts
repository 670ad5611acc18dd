import { assertStringIncludes } from "@std/assert";
import { renderProbe } from "../../examples/probe.ts";
import { PROFILES } from "../../tiers/mod.ts";

Deno.test("renderProbe() tells measured from simulated, and the error of both", () => {
  const point = { op: "read", bytes: 4096, depth: 8, writeShare: 0.3, iops: 1000 } as const;
  const figures = [
    { name: "iops", measured: 1000, simulated: 900, error: -0.1 },
    { name: "meanNs", measured: 8e6, simulated: 8.8e6, error: 0.1 },
    { name: "p99Ns", measured: 1, simulated: 2, error: 1 },
  ] as const;
  const text = renderProbe({
    profile: PROFILES.p5800x,
    errorShare: 0.1,
    noiseShare: 0.025,
    fitted: [],
    heldOut: [{ point, figures }],
  });
  assertStringIncludes(text, "op      bytes depth  writes     IOPS simulated  error");
  assertStringIncludes(
    text,
    "read     4096     8    30 %     1000      900   -10 %     8000     8800   +10 %",
  );
  assertStringIncludes(text, "Error at unseen points: up to 10 %");
  assertStringIncludes(text, "differed by up to 2.5 % between rounds");
});
