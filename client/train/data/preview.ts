// Prints an example for people: the text of its tokens, with marks around tokens without loss. Pure.
import { checkOptions } from '../../../common/options.ts'
import { createTextStream, decodeAfter } from '../../../model/text/text-stream.ts'
import type { Tokenizer } from '../../../model/text/tokenizer.ts'
import { type Example, ignoredLabel } from './example.ts'
import type { DataTask } from './format.ts'

/** Tokens in a row that are learned, or are not. */
export interface PreviewPart {
  readonly text: string
  readonly learned: boolean
  /** of token classification */
  readonly label?: string
}

export interface PreviewOptions {
  readonly task: DataTask
  /** names of the classes */
  readonly labels?: readonly string[]
}

/** The parts of an example in order. Of a text that is classified as a whole no token is masked. */
export function previewParts(
  { ids, labels }: Example,
  tokenizer: Pick<Tokenizer, 'decode'>,
  { task, labels: names = [] }: PreviewOptions
): PreviewPart[] {
  if (task === 'SEQ_CLS') {
    return [{ text: tokenizer.decode(ids), learned: true, label: names[labels[0]!] ?? String(labels[0]) }]
  }
  const parts: PreviewPart[] = []
  for (let start = 0, end: number; start < ids.length; start = end) {
    const learned = labels[start] !== ignoredLabel
    const isAlone = task === 'TOKEN_CLS' && learned
    end = start + 1
    while (!isAlone && end < ids.length && (labels[end] !== ignoredLabel) === learned) end++
    const text = decodeAfter(tokenizer, ids.slice(0, start), ids.slice(start, end))
    parts.push(isAlone ? { text, learned, label: names[labels[start]!] ?? String(labels[start]) } : { text, learned })
  }
  return parts
}

/** One token of an example. */
export interface PreviewToken {
  readonly id: number
  /** what it adds to the text; '' where a later token completes the character */
  readonly text: string
  /** a loss is taken of it */
  readonly learned: boolean
}

/** The tokens of an example in order, with special tokens; their texts joined are the text. Of a text that is classified as a whole all are learned. */
export function previewTokens(
  { ids, labels }: Example,
  tokenizer: Pick<Tokenizer, 'decode'>,
  options: Pick<PreviewOptions, 'task'>
): PreviewToken[] {
  checkOptions('previewTokens', options, { task: true })
  const { task } = options
  const stream = createTextStream(tokenizer, { skipSpecialTokens: false })
  const tokens = ids.map((id, place) => ({
    id,
    text: stream.push(id),
    learned: task === 'SEQ_CLS' || labels[place] !== ignoredLabel
  }))
  const last = tokens.at(-1)
  if (last !== undefined) last.text += stream.end()
  return tokens
}

/** The example as text: masked tokens between ⟦ and ⟧, classes after their token or text as `/class`. */
export function previewExample(
  example: Example,
  tokenizer: Pick<Tokenizer, 'decode'>,
  options: PreviewOptions
): string {
  checkOptions('previewExample', options, { task: true, labels: true })
  return previewParts(example, tokenizer, options)
    .map(({ text, learned, label }) => (learned ? text + (label === undefined ? '' : `/${label}`) : `⟦${text}⟧`))
    .join('')
}
