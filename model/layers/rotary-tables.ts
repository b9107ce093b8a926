// Angles of rotary position embedding. RoFormer (arXiv 2104.09864, section 3.2); the scalings as in modeling_rope_utils.py of
// Hugging Face transformers 5. Every step is rounded to float32 as there, so that far positions get the same angle.
import { type Tensor, tensor } from '../../common/tensor.ts'
import type { RopeConfig } from '../config.ts'

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

/** Radians per position of each pair of dimensions, `[headDim / 2]`. */
export function rotaryFrequencies(rope: RopeConfig, headDim: number): Float32Array {
  return Float32Array.from({ length: headDim / 2 }, (_, pair) => {
    const frequency = round(1 / round(rope.theta ** round((2 * pair) / headDim)))
    switch (rope.type) {
      case 'default':
        return frequency
      case 'linear':
        return round(frequency / rope.factor)
      case 'llama3':
        return llama3Frequency(frequency, rope)
    }
  })
}

/** cos and sin of the angle of every position, each `[positions, headDim / 2]`. */
export function rotaryTables(
  rope: RopeConfig,
  headDim: number,
  positions: number
): { cos: Tensor<'float32'>; sin: Tensor<'float32'> } {
  const frequencies = rotaryFrequencies(rope, headDim)
  const pairs = frequencies.length
  const cos = tensor('float32', [positions, pairs])
  const sin = tensor('float32', [positions, pairs])
  for (let position = 0; position < positions; position++) {
    for (let pair = 0; pair < pairs; pair++) {
      const angle = round(frequencies[pair]! * position)
      cos.data[position * pairs + pair] = Math.cos(angle)
      sin.data[position * pairs + pair] = Math.sin(angle)
    }
  }
  return { cos, sin }
}
