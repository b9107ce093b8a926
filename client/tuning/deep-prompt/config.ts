// The settings of deep prompt tuning. PEFT has no such method: the file is ours, in the manner of PEFT's.
import { z } from 'zod'
import { isInactive } from '../../../common/foreign-json.ts'
import { type FieldTable, promptFields } from '../fields.ts'
import type { TuningTarget } from '../method.ts'
import { parseBySchema } from '../parse.ts'
import { targetFields } from '../targets.ts'
import { layersOf } from '../virtual-tokens.ts'

export const deepPromptSchema = z.strictObject({
  peftType: z.literal('DEEP_PROMPT_TUNING'),
  /** trained embeddings before every input, and trained vectors for as many positions in every block */
  numVirtualTokens: z.int().min(1),
  /** modules outside the blocks that are trained whole and saved with the adapter, as LoRA's */
  modulesToSave: targetFields.modulesToSave,
  /** 'zero': the vectors in the blocks begin at zero; default: at random, as the embeddings do */
  initWeights: z.literal('zero').optional()
})

/** What a user writes. */
export type DeepPromptConfig = z.input<typeof deepPromptSchema>

/** With defaults. */
export type DeepPromptSettings = z.output<typeof deepPromptSchema>

/** Throws INVALID_ARGUMENT naming every wrong field. */
export function parseDeepPromptConfig(config: unknown): DeepPromptSettings {
  return parseBySchema(deepPromptSchema, config, 'DEEP_PROMPT_TUNING configuration', 'INVALID_ARGUMENT')
}

/** What becomes of each field of an adapter_config.json. */
export const deepPromptFields = {
  ...promptFields,
  init_weights: 'read',
  num_layers: 'model'
} as const satisfies FieldTable

/** The fields of adapter_config.json. */
export function writeDeepPromptConfig(
  settings: DeepPromptSettings,
  target: Pick<TuningTarget, 'hiddenSize' | 'numBlocks' | 'numHeads' | 'encoder' | 'decoder' | 'submodules'>
): Record<string, unknown> {
  return {
    init_weights: settings.initWeights ?? null,
    modules_to_save: settings.modulesToSave ?? null,
    num_attention_heads: target.numHeads,
    num_layers: layersOf(target),
    num_transformer_submodules: target.submodules ?? 1,
    num_virtual_tokens: settings.numVirtualTokens,
    peft_type: 'DEEP_PROMPT_TUNING',
    token_dim: target.hiddenSize
  }
}

/** The configuration in an adapter_config.json. Throws BAD_CHECKPOINT. */
export function readDeepPromptConfig(fields: Readonly<Record<string, unknown>>, file: string): DeepPromptSettings {
  const settings = {
    peftType: 'DEEP_PROMPT_TUNING',
    numVirtualTokens: fields.num_virtual_tokens,
    ...(isInactive(fields.modules_to_save) ? {} : { modulesToSave: fields.modules_to_save }),
    initWeights: fields.init_weights ?? undefined
  }
  return parseBySchema(deepPromptSchema, settings, file, 'BAD_CHECKPOINT')
}
