// JSON as a model writes it, checked while it is read: what is given on is always the beginning of valid JSON. Pure.
import type { Reader, TextReading } from './reader.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON allows none of them in a string
const plain = /[^"\\\u0000-\u001f]+/y
const controls: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\b': '\\b', '\f': '\\f' }

/** A control character within a string, which JSON does not allow and models write: as its escape. */
export const escaped = (character: string): string =>
  controls[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** A string of JSON, from its quote on. False where it is none. */
export function* readString(reader: Reader, give: (text: string) => void): TextReading<boolean> {
  reader.skip()
  give('"')
  for (;;) {
    const run = reader.run(plain)
    if (run !== '') give(run)
    const next = yield* reader.peek()
    if (next === '') return false
    if (next === '"') {
      reader.skip()
      give('"')
      return true
    }
    if (next < ' ') {
      reader.skip()
      give(escaped(next))
    } else if (next === '\\') {
      reader.skip()
      const code = yield* reader.peek()
      if (code === '' || !'"\\/bfnrtu'.includes(code)) return false
      reader.skip()
      if (code !== 'u') {
        give(`\\${code}`)
        continue
      }
      const digits = yield* reader.while(/[0-9a-fA-F]/, 4)
      if (digits.length < 4) return false
      give(`\\u${digits}`)
    }
  }
}

const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
/** longer numbers are refused: no model means them */
const longestNumber = 400

function* readNumber(reader: Reader, give: (text: string) => void): TextReading<boolean> {
  const text = yield* reader.while(/[-+.0-9eE]/, longestNumber)
  if (!number.test(text)) return false
  give(text)
  return true
}

const literals = ['true', 'false', 'null']

/** deeper values are refused */
const deepest = 500

/**
 * Reads one value of JSON; `give` gets it piece by piece as it was written, control characters in strings escaped.
 * @returns false where the text is no JSON; what was given until then is the beginning of some
 */
export function* readJson(reader: Reader, give: (text: string) => void): TextReading<boolean> {
  /** closing brackets of what is open */
  const open: string[] = []
  for (;;) {
    give(yield* reader.space())
    const next = yield* reader.peek()
    if (next === '{' || next === '[') {
      if (open.length === deepest) return false
      const close = next === '{' ? '}' : ']'
      reader.skip()
      give(next)
      give(yield* reader.space())
      if (!(yield* reader.take(close))) {
        open.push(close)
        if (close === '}' && !(yield* readKey(reader, give))) return false
        continue
      }
      give(close)
    } else if (next === '"') {
      if (!(yield* readString(reader, give))) return false
    } else if (next !== '' && '-0123456789'.includes(next)) {
      if (!(yield* readNumber(reader, give))) return false
    } else {
      let isLiteral = false
      for (const literal of literals) {
        if (!(yield* reader.take(literal))) continue
        give(literal)
        isLiteral = true
        break
      }
      if (!isLiteral) return false
    }
    // after a value
    for (;;) {
      if (open.length === 0) return true
      give(yield* reader.space())
      const after = yield* reader.peek()
      if (after === ',') {
        reader.skip()
        give(',')
        if (open.at(-1) === '}') {
          give(yield* reader.space())
          if (!(yield* readKey(reader, give))) return false
        }
        break
      }
      if (after !== open.at(-1)) return false
      reader.skip()
      give(after)
      open.pop()
    }
  }
}

/** `"key":` */
function* readKey(reader: Reader, give: (text: string) => void): TextReading<boolean> {
  if ((yield* reader.peek()) !== '"' || !(yield* readString(reader, give))) return false
  give(yield* reader.space())
  if (!(yield* reader.take(':'))) return false
  give(':')
  return true
}

/** A value of JSON, whole; undefined where there is none. */
export function* readValue(reader: Reader): TextReading<unknown> {
  const pieces: string[] = []
  if (!(yield* readJson(reader, text => pieces.push(text)))) return undefined
  return JSON.parse(pieces.join('')) as unknown
}

/** The inside of a string of JSON. */
export const stringContent = (text: string): string => JSON.stringify(text).slice(1, -1)
