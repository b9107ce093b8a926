// Beam search over the continuations of one prompt, as Hugging Face defines it (transformers 5, `_beam_search`): which
// rows continue, and which are done. Pure; scores are binary32 as there.

/** A continuation: its tokens after the prompt, and the sum of their log probabilities. */
export interface Beam {
  readonly ids: readonly number[]
  readonly score: number
}

/** What a running beam becomes. */
export interface Continuation extends Beam {
  /** the beam that it continues */
  readonly parent: number
}

export interface BeamSettings {
  readonly numBeams: number
  /** sums are divided by length to this power: above 0 long ones gain */
  readonly lengthPenalty: number
  /**
   * true: over as soon as there are `numBeams` that have ended; false: where none of the running ones would be better if it ended now;
   * never: where none could become better
   */
  readonly earlyStopping: boolean | 'never'
  readonly maxNewTokens: number
  /** end tokens: this many more candidates are considered, so that enough beams continue */
  readonly endTokens: number
}

export interface BeamSearch {
  /** running beams, best first; their last tokens are not scored yet */
  readonly running: readonly Beam[]
  /** finished beams, best first, with length penalty */
  readonly ended: readonly Beam[]
  readonly isOver: boolean
}

/** One empty beam: the others start with its other next tokens. */
export function beginBeams(): BeamSearch {
  return { running: [{ ids: [], score: 0 }], ended: [], isOver: false }
}

/** The `count` highest of all beams' scores after each token, the first of equal ones first. */
function bestContinuations(running: readonly Beam[], scores: readonly Float32Array[], count: number): Continuation[] {
  const best: { parent: number; token: number; score: number }[] = []
  for (const [parent, beam] of running.entries()) {
    for (const [token, logProbability] of scores[parent]!.entries()) {
      const score = Math.fround(beam.score + logProbability)
      if (best.length === count && !(score > best.at(-1)!.score)) continue
      let at = best.length
      while (at > 0 && best[at - 1]!.score < score) at--
      best.splice(at, 0, { parent, token, score })
      if (best.length > count) best.pop()
    }
  }
  return best.map(({ parent, token, score }) => ({ parent, score, ids: [...running[parent]!.ids, token] }))
}

/** Length penalty of continuations of this many tokens. */
const penalized = (score: number, length: number, { lengthPenalty }: BeamSettings): number =>
  Math.fround(score / Math.fround(length ** lengthPenalty))

/**
 * One token more.
 * @param scores processed log probabilities, `[vocab]`, for each running beam
 * @param isEnd whether a continuation ends here, for another reason than its length
 * @returns the search, and the beams that its running ones continue
 */
export function advanceBeams(
  search: BeamSearch,
  scores: readonly Float32Array[],
  isEnd: (ids: readonly number[]) => boolean,
  settings: BeamSettings
): { readonly search: BeamSearch; readonly parents: readonly number[] } {
  const { numBeams, earlyStopping, maxNewTokens, endTokens } = settings
  const candidates = bestContinuations(search.running, scores, Math.max(2, 1 + endTokens) * numBeams)
  const length = candidates[0]!.ids.length
  const isLast = length >= maxNewTokens
  const ends = candidates.map(({ ids }) => isLast || isEnd(ids))
  // candidates beyond `numBeams` only ensure that enough beams continue
  const justEnded = candidates
    .filter((_, index) => index < numBeams && ends[index])
    .map(({ ids, score }) => ({ ids, score: penalized(score, length, settings) }))
  const ended = [...search.ended, ...justEnded].toSorted((a, b) => b.score - a.score).slice(0, numBeams)
  const running = candidates.filter((_, index) => !ends[index]).slice(0, numBeams)
  const isFull = ended.length === numBeams
  const reach = earlyStopping === 'never' && settings.lengthPenalty > 0 ? maxNewTokens : length
  const canImprove =
    running.length > 0 && !(isFull && penalized(running[0]!.score, reach, settings) <= ended.at(-1)!.score)
  const isOver = !canImprove || (isFull && earlyStopping === true)
  return { search: { running, ended, isOver }, parents: running.map(({ parent }) => parent) }
}
