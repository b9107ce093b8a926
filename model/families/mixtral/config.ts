// config.json of Mixtral. Source of fields and defaults: configuration_mixtral.py of Hugging Face transformers 5.
import { SwarmError } from '../../../common/errors.ts'
import { type RawConfig, readCount, readSize } from '../../config/config.ts'
import { type LlamaConfig, readLlama, uniformWindow, type Variant } from '../llama/config.ts'

/** Attention is that of Llama. */
export interface MixtralConfig extends LlamaConfig {
  readonly traits: LlamaConfig['traits'] & {
    readonly numExperts: number
    /** experts that work on a token */
    readonly chosen: number
  }
}

const variant: Variant = {
  maxPositions: 131_072,
  keyValueHeads: () => 8,
  biased: () => [],
  window: raw =>
    raw.sliding_window === undefined || raw.sliding_window === null
      ? null
      : uniformWindow(raw, readSize(raw, 'sliding_window')),
  theta: 1_000_000,
  normEpsilon: 1e-5
}

/** Four times what the largest models have: a damaged or hostile configuration would fill the memory with their names. */
const mostExperts = 2 ** 16

/** Throws BAD_CHECKPOINT naming the field, UNSUPPORTED for options that the graphs do not do. */
export function parseMixtralConfig(raw: RawConfig): MixtralConfig {
  const config = readLlama(raw, 'mixtral', variant)
  const numExperts = readCount(raw, ['num_local_experts', 'num_experts'], 8)
  const chosen = readSize(raw, 'num_experts_per_tok', 2)
  const all = numExperts * config.numBlocks
  if (all > mostExperts) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `config.json: num_local_experts: expected at most ${mostExperts} in all blocks, found ${all}`
    )
  }
  if (chosen > numExperts) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `config.json: num_experts_per_tok: expected at most ${numExperts}, found ${chosen}`
    )
  }
  return { ...config, traits: { ...config.traits, numExperts, chosen } }
}
