// One block of a matrix: which codes, scale, zero and offset stand for its elements with the least squared error. Called for every
// 32 elements of a model, so it allocates nothing.

/** What a block was quantized to: element = (code - zero) * scale, beside any offset. */
export interface Fit {
  readonly codes: Uint8Array
  /** scratch of the same length */
  readonly trial: Uint8Array
  scale: number
  zero: number
}

/**
 * Into how many steps the range of a block is divided at 4 bits, in turn. 15 steps hold the range, more clip it; fewer
 * are for blocks on a grid that they use only partly, as those of GGUF's Q4_0 and Q4_1 may.
 */
const divisions = [15, 16, 17, 18, 19, 14, 13, 12, 11, 10, 9, 8]

type ZeroTrial = readonly [division: number, up: number]

/** Divisions with what is added to the place of zero before it is rounded down. */
const zeroTrials: Readonly<Record<4 | 8, readonly ZeroTrial[]>> = {
  8: [[255, 0.5]],
  4: divisions.flatMap((division): ZeroTrial[] => {
    const ups = division < 15 ? [0.5] : [0, 1]
    return ups.map(up => [division, up])
  })
}

/** Squared error, as a part of the sum of squares, below which a block lies on the grid that was tried. */
const exact = 1e-10

function clear(fit: Fit): void {
  fit.codes.fill(0)
  fit.scale = 0
  fit.zero = 0
}

/**
 * A fit without offset, whose range has 0 in it. A trial's scale is the one that errs least, squared, for the codes that it led to.
 */
export function fitScale(values: Float32Array, bits: 4 | 8, fit: Fit): void {
  const most = 2 ** bits - 1
  const { codes, trial } = fit
  let low = 0
  let high = 0
  let total = 0
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (value < low) low = value
    else if (value > high) high = value
    total += value * value
  }
  clear(fit)
  if (high === low) return
  let least = Infinity
  for (const [division, up] of zeroTrials[bits]) {
    const inverse = division / (high - low)
    // of what is clipped each end loses half
    const place = -low * inverse - Math.max(0, division - most) / 2
    const zero = Math.min(most, Math.max(0, Math.floor(place + up)))
    const half = zero + 0.5
    let product = 0
    let square = 0
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!
      const code = Math.min(most, Math.max(0, value * inverse + half)) | 0
      trial[i] = code
      const distance = code - zero
      product += value * distance
      square += distance * distance
    }
    if (square === 0) continue
    const error = total - (product * product) / square
    if (error >= least) continue
    least = error
    fit.scale = product / square
    fit.zero = zero
    codes.set(trial)
    if (error <= exact * total) return
  }
}

/** A line through a block: element = code * step + start. */
export interface QuantizedLine {
  step: number
  start: number
}

/** The integer zero whose line has the offset nearest to the given one. */
function zeroOf({ step, start }: QuantizedLine, most: number, offset: number): number {
  return step === 0 ? 0 : Math.min(most, Math.max(0, Math.round((offset - start) / step)))
}

/** Of the steps that are tried, the one whose codes lie nearest to a line, squared, and that line. */
export function fitLine(values: Float32Array, bits: 4 | 8, line: QuantizedLine): void {
  const most = 2 ** bits - 1
  const count = values.length
  let low = Infinity
  let high = -Infinity
  let sum = 0
  let total = 0
  for (let i = 0; i < count; i++) {
    const value = values[i]!
    if (value < low) low = value
    if (value > high) high = value
    sum += value
    total += value * value
  }
  line.step = 0
  line.start = low
  if (high === low) return
  const spread = total - (sum * sum) / count
  let least = Infinity
  for (let t = 0; t < divisions.length; t++) {
    const division = divisions[t]!
    const inverse = division / (high - low)
    const half = 0.5 - Math.max(0, division - most) / 2
    let codeSum = 0
    let square = 0
    let product = 0
    for (let i = 0; i < count; i++) {
      const value = values[i]!
      const code = Math.min(most, Math.max(0, (value - low) * inverse + half)) | 0
      codeSum += code
      square += code * code
      product += value * code
    }
    const codeSpread = square - (codeSum * codeSum) / count
    if (codeSpread <= 0) continue
    const together = product - (sum * codeSum) / count
    const error = spread - (together * together) / codeSpread
    if (error >= least) continue
    least = error
    line.step = together / codeSpread
    line.start = (sum - line.step * codeSum) / count
    if (error <= exact * total) return
  }
}

/** What the elements of a line have in common beyond whole zeros. */
export function offsetOf(line: QuantizedLine, bits: 4 | 8): number {
  return line.start + zeroOf(line, 2 ** bits - 1, 0) * line.step
}

/** The codes of a line beside an offset, then the scale that errs least for these codes. */
export function fitBeside(values: Float32Array, bits: 4 | 8, line: QuantizedLine, offset: number, fit: Fit): void {
  const most = 2 ** bits - 1
  const { codes } = fit
  clear(fit)
  // a block of one number lies a step from its offset
  const step = line.step === 0 ? line.start - offset : line.step
  if (step === 0) return
  const zero = zeroOf(line, most, offset)
  let product = 0
  let square = 0
  for (let i = 0; i < values.length; i++) {
    const value = values[i]! - offset
    const code = Math.min(most, Math.max(0, Math.floor(value / step + zero + 0.5)))
    codes[i] = code
    product += value * (code - zero)
    square += (code - zero) ** 2
  }
  fit.zero = zero
  if (square > 0) fit.scale = product / square
}
