// What BERT, RoBERTa and ELECTRA have in common: blocks, embeddings with positions and token types, names of tensors.
import type { ExpectedTensor, LinearModule } from '../../family.ts'
import { layerNormTensors } from '../../layers/norms.ts'
import type { FamilyDescription } from '../../spans/description.ts'
import { bertBlock } from './block.ts'
import { type BertConfig, bertModules } from './config.ts'

/** The linear modules of a block. */
function linearModules({ hiddenSize, intermediateSize }: BertConfig): readonly LinearModule[] {
  return bertModules.map(name => ({
    name,
    inFeatures: name === 'output.dense' ? intermediateSize : hiddenSize,
    outFeatures: name === 'intermediate.dense' ? intermediateSize : hiddenSize
  }))
}

type Shared =
  | 'blockPath'
  | 'linearModules'
  | 'biasedModules'
  | 'otherTensors'
  | 'attention'
  | 'block'
  | 'clientTensorNames'
  | 'clientTensors'
  | 'embeddingWidth'
  | 'featureWidth'
  | 'tokenTypes'
  | 'enter'
  | 'leave'
  | 'rotaryTables'

/**
 * A description without what differs. `path`: what names of the body's tensors begin with; `head`: name of the head's matrix in a model
 * for masked tokens whose head is not the embedding.
 */
export function bertEncoder(path: string, head: string): Pick<FamilyDescription<BertConfig>, Shared> {
  const embedding = `${path}.embeddings.word_embeddings.weight`
  const [positionMatrix, typeMatrix] = ['position', 'token_type'].map(
    kind => `${path}.embeddings.${kind}_embeddings.weight`
  )
  const projection = `${path}.embeddings_project`
  const isNarrow = ({ hiddenSize, traits }: BertConfig): boolean => traits.embeddingWidth !== hiddenSize
  const clientTensors = (config: BertConfig): readonly ExpectedTensor[] => {
    const { hiddenSize, maxPositions, traits } = config
    const { embeddingWidth: width, positionOffset, tokenTypes } = traits
    return [
      { name: positionMatrix!, shape: [maxPositions + positionOffset, width] },
      { name: typeMatrix!, shape: [tokenTypes, width] },
      ...layerNormTensors([`${path}.embeddings.LayerNorm`], width),
      ...(isNarrow(config)
        ? [
            { name: `${projection}.weight`, shape: [hiddenSize, width] },
            { name: `${projection}.bias`, shape: [hiddenSize] }
          ]
        : [])
    ]
  }
  return {
    blockPath: block => `${path}.encoder.layer.${block}`,
    linearModules,
    biasedModules: config => config.biasedModules,
    otherTensors: ({ hiddenSize }) => layerNormTensors(['attention.output.LayerNorm', 'output.LayerNorm'], hiddenSize),
    attention: () => ({ bothWays: true }),
    block: bertBlock,
    clientTensorNames: ({ tiedEmbeddings }) => ({ embedding, norm: null, head: tiedEmbeddings ? embedding : head }),
    clientTensors,
    embeddingWidth: ({ traits }) => traits.embeddingWidth,
    featureWidth: ({ hiddenSize }) => hiddenSize,
    tokenTypes: ({ traits }) => traits.tokenTypes,
    enter({ g, config, scope }, states, positions, types) {
      const { positionOffset } = config.traits
      const rows = positionOffset === 0 ? positions() : g.Add(positions(), g.constant(positionOffset, 'int64'))
      const typed = g.Add(states, g.Gather(scope.tensor(typeMatrix!), types(), { axis: 0 }))
      const placed = g.Add(typed, g.Gather(scope.tensor(positionMatrix!), rows, { axis: 0 }))
      const normed = scope.layerNorm(placed, `${path}.embeddings.LayerNorm`, { epsilon: config.normEpsilon })
      return isNarrow(config) ? scope.project(normed, projection) : normed
    },
    leave: (_, hidden) => hidden,
    rotaryTables: () => ({})
  }
}
