// The table of tuning methods: one row each, under PEFT's name for it, if it has one.
import { SwarmError } from '../../common/errors.ts'
import { checkSpelling } from '../../common/options.ts'
import { type AdaLoraConfig, adaLora } from './adalora/index.ts'
import { type BoftConfig, boft } from './boft/index.ts'
import { type DeepPromptConfig, deepPrompt } from './deep-prompt/index.ts'
import { type Ia3Config, ia3 } from './ia3/index.ts'
import { type LnTuningConfig, lnTuning } from './ln-tuning/index.ts'
import { type LoHaConfig, loha } from './loha/index.ts'
import { type LoKrConfig, lokr } from './lokr/index.ts'
import { type LoraConfig, lora } from './lora/index.ts'
import type { MethodDefinition, TuningMethod, TuningTarget } from './method.ts'
import { type OftConfig, oft } from './oft/index.ts'
import { type PTuningConfig, pTuning } from './p-tuning/index.ts'
import { type PrefixTuningConfig, prefix } from './prefix/index.ts'
import { type PromptTuningConfig, prompt } from './prompt/index.ts'
import { type VeraConfig, vera } from './vera/index.ts'

/** The configuration of a method; `peftType` says which. */
export type PeftConfig =
  | AdaLoraConfig
  | BoftConfig
  | DeepPromptConfig
  | Ia3Config
  | LnTuningConfig
  | LoHaConfig
  | LoKrConfig
  | LoraConfig
  | OftConfig
  | PrefixTuningConfig
  | PromptTuningConfig
  | PTuningConfig
  | VeraConfig
/** Tuning methods under PEFT's names. */
export type PeftType = PeftConfig['peftType']

const methods = {
  ADALORA: adaLora,
  BOFT: boft,
  DEEP_PROMPT_TUNING: deepPrompt,
  IA3: ia3,
  LN_TUNING: lnTuning,
  LOHA: loha,
  LOKR: lokr,
  LORA: lora,
  OFT: oft,
  PREFIX_TUNING: prefix,
  PROMPT_TUNING: prompt,
  P_TUNING: pTuning,
  VERA: vera
} as const satisfies Record<PeftType, MethodDefinition>

/** Of the configurations of all methods. */
export const peftSchemas = Object.values(methods).map(({ schema }) => schema)

/** Throws UNSUPPORTED for an unknown type; the message lists the known ones. */
export function methodOf(peftType: unknown): MethodDefinition {
  const method = Object.entries(methods).find(([name]) => name === peftType)?.[1]
  if (method !== undefined) return method
  const names = Object.keys(methods).join(', ')
  throw new SwarmError('UNSUPPORTED', `peft type ${JSON.stringify(peftType)} is not supported (supported: ${names})`)
}

/**
 * A fresh adapter for the model. The same seed gives the same first values. Throws INVALID_ARGUMENT for a configuration
 * that is invalid, or invalid for this model, UNSUPPORTED for an unknown method.
 */
export async function createTuning(
  config: PeftConfig,
  target: TuningTarget,
  options: { seed?: number; signal?: AbortSignal } = {}
): Promise<TuningMethod> {
  const { seed = 0, signal } = options
  if (typeof config !== 'object' || config === null || config.peftType === undefined) {
    checkSpelling('the configuration', config, { peftType: true })
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `the configuration: expected a peftType (${Object.keys(methods).join(', ')})`
    )
  }
  return methodOf(config.peftType).create(config, target, { seed, initialize: true, signal })
}
