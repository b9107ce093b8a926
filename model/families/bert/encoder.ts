// What BERT and the encoders with its blocks have in common: blocks, embeddings with positions and token types, names of tensors.
import type { ExpectedTensor, LinearModule } from '../../family.ts'
import { linearTensors } from '../../layers/heads.ts'
import { layerNormTensors } from '../../layers/norms.ts'
import type { FamilyDescription } from '../../spans/description.ts'
import { type BlockNames, bertBlock } from './block.ts'
import type { BertConfig } from './config.ts'

/** As BERT's block calls its parts. */
export const bertNames: BlockNames = {
  query: 'attention.self.query',
  key: 'attention.self.key',
  value: 'attention.self.value',
  mixed: 'attention.output.dense',
  attentionNorm: 'attention.output.LayerNorm',
  up: 'intermediate.dense',
  down: 'output.dense',
  outputNorm: 'output.LayerNorm'
}

interface EncoderNames {
  /** what names of the body's tensors begin with: `bert` */
  readonly path: string
  /** of the list of blocks in the body; default `encoder.layer` */
  readonly blocks?: string
  /** default: BERT's */
  readonly names?: BlockNames
  /** name of the head's matrix in a model for masked tokens whose head is not the embedding */
  readonly head: string
}

type Shared =
  | 'blockPath'
  | 'linearModules'
  | 'clientLinearModules'
  | 'biasedModules'
  | 'otherTensors'
  | 'attention'
  | 'block'
  | 'clientTensorNames'
  | 'clientTensors'
  | 'embeddingWidth'
  | 'featureWidth'
  | 'positionRule'
  | 'tokenTypes'
  | 'enter'
  | 'leave'
  | 'rotaryTables'

const isNarrow = ({ hiddenSize, traits }: BertConfig): boolean => traits.embeddingWidth !== hiddenSize

/** Name of the embedding matrix. */
export const wordMatrix = (path: string): string => `${path}.embeddings.word_embeddings.weight`

/** A description without what differs: positions are places of the row. */
export function bertEncoder({
  path,
  blocks = 'encoder.layer',
  names = bertNames,
  head
}: EncoderNames): Pick<FamilyDescription<BertConfig>, Shared> {
  const positionMatrix = `${path}.embeddings.position_embeddings.weight`
  const typeMatrix = `${path}.embeddings.token_type_embeddings.weight`
  const norm = `${path}.embeddings.LayerNorm`
  const projection = `${path}.embeddings_project`
  const modules = [names.query, names.key, names.value, names.mixed, names.up, names.down]
  const linearModules = ({ hiddenSize, intermediateSize }: BertConfig): readonly LinearModule[] =>
    modules.map(name => ({
      name,
      inFeatures: name === names.down ? intermediateSize : hiddenSize,
      outFeatures: name === names.up ? intermediateSize : hiddenSize
    }))
  const clientTensors = (config: BertConfig): readonly ExpectedTensor[] => {
    const { hiddenSize, maxPositions, traits } = config
    const { embeddingWidth: width, positionOffset, tokenTypes } = traits
    return [
      { name: positionMatrix, shape: [maxPositions + positionOffset, width] },
      ...(tokenTypes > 0 ? [{ name: typeMatrix, shape: [tokenTypes, width] }] : []),
      ...layerNormTensors([norm], width),
      ...(isNarrow(config) ? linearTensors(projection, hiddenSize, width) : [])
    ]
  }
  return {
    blockPath: block => `${path}.${blocks}.${block}`,
    linearModules,
    clientLinearModules: config => {
      const { hiddenSize, traits } = config
      if (!isNarrow(config)) return []
      return [{ name: projection, inFeatures: traits.embeddingWidth, outFeatures: hiddenSize, biased: true }]
    },
    biasedModules: () => modules,
    otherTensors: ({ hiddenSize }) => layerNormTensors([names.attentionNorm, names.outputNorm], hiddenSize),
    attention: () => ({ bothWays: true }),
    block: (context, hidden) => bertBlock(names, context, hidden),
    clientTensorNames: ({ tiedEmbeddings }) => ({
      embedding: wordMatrix(path),
      norm: null,
      head: tiedEmbeddings ? wordMatrix(path) : head
    }),
    clientTensors,
    embeddingWidth: ({ traits }) => traits.embeddingWidth,
    featureWidth: ({ hiddenSize }) => hiddenSize,
    positionRule: () => ({ counts: 'places' }),
    tokenTypes: ({ traits }) => traits.tokenTypes,
    enter({ g, config, scope }, states, positions, types) {
      const { positionOffset: offset, tokenTypes } = config.traits
      const rows = offset === 0 ? positions() : g.Add(positions(), g.constant(offset, 'int64'))
      const typed = tokenTypes === 0 ? states : g.Add(states, g.Gather(scope.tensor(typeMatrix), types(), { axis: 0 }))
      const placed = g.Add(typed, g.Gather(scope.tensor(positionMatrix), rows, { axis: 0 }))
      const normed = scope.layerNorm(placed, norm, { epsilon: config.normEpsilon })
      return isNarrow(config) ? scope.project(normed, projection) : normed
    },
    leave: (_, hidden) => hidden,
    rotaryTables: () => ({})
  }
}
