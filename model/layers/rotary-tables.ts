// Angles of rotary position embedding. RoFormer (arXiv 2104.09864, section 3.2); the scalings as in modeling_rope_utils.py of
// Hugging Face transformers 5. Every step is rounded to float32 as there, so that far positions get the same angle.
import { type Float32Tensor, tensor } from '../../common/tensor.ts'
import type { RopeConfig } from '../config/config.ts'
import { fixedPositions } from '../config/rope-config.ts'

const round = Math.fround

/** Llama 3.1: low frequencies are divided by the factor, high ones kept, those between interpolated. */
function llama3Frequency(frequency: number, rope: RopeConfig & { type: 'llama3' }): number {
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = rope
  const wavelength = round((2 * Math.PI) / frequency)
  if (wavelength < originalMaxPositions / highFreqFactor) return frequency
  if (wavelength > originalMaxPositions / lowFreqFactor) return round(frequency / factor)
  const ratio = round(round(originalMaxPositions / wavelength) - lowFreqFactor)
  const smooth = round(ratio / (highFreqFactor - lowFreqFactor))
  const scaled = round(round(round(1 - smooth) * frequency) / factor)
  return round(scaled + round(smooth * frequency))
}

/**
 * Yarn (arXiv 2309.00071, section 3.2): pairs that turn often keep their frequency, those that turn rarely have it divided by
 * the factor, and between the two a ramp leads from one to the other.
 */
function yarnFrequency(pair: number, dims: number, rope: RopeConfig & { type: 'yarn' }): number {
  const { theta, factor, betaFast, betaSlow, truncate, originalMaxPositions } = rope
  const dimensionOf = (turns: number): number =>
    (dims * Math.log(originalMaxPositions / (turns * 2 * Math.PI))) / (2 * Math.log(theta))
  const [fast, slow] = [dimensionOf(betaFast), dimensionOf(betaSlow)]
  const low = Math.max(truncate ? Math.floor(fast) : fast, 0)
  const high = Math.min(truncate ? Math.ceil(slow) : slow, dims - 1)
  const span = low === high ? 0.001 : high - low
  const kept = round(1 - Math.min(Math.max(round(round(pair - low) / span), 0), 1))
  const period = round(theta ** round((2 * pair) / dims))
  return round(round(round(1 / round(factor * period)) * round(1 - kept)) + round(round(1 / period) * kept))
}

/** NTK: the longer the sequence beyond what the model was made for, the higher the base, so that the slowest pair covers it. */
function dynamicTheta(length: number, dims: number, rope: RopeConfig & { type: 'dynamic' }): number {
  const { theta, factor, originalMaxPositions } = rope
  if (length <= originalMaxPositions) return theta
  const stretch = round(round(round(factor * length) / originalMaxPositions) - round(factor - 1))
  return round(theta * round(stretch ** (dims / (dims - 2))))
}

/** Radians per position of each pair of dimensions, `[dims / 2]`, in a sequence of `length` positions. */
function rotaryFrequencies(rope: RopeConfig, dims: number, length = 1): Float32Array {
  const theta = rope.type === 'dynamic' ? dynamicTheta(length, dims, rope) : rope.theta
  return Float32Array.from({ length: dims / 2 }, (_, pair) => {
    const frequency = round(1 / round(theta ** round((2 * pair) / dims)))
    switch (rope.type) {
      case 'default':
      case 'dynamic':
        return frequency
      case 'linear':
        return round(frequency / rope.factor)
      case 'factors':
        return round(frequency / rope.factors[pair]!)
      case 'llama3':
        return llama3Frequency(frequency, rope)
      case 'yarn':
        return yarnFrequency(pair, dims, rope)
      case 'longrope': {
        const factors = length > rope.originalMaxPositions ? rope.longFactors : rope.shortFactors
        return round(1 / round(round(factors[pair]!) * round(theta ** round((2 * pair) / dims))))
      }
      case 'proportional':
        return pair < rope.turnedPairs ? round(frequency / rope.factor) : 0
    }
  })
}

/**
 * cos and sin of the angle of every position, each `[positions, dims / 2]`; `dims` numbers of each head are rotated. With dynamic
 * scaling and longrope they depend on how long the sequence is: `length`, or where it is not given, each position is the last one.
 */
export function rotaryTables(
  rope: RopeConfig,
  dims: number,
  positions: number,
  length?: number
): { cos: Float32Tensor; sin: Float32Tensor } {
  let frequencies = rotaryFrequencies(rope, dims, length)
  const fixed = length === undefined ? fixedPositions(rope) : undefined
  const factor = rope.type === 'yarn' || rope.type === 'longrope' ? round(rope.attentionFactor) : 1
  const pairs = frequencies.length
  const cos = tensor('float32', [positions, pairs])
  const sin = tensor('float32', [positions, pairs])
  for (let position = 0; position < positions; position++) {
    if (fixed !== undefined && position >= fixed) frequencies = rotaryFrequencies(rope, dims, position + 1)
    for (let pair = 0; pair < pairs; pair++) {
      const angle = round(frequencies[pair]! * position)
      cos.data[position * pairs + pair] = round(Math.cos(angle)) * factor
      sin.data[position * pairs + pair] = round(Math.sin(angle)) * factor
    }
  }
  return { cos, sin }
}
