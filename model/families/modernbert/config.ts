// config.json of ModernBERT. Source of fields and defaults: configuration_modernbert.py of Hugging Face transformers 5.
import { SwarmError } from '../../../common/errors.ts'
import { quoteForeign } from '../../../common/foreign-json.ts'
import {
  checkHeads,
  evenHead,
  type ModelConfig,
  type RawConfig,
  type RopeConfig,
  readCount,
  readFlag,
  readObject,
  readPositive,
  readSize,
  readText,
  readTokens
} from '../../config/config.ts'
import { refuseDecoder } from '../../config/encoder-config.ts'
import { readWindows } from '../../config/layer-types.ts'
import { fixedPositions, ropeOf, stretchedPositions } from '../../config/rope-config.ts'
import { checkQuantized } from '../../formats/scale.ts'
import { type Activation, readActivation } from '../../layers/mlp.ts'

export interface ModernBertConfig extends ModelConfig {
  readonly rope: RopeConfig
  readonly traits: {
    readonly activation: Activation
    readonly normBias: boolean
    /** of each block: how far a token sees on either side; null: everything */
    readonly windows: readonly (number | null)[]
    /** of each block: whether its angles are those of local blocks */
    readonly isLocal: readonly boolean[]
    readonly localRope: RopeConfig
    /** of the layers before the scores of any task */
    readonly headActivation: Activation
    readonly headBias: boolean
    readonly decoderBias: boolean
    readonly poolsMean: boolean
  }
}

const layerTypes = ['full_attention', 'sliding_attention'] as const

/** Angles of global and of local blocks; `rope_scaling` of older files changes both. Throws BAD_CHECKPOINT, UNSUPPORTED. */
function readRopes(
  raw: RawConfig,
  sizes: { maxPositions: number; rotated: number }
): readonly [RopeConfig, RopeConfig] {
  const nested = readObject(raw, 'rope_parameters') ?? {}
  const flat = Object.keys(nested).find(key => !(layerTypes as readonly string[]).includes(key))
  if (flat !== undefined) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `config.json: rope_parameters: expected ${layerTypes.join(' and ')}, found ${quoteForeign(flat)}`
    )
  }
  const thetas = [readPositive(raw, 'global_rope_theta', 160_000), readPositive(raw, 'local_rope_theta', 10_000)]
  const [full, local] = layerTypes.map((type, index) => {
    const fields = { rope_type: 'default', ...readObject(nested, type), ...readObject(raw, 'rope_scaling') }
    return ropeOf(fields, { ...sizes, theta: thetas[index]! })
  })
  if (fixedPositions(local!) !== undefined) {
    throw new SwarmError('UNSUPPORTED', `config.json: rope type '${local!.type}' of local blocks is not supported`)
  }
  return [full!, local!]
}

/** Throws BAD_CHECKPOINT naming the field, UNSUPPORTED for options that the graphs do not do. */
export function parseModernBertConfig(raw: RawConfig): ModernBertConfig {
  checkQuantized(raw)
  refuseDecoder(raw)
  const hiddenSize = readSize(raw, 'hidden_size', 768)
  const numHeads = readSize(raw, 'num_attention_heads', 12)
  const numBlocks = readCount(raw, ['num_hidden_layers'], 22)
  const trained = readSize(raw, 'max_position_embeddings', 8192)
  const headDim = evenHead(hiddenSize, numHeads)
  checkHeads({ numHeads, numKeyValueHeads: numHeads, rotated: headDim })
  const [rope, localRope] = readRopes(raw, { maxPositions: trained, rotated: headDim })
  const every = readSize(raw, 'global_attn_every_n_layers', 3)
  const types = {
    window: Math.floor(readSize(raw, 'local_attention', 128) / 2),
    isSliding: (block: number) => block % every !== 0
  }
  const maxPositions = stretchedPositions(rope, trained)
  const pooling = readText(raw, 'classifier_pooling', 'cls')
  if (pooling !== 'cls' && pooling !== 'mean') {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `config.json: classifier_pooling: expected cls or mean, found ${quoteForeign(pooling)}`
    )
  }
  const attentionBias = readFlag(raw, 'attention_bias', false)
  const mlpBias = readFlag(raw, 'mlp_bias', false)
  return {
    modelType: 'modernbert',
    hiddenSize,
    numBlocks,
    stacks: [{ name: 'encoder', blocks: { first: 0, end: numBlocks } }],
    numHeads,
    numKeyValueHeads: numHeads,
    headDim,
    intermediateSize: readSize(raw, 'intermediate_size', 1152),
    vocabSize: readSize(raw, 'vocab_size'),
    maxPositions,
    normEpsilon: readPositive(raw, 'norm_eps', 1e-5),
    tiedEmbeddings: readFlag(raw, 'tie_word_embeddings', true),
    ...readTokens(raw),
    rope,
    biasedModules: [...(attentionBias ? ['attn.Wqkv', 'attn.Wo'] : []), ...(mlpBias ? ['mlp.Wi', 'mlp.Wo'] : [])],
    attentionBias,
    mlpBias,
    traits: {
      activation: readActivation('hidden_activation', readText(raw, 'hidden_activation', 'gelu')),
      normBias: readFlag(raw, 'norm_bias', false),
      windows: readWindows(raw, numBlocks, maxPositions, types),
      isLocal: readWindows(raw, numBlocks, Number.MAX_SAFE_INTEGER, types).map(window => window !== null),
      localRope,
      headActivation: readActivation('classifier_activation', readText(raw, 'classifier_activation', 'gelu')),
      headBias: readFlag(raw, 'classifier_bias', false),
      decoderBias: readFlag(raw, 'decoder_bias', true),
      poolsMean: pooling === 'mean'
    },
    raw
  }
}
