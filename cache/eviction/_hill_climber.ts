/**
 * A hill climber over one border of a cache: which way to move it, told from the hit ratio.
 *
 * @module
 */

/** Uses for each slot between two steps: as many as the sketch counts between two halvings. */
const SAMPLES_PER_SLOT = 10;

/** Share of the slots of a first step, and of one after the hit ratio jumped. */
const FIRST_STEP = 0.0625;

/** Each step that changes little is that much shorter than the last one. */
const DECAY = 0.98;

/** A change of the hit ratio that means other accesses, not another border: steps begin anew. */
const JUMP = 0.05;

/**
 * Goes on in its direction while the hit ratio does not fall, else turns round; in steps that get
 * shorter, so that it settles. The method and constants of Caffeine's climber.
 */
export class HillClimber {
  /** Slots to move the border by now: more window above 0, less below. */
  step = 0;
  readonly #slotCount: number;
  readonly #sampleSize: number;
  #samples = 0;
  #hits = 0;
  #lastRatio = 0;
  /** The next step, a real number of slots. */
  #next: number;

  constructor(slotCount: number) {
    this.#slotCount = slotCount;
    this.#sampleSize = SAMPLES_PER_SLOT * slotCount;
    // The window begins small: the first news is what a larger one does.
    this.#next = FIRST_STEP * slotCount;
  }

  /** Counts an access, `hit` being 0 or 1; true when the border is to move by `step`. */
  sample(hit: number): boolean {
    this.#hits += hit;
    if (++this.#samples < this.#sampleSize) return false;
    const ratio = this.#hits / this.#samples;
    const change = ratio - this.#lastRatio;
    const step = change >= 0 ? this.#next : -this.#next;
    this.#next = Math.abs(change) >= JUMP
      ? FIRST_STEP * this.#slotCount * Math.sign(step)
      : DECAY * step;
    this.#lastRatio = ratio;
    this.#samples = this.#hits = 0;
    this.step = Math.trunc(step);
    return this.step !== 0;
  }
}
