// First values of the virtual tokens (peft/tuners/prompt_tuning/model.py).
import { SwarmError } from '../../../common/errors.ts'
import { createRandom } from '../../../common/random.ts'
import type { DataOf } from '../../../common/tensor.ts'
import type { CreateOptions, TuningTarget } from '../method.ts'
import { keptTokens } from '../virtual-tokens.ts'
import type { PromptTuningSettings } from './config.ts'

/** The text's tokens, repeated or cut to the number of virtual tokens. */
function textIds(settings: PromptTuningSettings, target: TuningTarget): number[] {
  const { tokenizer } = target
  const { numVirtualTokens, promptTuningInitText: text = '' } = settings
  const count = keptTokens(numVirtualTokens, target)
  if (tokenizer === undefined) {
    throw new SwarmError('INVALID_ARGUMENT', "promptTuningInit 'TEXT' needs a tokenizer, and the model has none")
  }
  const ids = tokenizer.encode(text)
  if (ids.length === 0) throw new SwarmError('INVALID_ARGUMENT', `promptTuningInitText: '${text}' has no tokens`)
  return Array.from({ length: count }, (_, index) => ids[index % ids.length]!)
}

/** `[numVirtualTokens, hidden]`, of SEQ_2_SEQ_LM twice as many rows, row-major. */
export async function initializePrompt(
  settings: PromptTuningSettings,
  target: TuningTarget,
  { seed, signal }: CreateOptions
): Promise<DataOf<'float32'>> {
  const { numVirtualTokens, promptTuningInit: kind } = settings
  const count = keptTokens(numVirtualTokens, target)
  const random = createRandom(seed)
  if (kind === 'RANDOM') return Float32Array.from({ length: count * target.hiddenSize }, () => random.normal())
  const ids =
    kind === 'TEXT' ? textIds(settings, target) : Array.from({ length: count }, () => random.integer(target.vocabSize))
  const { data } = await target.embedRows(ids, { signal })
  return data.slice()
}
