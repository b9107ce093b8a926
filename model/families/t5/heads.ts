// Heads of T5's classes for tasks. Source: modeling_t5.py of Hugging Face transformers 5.
import type { HeadDescription, HeadTask } from '../../family.ts'
import { decoderAnswers, decoderSequence, encoderTokens } from '../../layers/heads.ts'
import type { T5Config } from './config.ts'

const heads: Readonly<Record<HeadTask, HeadDescription | null>> = {
  SEQ_CLS: decoderSequence,
  TOKEN_CLS: encoderTokens,
  QUESTION_ANS: decoderAnswers,
  MASKED_LM: null
}

/** null for tasks without a class, and for those of a decoder where the model has none. */
export function t5TaskHead({ stacks }: T5Config, task: HeadTask): HeadDescription | null {
  const head = heads[task]
  return head !== null && stacks.some(({ name }) => name === head.stack) ? head : null
}
