// Calls of Gemma 4, `call:f{city:<|"|>Rome<|"|>,days:3}`, and of FunctionGemma, whose quote is `<escape>`. Pure.
import { readString, stringContent } from '../answer/json.ts'
import type { Reader, TextReading } from '../answer/reader.ts'
import type { CallContext } from './format.ts'

const longestName = 256
const longestWord = 400
const deepest = 100

const words: Readonly<Record<string, string>> = { true: 'true', false: 'false', null: 'null', None: 'null' }
const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

function* readText(reader: Reader, quote: string, give: (text: string) => void): TextReading<boolean> {
  give('"')
  let half = ''
  const ended = yield* reader.until([quote], text => {
    const whole = half + text
    half = /[\ud800-\udbff]$/.test(whole) ? whole.slice(-1) : ''
    give(stringContent(half === '' ? whole : whole.slice(0, -1)))
  })
  give(`${stringContent(half)}"`)
  return ended !== null
}

function* readObject(reader: Reader, quote: string, give: (text: string) => void, depth: number): TextReading<boolean> {
  if (!(yield* reader.take('{'))) return false
  give('{')
  for (let isFirst = true; ; isFirst = false) {
    yield* reader.space()
    if (isFirst && (yield* reader.take('}'))) break
    if (!isFirst) give(', ')
    const isString = (yield* reader.peek()) === '"'
    const isQuoted = !isString && (yield* reader.take(quote))
    if (isString || isQuoted) {
      const isRead = isString ? readString(reader, give) : readText(reader, quote, give)
      if (!(yield* isRead)) return false
    } else {
      const key = yield* reader.while(/[^:{}[\],<>"\s]/, longestName)
      if (key === '') return false
      give(JSON.stringify(key))
    }
    yield* reader.space()
    if (!(yield* reader.take(':'))) return false
    give(': ')
    yield* reader.space()
    if (!(yield* readGemma(reader, quote, give, depth + 1))) return false
    yield* reader.space()
    if (yield* reader.take('}')) break
    if (!(yield* reader.take(','))) return false
  }
  give('}')
  return true
}

function* readGemma(reader: Reader, quote: string, give: (text: string) => void, depth: number): TextReading<boolean> {
  if (depth === deepest) return false
  if (yield* reader.take(quote)) return yield* readText(reader, quote, give)
  const next = yield* reader.peek()
  // JSON is a part of it
  if (next === '"') return yield* readString(reader, give)
  if (next === '{') return yield* readObject(reader, quote, give, depth)
  if (next === '[') {
    reader.skip()
    give('[')
    for (let isFirst = true; ; isFirst = false) {
      yield* reader.space()
      if (isFirst && (yield* reader.take(']'))) break
      if (!isFirst) give(', ')
      if (!(yield* readGemma(reader, quote, give, depth + 1))) return false
      yield* reader.space()
      if (yield* reader.take(']')) break
      if (!(yield* reader.take(','))) return false
      yield* reader.space()
    }
    give(']')
    return true
  }
  const word = yield* reader.while(/[-+.\w]/, longestWord)
  if (!Object.hasOwn(words, word) && !number.test(word)) return false
  give(words[word] ?? word)
  return true
}

/** `call:f{…}`. */
export function* readGemmaCall({ reader, sink }: CallContext, quote: string): TextReading<boolean> {
  if (!(yield* reader.take('call:'))) return false
  const name = yield* reader.while(/[\w.-]/, longestName)
  if (name === '' || !(yield* reader.sees('{'))) return false
  sink.call(name)
  if (!(yield* readObject(reader, quote, text => sink.give(text), 0))) return false
  sink.done()
  return true
}
