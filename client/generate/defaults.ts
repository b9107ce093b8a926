// Defaults of a generation: the fields of the model's generation_config.json, as transformers' generate takes them
// (transformers/generation/configuration_utils.py). Pure.
import { messageOf, SwarmError } from '../../common/errors.ts'
import { isInactive, quoteForeign } from '../../common/foreign-json.ts'
import { suggestion } from '../../common/names.ts'
import { checkGenerationOptions, type GenerationOptions } from './options.ts'

type Fields = Readonly<Record<string, unknown>>

const file = 'generation_config.json'

/** What a value must be. */
interface Kind {
  readonly expected: string
  isValid(value: unknown): boolean
}

const isToken = (value: unknown): boolean => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
const isTokens = (value: unknown): boolean => Array.isArray(value) && value.every(isToken)

function number(expected: string, isWithin: (value: number) => boolean): Kind {
  return { expected, isValid: value => typeof value === 'number' && Number.isFinite(value) && isWithin(value) }
}

const anyNumber = number('a number', () => true)
const positive = number('a number above 0', value => value > 0)
const share = number('a number from 0 to 1', value => value >= 0 && value <= 1)
const count = number('a whole number of at least 0', value => Number.isSafeInteger(value) && value >= 0)
const atLeastOne = number('a whole number of at least 1', value => Number.isSafeInteger(value) && value >= 1)
const flag: Kind = { expected: 'true or false', isValid: value => typeof value === 'boolean' }
const token: Kind = { expected: 'a token', isValid: isToken }
const tokens: Kind = { expected: 'a list of tokens', isValid: isTokens }
const tokenOrTokens: Kind = {
  expected: 'a token or a list of tokens',
  isValid: value => isToken(value) || isTokens(value)
}
const words: Kind = {
  expected: 'lists of tokens',
  isValid: value => Array.isArray(value) && value.every(isTokens)
}
const stopping: Kind = {
  expected: 'true, false or "never"',
  isValid: value => typeof value === 'boolean' || value === 'never'
}
const texts: Kind = {
  expected: 'a text or a list of texts',
  isValid: value => typeof value === 'string' || (Array.isArray(value) && value.every(text => typeof text === 'string'))
}

/** Fields that are options under the same name in camel case, and what their values must be. */
const fields = {
  do_sample: ['doSample', flag],
  temperature: ['temperature', positive],
  top_k: ['topK', count],
  top_p: ['topP', share],
  min_p: ['minP', share],
  typical_p: ['typicalP', share],
  epsilon_cutoff: ['epsilonCutoff', share],
  eta_cutoff: ['etaCutoff', share],
  renormalize_logits: ['renormalizeLogits', flag],
  repetition_penalty: ['repetitionPenalty', positive],
  no_repeat_ngram_size: ['noRepeatNgramSize', count],
  bad_words_ids: ['badWordsIds', words],
  min_length: ['minLength', count],
  min_new_tokens: ['minNewTokens', count],
  max_new_tokens: ['maxNewTokens', atLeastOne],
  forced_bos_token_id: ['forcedBosTokenId', token],
  forced_eos_token_id: ['forcedEosTokenId', tokenOrTokens],
  suppress_tokens: ['suppressTokens', tokens],
  begin_suppress_tokens: ['beginSuppressTokens', tokens],
  num_beams: ['numBeams', atLeastOne],
  num_return_sequences: ['numReturnSequences', atLeastOne],
  length_penalty: ['lengthPenalty', anyNumber],
  early_stopping: ['earlyStopping', stopping],
  stop_strings: ['stopStrings', texts]
} as const satisfies Readonly<Record<string, readonly [keyof GenerationOptions, Kind]>>

/** Unsupported fields that change the tokens, with the values at which they have no effect. */
const unsupported: Readonly<Record<string, readonly unknown[]>> = {
  constraints: [],
  diversity_penalty: [0],
  dola_layers: [],
  encoder_no_repeat_ngram_size: [0],
  encoder_repetition_penalty: [1],
  exponential_decay_length_penalty: [],
  force_words_ids: [],
  forced_decoder_ids: [],
  guidance_scale: [1],
  max_time: [],
  num_beam_groups: [1],
  penalty_alpha: [0],
  sequence_bias: [],
  token_healing: [],
  top_h: [],
  watermarking_config: []
}

/** Fields that change no token: how transformers computes and what it returns, speculation, notes of models. */
const idle: ReadonlySet<string> = new Set([
  '_from_model_config',
  'assistant_confidence_threshold',
  'assistant_early_exit',
  // of guesses by a second model, which the file does not name
  'assistant_ensemble_weight',
  'assistant_lookbehind',
  // read with the special tokens
  'bos_token_id',
  'cache_config',
  'cache_implementation',
  'compile_config',
  'continuous_batching_config',
  // of models with an encoder
  'decoder_start_token_id',
  'disable_compile',
  'eos_token_id',
  'is_assistant',
  'low_memory',
  'max_cache_len',
  'max_matching_ngram_size',
  'num_assistant_tokens',
  'num_assistant_tokens_schedule',
  'output_attentions',
  'output_hidden_states',
  'output_logits',
  'output_scores',
  'pad_token_id',
  'prefill_chunk_size',
  'prompt_lookup_num_tokens',
  // scores that are no numbers are an error here
  'remove_invalid_values',
  'return_dict_in_generate',
  'speculation_type',
  'target_lookbehind',
  'transformers_version',
  'use_cache',
  'use_mtp',
  // of earlier versions of transformers
  'generation_kwargs',
  'return_legacy_cache',
  // which chat models write for their own code
  'assistant_token_id',
  'chat_format',
  'max_window_size',
  'user_token_id'
])

/** Names of all fields that are understood: `GenerationConfig` of transformers, and more. */
export const knownFields: readonly string[] = [
  ...Object.keys(fields),
  ...Object.keys(unsupported),
  ...idle,
  'max_length'
]

/** The content of the model's file. */
export interface GenerationDefaults {
  readonly options: GenerationOptions
  /** tokens of a row with its prompt; undefined: `maxNewTokens` says how many */
  readonly maxLength?: number
}

/** Of no effect without sampling. */
const ofSampling = ['temperature', 'topK', 'topP', 'minP', 'typicalP', 'epsilonCutoff', 'etaCutoff'] as const
const isOfSampling = (option: string): boolean => ofSampling.some(other => other === option)

const unknownAdvice = '(useGenerationConfig: false leaves the file out)'

/** Unsupported fields that have no effect without sampling. */
const unsupportedOfSampling: readonly string[] = ['top_h']

/**
 * The options that the file gives; `given`, the caller's, go before them. Throws BAD_CHECKPOINT for values that are none, UNSUPPORTED
 * for fields that would change the tokens and are not done here, and for active ones that nothing here knows.
 */
export function generationDefaults(raw: Fields, given: GenerationOptions = {}): GenerationDefaults {
  const isSampled = given.doSample ?? raw.do_sample ?? false
  const options: Record<string, unknown> = {}
  const accept = (field: string, { expected, isValid }: Kind): void => {
    const value = raw[field]
    if (isValid(value)) return
    throw new SwarmError('BAD_CHECKPOINT', `${file}: ${field}: expected ${expected}, found ${quoteForeign(value)}`)
  }
  for (const [field, value] of Object.entries(raw)) {
    if (value === undefined || value === null || idle.has(field)) continue
    if (Object.hasOwn(fields, field)) {
      const [option, kind] = fields[field as keyof typeof fields]
      if (given[option] !== undefined) continue
      const isUsed = isSampled || !isOfSampling(option)
      // files hold numbers here that sampling would refuse: temperature 0
      accept(field, isUsed ? kind : anyNumber)
      if (isUsed) options[option] = value
    } else if (field === 'max_length') {
      if (given.maxNewTokens === undefined) accept(field, atLeastOne)
    } else if (Object.hasOwn(unsupported, field)) {
      if (isInactive(value) || unsupported[field]!.includes(value)) continue
      if (!isSampled && unsupportedOfSampling.includes(field)) continue
      throw new SwarmError(
        'UNSUPPORTED',
        `${file}: ${field} = ${quoteForeign(value)} is not supported and would change the generated text ${unknownAdvice}`
      )
    } else if (!isInactive(value)) {
      throw new SwarmError(
        'UNSUPPORTED',
        `${file}: ${field} = ${quoteForeign(value)}: unknown field${suggestion(field, knownFields)}, ` +
          `and it may change what is generated ${unknownAdvice}`
      )
    }
  }
  const isLimited = given.maxNewTokens === undefined && options.maxNewTokens === undefined
  const { max_length: maxLength } = raw
  return {
    options: options as GenerationOptions,
    maxLength: isLimited && typeof maxLength === 'number' ? maxLength : undefined
  }
}

/** What `generationDefaults` throws for the file where the caller gives no options; null where it takes the file. */
export function generationFault(raw: Fields): string | null {
  try {
    generationDefaults(raw)
    return null
  } catch (error) {
    return messageOf(error)
  }
}

/**
 * The options that are given, over those of the model's file; undefined is not given. Throws INVALID_ARGUMENT for unknown options and
 * where the file's max_length leaves no room after the prompt, and as `generationDefaults`.
 */
export function withGenerationDefaults(given: GenerationOptions, raw: Fields, promptLength: number): GenerationOptions {
  checkGenerationOptions(given)
  const told = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as GenerationOptions
  if (given.useGenerationConfig === false) return told
  const { options, maxLength } = generationDefaults(raw, told)
  const merged: GenerationOptions = { ...options, ...told }
  if (maxLength === undefined) return merged
  if (maxLength <= promptLength) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `${file}: max_length ${maxLength} leaves no room after a prompt of ${promptLength} tokens (set maxNewTokens)`
    )
  }
  return { ...merged, maxNewTokens: maxLength - promptLength }
}
