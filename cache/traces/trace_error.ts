/**
 * What is wrong with a trace's bytes.
 *
 * @module
 */

/** A trace cannot be read: its bytes are not what its format says. */
export class TraceError extends Error {
  /** The name of the class. */
  override readonly name = "TraceError";
  /** The line at fault, from 1; 0 where the trace has no lines or the fault is not in one. */
  readonly line: number;

  /** `reason` in the grammar "THING must be ...: received VALUE", without a period. */
  constructor(trace: string, reason: string, line: number = 0) {
    super(`Cannot read trace ${trace}: ${reason}`);
    this.line = line;
  }
}
