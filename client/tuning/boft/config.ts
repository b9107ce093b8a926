// The settings of BOFT: ours, and the fields of PEFT's adapter_config.json.
import { z } from 'zod'
import { SwarmError } from '../../../common/errors.ts'
import { commonFields, type FieldTable, present } from '../fields.ts'
import type { TuningTarget } from '../method.ts'
import { parseBySchema } from '../parse.ts'
import { checkTargetFields, targetFields, withDefaultTargets } from '../targets.ts'

export const boftSchema = z.strictObject({
  peftType: z.literal('BOFT'),
  /** size of the blocks, which divides the inputs of every module; either this or `boftBlockNum`; default 4 */
  boftBlockSize: z.int().min(0).optional(),
  /** blocks of a module */
  boftBlockNum: z.int().min(0).default(0),
  /** factors of a rotation: each more lets twice as many numbers mix. PEFT does more than one with CUDA only */
  boftNButterflyFactor: z.int().min(1).default(1),
  ...targetFields,
  /** share of the blocks of one factor, drawn at random, that training leaves as they are */
  boftDropout: z.number().min(0).lt(1).default(0),
  /** biases that are trained: none, all (those outside the blocks too), or those of modules with an adapter */
  bias: z.enum(['none', 'all', 'boft_only']).default('none'),
  /** true: nothing turns at first; false: at random */
  initWeights: z.boolean().default(true)
})

/** What a user writes: PEFT's names in camel case, PEFT's defaults. */
export type BoftConfig = z.input<typeof boftSchema>

type ParsedBoftConfig = z.output<typeof boftSchema>

/** With defaults. */
export type BoftSettings = ParsedBoftConfig & Required<Pick<ParsedBoftConfig, 'targetModules' | 'boftBlockSize'>>

function withBlockSize<T extends ParsedBoftConfig>(
  settings: T,
  what: string,
  code: 'INVALID_ARGUMENT' | 'BAD_CHECKPOINT'
) {
  const { boftBlockNum: count, boftBlockSize: size = count === 0 ? 4 : 0 } = settings
  if ((count === 0) === (size === 0)) {
    throw new SwarmError(
      code,
      `${what}: expected either boftBlockSize or boftBlockNum above 0, found ${size} and ${count}`
    )
  }
  return { ...settings, boftBlockSize: size }
}

/** Throws INVALID_ARGUMENT naming every wrong field. */
export function parseBoftConfig(config: unknown, target: Pick<TuningTarget, 'defaultTargets'>): BoftSettings {
  const what = 'BOFT configuration'
  const settings = parseBySchema(boftSchema, config, what, 'INVALID_ARGUMENT')
  checkTargetFields(settings, what)
  return withDefaultTargets(withBlockSize(settings, what, 'INVALID_ARGUMENT'), target)
}

/** What becomes of each field of BOFT's configuration. */
export const boftFields = {
  ...commonFields,
  bias: 'read',
  boft_block_num: 'read',
  boft_block_size: 'read',
  boft_dropout: 'read',
  boft_n_butterfly_factor: 'read',
  exclude_modules: 'read',
  fan_in_fan_out: 'idle',
  init_weights: 'read',
  layers_pattern: 'read',
  layers_to_transform: 'read',
  modules_to_save: 'read',
  target_modules: 'read'
} as const satisfies FieldTable

/** The fields of adapter_config.json. */
export function writeBoftConfig(
  settings: BoftSettings,
  targetModules: string | readonly string[]
): Record<string, unknown> {
  return {
    bias: settings.bias,
    boft_block_num: settings.boftBlockNum,
    boft_block_size: settings.boftBlockSize,
    boft_dropout: settings.boftDropout,
    boft_n_butterfly_factor: settings.boftNButterflyFactor,
    exclude_modules: settings.excludeModules ?? null,
    fan_in_fan_out: false,
    init_weights: settings.initWeights,
    layers_pattern: settings.layersPattern ?? null,
    layers_to_transform: settings.layersToTransform ?? null,
    modules_to_save: settings.modulesToSave ?? null,
    peft_type: 'BOFT',
    target_modules: targetModules
  }
}

/** The configuration in an adapter_config.json. Throws BAD_CHECKPOINT. */
export function readBoftConfig(fields: Readonly<Record<string, unknown>>, file: string): ParsedBoftConfig {
  const settings = {
    peftType: 'BOFT',
    boftBlockSize: fields.boft_block_size ?? undefined,
    boftBlockNum: fields.boft_block_num ?? undefined,
    boftNButterflyFactor: fields.boft_n_butterfly_factor ?? undefined,
    targetModules: fields.target_modules ?? undefined,
    excludeModules: present(fields.exclude_modules),
    layersToTransform: fields.layers_to_transform ?? undefined,
    layersPattern: present(fields.layers_pattern),
    modulesToSave: present(fields.modules_to_save),
    boftDropout: fields.boft_dropout ?? undefined,
    bias: fields.bias ?? undefined,
    initWeights: fields.init_weights ?? undefined
  }
  return withBlockSize(parseBySchema(boftSchema, settings, file, 'BAD_CHECKPOINT'), file, 'BAD_CHECKPOINT')
}
