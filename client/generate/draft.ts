// Who guesses the next tokens of a speculative generation, cheaply; the model then checks all guesses in one pass. Knows no network.

import { checkOptions } from '../../common/options.ts'

/** A guess for one token. */
export interface Guess {
  /** the proposed token */
  readonly token: number
  /** the distribution `[vocab]` that it was drawn from; absent: it was not drawn but chosen */
  readonly probabilities?: Float32Array
}

export interface DraftOptions {
  readonly signal?: AbortSignal
}

/** Guesses tokens for speculative decoding, which takes one row at a time. */
export interface Draft {
  /**
   * At most `count` proposed tokens after `ids`, in order; possibly none. Proposals never change the generated tokens.
   */
  propose(ids: readonly number[], count: number, options: DraftOptions): Promise<readonly Guess[]> | readonly Guess[]
}

export interface PromptLookupOptions {
  /** longest end of the text that is looked for; default 2, as Hugging Face's max_matching_ngram_size */
  readonly maxMatchingNgramSize?: number
}

/**
 * Where the last tokens, as many as possible, stand earlier in `ids`: what followed them there, at most `count` tokens. Of several places
 * the latest that is followed by `count` tokens, else the first.
 */
export function lookUp(ids: readonly number[], count: number, maxMatchingNgramSize = 2): number[] {
  const { length } = ids
  for (let size = Math.min(maxMatchingNgramSize, length - 1); size > 0; size--) {
    let found = -1
    for (let after = length - 1; after >= size; after--) {
      if (!matchesEnd(ids, after, size)) continue
      found = after
      if (length - after >= count) break
    }
    if (found !== -1) return ids.slice(found, found + count)
  }
  return []
}

/** Whether the `size` tokens before index `after` equal the last ones. */
function matchesEnd(ids: readonly number[], after: number, size: number): boolean {
  for (let back = 1; back <= size; back++) if (ids[after - back] !== ids[ids.length - back]) return false
  return true
}

/** Guesses that the text repeats itself. */
export function promptLookup(options: PromptLookupOptions = {}): Draft {
  checkOptions('promptLookup', options, { maxMatchingNgramSize: true })
  const { maxMatchingNgramSize } = options
  return { propose: (ids, count) => lookUp(ids, count, maxMatchingNgramSize).map(token => ({ token })) }
}
