// A call as a JSON object: `{"name": …, "arguments": {…}}`, with the fields in any order. Pure.
import { readJson, readValue } from '../answer/json.ts'
import type { TextReading } from '../answer/reader.ts'
import { readCallList } from './call-list.ts'
import type { CallContext } from './format.ts'

const argumentKeys = ['arguments', 'parameters', 'args', 'input']
const otherKeys = ['type', 'id', 'function', 'index', 'call_id']

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Arguments as an object: some models write them as a text of JSON, and null where there are none. */
function objectOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (value === undefined || value === null) return {}
  if (isObject(value)) return value
  if (typeof value !== 'string') return undefined
  try {
    const parsed: unknown = JSON.parse(value)
    return isObject(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

export interface JsonCallRules {
  /** without a mark before it, JSON is a call only if it names a tool of the request and has arguments */
  readonly isMarked: boolean
}

/** Reads one object. Arguments that come after the name are given while they are read. */
export function* readJsonCall(context: CallContext, { isMarked }: JsonCallRules): TextReading<boolean> {
  const { reader, sink, tools } = context
  if (!(yield* reader.take('{'))) return false
  const fields = new Map<string, unknown>()
  let isGiven = false
  const accepts = (name: unknown): name is string =>
    typeof name === 'string' && name !== '' && (isMarked || tools.has(name))
  for (let first = true; ; first = false) {
    yield* reader.space()
    if (first && (yield* reader.take('}'))) return false
    if ((yield* reader.peek()) !== '"') return false
    const key = (yield* readValue(reader)) as string | undefined
    if (key === undefined || !['name', ...argumentKeys, ...otherKeys].includes(key)) return false
    yield* reader.space()
    if (!(yield* reader.take(':'))) return false
    yield* reader.space()
    const name = fields.get('name')
    if (argumentKeys.includes(key) && !isGiven && accepts(name) && (yield* reader.sees('{'))) {
      isGiven = true
      sink.call(name)
      if (!(yield* readJson(reader, text => sink.give(text)))) return false
    } else {
      const value = yield* readValue(reader)
      if (value === undefined) return false
      fields.set(key, value)
      if (key === 'name' && !accepts(value)) return false
    }
    yield* reader.space()
    if (yield* reader.take('}')) break
    if (!(yield* reader.take(','))) return false
  }
  if (!isGiven) {
    const inner = fields.get('function')
    const { name, ...rest } = isObject(inner) ? inner : { name: inner, ...Object.fromEntries(fields) }
    const key = argumentKeys.find(one => one in rest)
    const given = objectOf(key === undefined ? undefined : rest[key])
    if (!accepts(name) || given === undefined || (!isMarked && key === undefined)) return false
    sink.call(name)
    sink.give(JSON.stringify(given))
  }
  sink.done()
  return true
}

/** Reads a list of such objects, from its bracket on. */
export function readJsonCalls(context: CallContext, rules: JsonCallRules): TextReading<boolean> {
  return readCallList(context.reader, () => readJsonCall(context, rules))
}
