// Heads of T5's classes for tasks. Source: modeling_t5.py of Hugging Face transformers 5.
import type { HeadDescription, HeadTask } from '../../family.ts'
import type { T5Config } from './config.ts'

const dropout = { dropoutFields: ['classifier_dropout'], dropout: 0 } as const

const linear = (name: string, outputs: number, inputs: number) => [
  { name: `${name}.weight`, shape: [outputs, inputs] },
  { name: `${name}.bias`, shape: [outputs] }
]

/** The decoder's state of the last end token, through a layer with tanh. */
const sequence: HeadDescription = {
  stack: 'decoder',
  takes: 'end',
  tensors: ({ hiddenSize }, classes) => [
    ...linear('classification_head.dense', hiddenSize, hiddenSize),
    ...linear('classification_head.out_proj', classes, hiddenSize)
  ],
  ...dropout,
  logits({ g, scope, drop }, states) {
    const inner = g.Tanh(scope.project(drop(states), 'classification_head.dense'))
    return scope.project(drop(inner), 'classification_head.out_proj')
  }
}

/** One linear layer over the encoder's states: these classes have no decoder. */
const tokens: HeadDescription = {
  stack: 'encoder',
  takes: 'every',
  tensors: ({ hiddenSize }, classes) => linear('classifier', classes, hiddenSize),
  ...dropout,
  logits: ({ scope, drop }, states) => scope.project(drop(states), 'classifier')
}

const answers: HeadDescription = {
  stack: 'decoder',
  takes: 'every',
  tensors: ({ hiddenSize }, classes) => linear('qa_outputs', classes, hiddenSize),
  dropoutFields: [],
  dropout: 0,
  logits: ({ scope }, states) => scope.project(states, 'qa_outputs')
}

const heads: Readonly<Record<HeadTask, HeadDescription | null>> = {
  SEQ_CLS: sequence,
  TOKEN_CLS: tokens,
  QUESTION_ANS: answers,
  MASKED_LM: null
}

/** null for tasks without a class, and for those of a decoder where the model has none. */
export function t5TaskHead({ stacks }: T5Config, task: HeadTask): HeadDescription | null {
  const head = heads[task]
  return head !== null && stacks.some(({ name }) => name === head.stack) ? head : null
}
