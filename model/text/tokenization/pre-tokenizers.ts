// Pre-tokenizers of tokenizer.json: how a normalized text is cut into words. Pure.
// Reference: https://github.com/huggingface/tokenizers, tokenizers/src/pre_tokenizers.
import { type AlignedText, relabelText, rewriteText, sliceText, type TextRange } from './aligned-text.ts'
import { toByteCharacters } from './byte-characters.ts'
import {
  characterPattern,
  expressionPattern,
  gpt2Expression,
  patternOf,
  stringPattern,
  type TextPattern
} from './patterns.ts'
import type { Settings } from './settings.ts'
import { charactersOf, numeric, punctuation, whiteSpace, wordCharacter } from './unicode.ts'

export interface PreTokenizer {
  /** The words of a text, none empty. */
  split(text: AlignedText): AlignedText[]
  /** the words are yet to be written as byte characters */
  readonly endsInBytes: boolean
  /** false where it has an expression that may take for ever */
  readonly isTrusted: boolean
}

const behaviors = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const
type Behavior = (typeof behaviors)[number]

interface Part extends TextRange {
  readonly isMatch: boolean
}

function partsOf(text: string, matches: readonly TextRange[], invert: boolean): Part[] {
  const parts: Part[] = []
  let from = 0
  for (const { start, end } of matches) {
    if (start > from) parts.push({ start: from, end: start, isMatch: invert })
    parts.push({ start, end, isMatch: !invert })
    from = end
  }
  if (from < text.length) parts.push({ start: from, end: text.length, isMatch: invert })
  return parts
}

/** Joins a part to the one before it in the list where `joins` says so. */
function join(parts: readonly Part[], joins: (part: Part, before: Part) => boolean): TextRange[] {
  const result: Part[] = []
  let before: Part | undefined
  for (const part of parts) {
    const last = result.at(-1)
    if (before !== undefined && last !== undefined && joins(part, before)) {
      const start = Math.min(last.start, part.start)
      result[result.length - 1] = { start, end: Math.max(last.end, part.end), isMatch: last.isMatch }
    } else {
      result.push(part)
    }
    before = part
  }
  return result
}

const arrange: Readonly<Record<Behavior, (parts: readonly Part[]) => readonly TextRange[]>> = {
  Removed: parts => parts.filter(({ isMatch }) => !isMatch),
  Isolated: parts => parts,
  Contiguous: parts => join(parts, (part, before) => part.isMatch === before.isMatch),
  MergedWithPrevious: parts => join(parts, (part, before) => part.isMatch && !before.isMatch),
  MergedWithNext: parts => join(parts.toReversed(), (part, before) => part.isMatch && !before.isMatch).toReversed()
}

function cut(source: AlignedText, pattern: TextPattern, behavior: Behavior, invert = false): AlignedText[] {
  const parts = partsOf(source.text, pattern.find(source.text), invert)
  const words: AlignedText[] = []
  for (const { start, end } of arrange[behavior](parts)) if (end > start) words.push(sliceText(source, start, end))
  return words
}

function splitter(pattern: TextPattern, behavior: Behavior, invert = false): PreTokenizer {
  return {
    split: text => cut(text, pattern, behavior, invert),
    endsInBytes: false,
    isTrusted: pattern.isTrusted
  }
}

/** `Isolated`, or in files of older versions `isolated`. */
function behaviorOf(settings: Settings, fallback?: Behavior): Behavior {
  const name = settings.text('behavior', fallback).toLowerCase().replaceAll('_', '')
  const found = behaviors.find(behavior => behavior.toLowerCase() === name)
  if (found === undefined) throw settings.wrong('behavior', behaviors.join(', '))
  return found
}

const gpt2 = expressionPattern(gpt2Expression, true)

function byteLevel(settings: Settings, isLast: boolean): PreTokenizer {
  const prefixes = settings.flag('add_prefix_space', true)
  const cuts = settings.flag('use_regex', true)
  const toBytes = (word: AlignedText): AlignedText => {
    const characters = charactersOf(word.text)
    let at = 0
    const replacements = characters.map(character => {
      const start = at
      at += character.length
      return { start, end: at, text: toByteCharacters(character) }
    })
    return rewriteText(word, replacements)
  }
  return {
    split(text) {
      const prefixed =
        prefixes && !text.text.startsWith(' ') ? rewriteText(text, [{ start: 0, end: 0, text: ' ' }]) : text
      const words = cuts ? cut(prefixed, gpt2, 'Isolated') : [prefixed]
      return isLast ? words : words.map(toBytes)
    },
    endsInBytes: isLast,
    isTrusted: true
  }
}

type PrependScheme = 'always' | 'first' | 'never'

function schemeOf(settings: Settings): PrependScheme {
  // files of older versions say only whether
  if (settings.fields.add_prefix_space === false && settings.fields.prepend_scheme === undefined) return 'never'
  const scheme = settings.text('prepend_scheme', 'always')
  if (scheme === 'always' || scheme === 'first' || scheme === 'never') return scheme
  throw settings.wrong('prepend_scheme', 'always, first or never')
}

function metaspace(settings: Settings): PreTokenizer {
  const replacement = settings.text('replacement', '▁')
  if (charactersOf(replacement).length !== 1) throw settings.wrong('replacement', 'one character')
  const scheme = schemeOf(settings)
  const splits = settings.flag('split', true)
  const pattern = stringPattern(replacement)
  return {
    split(source) {
      let text =
        replacement.length === 1
          ? relabelText(source, source.text.replaceAll(' ', replacement))
          : rewriteText(
              source,
              stringPattern(' ')
                .find(source.text)
                .map(range => ({ ...range, text: replacement }))
            )
      const isFirst = source.text !== '' && (source.starts?.[0] ?? source.offset) === 0
      if ((scheme === 'always' || (scheme === 'first' && isFirst)) && !text.text.startsWith(replacement)) {
        text = rewriteText(text, [{ start: 0, end: 0, text: replacement }])
      }
      return splits ? cut(text, pattern, 'MergedWithNext') : [text]
    },
    endsInBytes: false,
    isTrusted: true
  }
}

function bert(): PreTokenizer {
  const spaces = characterPattern(whiteSpace)
  const signs = characterPattern(punctuation)
  return {
    split: text => cut(text, spaces, 'Removed').flatMap(word => cut(word, signs, 'Isolated')),
    endsInBytes: false,
    isTrusted: true
  }
}

function charDelimiterSplit(settings: Settings): PreTokenizer {
  const delimiter = settings.text('delimiter')
  if (charactersOf(delimiter).length !== 1) throw settings.wrong('delimiter', 'one character')
  return splitter(stringPattern(delimiter), 'Removed')
}

function fixedLength(settings: Settings): PreTokenizer {
  const length = settings.whole('length', 5)
  if (length === 0) throw settings.wrong('length', 'a whole number of at least 1')
  return {
    split(source) {
      const words: AlignedText[] = []
      let [start, at, count] = [0, 0, 0]
      for (const character of source.text) {
        at += character.length
        count++
        if (count % length !== 0) continue
        words.push(sliceText(source, start, at))
        start = at
      }
      if (start < source.text.length) words.push(sliceText(source, start, source.text.length))
      return words
    },
    endsInBytes: false,
    isTrusted: true
  }
}

const wordsAndSigns = new RegExp(
  `${wordCharacter.source}+|(?:(?!${wordCharacter.source}|${whiteSpace.source})[\\s\\S])+`,
  'gu'
)

function sequence(settings: Settings, isLast: boolean): PreTokenizer {
  const parts = settings.parts('pretokenizers')
  const steps = parts.map((part, index) => createPreTokenizer(part, isLast && index === parts.length - 1))
  return {
    split: text => steps.reduce<AlignedText[]>((words, step) => words.flatMap(word => step.split(word)), [text]),
    endsInBytes: steps.some(({ endsInBytes }) => endsInBytes),
    isTrusted: steps.every(({ isTrusted }) => isTrusted)
  }
}

const kinds: Readonly<Record<string, (settings: Settings, isLast: boolean) => PreTokenizer>> = {
  BertPreTokenizer: bert,
  ByteLevel: byteLevel,
  CharDelimiterSplit: charDelimiterSplit,
  Digits: settings =>
    splitter(characterPattern(numeric), settings.flag('individual_digits', false) ? 'Isolated' : 'Contiguous'),
  FixedLength: fixedLength,
  Metaspace: metaspace,
  Punctuation: settings => splitter(characterPattern(punctuation), behaviorOf(settings, 'Isolated')),
  Sequence: sequence,
  Split: settings => splitter(patternOf(settings.fields.pattern), behaviorOf(settings), settings.flag('invert', false)),
  Whitespace: () => splitter(expressionPattern(wordsAndSigns, true), 'Removed', true),
  WhitespaceSplit: () => splitter(characterPattern(whiteSpace), 'Removed')
}

/**
 * `isLast`: nothing but the model comes after it.
 * Throws UNSUPPORTED for a type that is not known, BAD_CHECKPOINT for fields that are wrong.
 */
export function createPreTokenizer(settings: Settings, isLast = true): PreTokenizer {
  const { type } = settings
  if (!Object.hasOwn(kinds, type)) throw settings.unsupported(Object.keys(kinds))
  return kinds[type]!(settings, isLast)
}
