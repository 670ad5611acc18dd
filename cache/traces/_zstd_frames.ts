/**
 * Where the frames of Zstandard end (RFC 8878, 3.1). The decompressor of `node:zlib` does not say,
 * in Deno at least, when its input was cut short or goes on after its first frame, and half a trace
 * must not pass for a whole one.
 *
 * @module
 */

const ZSTD_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;

/** What the next bytes are: headers are gathered, the rest is skipped. */
type Part = "magic" | "descriptor" | "block" | "skippable";

/** Walks over frames, piece by piece. */
export class ZstdFrames {
  #part: Part = "magic";
  /** Bytes to skip before the next header. */
  #skip = 0;
  /** The header being gathered, little-endian: bytes so far, and bytes it has. */
  #header = 0;
  #gathered = 0;
  #wanted = 4;
  #hasChecksum = false;
  /** Whether the frame ends with the bytes to skip. */
  #isEnding = false;
  /** Whether a frame did not begin as one must. */
  isBroken = false;

  /**
   * Takes bytes from `bytes[at]` on, up to the end of the frame that they are of; returns where it
   * stopped. Skippable frames are frames, too.
   */
  push(bytes: Uint8Array, at: number): number {
    while (at < bytes.length) {
      const skipped = Math.min(this.#skip, bytes.length - at);
      this.#skip -= skipped;
      at += skipped;
      if (this.#skip === 0 && at < bytes.length && !this.#isEnding) {
        this.#header += bytes[at++] * 2 ** (8 * this.#gathered++);
        if (this.#gathered === this.#wanted) this.#endHeader(this.#header);
        if (this.isBroken) return bytes.length;
      }
      if (this.#isEnding && this.#skip === 0) {
        this.#isEnding = false;
        return at;
      }
    }
    return at;
  }

  /** Whether the bytes so far are whole frames. */
  get isWhole(): boolean {
    return !this.isBroken && this.#part === "magic" && this.#gathered === 0 && this.#skip === 0;
  }

  #endHeader(header: number): void {
    if (this.#part === "magic") this.#endMagic(header);
    else if (this.#part === "descriptor") this.#endDescriptor(header);
    else if (this.#part === "block") this.#endBlock(header);
    else this.#endFrame(header);
  }

  #endMagic(magic: number): void {
    if (magic === ZSTD_MAGIC) this.#expect("descriptor", 1, 0);
    else if (magic >= SKIPPABLE_MAGIC && magic < SKIPPABLE_MAGIC + 16) {
      this.#expect("skippable", 4, 0);
    } else this.isBroken = true;
  }

  /** Skips the window's byte, the dictionary's number, and the size of the content. */
  #endDescriptor(descriptor: number): void {
    const isSingle = (descriptor & 32) !== 0;
    const sizeCode = descriptor >> 6;
    const sizeBytes = sizeCode === 0 ? (isSingle ? 1 : 0) : 2 ** sizeCode;
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3];
    this.#hasChecksum = (descriptor & 4) !== 0;
    this.#expect("block", 3, (isSingle ? 0 : 1) + dictionaryBytes + sizeBytes);
  }

  #endBlock(header: number): void {
    const isRun = ((header >> 1) & 3) === 1;
    const bytes = isRun ? 1 : header >> 3;
    if ((header & 1) === 0) this.#expect("block", 3, bytes);
    else this.#endFrame(bytes + (this.#hasChecksum ? 4 : 0));
  }

  #endFrame(skip: number): void {
    this.#isEnding = true;
    this.#expect("magic", 4, skip);
  }

  #expect(part: Part, bytes: number, skip: number): void {
    this.#part = part;
    this.#wanted = bytes;
    this.#skip = skip;
    this.#header = this.#gathered = 0;
  }
}
