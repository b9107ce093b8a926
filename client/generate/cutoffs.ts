// What leaves out unlikely tokens before one is drawn, beside top-k and top-p. Each is the definition of Hugging Face's processor of
// the same name (transformers/generation/logits_process.py). Pure; tokens that are left out get -Infinity.
import type { LogitsProcessor } from './processors.ts'

/** The natural logarithm of the softmax of the scores. */
function logSoftmax(scores: Float32Array): Float64Array {
  let highest = -Infinity
  for (const score of scores) highest = Math.max(highest, score)
  let total = 0
  for (const score of scores) total += Math.exp(score - highest)
  const shift = highest + Math.log(total)
  return Float64Array.from(scores, score => score - shift)
}

/** Entropy in nats of a distribution that is given by its logarithms. */
function entropyOf(logarithms: Float64Array): number {
  let entropy = 0
  for (const logarithm of logarithms) if (logarithm > -Infinity) entropy -= logarithm * Math.exp(logarithm)
  return entropy
}

/** The `count`-th highest score. */
function nthHighest(scores: Float32Array, count: number): number {
  return scores.toSorted()[scores.length - Math.min(count, scores.length)]!
}

/** Leaves out tokens less likely than `limitOf` the distribution, but for the `keep` highest and what ties with them. */
function cutoff(limitOf: (logarithms: Float64Array) => number, keep: number): LogitsProcessor {
  return scores => {
    const logarithms = logSoftmax(scores)
    const limit = limitOf(logarithms)
    const kept = nthHighest(scores, keep)
    for (let id = 0; id < scores.length; id++) {
      if (Math.exp(logarithms[id]!) < limit && scores[id]! < kept) scores[id] = -Infinity
    }
  }
}

/** Leaves out tokens less likely than `share` of the likeliest one. */
export function minP(share: number, keep: number): LogitsProcessor {
  return cutoff(logarithms => share * Math.exp(Math.max(...logarithms)), keep)
}

/** Leaves out tokens with a probability below `epsilon`. */
export const epsilonCutoff = (epsilon: number, keep: number): LogitsProcessor => cutoff(() => epsilon, keep)

/** Leaves out tokens below a probability that falls with the entropy (Hewitt et al. 2022). */
export function etaCutoff(epsilon: number, keep: number): LogitsProcessor {
  return cutoff(logarithms => Math.min(epsilon, Math.sqrt(epsilon) * Math.exp(-entropyOf(logarithms))), keep)
}

/** Keeps the tokens whose information is nearest to the entropy until they have `mass` together (Meister et al. 2022). */
export function typicalP(mass: number, keep: number): LogitsProcessor {
  return scores => {
    const logarithms = logSoftmax(scores)
    const entropy = entropyOf(logarithms)
    const distances = logarithms.map(logarithm => Math.abs(-logarithm - entropy))
    const order = Array.from(scores.keys()).toSorted((a, b) => distances[a]! - distances[b]! || a - b)
    let cumulative = 0
    let last = 0
    while (last < order.length) {
      cumulative += Math.exp(logarithms[order[last]!]!)
      if (cumulative >= mass) break
      last += 1
    }
    const limit = distances[order[Math.min(last, order.length - 1)]!]!
    for (const [place, id] of order.entries()) {
      if (place >= keep && distances[id]! > limit) scores[id] = -Infinity
    }
  }
}
