// The model's own probabilities of a token and of the likeliest ones, before any processor. Pure.

/** Natural logarithms of probabilities, under the softmax of the model's logits. */
export interface TokenLogprobs {
  /** of the token that was chosen */
  readonly logprob: number
  /** the likeliest tokens, in order */
  readonly top: readonly { readonly token: number; readonly logprob: number }[]
}

/** The positions of the `count` highest scores, in order; of equal ones the lower first. */
function highest(scores: Float32Array, count: number): number[] {
  const best: number[] = []
  for (let id = 0; id < scores.length && count > 0; id++) {
    if (best.length === count && scores[id]! <= scores[best.at(-1)!]!) continue
    const place = best.findIndex(other => scores[id]! > scores[other]!)
    best.splice(place === -1 ? best.length : place, 0, id)
    if (best.length > count) best.pop()
  }
  return best
}

/**
 * The probability of a token and of the likeliest ones, as natural logarithms.
 * @param logits of the model, `[vocab]`
 * @param count of the likeliest tokens
 */
export function logprobsOf(logits: Float32Array, token: number, count: number): TokenLogprobs {
  const most = logits.reduce((greatest, logit) => Math.max(greatest, logit), -Infinity)
  let total = 0
  for (const logit of logits) total += Math.exp(logit - most)
  const shift = most + Math.log(total)
  return {
    logprob: logits[token]! - shift,
    top: highest(logits, count).map(id => ({ token: id, logprob: logits[id]! - shift }))
  }
}
