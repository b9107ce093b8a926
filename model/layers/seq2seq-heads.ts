// Heads of tasks that families with an encoder and a decoder have in common. Source: BartClassificationHead and T5ClassificationHead of
// Hugging Face transformers 5.
import type { HeadDescription } from '../family.ts'
import { denseLayer, tokenLayer } from './task-heads.ts'

const dropout = { dropoutFields: ['classifier_dropout'], dropout: 0 } as const

/** The decoder's state of the last end token, through a layer with tanh. */
export const decoderSequence: HeadDescription = {
  ...denseLayer(
    { dense: 'classification_head.dense', activation: 'tanh', out: 'classification_head.out_proj' },
    dropout
  ),
  stack: 'decoder',
  takes: 'end'
}

/** One linear layer over every state of the decoder. */
export const decoderAnswers: HeadDescription = { ...tokenLayer('qa_outputs'), stack: 'decoder' }

/** One linear layer over the encoder's states: a class without a decoder. */
export const encoderTokens: HeadDescription = { ...tokenLayer('classifier', dropout), stack: 'encoder' }
