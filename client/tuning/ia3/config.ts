// The settings of IA3: ours, and the fields of PEFT's adapter_config.json.
import { z } from 'zod'
import { SwarmError } from '../../../common/errors.ts'
import { commonFields, type FieldTable, present } from '../fields.ts'
import type { TuningTarget } from '../method.ts'
import { parseBySchema } from '../parse.ts'
import { targetFields, wholePattern, withPatterns } from '../targets.ts'
import { ia3Modules } from './defaults.ts'

const { targetModules, excludeModules, modulesToSave } = targetFields

export const ia3Schema = z.strictObject({
  peftType: z.literal('IA3'),
  targetModules,
  excludeModules,
  modulesToSave,
  /** of the target modules, those whose input is scaled instead of their output: ends of names, or a regular expression */
  feedforwardModules: z.union([z.string(), z.array(z.string()).readonly()]).optional(),
  /** true: vectors start at 1, which changes nothing; false: at random */
  initIa3Weights: z.boolean().default(true)
})

/** What a user writes: PEFT's names in camel case, PEFT's defaults. */
export type Ia3Config = z.input<typeof ia3Schema>

type ParsedIa3Config = z.output<typeof ia3Schema>

/** With defaults. */
export type Ia3Settings = ParsedIa3Config & Required<Pick<ParsedIa3Config, 'targetModules' | 'feedforwardModules'>>

/** Throws INVALID_ARGUMENT with every wrong field, and if PEFT has no default for the model type. */
export function parseIa3Config(config: unknown, { modelType }: Pick<TuningTarget, 'modelType'>): Ia3Settings {
  const what = 'IA3 configuration'
  const settings = parseBySchema(ia3Schema, config, what, 'INVALID_ARGUMENT')
  const known = modelType === undefined ? undefined : ia3Modules[modelType]
  const targets = settings.targetModules ?? known?.targets
  const feedforward = settings.feedforwardModules ?? known?.feedforward
  if (targets === undefined || feedforward === undefined) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `${what}: targetModules and feedforwardModules have no default for the model type '${modelType}' (set both)`
    )
  }
  if (typeof targets !== 'string' && typeof feedforward !== 'string') {
    const others = feedforward.filter(name => !targets.includes(name))
    if (others.length > 0) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `${what}: feedforwardModules: expected some of targetModules (${targets.join(', ')}), found ${others.join(', ')}`
      )
    }
  }
  return { ...settings, targetModules: targets, feedforwardModules: feedforward }
}

/** Whether the module of this path has its input scaled. */
export function isFeedforward({ feedforwardModules }: Ia3Settings, path: string): boolean {
  if (typeof feedforwardModules !== 'string') return feedforwardModules.some(name => path.endsWith(name))
  const field = 'feedforwardModules'
  return withPatterns(field, [feedforwardModules], () => wholePattern(feedforwardModules, field).test(path))
}

/** What becomes of each field of IA3's configuration. */
export const ia3Fields = {
  ...commonFields,
  exclude_modules: 'read',
  fan_in_fan_out: 'idle',
  feedforward_modules: 'read',
  init_ia3_weights: 'read',
  modules_to_save: 'read',
  target_modules: 'read'
} as const satisfies FieldTable

/** The fields of adapter_config.json. */
export function writeIa3Config(
  settings: Ia3Settings,
  targetNames: string | readonly string[],
  fanInFanOut: boolean
): Record<string, unknown> {
  return {
    exclude_modules: settings.excludeModules ?? null,
    fan_in_fan_out: fanInFanOut,
    feedforward_modules: settings.feedforwardModules,
    init_ia3_weights: settings.initIa3Weights,
    modules_to_save: settings.modulesToSave ?? null,
    peft_type: 'IA3',
    target_modules: targetNames
  }
}

/** The configuration in an adapter_config.json. Throws BAD_CHECKPOINT. */
export function readIa3Config(fields: Readonly<Record<string, unknown>>, file: string): ParsedIa3Config {
  const settings = {
    peftType: 'IA3',
    targetModules: fields.target_modules ?? undefined,
    excludeModules: present(fields.exclude_modules),
    modulesToSave: present(fields.modules_to_save),
    feedforwardModules: fields.feedforward_modules ?? undefined,
    initIa3Weights: fields.init_ia3_weights ?? undefined
  }
  return parseBySchema(ia3Schema, settings, file, 'BAD_CHECKPOINT')
}
