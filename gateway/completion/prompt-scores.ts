// Probabilities of a prompt's own tokens, as evaluations ask for them with `echo`. Knows no HTTP.
import { logprobsOf } from '../../client/index.ts'
import { rowView } from '../../common/rows.ts'
import { GiB } from '../../common/units.ts'
import { invalid } from '../errors.ts'
import type { CompletionRequest, ScoredToken, TokenScore } from './request.ts'
import { scoredToken } from './token-scores.ts'

/** of logits, which are held at once */
const mostBytes = 2 * GiB

/** The first token has no probability: nothing comes before it. */
export type PromptToken =
  | ScoredToken
  | (Omit<TokenScore, 'logprob'> & { readonly logprob: null; readonly top: readonly [] })

/**
 * The tokens of the prompt, each with its probability after those before it. Throws ApiError 400 `context_length_exceeded` for a prompt that
 * is longer than the context or whose logits take too much memory, and what the way through the servers throws.
 */
export async function scorePrompt({
  model,
  prompt,
  topLogprobs = 0,
  signal
}: Pick<CompletionRequest, 'model' | 'prompt' | 'topLogprobs' | 'signal'>): Promise<readonly PromptToken[]> {
  const { id, tokenizer, contextLength } = model
  const { vocabSize } = model.model.config
  const most = Math.min(contextLength, Math.floor(mostBytes / (4 * vocabSize)))
  if (prompt.length > most) {
    throw invalid(
      `model '${id}' scores prompts of at most ${most} tokens, found ${prompt.length}: shorten it`,
      'prompt',
      'context_length_exceeded'
    )
  }
  const unscored = scoredToken(tokenizer, [], prompt[0]!, { logprob: 0, top: [] })
  const first: PromptToken = { ...unscored, logprob: null, top: [] }
  if (prompt.length === 1) return [first]
  const input = { inputIds: [[...prompt]], attentionMask: [prompt.map(() => 1)] }
  const { logits } = await model.model.forward(input, { training: false, signal })
  const { data, shape } = logits!
  const rest = prompt.slice(1).map((token, at) => {
    const scores = logprobsOf(rowView(data, shape[2]!, at), token, topLogprobs)
    return scoredToken(tokenizer, prompt.slice(Math.max(0, at - 7), at + 1), token, scores)
  })
  return [first, ...rest]
}
