// Slopes of attention with linear biases (arXiv 2108.12409, section 3), rounded to float32 as in Hugging Face transformers.

const round = Math.fround

/** The first `count` powers of 2^(-8 / heads), every `step`-th of them. */
function powers(heads: number, count: number, step: number): number[] {
  const base = round(2 ** -(2 ** -(Math.log2(heads) - 3)))
  return Array.from({ length: count }, (_, index) => round(base ** (1 + step * index)))
}

/** Slope of each head. Where heads are no power of two, every other slope of twice as many fills up. */
export function alibiSlopes(numHeads: number): readonly number[] {
  const whole = 2 ** Math.floor(Math.log2(numHeads))
  return [...powers(whole, whole, 1), ...powers(2 * whole, numHeads - whole, 2)]
}
