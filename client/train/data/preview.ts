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

/** What is learned of a whole text: its class, the classes whose flag is set, or a number. */
function textLabel({ labels, areNumbers }: Example, names: readonly string[]): string {
  if (areNumbers && names.length > 0) return names.filter((_, index) => labels[index] === 1).join('+') || 'none'
  return areNumbers ? String(labels[0]) : (names[labels[0]!] ?? String(labels[0]))
}

/** A question with its context: the answer's tokens are learned, or that there is none. */
function answerParts({ ids, labels }: Example, tokenizer: Pick<Tokenizer, 'decode'>): PreviewPart[] {
  const [first, last] = labels as [number, number]
  const whole = tokenizer.decode(ids)
  if (first === 0 && last === 0) return [{ text: whole, learned: false, label: 'no answer' }]
  const cuts = [0, first, last + 1, ids.length]
  return [0, 1, 2].map(part => ({
    text: decodeAfter(tokenizer, ids.slice(0, cuts[part]), ids.slice(cuts[part], cuts[part + 1])),
    learned: part === 1
  }))
}

/** The parts of an example in order. Of a text that is classified as a whole no token is masked. */
export function previewParts(
  example: Example,
  tokenizer: Pick<Tokenizer, 'decode'>,
  { task, labels: names = [] }: PreviewOptions
): PreviewPart[] {
  const { ids, labels, others = [] } = example
  if (task === 'SEQ_CLS') {
    return [{ text: tokenizer.decode(ids), learned: true, label: textLabel(example, names) }]
  }
  if (task === 'QUESTION_ANS') return answerParts(example, tokenizer)
  if (task === 'SEQ_2_SEQ_LM') {
    return [
      { text: tokenizer.decode(ids), learned: false },
      { text: ` ${tokenizer.decode(labels)}`, learned: true }
    ]
  }
  if (task === 'FEATURE_EXTRACTION') {
    const texts = [ids, ...others].map(each => tokenizer.decode(each)).join(' | ')
    return [{ text: texts, learned: true, ...(labels[0] === 1 ? {} : { label: String(labels[0]) }) }]
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

/** Their labels are not of single tokens. */
const wholeTasks: ReadonlySet<DataTask> = new Set(['SEQ_CLS', 'SEQ_2_SEQ_LM', 'QUESTION_ANS', 'FEATURE_EXTRACTION'])

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
    learned: wholeTasks.has(task) || labels[place] !== ignoredLabel
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
    .map(({ text, learned, label }) => `${learned ? text : `⟦${text}⟧`}${label === undefined ? '' : `/${label}`}`)
    .join('')
}
