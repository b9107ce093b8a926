// ModernBERT: global and local blocks with two rotary bases, gated MLPs, norms before the layers.
import type { Value } from '../../../graph/graph.ts'
import type { ExpectedTensor, HeadContext, HeadDescription, HeadTask, LinearModule } from '../../family.ts'
import type { AttentionKind } from '../../layers/attention.ts'
import { linearTensors } from '../../layers/heads.ts'
import { activate } from '../../layers/mlp.ts'
import { layerNormTensors } from '../../layers/norms.ts'
import { rotaryTables } from '../../layers/rotary-tables.ts'
import { defineFamily } from '../define-family.ts'
import { modernBertBlock } from './block.ts'
import { type ModernBertConfig, parseModernBertConfig } from './config.ts'

const embedding = 'model.embeddings.tok_embeddings.weight'
const withoutBias = ({ name }: ExpectedTensor): boolean => !name.endsWith('.bias')

function normTensors({ hiddenSize, traits }: ModernBertConfig, names: readonly string[]): readonly ExpectedTensor[] {
  const tensors = layerNormTensors(names, hiddenSize)
  return traits.normBias ? tensors : tensors.filter(withoutBias)
}

function linearModules({ hiddenSize, intermediateSize }: ModernBertConfig): readonly LinearModule[] {
  return [
    { name: 'attn.Wqkv', inFeatures: hiddenSize, outFeatures: 3 * hiddenSize },
    { name: 'attn.Wo', inFeatures: hiddenSize, outFeatures: hiddenSize },
    { name: 'mlp.Wi', inFeatures: hiddenSize, outFeatures: 2 * intermediateSize },
    { name: 'mlp.Wo', inFeatures: intermediateSize, outFeatures: hiddenSize }
  ]
}

function attention({ headDim: dims, traits }: ModernBertConfig, block: number): AttentionKind {
  return {
    bothWays: true,
    window: traits.windows[block] ?? undefined,
    rotary: traits.isLocal[block] ? { cos: 'cos.local', sin: 'sin.local', dims } : { cos: 'cos', sin: 'sin', dims }
  }
}

/** Every task has a linear layer, an activation and a norm before its scores. */
function taskHead(config: ModernBertConfig, task: HeadTask): HeadDescription {
  const { hiddenSize, traits, tiedEmbeddings, normEpsilon: epsilon } = config
  const dense = linearTensors('head.dense', hiddenSize, hiddenSize)
  const layers = [...(traits.headBias ? dense : dense.filter(withoutBias)), ...normTensors(config, ['head.norm'])]
  const through = ({ g, scope }: HeadContext, states: Value): Value =>
    scope.layerNorm(activate(g, traits.headActivation, scope.project(states, 'head.dense')), 'head.norm', { epsilon })
  if (task === 'MASKED_LM') {
    const bias: readonly ExpectedTensor[] = traits.decoderBias
      ? [{ name: 'decoder.bias', shape: [config.vocabSize] }]
      : []
    return {
      takes: 'every',
      tensors: () => [...layers, ...bias],
      dropoutFields: [],
      dropout: 0,
      logits(context, states) {
        const { g, scope } = context
        const matrix = scope.tensor(tiedEmbeddings ? embedding : 'decoder.weight')
        const scores = g.FusedMatMul(through(context, states), matrix, { transB: true })
        return traits.decoderBias ? g.Add(scores, scope.tensor('decoder.bias')) : scores
      }
    }
  }
  return {
    takes: task === 'SEQ_CLS' ? (traits.poolsMean ? 'mean' : 'first') : 'every',
    tensors: (_, classes) => [...layers, ...linearTensors('classifier', classes, hiddenSize)],
    dropoutFields: ['classifier_dropout'],
    dropout: 0,
    logits: (context, states) => context.scope.project(context.drop(through(context, states)), 'classifier')
  }
}

export const modernBert = defineFamily({
  modelTypes: ['modernbert'],
  parseConfig: parseModernBertConfig,
  blockPath: block => `model.layers.${block}`,
  linearModules,
  // PEFT names none
  defaultTargets: [],
  biasedModules: config => config.biasedModules,
  otherTensors: (config, block) => normTensors(config, block === 0 ? ['mlp_norm'] : ['attn_norm', 'mlp_norm']),
  attention,
  block: modernBertBlock,
  clientTensorNames: ({ tiedEmbeddings }) => ({
    embedding,
    norm: 'model.final_norm.weight',
    head: tiedEmbeddings ? embedding : 'decoder.weight'
  }),
  clientTensors: config => normTensors(config, ['model.embeddings.norm', 'model.final_norm']),
  positionRule: () => ({ counts: 'places' }),
  enter: ({ config, scope }, states) =>
    scope.layerNorm(states, 'model.embeddings.norm', { epsilon: config.normEpsilon }),
  leave: ({ config, scope }, hidden) => scope.layerNorm(hidden, 'model.final_norm', { epsilon: config.normEpsilon }),
  taskHead,
  rotaryTables({ rope, headDim, traits }, positions, length) {
    const { cos, sin } = rotaryTables(traits.localRope, headDim, positions, length)
    return { ...rotaryTables(rope, headDim, positions, length), 'cos.local': cos, 'sin.local': sin }
  }
})
