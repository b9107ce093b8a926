// Decoders of tokenizer.json: how tokens become a text. Pure.
// Reference: https://github.com/huggingface/tokenizers, tokenizers/src/decoders.
import { checkRoom } from './aligned-text.ts'
import { bytesOfCharacters } from './byte-characters.ts'
import { patternOf } from './patterns.ts'
import type { Settings } from './settings.ts'

export interface Decoder {
  /** The tokens' texts, to be joined; together at most `room` units. */
  decode(tokens: readonly string[], room: number): readonly string[]
  /** false where it has an expression that may take for ever */
  readonly isTrusted: boolean
  /** The bytes that a token stands for; null where its text is all that it is. Absent: no token stands for bytes. */
  bytesOf?(token: string): readonly number[] | null
}

type Step = (tokens: readonly string[]) => readonly string[]

const trusted = (decode: Step): Decoder => ({ decode, isTrusted: true })

// the byte order mark is a character like others
const lossy = new TextDecoder('utf-8', { ignoreBOM: true })
const strict = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })
const encoder = new TextEncoder()

/** The bytes of a byte-level token; of another one those of its own text. */
function bytesOfToken(token: string): readonly number[] {
  const bytes: number[] = []
  for (const character of token) {
    const byte = bytesOfCharacters.get(character)
    if (byte === undefined) return [...encoder.encode(token)]
    bytes.push(byte)
  }
  return bytes
}

function fromByteCharacters(tokens: readonly string[]): readonly string[] {
  const bytes: number[] = []
  for (const token of tokens) for (const byte of bytesOfToken(token)) bytes.push(byte)
  return [lossy.decode(Uint8Array.from(bytes))]
}

const hex = /^<0x([0-9A-Fa-f+][0-9A-Fa-f])>$/

/** The byte of a token `<0x0A>`. */
function byteOf(token: string): number | null {
  if (token.length !== 6 || !token.startsWith('<0x')) return null
  const digits = hex.exec(token)?.[1]
  if (digits === undefined) return null
  return Number.parseInt(digits.replace('+', ''), 16)
}

function bytesOfFallback(token: string): readonly number[] | null {
  const byte = byteOf(token)
  return byte === null ? null : [byte]
}

/** Bytes that are not UTF-8 become one U+FFFD each. */
function textOfBytes(bytes: readonly number[]): string {
  try {
    return strict.decode(Uint8Array.from(bytes))
  } catch {
    return '\ufffd'.repeat(bytes.length)
  }
}

function byteFallback(tokens: readonly string[]): readonly string[] {
  const texts: string[] = []
  let bytes: number[] = []
  for (const token of tokens) {
    const byte = byteOf(token)
    if (byte !== null) {
      bytes.push(byte)
      continue
    }
    if (bytes.length > 0) texts.push(textOfBytes(bytes))
    bytes = []
    texts.push(token)
  }
  if (bytes.length > 0) texts.push(textOfBytes(bytes))
  return texts
}

/** Spaces that a tokenizer of words leaves before signs and endings are taken out, as transformers does. */
export function cleanUpSpaces(text: string): string {
  return cleanUps.reduce((result, [found, become]) => result.replaceAll(found, become), text)
}

const cleanUps = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"]
] as const

/** The same rules, and one more, of the Rust library's decoders; they see one token at a time. */
const cleanUpToken = (text: string): string => cleanUpSpaces(text).replaceAll(' do not', " don't")

function wordPiece(settings: Settings): Decoder {
  const prefix = settings.text('prefix', '##')
  const cleans = settings.flag('cleanup', true)
  return trusted(tokens =>
    tokens.map((token, place) => {
      const joined = token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`
      const text = place === 0 ? token : joined
      return cleans ? cleanUpToken(text) : text
    })
  )
}

function metaspace(settings: Settings): Decoder {
  const replacement = settings.text('replacement', '▁')
  const isNever =
    settings.fields.prepend_scheme === 'never' ||
    (settings.fields.prepend_scheme === undefined && settings.fields.add_prefix_space === false)
  return trusted(tokens =>
    tokens.map((token, place) => token.replaceAll(replacement, place === 0 && !isNever ? '' : ' '))
  )
}

function bpe(settings: Settings): Decoder {
  const suffix = settings.text('suffix', '</w>')
  return trusted(tokens =>
    tokens.map((token, place) => token.replaceAll(suffix, place === tokens.length - 1 ? '' : ' '))
  )
}

function ctc(settings: Settings): Decoder {
  const pad = settings.text('pad_token', '<pad>')
  const delimiter = settings.text('word_delimiter_token', '|')
  const cleans = settings.flag('cleanup', true)
  return trusted(tokens =>
    tokens.flatMap((token, place) => {
      if (token === tokens[place - 1]) return []
      const said = token.replaceAll(pad, '')
      const text = cleans ? cleanUpToken(said).replaceAll(delimiter, ' ') : said
      return text === '' ? [] : [text]
    })
  )
}

function strip(settings: Settings): Decoder {
  const content = settings.text('content')
  const [start, stop] = [settings.whole('start', 0), settings.whole('stop', 0)]
  if (content === '') throw settings.wrong('content', 'one character')
  return trusted(tokens =>
    tokens.map(token => {
      let [from, to] = [0, token.length]
      for (let count = 0; count < start && token.startsWith(content, from); count++) from += content.length
      for (let count = 0; count < stop && to > from && token.endsWith(content, to); count++) to -= content.length
      return token.slice(from, to)
    })
  )
}

function replace(settings: Settings): Decoder {
  const pattern = patternOf(settings.fields.pattern)
  const content = settings.text('content')
  return {
    isTrusted: pattern.isTrusted,
    decode(tokens, room) {
      let length = 0
      return tokens.map(token => {
        const found = pattern.find(token)
        let text = ''
        let from = 0
        for (const { start, end } of found) {
          text += token.slice(from, start) + content
          from = end
          checkRoom(length + text.length, room)
        }
        text = from === 0 && text === '' ? token : text + token.slice(from)
        length += text.length
        return text
      })
    }
  }
}

function sequence(settings: Settings): Decoder {
  const steps = settings.parts('decoders').map(createDecoder)
  return {
    isTrusted: steps.every(({ isTrusted }) => isTrusted),
    bytesOf: steps.find(step => step.bytesOf)?.bytesOf,
    decode: (tokens, room) => steps.reduce<readonly string[]>((texts, step) => step.decode(texts, room), tokens)
  }
}

const kinds: Readonly<Record<string, (settings: Settings) => Decoder>> = {
  BPEDecoder: bpe,
  ByteFallback: () => ({ ...trusted(byteFallback), bytesOf: bytesOfFallback }),
  ByteLevel: () => ({ ...trusted(fromByteCharacters), bytesOf: bytesOfToken }),
  CTC: ctc,
  Fuse: () => trusted(tokens => [tokens.join('')]),
  Metaspace: metaspace,
  Replace: replace,
  Sequence: sequence,
  Strip: strip,
  WordPiece: wordPiece
}

/** Throws UNSUPPORTED for a type that is not known, BAD_CHECKPOINT for fields that are wrong. */
export function createDecoder(settings: Settings): Decoder {
  const { type } = settings
  if (!Object.hasOwn(kinds, type)) throw settings.unsupported(Object.keys(kinds))
  return kinds[type]!(settings)
}
