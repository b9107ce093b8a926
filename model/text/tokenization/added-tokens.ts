// Tokens that are found in a text before it is cut: special ones, and those added to a vocabulary later. Pure.
// Reference: https://github.com/huggingface/tokenizers, tokenizers/src/tokenizer/added_vocabulary.rs.
import { type AlignedText, alignedText, originOf, sliceText, type TextRange } from './aligned-text.ts'
import { checkId } from './model.ts'
import type { Normalizer } from './normalizers.ts'
import { Settings } from './settings.ts'
import { createTokenIndex, type TokenIndex } from './token-index.ts'
import { whiteSpace, wordCharacter } from './unicode.ts'

export interface AddedToken {
  readonly id: number
  readonly content: string
  readonly singleWord: boolean
  readonly lstrip: boolean
  readonly rstrip: boolean
  readonly normalized: boolean
  readonly special: boolean
}

export function readAddedTokens(value: unknown): AddedToken[] {
  const root = new Settings({ added_tokens: value ?? [] }, 'tokenizer.json')
  return root.parts('added_tokens').map(part => {
    const special = part.flag('special', false)
    return {
      id: checkId(part.fields.id, `${part.where}.id`),
      content: part.text('content'),
      singleWord: part.flag('single_word', false),
      lstrip: part.flag('lstrip', false),
      rstrip: part.flag('rstrip', false),
      normalized: part.flag('normalized', !special),
      special
    }
  })
}

/** Added tokens that look like tags: `<tool_call>`, `[INST]`. */
const tag = /^(?:<.+>|\[.+\])$/su

/** Whether a model takes the token as a sign and not as text: special ones, and those that look like tags. */
export const isControl = ({ special, content }: AddedToken): boolean => special || tag.test(content)

/** A part of a text: an added token, or what lies between them. */
export interface Section {
  readonly text: AlignedText
  readonly token: AddedToken | null
}

interface Finder {
  readonly tokens: ReadonlyMap<string, AddedToken>
  readonly index: TokenIndex
}

function createFinder(entries: readonly (readonly [string, AddedToken])[]): Finder {
  const tokens = new Map<string, AddedToken>()
  for (const [content, token] of entries) if (content !== '' && !tokens.has(content)) tokens.set(content, token)
  return { tokens, index: createTokenIndex(tokens.keys()) }
}

/** A character that ends at `end`, low surrogates with what they belong to. */
function characterBefore(text: string, end: number): string {
  const unit = text.charCodeAt(end - 1)
  const isLow = unit >= 0xdc00 && unit <= 0xdfff && end > 1
  return text.slice(isLow ? end - 2 : end - 1, end)
}

const isSpace = (text: string, at: number): boolean => whiteSpace.test(text.charAt(at))

/** Whether part of a range is in one of several, which are sorted and apart. */
function meets(ranges: readonly TextRange[], { start, end }: TextRange): TextRange | undefined {
  let [from, to] = [0, ranges.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    if (ranges[middle]!.end > start) to = middle
    else from = middle + 1
  }
  const range = ranges[from]
  return range !== undefined && range.start < end ? range : undefined
}

/**
 * Length of the token at `at`, of `longest` characters or fewer, that is no control token within plain text; 0 where there is none, and
 * how far a token that stands wholly in plain text hides what else begins in it, as in the reference.
 */
function allowed(
  source: AlignedText,
  at: number,
  { tokens }: Finder,
  longest: number,
  plain: readonly TextRange[]
): { length: number; skip: number } {
  for (let length = longest; length > 0; length--) {
    const token = tokens.get(source.text.slice(at, at + length))
    if (token === undefined) continue
    if (!isControl(token)) return { length, skip: 0 }
    const origin = originOf(source, at, at + length)
    const range = meets(plain, origin)
    if (range === undefined) return { length, skip: 0 }
    if (range.start <= origin.start && range.end >= origin.end) return { length: 0, skip: length }
  }
  return { length: 0, skip: 1 }
}

function findTokens(
  source: AlignedText,
  finder: Finder,
  plain: readonly TextRange[]
): { start: number; end: number; token: AddedToken }[] {
  const { text } = source
  const { tokens, index } = finder
  const found: { start: number; end: number; token: AddedToken }[] = []
  if (tokens.size === 0) return found
  let done = 0
  for (let at = 0; at < text.length; ) {
    const longest = index.longest(text, at)
    if (longest === 0) {
      at++
      continue
    }
    const { length, skip } =
      plain.length === 0 ? { length: longest, skip: 0 } : allowed(source, at, finder, longest, plain)
    if (length === 0) {
      at += skip
      continue
    }
    let [start, end] = [at, at + length]
    at = end
    const token = tokens.get(text.slice(start, end))!
    if (token.singleWord) {
      const joinsBefore = start > 0 && wordCharacter.test(characterBefore(text, start))
      const joinsAfter = end < text.length && wordCharacter.test(String.fromCodePoint(text.codePointAt(end)!))
      if (joinsBefore || joinsAfter) continue
    }
    if (token.lstrip) while (start > done && isSpace(text, start - 1)) start--
    if (token.rstrip) while (end < text.length && isSpace(text, end)) end++
    found.push({ start: Math.max(start, done), end, token })
    done = end
  }
  return found
}

function sectionsOf(source: AlignedText, finder: Finder, plain: readonly TextRange[]): Section[] {
  const sections: Section[] = []
  let from = 0
  for (const { start, end, token } of findTokens(source, finder, plain)) {
    if (start > from) sections.push({ text: sliceText(source, from, start), token: null })
    sections.push({ text: sliceText(source, start, end), token })
    from = end
  }
  if (from < source.text.length) sections.push({ text: sliceText(source, from, source.text.length), token: null })
  return sections
}

/** Cuts texts at their added tokens and normalizes what lies between. */
export interface Sectioner {
  /** @param plain ranges of the text, sorted and apart, in which control tokens are text like any other */
  sectionsOf(text: string, plain?: readonly TextRange[]): Section[]
  /** The added tokens with their contents as texts have them: normalized where the token is. */
  readonly written: readonly (readonly [string, AddedToken])[]
}

export function createSectioner(added: readonly AddedToken[], normalizer: Normalizer | null): Sectioner {
  const normalize = (text: AlignedText): AlignedText => (normalizer === null ? text : normalizer.normalize(text))
  const written = added.map(
    token => [token.normalized ? normalize(alignedText(token.content)).text : token.content, token] as const
  )
  const raw = createFinder(written.filter(([, token]) => !token.normalized))
  const normalized = createFinder(written.filter(([, token]) => token.normalized))
  return {
    sectionsOf: (text, plain = []) =>
      sectionsOf(alignedText(text), raw, plain).flatMap(section =>
        section.token === null ? sectionsOf(normalize(section.text), normalized, plain) : [section]
      ),
    written
  }
}
