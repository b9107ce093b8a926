// OpenAI's penalties and biases of logits, before temperature. Pure.
// Reference: https://platform.openai.com/docs/api-reference/chat/create, and vLLM's vllm/model_executor/layers/utils.py.
import type { LogitsProcessor } from '../../client/index.ts'

export interface Penalties {
  /** off the logit of each token that the answer has already, once; default 0 */
  readonly presence?: number
  /** off it for each time that the answer has it; default 0 */
  readonly frequency?: number
}

/**
 * `logit[t] -= count[t] * frequency + (count[t] > 0) * presence`. Counts the tokens of the answer, not those of the prompt.
 * The processor belongs to one row, whose tokens only grow.
 */
export function penalties({ presence = 0, frequency = 0 }: Penalties, promptLength: number): LogitsProcessor {
  const counts = new Map<number, number>()
  let counted = promptLength
  return (scores, ids) => {
    for (; counted < ids.length; counted++) counts.set(ids[counted]!, (counts.get(ids[counted]!) ?? 0) + 1)
    for (const [id, count] of counts) if (id < scores.length) scores[id]! -= count * frequency + presence
  }
}

/** `logit[t] += bias[t]`. */
export function logitBias(biases: ReadonlyMap<number, number>): LogitsProcessor {
  return scores => {
    for (const [id, bias] of biases) scores[id]! += bias
  }
}
