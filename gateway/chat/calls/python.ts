// Calls as Python writes them, `f(city="Rome", days=3)`, and its literals as JSON. Pure.
import { escaped, stringContent } from '../answer/json.ts'
import type { Reader, TextReading } from '../answer/reader.ts'
import { readCallList } from './call-list.ts'
import type { CallContext } from './format.ts'

const longestName = 256
const deepest = 100
/** longer numbers and words are none that anybody writes */
const longestWord = 400

const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\u0007',
  '0': '\0',
  '\\': '\\',
  "'": "'",
  '"': '"'
}

/** `\x41`, `\u00e9`, `\U0001f600` after the letter. */
const hexDigits: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 }

// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON allows none of them in a string
const plain = /[^"'\\\u0000-\u001f]+/y

/** A string from its quote on, as one of JSON. */
function* readQuoted(reader: Reader, give: (text: string) => void): TextReading<boolean> {
  const quote = yield* reader.peek()
  const triple = quote.repeat(3)
  let close = quote
  if (yield* reader.take(triple)) close = triple
  else reader.skip()
  give('"')
  for (;;) {
    const run = reader.run(plain)
    if (run !== '') give(run)
    const next = yield* reader.peek()
    if (next === '') return false
    if (yield* reader.take(close)) {
      give('"')
      return true
    }
    reader.skip()
    if (next !== '\\') {
      give(next < ' ' ? escaped(next) : next === '"' ? '\\"' : next)
      continue
    }
    const code = yield* reader.peek()
    if (code === '') return false
    reader.skip()
    const digits = hexDigits[code]
    if (digits !== undefined) {
      const hex = yield* reader.while(/[0-9a-fA-F]/, digits)
      const point = Number.parseInt(hex, 16)
      if (hex.length < digits || point > 0x10ffff) return false
      give(code === 'u' ? `\\u${hex}` : stringContent(String.fromCodePoint(point)))
    } else if (code !== '\n') {
      // as Python: an escape that is none stays as it is
      give(stringContent(escapes[code] ?? `\\${code}`))
    }
  }
}

const words: Readonly<Record<string, string>> = {
  True: 'true',
  False: 'false',
  None: 'null',
  true: 'true',
  false: 'false',
  null: 'null'
}

const number = /^[+-]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?$/
const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

function* readWord(reader: Reader, give: (text: string) => void): TextReading<boolean> {
  const text = yield* reader.while(/[-+.\w]/, longestWord)
  if (Object.hasOwn(words, text)) {
    give(words[text]!)
    return true
  }
  if (!number.test(text)) return false
  const plain = text.replaceAll('_', '')
  const value = Number(plain)
  if (!Number.isFinite(value)) return false
  give(jsonNumber.test(plain) ? plain : JSON.stringify(value))
  return true
}

/** One literal of Python as JSON: lists and tuples are lists. */
export function* readPython(reader: Reader, give: (text: string) => void, depth = 0): TextReading<boolean> {
  const next = yield* reader.peek()
  if (next === '"' || next === "'") return yield* readQuoted(reader, give)
  if (next !== '[' && next !== '(' && next !== '{') return yield* readWord(reader, give)
  if (depth === deepest) return false
  const close = next === '[' ? ']' : next === '(' ? ')' : '}'
  reader.skip()
  give(next === '{' ? '{' : '[')
  for (let isFirst = true; ; isFirst = false) {
    yield* reader.space()
    if (yield* reader.take(close)) break
    if (!isFirst) {
      if (!(yield* reader.take(','))) return false
      yield* reader.space()
      if (yield* reader.take(close)) break
      give(', ')
    }
    if (next === '{') {
      const key = yield* reader.peek()
      if ((key !== '"' && key !== "'") || !(yield* readQuoted(reader, give))) return false
      yield* reader.space()
      if (!(yield* reader.take(':'))) return false
      give(': ')
      yield* reader.space()
    }
    if (!(yield* readPython(reader, give, depth + 1))) return false
  }
  give(next === '{' ? '}' : ']')
  return true
}

/** `(city="Rome", days=3)`: arguments by name. `positional` names those that come without one. */
export function* readArguments(
  { reader, sink }: CallContext,
  positional: readonly string[] = []
): TextReading<boolean> {
  if (!(yield* reader.take('('))) return false
  yield* reader.space()
  const isUnpacked = yield* reader.take('**')
  if (isUnpacked) {
    // all arguments as one dictionary
    yield* reader.space()
    if (!(yield* reader.sees('{')) || !(yield* readPython(reader, text => sink.give(text)))) return false
    yield* reader.space()
    if (!(yield* reader.take(')'))) return false
    sink.done()
    return true
  }
  sink.give('{')
  for (let index = 0; ; index++) {
    yield* reader.space()
    if (yield* reader.take(')')) break
    if (index > 0) {
      if (!(yield* reader.take(','))) return false
      yield* reader.space()
      if (yield* reader.take(')')) break
      sink.give(', ')
    }
    const first = yield* reader.peek()
    if (/[A-Za-z_]/.test(first)) {
      const word = yield* reader.while(/\w/, longestName)
      yield* reader.space()
      if (yield* reader.take('=')) {
        sink.give(`${JSON.stringify(word)}: `)
        yield* reader.space()
        if (!(yield* readPython(reader, text => sink.give(text)))) return false
        continue
      }
      const key = positional[index]
      if (key === undefined || !Object.hasOwn(words, word)) return false
      sink.give(`${JSON.stringify(key)}: ${words[word]}`)
      continue
    }
    const key = positional[index]
    if (key === undefined) return false
    sink.give(`${JSON.stringify(key)}: `)
    if (!(yield* readPython(reader, text => sink.give(text)))) return false
  }
  sink.give('}')
  sink.done()
  return true
}

/** Names of a tool's parameters, in the order of its schema. */
function parameterNames({ tools }: CallContext, name: string): readonly string[] {
  const properties = tools.get(name)?.parameters?.properties
  return typeof properties === 'object' && properties !== null ? Object.keys(properties) : []
}

/** `f(city="Rome")`. @param isKnown whether a name is one of a tool */
export function* readPythonCall(context: CallContext, isKnown: (name: string) => boolean): TextReading<boolean> {
  const { reader, sink } = context
  const name = yield* reader.while(/[\w.-]/, longestName)
  if (!/^[A-Za-z_]/.test(name) || !isKnown(name) || !(yield* reader.sees('('))) return false
  sink.call(name)
  return yield* readArguments(context, parameterNames(context, name))
}

/** `[f(city="Rome"), g()]`, from its bracket on. */
export function readPythonCalls(context: CallContext, isKnown: (name: string) => boolean): TextReading<boolean> {
  return readCallList(context.reader, () => readPythonCall(context, isKnown))
}
