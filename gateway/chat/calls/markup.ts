// Calls as markup with a tag for each argument: `<function=f><parameter=a>1</parameter></function>` of Qwen 3 Coder,
// `f<arg_key>a</arg_key><arg_value>1</arg_value>` of GLM, `<invoke name="f"><parameter name="a">1</parameter></invoke>`. Pure.
import { readJson, stringContent } from '../answer/json.ts'
import type { TextReading } from '../answer/reader.ts'
import type { CallContext } from './format.ts'
import { isText, parameterTypes, toJsonValue } from './values.ts'

/** longer names are none */
const longestName = 256

/** Gives arguments one after the other as one JSON object. */
function objectWriter({ sink, tools }: CallContext, name: string) {
  let isFirst = true
  sink.call(name)
  sink.give('{')
  return {
    /** Gives an argument whose text ends before `close`, while it is read where it is a text. */
    *argument(context: CallContext, key: string, close: string, unpadded: boolean): TextReading<boolean> {
      const { reader } = context
      const types = parameterTypes(tools.get(name), key)
      const opens = `${isFirst ? '' : ', '}${JSON.stringify(key)}: `
      isFirst = false
      if (unpadded) yield* reader.take('\n')
      const isData = yield* reader.take('<![CDATA[')
      // the line end before the closing tag is a part of the tag
      const closes = isData ? [`]]>${close}`] : unpadded ? [`\n${close}`, close] : [close]
      if (!isText(types)) {
        const pieces: string[] = []
        if ((yield* reader.until(closes, text => pieces.push(text))) === null) return false
        sink.give(opens + toJsonValue(pieces.join(''), types))
        return true
      }
      sink.give(`${opens}"`)
      // half a surrogate pair is no text of its own
      let half = ''
      const ended = yield* reader.until(closes, text => {
        const whole = half + text
        half = /[\ud800-\udbff]$/.test(whole) ? whole.slice(-1) : ''
        sink.give(stringContent(half === '' ? whole : whole.slice(0, -1)))
      })
      sink.give(`${stringContent(half)}"`)
      return ended !== null
    },
    end() {
      sink.give('}')
      sink.done()
    }
  }
}

/** Arguments as JSON, where a grammar holds a model to them. */
function* readJsonArguments({ reader, sink }: CallContext, name: string, close: string): TextReading<boolean> {
  sink.call(name)
  if (!(yield* readJson(reader, text => sink.give(text)))) return false
  yield* reader.space()
  if (!(yield* reader.take(close))) return false
  sink.done()
  return true
}

/** From the name on: `f>`, then `<parameter=a>…</parameter>` and `</function>`. */
export function* readFunction(context: CallContext): TextReading<boolean> {
  const { reader } = context
  const name = (yield* reader.while(/[^>\n<]/, longestName)).trim()
  if (name === '' || !(yield* reader.take('>'))) return false
  const writer = objectWriter(context, name)
  for (;;) {
    yield* reader.space()
    if (yield* reader.take('</function>')) break
    if (!(yield* reader.take('<parameter='))) return false
    const key = (yield* reader.while(/[^>\n<]/, longestName)).trim()
    if (key === '' || !(yield* reader.take('>'))) return false
    if (!(yield* writer.argument(context, key, '</parameter>', true))) return false
  }
  writer.end()
  return true
}

/** From the name on: `f`, then `<arg_key>a</arg_key><arg_value>…</arg_value>`, up to `</tool_call>`, which stays. */
export function* readKeysAndValues(context: CallContext): TextReading<boolean> {
  const { reader } = context
  const name = (yield* reader.while(/[^<>\s{}"[\]]/, longestName)).trim()
  if (name === '') return false
  yield* reader.space()
  if (!(yield* reader.sees('<arg_key>')) && !(yield* reader.sees('</tool_call>'))) return false
  const writer = objectWriter(context, name)
  for (;;) {
    yield* reader.space()
    if (yield* reader.sees('</tool_call>')) break
    if (!(yield* reader.take('<arg_key>'))) return false
    const key = yield* reader.while(/[^<\n]/, longestName)
    if (!(yield* reader.take('</arg_key>'))) return false
    yield* reader.space()
    if (!(yield* reader.take('<arg_value>'))) return false
    if (!(yield* writer.argument(context, key, '</arg_value>', false))) return false
  }
  writer.end()
  return true
}

/** The tags of a call of the third kind. */
export interface InvokeTags {
  readonly invoke: string
  readonly parameter: string
}

function* readAttribute(context: CallContext): TextReading<string | null> {
  const { reader } = context
  yield* reader.space()
  if (!(yield* reader.take('name="'))) return null
  const name = yield* reader.while(/[^"\n<>]/, longestName)
  return name !== '' && (yield* reader.take('">')) ? name : null
}

/** After `<invoke`: ` name="f">`, then `<parameter name="a">…</parameter>` and `</invoke>`. */
export function* readInvoke(context: CallContext, { invoke, parameter }: InvokeTags): TextReading<boolean> {
  const { reader } = context
  const name = yield* readAttribute(context)
  if (name === null) return false
  yield* reader.space()
  if (yield* reader.sees('{')) return yield* readJsonArguments(context, name, `</${invoke}>`)
  const writer = objectWriter(context, name)
  for (;;) {
    yield* reader.space()
    if (yield* reader.take(`</${invoke}>`)) break
    if (!(yield* reader.take(`<${parameter}`))) return false
    const key = yield* readAttribute(context)
    if (key === null || !(yield* writer.argument(context, key, `</${parameter}>`, false))) return false
  }
  writer.end()
  return true
}
