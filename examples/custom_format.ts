/**
 * A row format of one's own: 12-bit codes, two in three bytes, between the library's 8 bits and
 * fp16. Kernels, tables and pipelines take it like any other.
 *
 * @module
 */

import {
  buildTable,
  createKernel,
  openPipeline,
  q8,
  rowErrors,
  type RowFormat,
} from "@rowtier/rowtier";

const TOP = 4095;

/** `dim` codes of 12 bits, then the scale and the bias as fp32; value = scale * code + bias. */
const u12: RowFormat = {
  name: "u12",
  code: 1012, // one's own formats have numbers from 1000
  rowBytes: (dim) => Math.ceil(dim * 1.5) + 8,
  quantise(values, at, dim, row, start) {
    const list = values.subarray(at, at + dim);
    const bias = Math.min(...list), scale = (Math.max(...list) - bias) / TOP;
    const codes = Math.ceil(dim * 1.5);
    row.fill(0, start, start + codes);
    list.forEach((x, j) => {
      const code = scale === 0 ? 0 : Math.round((x - bias) / scale);
      const byte = start + Math.floor(j * 1.5), shift = 4 * (j % 2);
      row[byte] |= code << shift;
      row[byte + 1] |= (code << shift) >> 8;
    });
    const view = new DataView(row.buffer, row.byteOffset + start + codes);
    view.setFloat32(0, scale, true);
    view.setFloat32(4, bias, true);
  },
  dequantise(row, start, dim, values, at) {
    const view = new DataView(row.buffer, row.byteOffset + start + Math.ceil(dim * 1.5));
    const scale = view.getFloat32(0, true), bias = view.getFloat32(4, true);
    for (let j = 0; j < dim; j++) {
      const byte = start + Math.floor(j * 1.5);
      const code = ((row[byte] | (row[byte + 1] << 8)) >> (4 * (j % 2))) & TOP;
      values[at + j] = scale * code + bias;
    }
  },
};

const dim = 64, count = 1000;
const rows = Array.from(
  { length: count },
  (_, r) => Float32Array.from({ length: dim }, (_, j) => Math.sin(r * dim + j)),
);

// What it is worth.
const all = Float32Array.from(rows.flatMap((row) => [...row]));
for (const format of [q8, u12]) {
  const { rowBytes, sqnrDb } = rowErrors(format, all, dim);
  console.log(`${format.name}: ${rowBytes} bytes a row, ${sqnrDb.toFixed(1)} dB`);
}

// A kernel over rows in memory.
const rowStride = u12.rowBytes(dim);
const arena = new Uint8Array(count * rowStride);
rows.forEach((row, slot) => u12.quantise(row, 0, dim, arena, slot * rowStride));
using kernel = createKernel({ format: u12, dim, pooling: "mean" });
const mean = new Float32Array(dim);
kernel.pool({
  bagCount: 1,
  lengths: Int32Array.of(3),
  slots: Int32Array.of(5, 10, 15),
  slotCount: 3,
  arena,
  rowStride,
  rowCount: count,
}, mean);

// The same rows in a file, served from disk.
const path = await Deno.makeTempFile({ suffix: ".rows" });
await buildTable(path, rows, { dim, format: u12 });
{
  using opened = openPipeline({
    tables: [{ path, cacheShare: 0.1, pooling: "mean" }],
    formats: [u12],
    maxBatchKeys: 64,
  });
  const part = { table: 0, keys: Uint32Array.of(5, 10, 15), offsets: Uint32Array.of(0, 3) };
  const served = await opened.pipeline.lookup({ parts: [part] });
  console.log(`kernel ${mean[0].toFixed(4)}, pipeline ${served[0].toFixed(4)}`);
}
await Deno.remove(path);
