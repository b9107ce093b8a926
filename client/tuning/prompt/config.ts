// The settings of prompt tuning: ours, and the fields of PEFT's adapter_config.json.
import { z } from 'zod'
import { SwarmError } from '../../../common/errors.ts'
import type { TuningTarget } from '../method.ts'
import { parse } from '../parse.ts'

export const schema = z.strictObject({
  peftType: z.literal('PROMPT_TUNING'),
  /** trained embeddings before every input */
  numVirtualTokens: z.int().min(1),
  /** first values: standard normal, or the embeddings of `promptTuningInitText`, or of tokens drawn at random */
  promptTuningInit: z.enum(['RANDOM', 'TEXT', 'SAMPLE_VOCAB']).default('RANDOM'),
  promptTuningInitText: z.string().optional()
})

/** What a user writes: PEFT's names in camel case, PEFT's defaults. */
export type PromptTuningConfig = z.input<typeof schema>

/** With defaults. */
export type PromptTuningSettings = z.output<typeof schema>

/** Throws INVALID_ARGUMENT naming every wrong field. */
export function parsePromptTuningConfig(config: unknown): PromptTuningSettings {
  const settings = parse(schema, config, 'PROMPT_TUNING configuration', 'INVALID_ARGUMENT')
  if (settings.promptTuningInit === 'TEXT' && !settings.promptTuningInitText) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      "PROMPT_TUNING configuration: promptTuningInit 'TEXT' needs promptTuningInitText"
    )
  }
  return settings
}

/** The fields of adapter_config.json. PEFT insists on a tokenizer beside a text: the base model's. */
export function writePromptTuningConfig(
  settings: PromptTuningSettings,
  target: Pick<TuningTarget, 'hiddenSize' | 'numBlocks' | 'numHeads'>,
  baseModel: string
): Record<string, unknown> {
  return {
    modules_to_save: null,
    num_attention_heads: target.numHeads,
    num_layers: target.numBlocks,
    num_transformer_submodules: 1,
    num_virtual_tokens: settings.numVirtualTokens,
    peft_type: 'PROMPT_TUNING',
    prompt_tuning_init: settings.promptTuningInit,
    prompt_tuning_init_text: settings.promptTuningInitText ?? null,
    token_dim: target.hiddenSize,
    tokenizer_kwargs: null,
    tokenizer_name_or_path: settings.promptTuningInit === 'TEXT' ? baseModel : null
  }
}

/** The configuration in an adapter_config.json. Throws UNSUPPORTED, BAD_CHECKPOINT. */
export function readPromptTuningConfig(fields: Readonly<Record<string, unknown>>, file: string): PromptTuningSettings {
  const submodules = fields.num_transformer_submodules ?? 1
  if (submodules !== 1) {
    throw new SwarmError('UNSUPPORTED', `${file}: num_transformer_submodules ${submodules} is not supported, only 1`)
  }
  const settings = {
    peftType: 'PROMPT_TUNING',
    numVirtualTokens: fields.num_virtual_tokens,
    promptTuningInit: fields.prompt_tuning_init ?? undefined,
    promptTuningInitText: fields.prompt_tuning_init_text ?? undefined
  }
  return parse(schema, settings, file, 'BAD_CHECKPOINT')
}
