// How thoughts are marked, whatever a model calls them. Pure.
import type { Reader, TextReading } from './reader.ts'

const name = /^(?:[\w-]+:)?(?:think(?:ing)?|thoughts?)$/i

/** Marks that are not tags of markup. */
const marks: Readonly<Record<string, string>> = {
  '[THINK]': '[/THINK]',
  '<|channel>thought\n': '<channel|>',
  '<|START_THINKING|>': '<|END_THINKING|>',
  '◁think▷': '◁/think▷'
}

const longestName = 40

/** What ends thoughts that begin here; null where none do, and nothing is taken then. */
export function* readThoughtsMark(reader: Reader): TextReading<string | null> {
  for (const [open, close] of Object.entries(marks)) if (yield* reader.take(open)) return close
  if ((yield* reader.peek()) !== '<') return null
  reader.mark()
  reader.skip()
  const tag = yield* reader.while(/[\w:-]/, longestName)
  const isThoughts = name.test(tag) && (yield* reader.take('>'))
  const taken = reader.captured()
  if (isThoughts) return `</${tag}>`
  reader.unread(taken)
  return null
}

const whole = /<((?:[\w-]+:)?(?:think(?:ing)?|thoughts?))>[\s\S]*?<\/\1>/gi
const open = /<((?:[\w-]+:)?(?:think(?:ing)?|thoughts?))>/i
const begun = /<((?:[\w-]+:)?(?:think(?:ing)?|thoughts?))>\s*$/i

/** What ends the thoughts that a text begins and does not end; null where there are none. */
export function openThoughts(text: string): string | null {
  for (const [first, last] of Object.entries(marks)) {
    const at = text.lastIndexOf(first)
    if (at !== -1 && text.indexOf(last, at) === -1) return last
  }
  const tag = open.exec(text.replaceAll(whole, ''))?.[1]
  return tag === undefined ? null : `</${tag}>`
}

/** What ends the thoughts with whose mark a prompt ends; null where it ends otherwise. */
export function begunThoughts(prompt: string): string | null {
  for (const [first, last] of Object.entries(marks)) if (prompt.trimEnd().endsWith(first.trimEnd())) return last
  const tag = begun.exec(prompt.slice(-2 * longestName))?.[1]
  return tag === undefined ? null : `</${tag}>`
}

/** Whether a text ends with the end of thoughts, so that no more come. */
export const endsThoughts = (text: string): boolean =>
  Object.values(marks).some(last => text.trimEnd().endsWith(last)) ||
  /<\/(?:[\w-]+:)?(?:think(?:ing)?|thoughts?)>\s*$/i.test(text.slice(-2 * longestName))

/** What begins thoughts and what ends them, of those that vocabularies may have a token for. */
export const thoughtsPairs: readonly (readonly [open: string, close: string])[] = [
  ...Object.entries(marks),
  ...['think', 'thinking', 'seed:think'].map(tag => [`<${tag}>`, `</${tag}>`] as const)
]

/** Texts of marks, which vocabularies may have special tokens for. */
export const thoughtsMarks: readonly string[] = ['<|channel>', ...thoughtsPairs.flat()]
