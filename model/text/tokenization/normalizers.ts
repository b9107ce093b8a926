// Normalizers of tokenizer.json: how a text is rewritten before it is cut. Pure.
// Reference: https://github.com/huggingface/tokenizers, tokenizers/src/normalizers.
import { type AlignedText, type Replacement, relabelText, rewriteText, sliceText } from './aligned-text.ts'
import { toByteCharacters } from './byte-characters.ts'
import { patternOf } from './patterns.ts'
import { type CharacterMap, readCharacterMap } from './precompiled.ts'
import type { Settings } from './settings.ts'
import {
  charactersOf,
  combiningMark,
  control,
  lowerCaseOf,
  nonspacingMark,
  spaceAtEnd,
  spaceAtStart,
  unnormalized
} from './unicode.ts'

export interface Normalizer {
  normalize(text: AlignedText): AlignedText
  /** false where it has an expression that may take for ever */
  readonly isTrusted: boolean
}

type Rewrite = (text: AlignedText) => AlignedText

const trusted = (normalize: Rewrite): Normalizer => ({ normalize, isTrusted: true })

/** Every character as `become` says. */
function mapCharacters(source: AlignedText, become: (character: string) => string): AlignedText {
  const replacements: Replacement[] = []
  let at = 0
  for (const character of source.text) {
    const text = become(character)
    const end = at + character.length
    if (text !== character) replacements.push({ start: at, end, text })
    at = end
  }
  return rewriteText(source, replacements)
}

const ascii = /^[\0-\x7f]*$/

/** A character with the marks and the parts of a Hangul syllable that follow it. */
const cluster = /[\s\S][\p{M}\u1160-\u11ff\uff9e\uff9f]*/gu

function unicodeForm(form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD'): Rewrite {
  return source => {
    const { text } = source
    if (ascii.test(text)) return source
    const keeps = unnormalized.test(text)
    const whole = text.normalize(form)
    if (whole === text) return source
    const replacements: Replacement[] = []
    let made = ''
    for (const match of text.matchAll(cluster)) {
      const part = keeps && unnormalized.test(match[0]) ? match[0] : match[0].normalize(form)
      made += part
      if (part !== match[0]) replacements.push({ start: match.index, end: match.index + match[0].length, text: part })
    }
    // rare: characters that join beyond a cluster; the text is right then, its places are coarse
    return rewriteText(source, keeps || made === whole ? replacements : [{ start: 0, end: text.length, text: whole }])
  }
}

function lowerCase(source: AlignedText): AlignedText {
  return source.text.toLowerCase() === source.text ? source : mapCharacters(source, lowerCaseOf)
}

const without =
  (characters: RegExp): Rewrite =>
  source =>
    mapCharacters(source, character => (characters.test(character) ? '' : character))

const ideograph =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/u
const cleanSpace = /[\t\n\r\p{White_Space}]/u

function bertNormalizer(settings: Settings): Normalizer {
  const cleans = settings.flag('clean_text', true)
  const ideographs = settings.flag('handle_chinese_chars', true)
  const lowers = settings.flag('lowercase', true)
  const strips = settings.flag('strip_accents', lowers)
  const decompose = unicodeForm('NFD')
  const stripMarks = without(nonspacingMark)
  const clean = (character: string): string => {
    if (character === '\0' || character === '\ufffd' || control.test(character)) return ''
    return cleanSpace.test(character) ? ' ' : character
  }
  return trusted(text => {
    let result = text
    if (cleans) result = mapCharacters(result, clean)
    if (ideographs)
      result = mapCharacters(result, character => (ideograph.test(character) ? ` ${character} ` : character))
    if (strips) result = stripMarks(decompose(result))
    return lowers ? lowerCase(result) : result
  })
}

function strip(settings: Settings): Normalizer {
  const [left, right] = [settings.flag('strip_left', true), settings.flag('strip_right', true)]
  return trusted(source => {
    const start = left ? spaceAtStart(source.text) : 0
    const end = source.text.length - (right ? spaceAtEnd(source.text) : 0)
    return sliceText(source, start, Math.max(start, end))
  })
}

function prepend(settings: Settings): Normalizer {
  const text = settings.text('prepend')
  return trusted(source => (source.text === '' ? source : rewriteText(source, [{ start: 0, end: 0, text }])))
}

function replace(settings: Settings): Normalizer {
  const pattern = patternOf(settings.fields.pattern)
  const content = settings.text('content')
  return {
    isTrusted: pattern.isTrusted,
    normalize(source) {
      const found = pattern.find(source.text)
      if (found.length === 0) return source
      if (content.length === 1 && found.every(({ start, end }) => end === start + 1)) {
        // ' ' becomes '▁': every unit keeps its place
        const parts: string[] = []
        let from = 0
        for (const { start, end } of found) {
          parts.push(source.text.slice(from, start), content)
          from = end
        }
        return relabelText(source, parts.join('') + source.text.slice(from))
      }
      return rewriteText(
        source,
        found.map(range => ({ ...range, text: content }))
      )
    }
  }
}

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
const encoder = new TextEncoder()
const simple = /^[\t\n\x20-\x7e]*$/

function applyMap(source: AlignedText, map: CharacterMap): AlignedText {
  if (simple.test(source.text)) return mapCharacters(source, character => map(character) ?? character)
  const replacements: Replacement[] = []
  for (const { segment, index } of segmenter.segment(source.text)) {
    const whole = encoder.encode(segment).length < 6 ? map(segment) : null
    if (whole !== null) {
      if (whole !== segment) replacements.push({ start: index, end: index + segment.length, text: whole })
      continue
    }
    let at = index
    for (const character of charactersOf(segment)) {
      const text = map(character)
      const end = at + character.length
      if (text !== null && text !== character) replacements.push({ start: at, end, text })
      at = end
    }
  }
  return rewriteText(source, replacements)
}

function precompiled(settings: Settings): Normalizer {
  const map = readCharacterMap(settings.optionalText('precompiled_charsmap') ?? '')
  return trusted(text => applyMap(text, map))
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: those that are removed
const removedByNmt = /[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]/
const spacesOfNmt = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/

function nmt(source: AlignedText): AlignedText {
  return mapCharacters(source, character =>
    removedByNmt.test(character) ? '' : spacesOfNmt.test(character) ? ' ' : character
  )
}

function sequence(settings: Settings): Normalizer {
  const steps = settings.parts('normalizers').map(createNormalizer)
  return {
    isTrusted: steps.every(({ isTrusted }) => isTrusted),
    normalize: text => steps.reduce((result, step) => step.normalize(result), text)
  }
}

const kinds: Readonly<Record<string, (settings: Settings) => Normalizer>> = {
  BertNormalizer: bertNormalizer,
  ByteLevel: () => trusted(text => mapCharacters(text, toByteCharacters)),
  Lowercase: () => trusted(lowerCase),
  NFC: () => trusted(unicodeForm('NFC')),
  NFD: () => trusted(unicodeForm('NFD')),
  NFKC: () => trusted(unicodeForm('NFKC')),
  NFKD: () => trusted(unicodeForm('NFKD')),
  Nmt: () => trusted(nmt),
  Precompiled: precompiled,
  Prepend: prepend,
  Replace: replace,
  Sequence: sequence,
  Strip: strip,
  StripAccents: () => trusted(without(combiningMark))
}

/** Throws UNSUPPORTED for a type that is not known, BAD_CHECKPOINT for fields that are wrong. */
export function createNormalizer(settings: Settings): Normalizer {
  const { type } = settings
  if (!Object.hasOwn(kinds, type)) throw settings.unsupported(Object.keys(kinds))
  return kinds[type]!(settings)
}
