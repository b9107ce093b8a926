// The settings of LoRA: ours, and the fields of PEFT's adapter_config.json that they are written to and read from.
import { z } from 'zod'
import { SwarmError } from '../../../common/errors.ts'
import { quoteForeign } from '../../../common/foreign-json.ts'
import { commonFields, type FieldTable, present } from '../fields.ts'
import { parseBySchema } from '../parse.ts'
import { checkTargetFields, patternValue, targetFields } from '../targets.ts'

/**
 * Ways to begin beside PEFT's `pissa_niter_<n>`. Of 'eva', which needs the inputs of the modules, only adapters that PEFT began so are
 * loaded.
 */
const initializations = ['gaussian', 'orthogonal', 'eva', 'mica', 'pissa', 'olora', 'loftq'] as const

/** PEFT's initializations that change the base weights in a way that the saved adapter does not tell, with the reason. */
const changesBase: readonly (readonly [RegExp, string])[] = [
  [/^pissa_niter_/i, 'by a random approximation of their singular vectors, which no file has'],
  [/^corda/i, 'by statistics of their inputs, which no file has'],
  [/^lora_ga/i, 'by gradients, which no file has'],
  [/^loftq/i, 'to those of a quantization of its own']
]

/** Numbers by the end of a module's name, or a regular expression for it. */
const byModule = <T extends z.ZodType>(value: T) => z.record(z.string(), value)

/** Unknown keys are refused, so that a misspelt setting does not go by. */
export const loraSchema = z.strictObject({
  peftType: z.literal('LORA'),
  /** rank */
  r: z.int().min(1).default(8),
  /** the product of B and A counts `loraAlpha / r` */
  loraAlpha: z.number().default(8),
  /** probability with which training drops an input of A */
  loraDropout: z.number().min(0).lt(1).default(0),
  ...targetFields,
  /** as of the other methods, but may be none where `targetParameters` are named */
  targetModules: z.union([z.string(), z.array(z.string()).readonly()]).optional(),
  /** router and experts, which are parameters and no modules: `gate.weight`, `experts.gate_up_proj`, `experts.down_proj` */
  targetParameters: z.array(z.string()).min(1).readonly().optional(),
  /** tokens whose rows of the embedding are trained, or lists of them by module: `embed_tokens`, `lm_head`; a tied head has them too */
  trainableTokenIndices: z
    .union([z.array(z.int().min(0)).min(1).readonly(), z.record(z.string(), z.array(z.int().min(0)).min(1).readonly())])
    .optional(),
  /** rank of modules that have another */
  rankPattern: byModule(z.int().min(1)).optional(),
  /** `loraAlpha` of modules that have another */
  alphaPattern: byModule(z.number()).optional(),
  /** biases that are trained: none, all (those outside the blocks too), or those of modules with an adapter */
  bias: z.enum(['none', 'all', 'lora_only']).default('none'),
  /** keep embedding and head tied if `modulesToSave` names one of them; default false */
  ensureWeightTying: z.boolean().optional(),
  /** scales by `loraAlpha / sqrt(r)` (Kalajdzievski 2023) */
  useRslora: z.boolean().default(false),
  /** brings the rows of the changed weights to trained magnitudes (DoRA, Liu et al. 2024) */
  useDora: z.boolean().optional(),
  /** trains a bias of every B; of modules in blocks, and beside the first two ways to begin */
  loraBias: z.boolean().optional(),
  /**
   * true: A uniform, B zero; 'gaussian': A normal, B zero; false: both uniform, which changes the model at once; 'orthogonal': both normal over halves of an orthogonal basis, so that B A is zero (for even ranks).
   * From the weights' singular vectors: 'pissa' and 'pissa_niter_<n>' (the largest, which are taken out of the weights), 'mica' (the
   * smallest, as a B that stays), 'olora' (a QR decomposition, taken out), 'loftq' (what servers of 8 or 4 bits round away)
   */
  initLoraWeights: z
    .union([z.boolean(), z.enum(initializations), z.templateLiteral(['pissa_niter_', z.int().min(0)])], {
      error: ({ input }) =>
        `${JSON.stringify(input)} is not supported (supported: true, false, 'gaussian', 'orthogonal', 'pissa', 'pissa_niter_<n>', 'olora', 'mica', 'loftq')`
    })
    .default(true),
  /** of 'loftq': the bits of the servers' weights; one iteration, as theirs stay as they are */
  loftqConfig: z
    .strictObject({ loftqBits: z.union([z.literal(4), z.literal(8)]).default(4), loftqIter: z.literal(1).default(1) })
    .optional()
})

/** What a user writes: PEFT's names in camel case, PEFT's defaults. */
export type LoraConfig = z.input<typeof loraSchema>

/** With defaults but those of the model's family. */
type ParsedLoraConfig = z.output<typeof loraSchema>

/** With defaults. */
export type LoraSettings = ParsedLoraConfig & Required<Pick<ParsedLoraConfig, 'targetModules'>>

/** Throws INVALID_ARGUMENT naming every wrong field. */
export function parseLoraConfig(config: unknown): ParsedLoraConfig {
  const settings = parseBySchema(loraSchema, config, 'LORA configuration', 'INVALID_ARGUMENT')
  checkTargetFields(settings, 'LORA configuration')
  if (settings.targetModules?.length === 0 && settings.targetParameters === undefined) {
    throw new SwarmError('INVALID_ARGUMENT', 'LORA configuration: targetModules: expected names of modules, found none')
  }
  const fault = initializationFault(settings)
  if (fault !== null) throw new SwarmError('INVALID_ARGUMENT', `LORA configuration: ${fault}`)
  return settings
}

/** `pissa_niter_4` asks torch for an approximation; here the vectors are exact. */
const approximate = /^pissa_niter_\d+$/

type Init = LoraSettings['initLoraWeights']

/** Whether the first values come from the weight under the adapter. */
export function beginsFromWeight(init: Init): boolean {
  return typeof init === 'string' && (takesOut(init) || init === 'mica' || init === 'loftq')
}

/** Whether PEFT takes the first values out of the weight under the adapter. */
export function takesOut(init: Init): boolean {
  return typeof init === 'string' && (init === 'pissa' || init === 'olora' || approximate.test(init))
}

/** What contradicts itself in the ways to begin, as PEFT refuses it. */
function initializationFault({
  initLoraWeights: init,
  loraBias,
  useDora,
  loftqConfig,
  targetParameters
}: ParsedLoraConfig): string | null {
  if (loraBias && typeof init === 'string') return `loraBias needs initLoraWeights true or false, found '${init}'`
  if (loraBias && useDora) return 'loraBias cannot be combined with useDora'
  if (init === 'loftq' && loftqConfig === undefined)
    return "initLoraWeights: 'loftq' needs loftqConfig: { loftqBits: 4 or 8 }, the bits of the servers' weights"
  if (init !== 'loftq' && loftqConfig !== undefined) return "loftqConfig needs initLoraWeights 'loftq'"
  const refused = [useDora && 'useDora', loraBias && 'loraBias'].find(Boolean)
  if (targetParameters !== undefined && refused) return `${refused} cannot be combined with targetParameters`
  if (targetParameters !== undefined && beginsFromWeight(init))
    return `initLoraWeights: '${init}' begins no targetParameters`
  return null
}

/** The settings under which the same adapter, its first values beside it, is plain LoRA: twice the ranks with the same scalings. */
export function asPlainLora(settings: LoraSettings): LoraSettings {
  const { r, loraAlpha, rankPattern, alphaPattern, useRslora } = settings
  const factor = useRslora ? Math.SQRT2 : 2
  const multiplied = (pattern: Readonly<Record<string, number>>, by: number) =>
    Object.fromEntries(Object.entries(pattern).map(([name, value]) => [name, value * by]))
  return {
    ...settings,
    initLoraWeights: true,
    r: 2 * r,
    loraAlpha: factor * loraAlpha,
    rankPattern: rankPattern && multiplied(rankPattern, 2),
    alphaPattern: alphaPattern && multiplied(alphaPattern, factor)
  }
}

/** Rank of a module, and the scaling of its product B A. */
export function ranksOf(settings: LoraSettings, path: string): { r: number; scaling: number } {
  const { rankPattern = {}, alphaPattern = {}, useRslora } = settings
  const r = patternValue(rankPattern, path, 'rankPattern', settings.r)
  const alpha = patternValue(alphaPattern, path, 'alphaPattern', settings.loraAlpha)
  return { r, scaling: alpha / (useRslora ? Math.sqrt(r) : r) }
}

/** Fields of PEFT 0.21's LoraConfig that we have no setting for, with the values that mean "not used". */
const unused = {
  alora_invocation_tokens: null,
  arrow_config: null,
  corda_config: null,
  eva_config: null,
  fan_in_fan_out: false,
  kasa_config: null,
  layer_replication: null,
  lora_ga_config: null,
  megatron_config: null,
  megatron_core: 'megatron.core',
  monteclora_config: null,
  qalora_group_size: 16,
  target_parameters: null,
  use_bdlora: null,
  use_qalora: false,
  velora_config: null
} as const

/** What becomes of each field of LoRA's configuration. */
export const loraFields = {
  ...commonFields,
  alora_invocation_tokens: { only: null, why: 'ports act on whole sequences, not from an invocation on' },
  alpha_pattern: 'read',
  arrow_config: { only: null, why: 'routing among adapters by token is no port of servers' },
  bias: 'read',
  corda_config: 'idle',
  ensure_weight_tying: 'read',
  eva_config: 'idle',
  exclude_modules: 'read',
  // PEFT sets it by the kind of module
  fan_in_fan_out: 'idle',
  init_lora_weights: 'read',
  kasa_config: { only: null },
  layer_replication: { only: null, why: 'servers hold each block of the model once' },
  layers_pattern: 'read',
  layers_to_transform: 'read',
  loftq_config: 'idle',
  lora_alpha: 'read',
  lora_bias: 'read',
  lora_dropout: 'read',
  lora_ga_config: 'idle',
  megatron_config: 'idle',
  megatron_core: 'idle',
  modules_to_save: 'read',
  monteclora_config: { only: null },
  qalora_group_size: 'idle',
  r: 'read',
  rank_pattern: 'read',
  // never saved by PEFT, which passes over it
  runtime_config: 'idle',
  target_modules: 'read',
  target_parameters: 'read',
  trainable_token_indices: 'read',
  use_bdlora: { only: null },
  use_dora: 'read',
  use_qalora: { only: false, why: 'pooling of inputs in groups is no port of servers' },
  use_rslora: 'read',
  velora_config: { only: null },
  // of PEFT before 0.3
  enable_lora: { only: null },
  merge_weights: 'idle'
} as const satisfies FieldTable

/**
 * The fields of adapter_config.json. `targetModules` is what the configuration's targets came to, where it was all-linear;
 * `fanInFanOut`: the weights under the adapter are [in, out].
 */
export function writeLoraConfig(
  settings: LoraSettings,
  targetModules: string | readonly string[],
  fanInFanOut: boolean
): Record<string, unknown> {
  return {
    ...unused,
    alpha_pattern: settings.alphaPattern ?? {},
    bias: settings.bias,
    ensure_weight_tying: settings.ensureWeightTying ?? false,
    exclude_modules: settings.excludeModules ?? null,
    fan_in_fan_out: fanInFanOut,
    // what is left of it is a plain adapter, over weights that servers round themselves
    init_lora_weights: settings.initLoraWeights === 'loftq' ? true : settings.initLoraWeights,
    layers_pattern: settings.layersPattern ?? null,
    layers_to_transform: settings.layersToTransform ?? null,
    loftq_config: {},
    lora_alpha: settings.loraAlpha,
    lora_bias: settings.loraBias ?? false,
    lora_dropout: settings.loraDropout,
    modules_to_save: settings.modulesToSave ?? null,
    peft_type: 'LORA',
    r: settings.r,
    rank_pattern: settings.rankPattern ?? {},
    target_modules: targetModules,
    target_parameters: settings.targetParameters ?? null,
    trainable_token_indices: settings.trainableTokenIndices ?? null,
    use_dora: settings.useDora ?? false,
    use_rslora: settings.useRslora
  }
}

/** The configuration in an adapter_config.json. Throws UNSUPPORTED for variants that are not done here, BAD_CHECKPOINT. */
export function readLoraConfig(fields: Readonly<Record<string, unknown>>, file: string): ParsedLoraConfig {
  const named = fields.init_lora_weights ?? true
  // PEFT reads these two in any case
  const init = typeof named === 'string' && /^(?:olora|mica)$/i.test(named) ? named.toLowerCase() : named
  const [, reason] = (typeof init === 'string' && changesBase.find(([pattern]) => pattern.test(init))) || []
  if (reason !== undefined) {
    throw new SwarmError(
      'UNSUPPORTED',
      `${file}: init_lora_weights = '${init}' changed the weights under the adapter, which servers hold as they were, ${reason} ` +
        '(save it with PEFT’s path_initial_model_for_weight_conversion, which makes it plain LoRA)'
    )
  }
  if (typeof init !== 'boolean' && !initializations.some(known => known === init)) {
    throw new SwarmError(
      'UNSUPPORTED',
      `${file}: init_lora_weights: found ${quoteForeign(init)}, expected true, false, ${initializations.map(name => `'${name}'`).join(', ')}`
    )
  }
  const settings = {
    peftType: 'LORA',
    r: fields.r,
    loraAlpha: fields.lora_alpha,
    loraDropout: fields.lora_dropout,
    targetModules: fields.target_modules ?? undefined,
    excludeModules: present(fields.exclude_modules),
    layersToTransform: fields.layers_to_transform ?? undefined,
    layersPattern: present(fields.layers_pattern),
    targetParameters: present(fields.target_parameters),
    modulesToSave: present(fields.modules_to_save),
    trainableTokenIndices: present(fields.trainable_token_indices),
    rankPattern: present(fields.rank_pattern),
    alphaPattern: present(fields.alpha_pattern),
    bias: fields.bias ?? undefined,
    ensureWeightTying: fields.ensure_weight_tying || undefined,
    useRslora: fields.use_rslora,
    useDora: fields.use_dora || undefined,
    loraBias: fields.lora_bias || undefined,
    initLoraWeights: init
  }
  return parseBySchema(loraSchema, settings, file, 'BAD_CHECKPOINT')
}
