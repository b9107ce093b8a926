// The settings of P-tuning: ours, and the fields of PEFT's adapter_config.json.
import { z } from 'zod'
import { isInactive } from '../../../common/foreign-json.ts'
import { type FieldTable, promptFields } from '../fields.ts'
import type { TuningTarget } from '../method.ts'
import { parseBySchema } from '../parse.ts'
import { targetFields } from '../targets.ts'
import { layersOf } from '../virtual-tokens.ts'

export const pTuningSchema = z.strictObject({
  peftType: z.literal('P_TUNING'),
  /** vectors before every input, made by an encoder while it is trained */
  numVirtualTokens: z.int().min(1),
  /** modules outside the blocks that are trained whole and saved with the adapter, as LoRA's */
  modulesToSave: targetFields.modulesToSave,
  encoderReparameterizationType: z.enum(['MLP', 'LSTM']).default('MLP'),
  /** default: the model's hidden size */
  encoderHiddenSize: z.int().min(1).optional(),
  /** of the LSTM; an MLP has always three Linear */
  encoderNumLayers: z.int().min(1).default(2),
  /** between the layers of the LSTM */
  encoderDropout: z.number().min(0).lt(1).default(0)
})

/** What a user writes: PEFT's names in camel case, PEFT's defaults. */
export type PTuningConfig = z.input<typeof pTuningSchema>

/** With defaults. */
export type PTuningSettings = z.output<typeof pTuningSchema>

/** Throws INVALID_ARGUMENT naming every wrong field. */
export function parsePTuningConfig(config: unknown): PTuningSettings {
  return parseBySchema(pTuningSchema, config, 'P_TUNING configuration', 'INVALID_ARGUMENT')
}

/** What becomes of each field of an adapter_config.json. */
export const pTuningFields = {
  ...promptFields,
  encoder_dropout: 'read',
  encoder_hidden_size: 'read',
  encoder_num_layers: 'read',
  encoder_reparameterization_type: 'read'
} as const satisfies FieldTable

/** The fields of adapter_config.json. */
export function writePTuningConfig(
  settings: PTuningSettings,
  target: Pick<TuningTarget, 'hiddenSize' | 'numBlocks' | 'numHeads' | 'encoder' | 'decoder' | 'submodules'>
): Record<string, unknown> {
  return {
    encoder_dropout: settings.encoderDropout,
    encoder_hidden_size: settings.encoderHiddenSize ?? target.hiddenSize,
    encoder_num_layers: settings.encoderNumLayers,
    encoder_reparameterization_type: settings.encoderReparameterizationType,
    modules_to_save: settings.modulesToSave ?? null,
    num_attention_heads: target.numHeads,
    num_layers: layersOf(target),
    num_transformer_submodules: target.submodules ?? 1,
    num_virtual_tokens: settings.numVirtualTokens,
    peft_type: 'P_TUNING',
    token_dim: target.hiddenSize
  }
}

/** The configuration in an adapter_config.json. Throws BAD_CHECKPOINT. */
export function readPTuningConfig(fields: Readonly<Record<string, unknown>>, file: string): PTuningSettings {
  const settings = {
    peftType: 'P_TUNING',
    numVirtualTokens: fields.num_virtual_tokens,
    ...(isInactive(fields.modules_to_save) ? {} : { modulesToSave: fields.modules_to_save }),
    encoderReparameterizationType: fields.encoder_reparameterization_type ?? undefined,
    encoderHiddenSize: fields.encoder_hidden_size ?? undefined,
    encoderNumLayers: fields.encoder_num_layers ?? undefined,
    encoderDropout: fields.encoder_dropout ?? undefined
  }
  return parseBySchema(pTuningSchema, settings, file, 'BAD_CHECKPOINT')
}
