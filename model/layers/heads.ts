// Heads of tasks in the forms that Hugging Face's classes share: over encoders, decoders, and both. Knows no family.
import type { ModelConfig } from '../config/config.ts'
import type { ExpectedTensor, HeadDescription, HeadTask } from '../family.ts'
import { isJsonObject } from '../json.ts'
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

interface LinearHead<C extends ModelConfig>
  extends Partial<Pick<HeadDescription, 'stack' | 'takes' | 'dropoutFields' | 'dropout'>> {
  /** what its tensors are called: `score.weight`, `score.bias` */
  readonly name: string
  /** default true */
  readonly bias?: boolean
  /** of a state; default the hidden size */
  width?(config: C): number
}

/** One linear layer after dropout; takes every state where nothing else is said. */
function linearHead<C extends ModelConfig>({
  name,
  bias = true,
  width = ({ hiddenSize }) => hiddenSize,
  takes = 'every',
  dropoutFields = [],
  dropout = 0,
  ...rest
}: LinearHead<C>): HeadDescription {
  return {
    ...rest,
    takes,
    dropoutFields,
    dropout,
    tensors: (config, classes) => [
      // the families' own configurations come back to them
      ...linearTensors(name, classes, width(config as C)).slice(0, bias ? 2 : 1)
    ],
    logits: ({ scope, drop }, states) => scope.project(drop(states), name)
  }
}

interface DecoderHeads<C extends ModelConfig> {
  /** of the ForTokenClassification class; default: as Hugging Face's GenericForTokenClassification */
  readonly token?: Pick<LinearHead<C>, 'name' | 'dropoutFields' | 'dropout'>
  /** of a state after the last norm; default the hidden size */
  width?(config: C): number
  /** whether there is a ForQuestionAnswering class; default true */
  readonly answers?: boolean
}

const genericToken = { name: 'score', dropoutFields: ['classifier_dropout', 'hidden_dropout'], dropout: 0.1 }

/** The heads of transformers' classes over a decoder: scores of the last token, scores of every token, ends of an answer. */
export function decoderHeads<C extends ModelConfig>({
  token = genericToken,
  width,
  answers = true
}: DecoderHeads<C> = {}): (config: C, task: HeadTask) => HeadDescription | null {
  return ({ raw }, task) => {
    if (task === 'SEQ_CLS') return linearHead({ name: 'score', bias: false, takes: 'last', width })
    if (task === 'TOKEN_CLS') {
      const isBare = token === genericToken && isJsonObject(raw) && raw.token_classification_bias === false
      return linearHead({ ...token, bias: !isBare, width })
    }
    return task === 'QUESTION_ANS' && answers ? linearHead({ name: 'qa_outputs', width }) : null
  }
}

/** Of BartClassificationHead and T5ClassificationHead. */
const classifierDropout = { dropoutFields: ['classifier_dropout'], dropout: 0 } as const

/** The decoder's state of the last end token, through a layer with tanh. */
export const decoderSequence: HeadDescription = {
  ...denseLayer(
    { dense: 'classification_head.dense', activation: 'tanh', out: 'classification_head.out_proj' },
    classifierDropout
  ),
  stack: 'decoder',
  takes: 'end'
}

/** One linear layer over every state of the decoder. */
export const decoderAnswers: HeadDescription = { ...tokenLayer('qa_outputs'), stack: 'decoder' }

/** One linear layer over the encoder's states: a class without a decoder. */
export const encoderTokens: HeadDescription = { ...tokenLayer('classifier', classifierDropout), stack: 'encoder' }
