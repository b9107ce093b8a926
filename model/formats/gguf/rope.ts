// Scaled rotary angles of a GGUF file as the `rope_scaling` of a config.json.
// Source: src/llama-model.cpp (load_hparams: keys and defaults) and ggml/src/ggml-cpu/ops.cpp (rope_yarn) of llama.cpp.
import { SwarmError } from '../../../common/errors.ts'
import type { JsonObject } from '../../json.ts'
import type { Metadata } from './metadata.ts'

/** Holds a factor for each rotated pair. */
export const ropeFactorsTensor = 'rope_freqs.weight'

function refuse(metadata: Metadata, what: string): never {
  throw new SwarmError('UNSUPPORTED', `${metadata.file}: ${what} is not supported in GGUF files`)
}

/** Yarn's own numbers; those that only other architectures have are refused. */
function yarn(metadata: Metadata, prefix: string, factor: number, contextLength: number): JsonObject {
  const number = (key: string, fallback: number) => metadata.optionalNumber(`${prefix}.${key}`) ?? fallback
  for (const [key, only] of [
    ['yarn_ext_factor', 1],
    ['yarn_log_multiplier', 0]
  ] as const) {
    const found = number(key, only)
    if (found !== only) refuse(metadata, `${prefix}.${key} ${found}`)
  }
  const attention = number('attn_factor', 1) * number('yarn_attn_factor', 1)
  return {
    rope_type: 'yarn',
    factor,
    original_max_position_embeddings: number('original_context_length', contextLength),
    beta_fast: number('yarn_beta_fast', 32),
    beta_slow: number('yarn_beta_slow', 1),
    ...(attention === 1 ? {} : { attention_factor: attention * (factor <= 1 ? 1 : 0.1 * Math.log(factor) + 1) })
  }
}

/**
 * `rope_scaling`, or null where angles are not scaled. `factors` are the numbers of `ropeFactorsTensor`. Throws UNSUPPORTED for other kinds, and for
 * two at once.
 */
export function ropeScaling(
  metadata: Metadata,
  architecture: string,
  contextLength: number,
  factors?: readonly number[]
): JsonObject | null {
  const prefix = `${architecture}.rope.scaling`
  const factor =
    metadata.optionalNumber(`${prefix}.factor`) ?? metadata.optionalNumber(`${architecture}.rope.scale_linear`) ?? 0
  // a factor without a type is linear; zero and one scale nothing
  const isScaled = factor !== 0 && factor !== 1
  const type = metadata.get(`${prefix}.type`) ?? 'linear'
  if (type !== 'none' && type !== 'linear' && type !== 'yarn') refuse(metadata, `rope scaling '${type}'`)
  if (factors !== undefined) {
    const pairs = metadata.number(`${architecture}.rope.dimension_count`) / 2
    if (factors.length !== pairs) {
      throw new SwarmError(
        'BAD_CHECKPOINT',
        `${metadata.file}: tensor '${ropeFactorsTensor}': expected shape [${pairs}], found [${factors.length}]`
      )
    }
    if (type === 'yarn' || (type === 'linear' && isScaled))
      refuse(metadata, `rope scaling '${type}' beside ${ropeFactorsTensor}`)
    return { rope_type: 'factors', factors }
  }
  if (type === 'yarn') return yarn(metadata, prefix, factor === 0 ? 1 : factor, contextLength)
  return type === 'linear' && isScaled ? { rope_type: 'linear', factor } : null
}
