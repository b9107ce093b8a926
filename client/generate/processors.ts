// What changes the scores of the next token before one is chosen. Each is the definition of Hugging Face's processor of
// the same name (transformers/generation/logits_process.py). Pure; one row at a time; filtered tokens get -Infinity.

/** Scores of the whole vocabulary for one row, changed in place. `ids` are the row's tokens so far, prompt included. */
export type LogitsProcessor = (scores: Float32Array, ids: readonly number[]) => void

/** Divides the positive scores of tokens that already occur by `penalty`, multiplies the negative ones; once per token. */
export function repetitionPenalty(penalty: number): LogitsProcessor {
  return (scores, ids) => {
    for (const id of new Set(ids)) {
      const score = scores[id]
      if (score !== undefined) scores[id] = score < 0 ? score * penalty : score / penalty
    }
  }
}

/** Divides every score: below 1 sharpens, above 1 flattens. */
export function temperature(value: number): LogitsProcessor {
  return scores => {
    for (let id = 0; id < scores.length; id++) scores[id]! /= value
  }
}

/** Keeps the `k` highest scores, and whatever ties with the last of them. */
export function topK(k: number, minTokensToKeep = 1): LogitsProcessor {
  return scores => {
    const kept = Math.min(Math.max(k, minTokensToKeep), scores.length)
    const smallest = scores.toSorted()[scores.length - kept]!
    for (let id = 0; id < scores.length; id++) if (scores[id]! < smallest) scores[id] = -Infinity
  }
}

/**
 * Keeps the smallest set of likeliest tokens whose probabilities add up to `p` or more: from the least likely on, tokens
 * fall out while their summed probability is at most `1 - p`. Of equal scores the lower id falls out first.
 */
export function topP(p: number, minTokensToKeep = 1): LogitsProcessor {
  return scores => {
    const ascending = scores.filter(score => score > -Infinity).sort()
    const highest = ascending.at(-1)!
    let total = 0
    for (const score of ascending) total += Math.exp(score - highest)
    const most = Math.max(0, ascending.length - minTokensToKeep)
    let removed = 0
    let cumulative = 0
    while (removed < most) {
      cumulative += Math.exp(ascending[removed]! - highest) / total
      if (cumulative > 1 - p) break
      removed += 1
    }
    if (removed === 0) return
    const smallest = ascending[removed]!
    let ties = removed - ascending.indexOf(smallest)
    for (let id = 0; id < scores.length; id++) {
      const score = scores[id]!
      if (score < smallest) scores[id] = -Infinity
      else if (score === smallest && ties > 0) {
        scores[id] = -Infinity
        ties -= 1
      }
    }
  }
}

/** Makes the scores logarithms of probabilities that add up to 1, the last of the processors: log_softmax. */
export function renormalize(): LogitsProcessor {
  return scores => {
    const highest = scores.reduce((most, score) => Math.max(most, score), -Infinity)
    let total = 0
    for (const score of scores) total += Math.exp(score - highest)
    const shift = highest + Math.log(total)
    for (let id = 0; id < scores.length; id++) scores[id]! -= shift
  }
}
