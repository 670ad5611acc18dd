/**
 * Two tables on disk, one request over both.
 *
 * @module
 */

import { buildTable, f32, openPipeline } from "@rowtier/rowtier";

const folder = await Deno.makeTempDir();
const rows = (count: number, dim: number) =>
  Array.from({ length: count }, (_, r) => new Float32Array(dim).fill(r));
await buildTable(`${folder}/users.rows`, rows(10_000, 64), { dim: 64 }); // 8 bits a value
await buildTable(`${folder}/items.rows`, rows(2_000, 32), { dim: 32, format: f32 });
{
  using opened = openPipeline({
    tables: [
      { path: `${folder}/users.rows`, cacheShare: 0.02 },
      { path: `${folder}/items.rows`, cacheShare: 0.1, pooling: "mean" },
    ],
  });
  const users = { table: 0, keys: Uint32Array.of(7, 11, 4242), offsets: Uint32Array.of(0, 2, 3) };
  const items = { table: 1, keys: Uint32Array.of(5, 10, 15), offsets: Uint32Array.of(0, 3) };
  const vectors = await opened.pipeline.lookup({ parts: [users, items] });
  console.log(vectors[0], vectors[64], vectors[128]); // 18 = 7 + 11; 4242; 10, a mean
  console.log(`read by ${opened.rung} ${opened.why}`);
}
await Deno.remove(folder, { recursive: true });
