// Prompts and completions in code: as texts with their places, and as examples.

import { pipe } from 'it-pipe'
import { files } from '#files'
import { SwarmError } from '../../../common/errors.ts'
import { checkOptions, checkSignal } from '../../../common/options.ts'
import type { Tokenizer } from '../../../model/text/tokenizer.ts'
import { parseJsonLines, toLines, toText } from './decode.ts'
import type { Example } from './example.ts'
import { fitExample } from './fit.ts'
import { textField } from './format.ts'
import { completionSegments } from './formats/completion.ts'
import { encodeSegments } from './segments.ts'

/** A text to train on; its prompt is excluded from the loss. */
export interface PromptCompletion {
  /** what is not learned */
  readonly prompt: string
  /** what the model is to learn to say after the prompt; it begins with a space where text goes on */
  readonly completion: string
  /** where the example comes from, for messages: `capitals.jsonl:3` */
  readonly source?: string
}

/** How texts become examples. */
export interface TokenizeOptions {
  /** put at the end, so that the model learns to stop; default none */
  readonly eosTokenId?: number
  /** longest sequence; default without limit */
  readonly maxLength?: number
}

/**
 * The examples of a JSONL text; empty lines are skipped. `file` is a name for messages.
 * Throws INVALID_ARGUMENT with file and line for what is not an example, and for a text without any.
 */
export function parseDataset(text: string, file: string): PromptCompletion[] {
  const rows = parseJsonLines(text.replace(/^\uFEFF/, ''), file)
  if (rows.length === 0) throw new SwarmError('INVALID_ARGUMENT', `${file}: expected at least one example, found none`)
  return rows.map(row => ({
    prompt: textField(row, 'prompt'),
    completion: textField(row, 'completion'),
    source: row.where
  }))
}

/** The examples of a JSONL file. Throws NOT_FOUND, and INVALID_ARGUMENT as `parseDataset`. */
export async function loadDataset(path: string, options: { signal?: AbortSignal } = {}): Promise<PromptCompletion[]> {
  checkSignal('loadDataset', options)
  return parseDataset(await pipe(files.stream(path, options), toLines(path), toText(path)), path)
}

/**
 * Prompt, completion, end token; the loss is taken of completion and end only. The prompt is tokenized by itself, as when the model
 * is asked, and the completion as it reads after the prompt. Throws INVALID_ARGUMENT, with the example's source, where it is too long or leaves
 * nothing to learn.
 */
export function tokenizeExamples(
  pairs: readonly PromptCompletion[],
  tokenizer: Pick<Tokenizer, 'encode'>,
  options: TokenizeOptions = {}
): Example[] {
  checkOptions('tokenizeExamples', options, { eosTokenId: true, maxLength: true })
  const { eosTokenId, maxLength = Infinity } = options
  return pairs.map(({ prompt, completion, source }, index) => {
    const where = source ?? `example ${index}`
    const context = { tokenizer, eosTokenId, trainOnInputs: false }
    const example = encodeSegments(completionSegments(prompt, completion), context, { where })
    return fitExample(example, where, { maxLength, reason: 'maxLength', truncate: false })!
  })
}
