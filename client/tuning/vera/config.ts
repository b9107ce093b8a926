// The settings of VeRA: ours, and the fields of PEFT's adapter_config.json.
import { z } from 'zod'
import { commonFields, type FieldTable, present } from '../fields.ts'
import type { TuningTarget } from '../method.ts'
import { parseBySchema } from '../parse.ts'
import { checkTargetFields, targetFields, withDefaultTargets } from '../targets.ts'

const { excludeModules: _, ...chosenModules } = targetFields

export const veraSchema = z.strictObject({
  peftType: z.literal('VERA'),
  /** rank of the projections that all modules share */
  r: z.int().min(1).default(256),
  ...chosenModules,
  /** of the generator that draws the projections: torch's, so that they are PEFT's */
  projectionPrngKey: z.int().min(0).default(0),
  /** saves the projections with the adapter; without them they are drawn again from the key */
  saveProjection: z.boolean().default(true),
  /** probability with which training drops an input of the projection */
  veraDropout: z.number().min(0).lt(1).default(0),
  /** first value of the factors between the projections */
  dInitial: z.number().default(0.1),
  /** biases that are trained: none, all (those outside the blocks too), or those of modules with an adapter */
  bias: z.enum(['none', 'all', 'vera_only']).default('none'),
  /** true: the adapter changes nothing at first; false: its factors begin at random */
  initWeights: z.boolean().default(true)
})

/** What a user writes: PEFT's names in camel case, PEFT's defaults. */
export type VeraConfig = z.input<typeof veraSchema>

type ParsedVeraConfig = z.output<typeof veraSchema>

/** With defaults. */
export type VeraSettings = ParsedVeraConfig & Required<Pick<ParsedVeraConfig, 'targetModules'>>

/** Throws INVALID_ARGUMENT naming every wrong field. */
export function parseVeraConfig(config: unknown, target: Pick<TuningTarget, 'defaultTargets'>): VeraSettings {
  const settings = parseBySchema(veraSchema, config, 'VERA configuration', 'INVALID_ARGUMENT')
  checkTargetFields(settings, 'VERA configuration')
  return withDefaultTargets(settings, target)
}

/** What becomes of each field of VeRA's configuration. */
export const veraFields = {
  ...commonFields,
  bias: 'read',
  d_initial: 'read',
  // PEFT sets it by the kind of module
  fan_in_fan_out: 'idle',
  init_weights: 'read',
  layers_pattern: 'read',
  layers_to_transform: 'read',
  modules_to_save: 'read',
  projection_prng_key: 'read',
  r: 'read',
  save_projection: 'read',
  target_modules: 'read',
  vera_dropout: 'read'
} as const satisfies FieldTable

/** The fields of adapter_config.json; `fanInFanOut`: the weights under the adapter are [in, out]. */
export function writeVeraConfig(
  settings: VeraSettings,
  targetModules: string | readonly string[],
  fanInFanOut: boolean
): Record<string, unknown> {
  return {
    bias: settings.bias,
    d_initial: settings.dInitial,
    fan_in_fan_out: fanInFanOut,
    init_weights: settings.initWeights,
    layers_pattern: settings.layersPattern ?? null,
    layers_to_transform: settings.layersToTransform ?? null,
    modules_to_save: settings.modulesToSave ?? null,
    peft_type: 'VERA',
    projection_prng_key: settings.projectionPrngKey,
    r: settings.r,
    save_projection: settings.saveProjection,
    target_modules: targetModules,
    vera_dropout: settings.veraDropout
  }
}

/** The configuration in an adapter_config.json. Throws BAD_CHECKPOINT. */
export function readVeraConfig(fields: Readonly<Record<string, unknown>>, file: string): ParsedVeraConfig {
  const settings = {
    peftType: 'VERA',
    r: fields.r,
    targetModules: fields.target_modules ?? undefined,
    layersToTransform: fields.layers_to_transform ?? undefined,
    layersPattern: present(fields.layers_pattern),
    modulesToSave: present(fields.modules_to_save),
    projectionPrngKey: fields.projection_prng_key ?? undefined,
    saveProjection: fields.save_projection ?? undefined,
    veraDropout: fields.vera_dropout ?? undefined,
    dInitial: fields.d_initial ?? undefined,
    bias: fields.bias ?? undefined,
    initWeights: fields.init_weights ?? undefined
  }
  return parseBySchema(veraSchema, settings, file, 'BAD_CHECKPOINT')
}
