// The settings of prefix tuning: ours, and the fields of PEFT's adapter_config.json.
import { z } from 'zod'
import { isInactive } from '../../../common/foreign-json.ts'
import { type FieldTable, promptFields } from '../fields.ts'
import type { TuningTarget } from '../method.ts'
import { parseBySchema } from '../parse.ts'
import { targetFields } from '../targets.ts'

export const prefixSchema = z.strictObject({
  peftType: z.literal('PREFIX_TUNING'),
  /** trained keys and values before every block's sequence */
  numVirtualTokens: z.int().min(1),
  /** modules outside the blocks that are trained whole and saved with the adapter, as LoRA's */
  modulesToSave: targetFields.modulesToSave,
  /** true: they are made by Embedding, Linear, Tanh, Linear while they are trained; false: P-tuning v2 */
  prefixProjection: z.boolean().default(false),
  /** between the two Linear; default: the size of a block's keys */
  encoderHiddenSize: z.int().min(1).optional(),
  /**
   * of encoder-decoder models, the stack that gets keys and values: the decoder, as in PEFT, where decoder block i takes those of number
   * 2i, counted around; or the encoder, or both, each block its own, which PEFT does not read
   */
  prefixStack: z.enum(['decoder', 'encoder', 'both']).optional(),
  /** 'zero': keys and values begin at zero; default: at random */
  initWeights: z.literal('zero').optional()
})

/** What a user writes: PEFT's names in camel case, PEFT's defaults. */
export type PrefixTuningConfig = z.input<typeof prefixSchema>

/** With defaults. */
export type PrefixTuningSettings = z.output<typeof prefixSchema>

/** Throws INVALID_ARGUMENT naming every wrong field. */
export function parsePrefixTuningConfig(config: unknown): PrefixTuningSettings {
  return parseBySchema(prefixSchema, config, 'PREFIX_TUNING configuration', 'INVALID_ARGUMENT')
}

/** What becomes of each field of an adapter_config.json. */
export const prefixFields = {
  ...promptFields,
  encoder_hidden_size: 'read',
  init_weights: 'read',
  num_attention_heads: 'model',
  num_layers: 'model',
  prefix_projection: 'read',
  // ours
  prefix_stack: 'read'
} as const satisfies FieldTable

/** The fields of adapter_config.json. PEFT counts heads and sizes of keys and values, not of queries. */
export function writePrefixTuningConfig(
  settings: PrefixTuningSettings,
  target: Pick<TuningTarget, 'submodules'>,
  layers: number,
  { heads: own, headDim, cachedHeads: heads = own }: NonNullable<TuningTarget['keyValue']>
): Record<string, unknown> {
  return {
    encoder_hidden_size: settings.encoderHiddenSize ?? heads * headDim,
    init_weights: settings.initWeights ?? null,
    modules_to_save: settings.modulesToSave ?? null,
    num_attention_heads: heads,
    num_layers: layers,
    num_transformer_submodules: target.submodules ?? 1,
    num_virtual_tokens: settings.numVirtualTokens,
    peft_type: 'PREFIX_TUNING',
    prefix_projection: settings.prefixProjection,
    ...(settings.prefixStack !== undefined && { prefix_stack: settings.prefixStack }),
    token_dim: heads * headDim
  }
}

/** The configuration in an adapter_config.json. Throws BAD_CHECKPOINT. */
export function readPrefixTuningConfig(fields: Readonly<Record<string, unknown>>, file: string): PrefixTuningSettings {
  const settings = {
    peftType: 'PREFIX_TUNING',
    numVirtualTokens: fields.num_virtual_tokens,
    ...(isInactive(fields.modules_to_save) ? {} : { modulesToSave: fields.modules_to_save }),
    prefixProjection: fields.prefix_projection ?? undefined,
    prefixStack: fields.prefix_stack ?? undefined,
    encoderHiddenSize: fields.encoder_hidden_size ?? undefined,
    initWeights: fields.init_weights ?? undefined
  }
  return parseBySchema(prefixSchema, settings, file, 'BAD_CHECKPOINT')
}
