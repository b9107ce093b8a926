// Heads of tasks in the forms that Hugging Face's encoder classes share.
import type { ModelConfig } from '../config/config.ts'
import type { ExpectedTensor, HeadDescription } from '../family.ts'
import { type Activation, activate } from './mlp.ts'
import { layerNormTensors } from './norms.ts'

/** Matrix and bias of linear layers. */
export function linearTensors(name: string, outFeatures: number, inFeatures: number): readonly ExpectedTensor[] {
  return [
    { name: `${name}.weight`, shape: [outFeatures, inFeatures] },
    { name: `${name}.bias`, shape: [outFeatures] }
  ]
}

interface Dropout {
  /** see HeadDescription; default: no dropout */
  readonly dropoutFields?: readonly string[]
  readonly dropout?: number
}

/** Dropout and one linear layer over each state: classes of tokens, ends of answers. */
export function tokenLayer(name: string, { dropoutFields = [], dropout = 0 }: Dropout = {}): HeadDescription {
  return {
    takes: 'every',
    tensors: ({ hiddenSize }, classes) => linearTensors(name, classes, hiddenSize),
    dropoutFields,
    dropout,
    logits: ({ scope, drop }, states) => scope.project(dropoutFields.length > 0 ? drop(states) : states, name)
  }
}

/** tanh of a linear layer over the first state (BERT, arXiv 1810.04805, section 3.1). */
export function tanhPooler(name: string): HeadDescription {
  return {
    takes: 'first',
    tensors: ({ hiddenSize }) => linearTensors(name, hiddenSize, hiddenSize),
    dropoutFields: [],
    dropout: 0,
    logits: ({ g, scope }, states) => g.Tanh(scope.project(states, name))
  }
}

/** Dropout and one linear layer over what a pooler makes of a sequence. */
export function pooledLayer(pooler: HeadDescription, name: string, dropout: Required<Dropout>): HeadDescription {
  return {
    ...dropout,
    takes: pooler.takes,
    tensors: (config, classes) => [
      ...pooler.tensors(config, classes),
      ...linearTensors(name, classes, config.hiddenSize)
    ],
    logits: (context, states) => context.scope.project(context.drop(pooler.logits(context, states)), name)
  }
}

export interface DenseHead {
  readonly dense: string
  readonly activation: Activation
  readonly out: string
  /** whether dropout comes before the first layer too; default true */
  readonly dropsFirst?: boolean
}

/** A linear layer, an activation and one more over the first state, with dropout before them. */
export function denseLayer(
  { dense, activation, out, dropsFirst = true }: DenseHead,
  dropout: Required<Dropout>
): HeadDescription {
  return {
    ...dropout,
    takes: 'first',
    tensors: ({ hiddenSize }, classes) => [
      ...linearTensors(dense, hiddenSize, hiddenSize),
      ...linearTensors(out, classes, hiddenSize)
    ],
    logits({ g, scope, drop }, states) {
      const inner = scope.project(dropsFirst ? drop(states) : states, dense)
      return scope.project(drop(activate(g, activation, inner)), out)
    }
  }
}

export interface MaskedHead {
  /** its linear layer and its norm: `cls.predictions.transform.dense` */
  readonly dense: string
  readonly norm: string
  /** added to the logits: `cls.predictions.bias` */
  readonly bias: string
  /** name of the matrix that makes logits of the transformed states: the embedding's where they are tied */
  readonly matrix: string
  readonly activation: Activation
  /** numbers of a row of the matrix; default: of a hidden state */
  readonly width?: number
}

/** A linear layer, an activation and a norm before the scores of the vocabulary. */
export function maskedHead({ dense, norm, bias, matrix, activation, width }: MaskedHead): HeadDescription {
  const widthOf = ({ hiddenSize }: ModelConfig): number => width ?? hiddenSize
  return {
    takes: 'every',
    tensors: config => [
      ...linearTensors(dense, widthOf(config), config.hiddenSize),
      ...layerNormTensors([norm], widthOf(config)),
      { name: bias, shape: [config.vocabSize] }
    ],
    dropoutFields: [],
    dropout: 0,
    logits({ g, config, scope }, states) {
      const inner = activate(g, activation, scope.project(states, dense))
      const normed = scope.layerNorm(inner, norm, { epsilon: config.normEpsilon })
      return g.Add(g.FusedMatMul(normed, scope.tensor(matrix), { transB: true }), scope.tensor(bias))
    }
  }
}
