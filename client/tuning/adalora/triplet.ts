// One module's P Λ Q (Zhang et al. 2023, section 3.1) and the penalty that keeps P and Q near orthogonal. PEFT's names:
// lora_B is P, lora_E the diagonal of Λ, lora_A is Q.
import { addGradient, type Parameter } from '../../local/parameter.ts'

export interface Triplet {
  /** Q [rank, in] */
  readonly a: Parameter
  /** diagonal of Λ [rank, 1] */
  readonly e: Parameter
  /** P [out, rank] */
  readonly b: Parameter
  readonly portA: string
  readonly portB: string
  /** outside the blocks */
  readonly onClient: boolean
  /** `model.layers.3.self_attn.q_proj.lora_E`, the module's name in a rank pattern */
  readonly patternName: string
}

/** Element (row r, place k) of the rank's vector k: rows of A, columns of B. */
interface Vectors {
  readonly parameter: Parameter
  readonly rank: number
  readonly length: number
  at(r: number, k: number): number
}

function vectorsOf(parameter: Parameter, areRows: boolean): Vectors {
  const [first, second] = parameter.shape as [number, number]
  if (areRows) return { parameter, rank: first, length: second, at: (r, k) => r * second + k }
  return { parameter, rank: second, length: first, at: (r, k) => k * second + r }
}

/** A Aᵀ - I, or Bᵀ B - I, [rank, rank] */
function deviation({ parameter: { data }, rank, length, at }: Vectors): Float64Array {
  const out = new Float64Array(rank * rank)
  for (let row = 0; row < rank; row++) {
    for (let column = 0; column <= row; column++) {
      let sum = row === column ? -1 : 0
      for (let k = 0; k < length; k++) sum += data[at(row, k)]! * data[at(column, k)]!
      out[row * rank + column] = sum
      out[column * rank + row] = sum
    }
  }
  return out
}

/** Gradient of the Frobenius norm of the deviation D = V Vᵀ - I: 2 D V / norm. */
function addNormGradient(vectors: Vectors, difference: Float64Array, norm: number, factor: number): void {
  const { parameter, rank, length, at } = vectors
  if (!parameter.requiresGrad || norm === 0) return
  const gradient = new Float32Array(parameter.data.length)
  for (let row = 0; row < rank; row++) {
    for (let k = 0; k < length; k++) {
      let sum = 0
      for (let column = 0; column < rank; column++)
        sum += difference[row * rank + column]! * parameter.data[at(column, k)]!
      gradient[at(row, k)] = (2 * sum) / norm
    }
  }
  addGradient(parameter, gradient, factor)
}

/** Mean over all P and Q of the Frobenius norm of their deviation from orthogonal, times `weight` (section 3.1, equation 4). */
export function orthogonality(triplets: readonly Triplet[], weight: number) {
  const terms = triplets
    .flatMap(({ a, b }) => [vectorsOf(a, true), vectorsOf(b, false)])
    .map(vectors => {
      const difference = deviation(vectors)
      return { vectors, difference, norm: Math.sqrt(difference.reduce((sum, each) => sum + each * each, 0)) }
    })
  const factor = weight / terms.length
  return {
    value: factor * terms.reduce((sum, { norm }) => sum + norm, 0),
    backward(scale: number): void {
      for (const { vectors, difference, norm } of terms) addNormGradient(vectors, difference, norm, scale * factor)
    }
  }
}
