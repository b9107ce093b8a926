// Examples as token ids with labels. Pure; knows no model.
import { SwarmError } from '../../common/errors.ts'
import type { Tokenizer } from '../../model/tokenizer.ts'
import type { PromptCompletion } from './dataset.ts'

/** Label of a token that no loss is taken of. */
export const ignoredLabel = -100

/** One sequence. `labels[t]` is `ids[t]` or `ignoredLabel`; the loss itself compares position t - 1 with label t. */
export interface Example {
  readonly ids: readonly number[]
  readonly labels: readonly number[]
}

export interface TokenizeOptions {
  /** put at the end, so that the model learns to stop; default none */
  readonly eosTokenId?: number
  /** longest sequence; default without limit */
  readonly maxLength?: number
}

/**
 * Prompt, completion, end token; the loss is taken of completion and end only. Both texts are tokenized by themselves, as
 * the prompt alone is when the model is asked. The first token never has a label: nothing comes before it.
 * Throws INVALID_ARGUMENT, with the example's source, where it is too long or leaves nothing to learn.
 */
export function tokenizeExamples(
  pairs: readonly PromptCompletion[],
  tokenizer: Pick<Tokenizer, 'encode'>,
  options: TokenizeOptions = {}
): Example[] {
  const { eosTokenId, maxLength = Infinity } = options
  return pairs.map(({ prompt, completion, source }, index) => {
    const where = source ?? `example ${index}`
    const before = tokenizer.encode(prompt)
    const after = tokenizer.encode(completion, { addSpecialTokens: false })
    if (eosTokenId !== undefined) after.push(eosTokenId)
    const ids = [...before, ...after]
    if (ids.length > maxLength) {
      throw new SwarmError('INVALID_ARGUMENT', `${where}: expected at most ${maxLength} tokens, found ${ids.length}`)
    }
    const labels = [...before.map(() => ignoredLabel), ...after]
    labels[0] = ignoredLabel
    if (labels.every(label => label === ignoredLabel)) {
      throw new SwarmError('INVALID_ARGUMENT', `${where}: the completion has no tokens to learn`)
    }
    return { ids, labels }
  })
}
