// The settings of OFT: ours, and the fields of PEFT's adapter_config.json.
import { z } from 'zod'
import { SwarmError } from '../../../common/errors.ts'
import { commonFields, type FieldTable, present } from '../fields.ts'
import type { TuningTarget } from '../method.ts'
import { parseBySchema } from '../parse.ts'
import { checkTargetFields, targetFields, withDefaultTargets } from '../targets.ts'

export const oftSchema = z.strictObject({
  peftType: z.literal('OFT'),
  /** blocks of a module's rotation; either this or `oftBlockSize` */
  r: z.int().min(0).default(0),
  /** size of the blocks; default 32 where `r` is not set. One that does not divide the module's inputs becomes the nearest that does */
  oftBlockSize: z.int().min(0).optional(),
  ...targetFields,
  /** of PEFT's 0.21 without effect */
  moduleDropout: z.number().min(0).lt(1).default(0),
  /** biases that are trained: none, all (those outside the blocks too), or those of modules with an adapter */
  bias: z.enum(['none', 'all', 'oft_only']).default('none'),
  /** true: nothing turns at first; false: at random */
  initWeights: z.boolean().default(true),
  /** constrained: parameters stay within `eps` of zero */
  coft: z.boolean().default(false),
  /** of `coft`: how far parameters may go */
  eps: z.number().min(0).default(6e-5),
  /** one block for all places of a module */
  blockShare: z.boolean().default(false),
  /** a series of `numCayleyNeumannTerms` instead of an inverse */
  useCayleyNeumann: z.boolean().default(true),
  numCayleyNeumannTerms: z.int().min(1).default(5)
})

/** What a user writes: PEFT's names in camel case, PEFT's defaults. */
export type OftConfig = z.input<typeof oftSchema>

type ParsedOftConfig = z.output<typeof oftSchema>

/** With defaults. */
export type OftSettings = ParsedOftConfig & Required<Pick<ParsedOftConfig, 'targetModules' | 'oftBlockSize'>>

function withBlockSize<T extends ParsedOftConfig>(
  settings: T,
  what: string,
  code: 'INVALID_ARGUMENT' | 'BAD_CHECKPOINT'
) {
  const { r, oftBlockSize = r === 0 ? 32 : 0 } = settings
  if ((r === 0) === (oftBlockSize === 0)) {
    throw new SwarmError(code, `${what}: expected either r or oftBlockSize above 0, found ${r} and ${oftBlockSize}`)
  }
  return { ...settings, oftBlockSize }
}

/** Throws INVALID_ARGUMENT naming every wrong field. */
export function parseOftConfig(config: unknown, target: Pick<TuningTarget, 'defaultTargets'>): OftSettings {
  const what = 'OFT configuration'
  const settings = parseBySchema(oftSchema, config, what, 'INVALID_ARGUMENT')
  checkTargetFields(settings, what)
  return withDefaultTargets(withBlockSize(settings, what, 'INVALID_ARGUMENT'), target)
}

/** What becomes of each field of OFT's configuration. */
export const oftFields = {
  ...commonFields,
  bias: 'read',
  block_share: 'read',
  coft: 'read',
  eps: 'read',
  exclude_modules: 'read',
  fan_in_fan_out: 'idle',
  init_weights: 'read',
  layers_pattern: 'read',
  layers_to_transform: 'read',
  module_dropout: 'read',
  modules_to_save: 'read',
  num_cayley_neumann_terms: 'read',
  oft_block_size: 'read',
  peft_version: 'read',
  r: 'read',
  target_modules: 'read',
  use_cayley_neumann: 'read'
} as const satisfies FieldTable

/** The fields of adapter_config.json. */
export function writeOftConfig(
  settings: OftSettings,
  targetModules: string | readonly string[]
): Record<string, unknown> {
  return {
    bias: settings.bias,
    block_share: settings.blockShare,
    coft: settings.coft,
    eps: settings.eps,
    exclude_modules: settings.excludeModules ?? null,
    fan_in_fan_out: false,
    init_weights: settings.initWeights,
    layers_pattern: settings.layersPattern ?? null,
    layers_to_transform: settings.layersToTransform ?? null,
    module_dropout: settings.moduleDropout,
    modules_to_save: settings.modulesToSave ?? null,
    num_cayley_neumann_terms: settings.numCayleyNeumannTerms,
    oft_block_size: settings.oftBlockSize,
    peft_type: 'OFT',
    r: settings.r,
    target_modules: targetModules,
    use_cayley_neumann: settings.useCayleyNeumann
  }
}

/** Whether a file is of PEFT 0.18 or later. */
function isRecent(version: unknown): boolean {
  const [major = 0, minor = 0] =
    typeof version === 'string' ? version.split('.').map(part => Number.parseInt(part, 10)) : []
  return major > 0 || minor >= 18
}

/**
 * The configuration in an adapter_config.json. Throws BAD_CHECKPOINT, UNSUPPORTED for adapters of earlier versions of PEFT, whose
 * parameters mean something else.
 */
export function readOftConfig(fields: Readonly<Record<string, unknown>>, file: string): ParsedOftConfig {
  const since = (version: string, what: string): never => {
    throw new SwarmError('UNSUPPORTED', `${file}: an OFT adapter of PEFT before ${version}, ${what} (train it anew)`)
  }
  if (fields.oft_block_size === undefined) since('0.16', 'which kept other parameters')
  if (fields.use_cayley_neumann === true && !isRecent(fields.peft_version)) {
    since('0.18', 'whose series for (I - Q)(I + Q)⁻¹ was another one')
  }
  const settings = {
    peftType: 'OFT',
    r: fields.r ?? undefined,
    oftBlockSize: fields.oft_block_size,
    targetModules: fields.target_modules ?? undefined,
    excludeModules: present(fields.exclude_modules),
    layersToTransform: fields.layers_to_transform ?? undefined,
    layersPattern: present(fields.layers_pattern),
    modulesToSave: present(fields.modules_to_save),
    moduleDropout: fields.module_dropout ?? undefined,
    bias: fields.bias ?? undefined,
    initWeights: fields.init_weights ?? undefined,
    coft: fields.coft ?? undefined,
    eps: fields.eps ?? undefined,
    blockShare: fields.block_share ?? undefined,
    // before 0.16 there was the inverse only
    useCayleyNeumann: fields.use_cayley_neumann ?? false,
    numCayleyNeumannTerms: fields.num_cayley_neumann_terms ?? undefined
  }
  return withBlockSize(parseBySchema(oftSchema, settings, file, 'BAD_CHECKPOINT'), file, 'BAD_CHECKPOINT')
}
