// Patterns of tokenizer files: regular expressions of Oniguruma, which these files are written for, as JavaScript's.
import * as library from '@huggingface/tokenizers'
import { SwarmError } from '../../../common/errors.ts'
import { quoteForeign } from '../../../common/foreign-json.ts'
import { isJsonObject } from '../../json.ts'
import type { TextRange } from './aligned-text.ts'

export interface TextPattern {
  /** The matches in order, none within another; they may be empty. */
  find(text: string): TextRange[]
  /** false for an expression that is on no list of examined ones: it may take for ever */
  readonly isTrusted: boolean
}

const cased = "(?:'[sSſ]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
const white = '\\p{White_Space}'
const ends = `${white}+(?!\\P{White_Space})|${white}+`

/** Words as in cl100k: contractions, letters, digits, other signs, line ends, spaces. */
const words = (contractions: string, digits: string): string =>
  `${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^${white}\\p{L}\\p{N}]+[\\r\\n]*|${white}*[\\r\\n]+|${ends}`

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
const splitSource = (digits: string): string =>
  `${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`

/** What byte-level pre-tokenizers split by: GPT-2's. */
export const gpt2Expression = new RegExp(
  `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${white}\\p{L}\\p{N}]+|${ends}`,
  'gu'
)

/** Expressions of known models that are written by hand here. */
const known: ReadonlyMap<string, RegExp> = new Map(
  ['\\p{N}', '\\p{N}{1,3}', '\\p{N}+'].map(digits => [splitSource(digits), new RegExp(words(cased, digits), 'gu')])
)

const upper = '\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}'
const lower = '\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}'
const ofSpaces = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'

/** Expressions of known models that take time linear in the text; they need no time limit. */
const examined: ReadonlySet<string> = new Set([
  // gpt-4o, gpt-oss, Llama 4
  `[^\\r\\n\\p{L}\\p{N}]?[${upper}]*[${lower}]+${contractions}?|[^\\r\\n\\p{L}\\p{N}]?[${upper}]+[${lower}]*${contractions}?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${ofSpaces}`,
  // DeepSeek V3
  `[!"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_\`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|${ofSpaces}`,
  // Qwen 3.5
  `${contractions}|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${ofSpaces}`,
  // BLOOM
  ' ?[^(\\s|[.,!?…。，、।۔،])]+',
  // parts of others
  '[一-龥぀-ゟ゠-ヿ]+',
  '[一-龥ࠀ-一가-퟿]+',
  '[\\p{P}\\$\\+<=>\\^~\\|`]+',
  '[\r\n]',
  '\\s?\\p{L}+',
  '\\s?\\p{P}+',
  '\\p{N}',
  '\\p{N}{1,3}',
  '[0-9][0-9][0-9]',
  ' {2,}',
  '\\s+'
])

/** No real tokenizer has a longer expression. */
const longestExpression = 100_000

/** The library keeps its translation of expressions to itself; its pre-tokenizer shows what came of one. */
const { SplitPreTokenizer } = library as unknown as {
  SplitPreTokenizer: new (config: { pattern: { Regex: string } }) => { readonly pattern: RegExp | null }
}

/**
 * Letters that ASCII's fold with, where case does not count: the library folds ASCII alone.
 * `(?i:'s)` of cl100k also means `'ſ`.
 */
const folds: Readonly<Record<string, string>> = { s: 'sSſ', k: 'kK\u212a' }

function foldLetters(source: string): string {
  if (!source.includes('(?i:')) return source
  let folded = ''
  let inClass = false
  /** for each open group, whether case counts in it */
  const groups: boolean[] = []
  for (let at = 0; at < source.length; at++) {
    const character = source[at]!
    const letters = groups.includes(true) ? folds[character.toLowerCase()] : undefined
    if (character === '\\') folded += character + (source[++at] ?? '')
    else if (letters !== undefined) folded += inClass ? letters : `[${letters}]`
    else folded += character
    if (character === '[') inClass = true
    else if (character === ']') inClass = false
    else if (character === '(' && !inClass) {
      const folds = source.startsWith('(?i:', at)
      groups.push(folds)
      if (folds) {
        folded += '?i:'
        at += 3
      }
    } else if (character === ')' && !inClass) groups.pop()
  }
  return folded
}

function translate(source: string): RegExp {
  if (source.length > longestExpression) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `a regular expression of ${source.length} characters (at most ${longestExpression})`
    )
  }
  try {
    const { pattern } = new SplitPreTokenizer({ pattern: { Regex: foldLetters(source) } })
    if (pattern !== null) return pattern
    throw new SyntaxError('no expression')
  } catch (cause) {
    throw new SwarmError('UNSUPPORTED', `regular expression ${quoteForeign(source)}: not understood`, {
      cause
    })
  }
}

export function expressionPattern(expression: RegExp, isTrusted: boolean): TextPattern {
  return {
    isTrusted,
    find(text) {
      const found: TextRange[] = []
      for (const match of text.matchAll(expression))
        found.push({ start: match.index, end: match.index + match[0].length })
      return found
    }
  }
}

/** Every character that is one of these. */
export function characterPattern(character: RegExp): TextPattern {
  return expressionPattern(new RegExp(character.source, `${character.flags.replace('g', '')}g`), true)
}

export function stringPattern(content: string): TextPattern {
  return {
    isTrusted: true,
    find(text) {
      const found: TextRange[] = []
      if (content === '') {
        for (let at = 0; at <= text.length; at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1)
          found.push({ start: at, end: at })
        return found
      }
      for (let at = text.indexOf(content); at !== -1; at = text.indexOf(content, at + content.length)) {
        found.push({ start: at, end: at + content.length })
      }
      return found
    }
  }
}

/** `{"String": …}` or `{"Regex": …}`. Throws BAD_CHECKPOINT, and UNSUPPORTED for an expression that is not understood. */
export function patternOf(value: unknown): TextPattern {
  if (typeof value === 'string') return stringPattern(value)
  if (isJsonObject(value)) {
    const { String: content, Regex: source } = value
    if (typeof content === 'string') return stringPattern(content)
    if (typeof source === 'string') {
      const trusted = known.get(source)
      return expressionPattern(trusted ?? translate(source), trusted !== undefined || examined.has(source))
    }
  }
  throw new SwarmError(
    'BAD_CHECKPOINT',
    `pattern: expected {"String": …} or {"Regex": …}, found ${quoteForeign(value)}`
  )
}
