// The settings of AdaLoRA: ours, and the fields of PEFT's adapter_config.json. Modules are chosen as LoRA chooses them.
import { z } from 'zod'
import { SwarmError } from '../../../common/errors.ts'
import type { FieldTable } from '../fields.ts'
import { type LoraSettings, loraFields, readLoraConfig, type writeLoraConfig } from '../lora/config.ts'
import type { TuningTarget } from '../method.ts'
import { parseBySchema } from '../parse.ts'
import { checkTargetFields, targetFields, withDefaultTargets } from '../targets.ts'
import { adaLoraModules } from './defaults.ts'

export const adaloraSchema = z.strictObject({
  peftType: z.literal('ADALORA'),
  /** rank of every module at first */
  initR: z.int().min(1).default(12),
  /** mean rank of the modules at the end */
  targetR: z.int().min(1).default(8),
  /** optimizer steps of the whole training */
  totalStep: z.int().min(1),
  /** steps before ranks are taken away */
  tinit: z.int().min(0).default(0),
  /** steps at the end in which ranks stay as they are */
  tfinal: z.int().min(0).default(0),
  /** steps between two allocations */
  deltaT: z.int().min(1).default(1),
  /** of the smoothed sensitivity */
  beta1: z.number().gt(0).lt(1).default(0.85),
  /** of the smoothed uncertainty */
  beta2: z.number().gt(0).lt(1).default(0.85),
  /** weight of the penalty on singular vectors that are not orthogonal */
  orthRegWeight: z.number().min(0).default(0.5),
  loraAlpha: z.number().default(8),
  loraDropout: z.number().min(0).lt(1).default(0),
  ensureWeightTying: z.boolean().optional(),
  /** as LoRA's */
  ...targetFields,
  /** of a saved adapter: which of the first ranks every module has kept */
  rankPattern: z.record(z.string(), z.array(z.boolean())).optional()
})

/** What a user writes: PEFT's names in camel case, PEFT's defaults. */
export type AdaLoraConfig = z.input<typeof adaloraSchema>

/** With defaults. */
export type AdaLoraSettings = z.output<typeof adaloraSchema>

/** Throws INVALID_ARGUMENT naming every wrong field. */
export function parseAdaLoraConfig(config: unknown): AdaLoraSettings {
  const settings = parseBySchema(adaloraSchema, config, 'ADALORA configuration', 'INVALID_ARGUMENT')
  checkTargetFields(settings, 'ADALORA configuration')
  const { tinit, tfinal, totalStep, initR, targetR } = settings
  if (tinit >= totalStep - tfinal) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `ADALORA configuration: tinit ${tinit} and tfinal ${tfinal} leave none of ${totalStep} steps in which ranks are allocated`
    )
  }
  if (targetR > initR) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `ADALORA configuration: targetR: expected at most initR ${initR}, found ${targetR}`
    )
  }
  return settings
}

/** What chooses the modules, as LoRA's settings. */
export function loraSettings(
  settings: AdaLoraSettings,
  target: Pick<TuningTarget, 'defaultTargets' | 'modelType'>
): LoraSettings {
  const { loraAlpha, loraDropout, targetModules, excludeModules, layersToTransform, layersPattern } = settings
  const shared = { peftType: 'LORA', r: 8, bias: 'none', useRslora: false, initLoraWeights: true } as const
  const { modulesToSave, ensureWeightTying } = settings
  const { modelType } = target
  const own = modelType === undefined ? undefined : adaLoraModules[modelType]
  const choice = {
    modulesToSave,
    ensureWeightTying,
    targetModules: targetModules ?? own,
    excludeModules,
    layersToTransform,
    layersPattern
  }
  return withDefaultTargets({ ...shared, loraAlpha, loraDropout, ...choice }, target)
}

/** What becomes of each field of AdaLoRA's configuration. PEFT's AdaLoRA passes over some of LoRA's. */
export const adaLoraFields = {
  ...loraFields,
  alpha_pattern: 'idle',
  beta1: 'read',
  beta2: 'read',
  bias: { only: 'none', why: 'AdaLoRA trains no biases here' },
  deltaT: 'read',
  init_lora_weights: 'idle',
  init_r: 'read',
  lora_bias: 'idle',
  orth_reg_weight: 'read',
  r: 'idle',
  target_parameters: { only: null },
  target_r: 'read',
  tfinal: 'read',
  tinit: 'read',
  total_step: 'read',
  trainable_token_indices: { only: null },
  use_dora: { only: false },
  use_rslora: 'idle'
} as const satisfies FieldTable

/** The fields of adapter_config.json; `rankPattern` null before ranks were allocated. */
export function writeAdaLoraConfig(
  settings: AdaLoraSettings,
  fields: ReturnType<typeof writeLoraConfig>,
  rankPattern: Readonly<Record<string, readonly boolean[]>> | null
): Record<string, unknown> {
  return {
    ...fields,
    beta1: settings.beta1,
    beta2: settings.beta2,
    deltaT: settings.deltaT,
    init_r: settings.initR,
    orth_reg_weight: settings.orthRegWeight,
    peft_type: 'ADALORA',
    rank_pattern: rankPattern,
    target_r: settings.targetR,
    tfinal: settings.tfinal,
    tinit: settings.tinit,
    total_step: settings.totalStep
  }
}

/** The configuration in an adapter_config.json. Throws UNSUPPORTED for variants that are not done here, BAD_CHECKPOINT. */
export function readAdaLoraConfig(fields: Readonly<Record<string, unknown>>, file: string): AdaLoraSettings {
  const read = Object.entries(adaLoraFields).filter(([, rule]) => rule === 'read')
  const { rank_pattern: rankPattern, ...others } = Object.fromEntries(read.map(([field]) => [field, fields[field]]))
  const lora = readLoraConfig(others, file)
  const settings = {
    peftType: 'ADALORA',
    initR: fields.init_r,
    targetR: fields.target_r,
    totalStep: fields.total_step,
    tinit: fields.tinit,
    tfinal: fields.tfinal,
    deltaT: fields.deltaT,
    beta1: fields.beta1,
    beta2: fields.beta2,
    orthRegWeight: fields.orth_reg_weight,
    loraAlpha: lora.loraAlpha,
    loraDropout: lora.loraDropout,
    targetModules: lora.targetModules,
    excludeModules: lora.excludeModules,
    layersToTransform: lora.layersToTransform,
    layersPattern: lora.layersPattern,
    modulesToSave: lora.modulesToSave,
    ensureWeightTying: lora.ensureWeightTying,
    rankPattern: rankPattern ?? undefined
  }
  return parseBySchema(adaloraSchema, settings, file, 'BAD_CHECKPOINT')
}
