// What a generation does where its caller says nothing: the fields of the model's generation_config.json, as transformers' generate
// takes them (transformers/generation/configuration_utils.py). Pure.
import { SwarmError } from '../../common/errors.ts'
import { quoteForeign } from '../../common/foreign-json.ts'
import { checkGenerationOptions, type GenerationOptions } from './options.ts'

type Fields = Readonly<Record<string, unknown>>

const file = 'generation_config.json'

const isNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value)
const isFlag = (value: unknown): boolean => typeof value === 'boolean'
const isToken = (value: unknown): boolean => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
const isTokens = (value: unknown): boolean => Array.isArray(value) && value.every(isToken)

/** Fields that are options under the same name in camel case, and what their values must be. */
const fields = {
  do_sample: ['doSample', isFlag],
  temperature: ['temperature', isNumber],
  top_k: ['topK', isNumber],
  top_p: ['topP', isNumber],
  min_p: ['minP', isNumber],
  typical_p: ['typicalP', isNumber],
  epsilon_cutoff: ['epsilonCutoff', isNumber],
  eta_cutoff: ['etaCutoff', isNumber],
  repetition_penalty: ['repetitionPenalty', isNumber],
  no_repeat_ngram_size: ['noRepeatNgramSize', isNumber],
  bad_words_ids: ['badWordsIds', (value: unknown) => Array.isArray(value) && value.every(isTokens)],
  min_length: ['minLength', isNumber],
  min_new_tokens: ['minNewTokens', isNumber],
  max_new_tokens: ['maxNewTokens', isNumber],
  forced_bos_token_id: ['forcedBosTokenId', isToken],
  forced_eos_token_id: ['forcedEosTokenId', (value: unknown) => isToken(value) || isTokens(value)],
  suppress_tokens: ['suppressTokens', isTokens],
  begin_suppress_tokens: ['beginSuppressTokens', isTokens],
  num_beams: ['numBeams', isNumber],
  num_return_sequences: ['numReturnSequences', isNumber],
  length_penalty: ['lengthPenalty', isNumber],
  early_stopping: ['earlyStopping', (value: unknown) => isFlag(value) || value === 'never'],
  stop_strings: [
    'stopStrings',
    (value: unknown) =>
      typeof value === 'string' || (Array.isArray(value) && value.every(text => typeof text === 'string'))
  ]
} as const satisfies Readonly<Record<string, readonly [keyof GenerationOptions, (value: unknown) => boolean]>>

/** Fields that change which tokens come and that are not done here, with the values at which they do nothing. */
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
  token_healing: [false],
  top_h: [],
  watermarking_config: []
}

/** What the model's file says. */
export interface GenerationDefaults {
  readonly options: GenerationOptions
  /** tokens of a row with its prompt; undefined: `maxNewTokens` says how many */
  readonly maxLength?: number
}

/**
 * The options that the file gives. Throws BAD_CHECKPOINT for values that are none, UNSUPPORTED for fields that would change the
 * tokens and are not done here.
 */
export function generationDefaults(raw: Fields): GenerationDefaults {
  const options: Record<string, unknown> = {}
  for (const [field, [option, isValid]] of Object.entries(fields)) {
    const value = raw[field]
    if (value === undefined || value === null) continue
    if (!isValid(value)) {
      throw new SwarmError('BAD_CHECKPOINT', `${file}: ${field}: found ${quoteForeign(value)}, which is no value of it`)
    }
    options[option] = value
  }
  for (const [field, idle] of Object.entries(unsupported)) {
    const value = raw[field]
    if (value === undefined || value === null || idle.includes(value)) continue
    throw new SwarmError(
      'UNSUPPORTED',
      `${file}: ${field} = ${quoteForeign(value)} is not supported and would change what is generated ` +
        '(generate with useGenerationConfig: false to leave the file out)'
    )
  }
  const { max_length: maxLength } = raw
  return {
    options: options as GenerationOptions,
    maxLength: isToken(maxLength) && options.maxNewTokens === undefined ? (maxLength as number) : undefined
  }
}

/** Of no effect without sampling; files hold values then that sampling would refuse (temperature 0). */
const ofSampling = ['temperature', 'topK', 'topP', 'minP', 'typicalP', 'epsilonCutoff', 'etaCutoff'] as const

/**
 * The options that are given, over those of the model's file; undefined is not given. Throws INVALID_ARGUMENT for unknown options and
 * where the file's max_length leaves no room after the prompt, and as `generationDefaults`.
 */
export function withDefaults(given: GenerationOptions, raw: Fields, promptLength: number): GenerationOptions {
  checkGenerationOptions(given)
  const told = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as GenerationOptions
  if (given.useGenerationConfig === false) return told
  const { options, maxLength } = generationDefaults(raw)
  const isSampled = told.doSample ?? options.doSample ?? false
  const kept = Object.entries(options).filter(([name]) => isSampled || !ofSampling.some(other => other === name))
  const merged: GenerationOptions = { ...Object.fromEntries(kept), ...told }
  if (maxLength === undefined || told.maxNewTokens !== undefined) return merged
  if (maxLength <= promptLength) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `${file}: max_length ${maxLength} leaves no room after a prompt of ${promptLength} tokens (give maxNewTokens)`
    )
  }
  return { ...merged, maxNewTokens: maxLength - promptLength }
}
