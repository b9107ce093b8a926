// The settings of prompt tuning: ours, and the fields of PEFT's adapter_config.json.
import { z } from 'zod'
import { SwarmError } from '../../../common/errors.ts'
import { isInactive } from '../../../common/foreign-json.ts'
import { type FieldTable, promptFields } from '../fields.ts'
import type { TuningTarget } from '../method.ts'
import { parseBySchema } from '../parse.ts'
import { targetFields } from '../targets.ts'
import { layersOf } from '../virtual-tokens.ts'

export const promptSchema = z.strictObject({
  peftType: z.literal('PROMPT_TUNING'),
  /** trained embeddings before every input */
  numVirtualTokens: z.int().min(1),
  /** modules outside the blocks that are trained whole and saved with the adapter, as LoRA's */
  modulesToSave: targetFields.modulesToSave,
  /** first values: standard normal, or the embeddings of `promptTuningInitText`, or of tokens drawn at random */
  promptTuningInit: z.enum(['RANDOM', 'TEXT', 'SAMPLE_VOCAB']).default('RANDOM'),
  promptTuningInitText: z.string().optional()
})

/** What a user writes: PEFT's names in camel case, PEFT's defaults. */
export type PromptTuningConfig = z.input<typeof promptSchema>

/** With defaults. */
export type PromptTuningSettings = z.output<typeof promptSchema>

/** Throws INVALID_ARGUMENT naming every wrong field. */
export function parsePromptTuningConfig(config: unknown): PromptTuningSettings {
  const settings = parseBySchema(promptSchema, config, 'PROMPT_TUNING configuration', 'INVALID_ARGUMENT')
  if (settings.promptTuningInit === 'TEXT' && !settings.promptTuningInitText) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      "PROMPT_TUNING configuration: promptTuningInit 'TEXT' needs promptTuningInitText"
    )
  }
  return settings
}

/** What becomes of each field of an adapter_config.json. */
export const promptTuningFields = {
  ...promptFields,
  prompt_tuning_init: 'read',
  prompt_tuning_init_text: 'read',
  tokenizer_kwargs: 'idle',
  tokenizer_name_or_path: 'idle'
} as const satisfies FieldTable

/** The fields of adapter_config.json. PEFT insists on a tokenizer beside a text: the base model's. */
export function writePromptTuningConfig(
  settings: PromptTuningSettings,
  target: Pick<TuningTarget, 'hiddenSize' | 'numBlocks' | 'numHeads' | 'encoder' | 'decoder' | 'submodules'>,
  baseModel: string
): Record<string, unknown> {
  return {
    modules_to_save: settings.modulesToSave ?? null,
    num_attention_heads: target.numHeads,
    num_layers: layersOf(target),
    num_transformer_submodules: target.submodules ?? 1,
    num_virtual_tokens: settings.numVirtualTokens,
    peft_type: 'PROMPT_TUNING',
    prompt_tuning_init: settings.promptTuningInit,
    prompt_tuning_init_text: settings.promptTuningInitText ?? null,
    token_dim: target.hiddenSize,
    tokenizer_kwargs: null,
    tokenizer_name_or_path: settings.promptTuningInit === 'TEXT' ? baseModel : null
  }
}

/** The configuration in an adapter_config.json. Throws BAD_CHECKPOINT. */
export function readPromptTuningConfig(fields: Readonly<Record<string, unknown>>, file: string): PromptTuningSettings {
  const settings = {
    peftType: 'PROMPT_TUNING',
    numVirtualTokens: fields.num_virtual_tokens,
    ...(isInactive(fields.modules_to_save) ? {} : { modulesToSave: fields.modules_to_save }),
    promptTuningInit: fields.prompt_tuning_init ?? undefined,
    promptTuningInitText: fields.prompt_tuning_init_text ?? undefined
  }
  return parseBySchema(promptSchema, settings, file, 'BAD_CHECKPOINT')
}
