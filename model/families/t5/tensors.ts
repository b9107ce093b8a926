// Names and shapes of T5's checkpoint tensors.

import { stackNamed, stackOf } from '../../config/config.ts'
import type { ClientTensorNames, ExpectedTensor, LinearModule } from '../../family.ts'
import { rmsNormTensors } from '../../layers/norms.ts'
import type { T5Config } from './config.ts'

export const embedding = 'shared.weight'

/** Paths of a block's layers: a decoder's block has one more. */
export interface BlockPaths {
  readonly selfAttention: string
  readonly crossAttention: string | null
  readonly feedForward: string
  /** norms before these layers, in their order */
  readonly norms: readonly string[]
}

const encoderPaths: BlockPaths = {
  selfAttention: 'layer.0.SelfAttention',
  crossAttention: null,
  feedForward: 'layer.1.DenseReluDense',
  norms: ['layer.0.layer_norm', 'layer.1.layer_norm']
}

const decoderPaths: BlockPaths = {
  selfAttention: 'layer.0.SelfAttention',
  crossAttention: 'layer.1.EncDecAttention',
  feedForward: 'layer.2.DenseReluDense',
  norms: ['layer.0.layer_norm', 'layer.1.layer_norm', 'layer.2.layer_norm']
}

export function pathsOf(config: T5Config, block: number): BlockPaths {
  return stackOf(config, block).crosses ? decoderPaths : encoderPaths
}

export function blockPath(block: number, config: T5Config): string {
  const { name, blocks } = stackOf(config, block)
  return `${name}.block.${block - blocks.first}`
}

export function t5LinearModules(config: T5Config, block: number): readonly LinearModule[] {
  const { hiddenSize, numHeads, headDim, intermediateSize, traits } = config
  const { selfAttention, crossAttention, feedForward } = pathsOf(config, block)
  const inner = numHeads * headDim
  const attention = (path: string, fromEncoder: boolean): LinearModule[] => [
    { name: `${path}.q`, inFeatures: hiddenSize, outFeatures: inner },
    { name: `${path}.k`, inFeatures: hiddenSize, outFeatures: inner, fromEncoder },
    { name: `${path}.v`, inFeatures: hiddenSize, outFeatures: inner, fromEncoder, sensitive: true },
    { name: `${path}.o`, inFeatures: inner, outFeatures: hiddenSize }
  ]
  return [
    ...attention(selfAttention, false),
    ...(crossAttention === null ? [] : attention(crossAttention, true)),
    ...(traits.gated ? ['wi_0', 'wi_1'] : ['wi']).map(name => ({
      name: `${feedForward}.${name}`,
      inFeatures: hiddenSize,
      outFeatures: intermediateSize
    })),
    { name: `${feedForward}.wo`, inFeatures: intermediateSize, outFeatures: hiddenSize }
  ]
}

const table = 'relative_attention_bias.weight'

function tableShape({ numHeads, traits }: T5Config): readonly number[] {
  return [traits.buckets, numHeads]
}

/** Path in the block of the table that it owns, null where it uses another block's. */
function ownTable(config: T5Config, block: number): string | null {
  const isOwner = config.traits.ownTables || stackOf(config, block).blocks.first === block
  return isOwner ? `${pathsOf(config, block).selfAttention}.${table}` : null
}

/** Whole name of the table that a block uses. */
export function tableOf(config: T5Config, block: number): string {
  const owner = config.traits.ownTables ? block : stackOf(config, block).blocks.first
  return `${blockPath(owner, config)}.${ownTable(config, owner)}`
}

export function t5OtherTensors(config: T5Config, block: number): readonly ExpectedTensor[] {
  const own = ownTable(config, block)
  return [
    ...rmsNormTensors(pathsOf(config, block).norms, config.hiddenSize),
    ...(own === null ? [] : [{ name: own, shape: tableShape(config) }])
  ]
}

export function sharedTensors(config: T5Config, block: number): readonly ExpectedTensor[] {
  return [{ name: tableOf(config, block), shape: tableShape(config) }]
}

/** The norm behind a stack's last block, without `.weight`. */
export const finalNorm = (stack: 'encoder' | 'decoder'): string => `${stack}.final_layer_norm`

export function t5ClientTensorNames(config: T5Config): ClientTensorNames {
  const { name } = config.stacks.at(-1)!
  return {
    embedding,
    norm: `${finalNorm(name)}.weight`,
    head: config.tiedEmbeddings ? embedding : 'lm_head.weight'
  }
}

export function t5ClientTensors(config: T5Config): readonly ExpectedTensor[] {
  return rmsNormTensors(
    config.stacks.map(({ name }) => finalNorm(name)),
    config.hiddenSize
  )
}

/** Names under which files may hold the embedding too. */
export function aliases(config: T5Config): Readonly<Record<string, string>> {
  const decoder = stackNamed(config, 'decoder') === undefined ? [] : ['decoder.embed_tokens.weight']
  return Object.fromEntries(['encoder.embed_tokens.weight', ...decoder].map(name => [name, embedding]))
}
