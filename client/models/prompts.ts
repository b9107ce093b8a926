// The prompts of a generation as users give them: a text, token ids, rows of them, with or without a mask.
import { SwarmError } from '../../common/errors.ts'
import { checkOptions, type OptionKeys } from '../../common/options.ts'
import { type ModelConfig, paddingOf } from '../../model/config/config.ts'
import type { Tokenizer } from '../../model/text/tokenizer.ts'
import type { GenerationOptions } from '../generate/index.ts'
import { type Ids, type Prompts, parsePrompts } from '../local/inputs.ts'

/** Token ids with or without a mask, or a text. */
export type GenerateInput = string | Ids | { readonly inputIds: Ids; readonly attentionMask?: Ids }

/** Whether the ids are given by name. */
export function isInputs<Inputs extends object>(input: Inputs | Ids): input is Inputs {
  return !Array.isArray(input) && !('shape' in input)
}

/**
 * What follows the end of rows that are shorter than others. As in transformers' beam search, token 0 does not count as padding there: the
 * first end token fills instead.
 */
export function fillOf(config: ModelConfig, { padTokenId, eosTokenIds, numBeams = 1 }: GenerationOptions): number {
  const padding = padTokenId ?? paddingOf(config)
  if (numBeams === 1) return padding
  return padding || ((eosTokenIds ?? config.eosTokenIds)[0] ?? padding)
}

/** What a text is read with. */
interface PromptReader {
  readonly config: ModelConfig
  /** throws where the model has none */
  readonly tokenizer: Pick<Tokenizer, 'encode'>
}

const keys: OptionKeys<{ inputIds: Ids; attentionMask?: Ids }> = { inputIds: true, attentionMask: true }

/** Rows of token ids without their padding. Throws INVALID_ARGUMENT. */
export function promptsOf(reader: PromptReader, input: GenerateInput): Prompts {
  if (typeof input === 'string') {
    const ids = reader.tokenizer.encode(input)
    if (ids.length === 0) throw new SwarmError('INVALID_ARGUMENT', 'the prompt is empty: this model starts from a text')
    return promptsOf(reader, ids)
  }
  const { vocabSize, padTokenId, eosTokenIds } = reader.config
  const rules = {
    vocabSize,
    padTokenId: paddingOf(reader.config),
    impliedPadding: padTokenId === undefined || eosTokenIds.includes(padTokenId) ? null : padTokenId
  }
  if (!isInputs(input)) return parsePrompts(input, undefined, rules)
  checkOptions('generate: input', input, keys)
  return parsePrompts(input.inputIds, input.attentionMask, rules)
}
