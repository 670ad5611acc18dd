/**
 * Bytes of traces, and streams of them, for the tests of readers.
 *
 * @module
 */

/** A text in UTF-8. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** A stream of `bytes` in pieces of the given lengths, again and again. */
export function streamOf(
  bytes: Uint8Array,
  lengths: readonly number[],
): ReadableStream<Uint8Array> {
  return ReadableStream.from((function* () {
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const end = Math.min(bytes.length, at + lengths[i % lengths.length]);
      yield bytes.slice(at, end);
      at = end;
    }
  })());
}

/** `bytes` in one gzip member. */
export async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Records of oracleGeneral: [key's lower half, upper half, size]. */
export function oracle(
  records: readonly (readonly [number, number, number])[],
): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(24 * records.length));
  records.forEach(([low, high, size], i) => {
    view.setUint32(24 * i, i, true);
    view.setUint32(24 * i + 4, low, true);
    view.setUint32(24 * i + 8, high, true);
    view.setUint32(24 * i + 12, size, true);
    view.setBigInt64(24 * i + 16, -1n, true);
  });
  return new Uint8Array(view.buffer);
}
