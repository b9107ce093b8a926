// Fields of config.json by which older models with an encoder and a decoder say how they generate, as transformers takes them where there
// is no generation_config.json (GenerationConfig.from_model_config of Hugging Face transformers 5).
import type { RawConfig } from './config.ts'

const fields = [
  'max_length',
  'min_length',
  'do_sample',
  'early_stopping',
  'num_beams',
  'num_beam_groups',
  'diversity_penalty',
  'temperature',
  'top_k',
  'top_p',
  'typical_p',
  'repetition_penalty',
  'length_penalty',
  'no_repeat_ngram_size',
  'encoder_no_repeat_ngram_size',
  'bad_words_ids',
  'num_return_sequences',
  'forced_bos_token_id',
  'forced_eos_token_id',
  'remove_invalid_values',
  'exponential_decay_length_penalty',
  'suppress_tokens',
  'begin_suppress_tokens',
  'bos_token_id',
  'eos_token_id',
  'pad_token_id',
  'decoder_start_token_id'
] as const

/** Those that are there and say something. */
export function generationFieldsOf(raw: RawConfig): RawConfig {
  return Object.fromEntries(
    fields.flatMap(field => (raw[field] === undefined || raw[field] === null ? [] : [[field, raw[field]]]))
  )
}
