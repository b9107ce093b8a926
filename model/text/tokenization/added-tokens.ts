// Tokens that are found in a text before it is cut: special ones, and those added to a vocabulary later. Pure.
// Reference: https://github.com/huggingface/tokenizers, tokenizers/src/tokenizer/added_vocabulary.rs.
import { type AlignedText, alignedText, sliceText } from './aligned-text.ts'
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

function findTokens(text: string, { tokens, index }: Finder): { start: number; end: number; token: AddedToken }[] {
  const found: { start: number; end: number; token: AddedToken }[] = []
  if (tokens.size === 0) return found
  let done = 0
  for (let at = 0; at < text.length; ) {
    const length = index.longest(text, at)
    if (length === 0) {
      at++
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

function sectionsOf(source: AlignedText, finder: Finder): Section[] {
  const sections: Section[] = []
  let from = 0
  for (const { start, end, token } of findTokens(source.text, finder)) {
    if (start > from) sections.push({ text: sliceText(source, from, start), token: null })
    sections.push({ text: sliceText(source, start, end), token })
    from = end
  }
  if (from < source.text.length) sections.push({ text: sliceText(source, from, source.text.length), token: null })
  return sections
}

/** Cuts texts at their added tokens and normalizes what lies between. */
export interface Sectioner {
  sectionsOf(text: string): Section[]
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
    sectionsOf: text =>
      sectionsOf(alignedText(text), raw).flatMap(section =>
        section.token === null ? sectionsOf(normalize(section.text), normalized) : [section]
      ),
    written
  }
}
