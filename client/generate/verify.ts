// Accepts or rejects a proposed token, so that the output has the distribution of the model alone: speculative
// sampling, Leviathan et al. 2023 (arXiv 2211.17192, algorithm 1), for one position. Pure.
import type { Random } from '../../common/random.ts'
import type { Guess } from './draft.ts'
import { argmax, sample } from './sampling.ts'

/** The token of a position, and whether it is the guessed one, so that guesses for later positions count. */
export interface Verification {
  readonly token: number
  readonly accepted: boolean
}

/** softmax(scores) */
function probabilitiesOf(scores: Float32Array): Float64Array {
  const highest = scores[argmax(scores)]!
  const weights = Float64Array.from(scores, score => Math.exp(score - highest))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map(weight => weight / total)
}

/**
 * @param scores of the model, `[vocab]`, processed
 * @param random null: greedy
 */
export function verify(
  scores: Float32Array,
  { token, probabilities: draft }: Guess,
  random: Random | null
): Verification {
  if (random === null) {
    const best = argmax(scores)
    return { token: best, accepted: best === token }
  }
  const model = probabilitiesOf(scores)
  const share = (model[token] ?? 0) / (draft === undefined ? 1 : draft[token]!)
  if (random.uniform() < share) return { token, accepted: true }
  // the residual distribution: probabilities max(0, model - draft), as logarithms
  const rest = Float32Array.from(model, (probability, id) => {
    const drafted = draft === undefined ? (id === token ? 1 : 0) : draft[id]!
    return Math.log(Math.max(0, probability - drafted))
  })
  const isEmpty = rest.every(score => score === -Infinity)
  return { token: sample(isEmpty ? scores : rest, random), accepted: false }
}
