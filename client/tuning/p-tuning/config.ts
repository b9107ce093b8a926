// The settings of P-tuning: ours, and the fields of PEFT's adapter_config.json.
import { z } from 'zod'
import { SwarmError } from '../../../common/errors.ts'
import type { TuningTarget } from '../method.ts'
import { parse } from '../parse.ts'

export const schema = z.strictObject({
  peftType: z.literal('P_TUNING'),
  /** vectors before every input, made by an encoder while it is trained */
  numVirtualTokens: z.int().min(1),
  encoderReparameterizationType: z.enum(['MLP', 'LSTM']).default('MLP'),
  /** default: the model's hidden size */
  encoderHiddenSize: z.int().min(1).optional(),
  /** of the LSTM; an MLP has always three Linear */
  encoderNumLayers: z.int().min(1).default(2),
  /** between the layers of the LSTM */
  encoderDropout: z.number().min(0).lt(1).default(0)
})

/** What a user writes: PEFT's names in camel case, PEFT's defaults. */
export type PTuningConfig = z.input<typeof schema>

/** With defaults. */
export type PTuningSettings = z.output<typeof schema>

/** Throws INVALID_ARGUMENT naming every wrong field. */
export function parsePTuningConfig(config: unknown): PTuningSettings {
  return parse(schema, config, 'P_TUNING configuration', 'INVALID_ARGUMENT')
}

/** The fields of adapter_config.json. */
export function writePTuningConfig(
  settings: PTuningSettings,
  target: Pick<TuningTarget, 'hiddenSize' | 'numBlocks' | 'numHeads'>
): Record<string, unknown> {
  return {
    encoder_dropout: settings.encoderDropout,
    encoder_hidden_size: settings.encoderHiddenSize ?? target.hiddenSize,
    encoder_num_layers: settings.encoderNumLayers,
    encoder_reparameterization_type: settings.encoderReparameterizationType,
    modules_to_save: null,
    num_attention_heads: target.numHeads,
    num_layers: target.numBlocks,
    num_transformer_submodules: 1,
    num_virtual_tokens: settings.numVirtualTokens,
    peft_type: 'P_TUNING',
    token_dim: target.hiddenSize
  }
}

/** The configuration in an adapter_config.json. Throws UNSUPPORTED, BAD_CHECKPOINT. */
export function readPTuningConfig(fields: Readonly<Record<string, unknown>>, file: string): PTuningSettings {
  const submodules = fields.num_transformer_submodules ?? 1
  if (submodules !== 1) {
    throw new SwarmError('UNSUPPORTED', `${file}: num_transformer_submodules ${submodules} is not supported, only 1`)
  }
  const settings = {
    peftType: 'P_TUNING',
    numVirtualTokens: fields.num_virtual_tokens,
    encoderReparameterizationType: fields.encoder_reparameterization_type ?? undefined,
    encoderHiddenSize: fields.encoder_hidden_size ?? undefined,
    encoderNumLayers: fields.encoder_num_layers ?? undefined,
    encoderDropout: fields.encoder_dropout ?? undefined
  }
  return parse(schema, settings, file, 'BAD_CHECKPOINT')
}
