/**
 * The range of a row, as FBGEMM's vector code finds it.
 *
 * @module
 */

const LANES = 8;
const FLT_MAX = 2 ** 128 - 2 ** 104;

/**
 * The least value as eight lanes find it: they start at FLT_MAX and let a tie take the newer value,
 * and are then folded in order. Against a plain loop this decides the sign of a zero, and what a
 * row of +inf gives.
 */
export function leastOf(values: Float32Array, at: number, dim: number): number {
  const whole = dim - dim % LANES;
  let least = FLT_MAX;
  for (let lane = 0; lane < LANES && lane < whole; lane++) {
    let low = FLT_MAX;
    for (let j = lane; j < whole; j += LANES) low = low < values[at + j] ? low : values[at + j];
    if (low < least) least = low;
  }
  for (let j = whole; j < dim; j++) if (values[at + j] < least) least = values[at + j];
  return least;
}

/** The greatest value, with the ties and the start of {@linkcode leastOf} mirrored. */
export function greatestOf(values: Float32Array, at: number, dim: number): number {
  const whole = dim - dim % LANES;
  let greatest = -FLT_MAX;
  for (let lane = 0; lane < LANES && lane < whole; lane++) {
    let high = -FLT_MAX;
    for (let j = lane; j < whole; j += LANES) high = high > values[at + j] ? high : values[at + j];
    if (high > greatest) greatest = high;
  }
  for (let j = whole; j < dim; j++) if (values[at + j] > greatest) greatest = values[at + j];
  return greatest;
}
