// Messages, tools and variables of chats as the values of templates: what transformers makes of them before it renders.
import { SwarmError } from '../../common/errors.ts'
import { quoteForeign } from '../../common/foreign-json.ts'
import { writtenIn } from './exact-json.ts'
import { integer, parseInteger } from './jinja/python/numbers.ts'
import { Dict, Float, type PythonValue } from './jinja/python/values.ts'

/** lists and objects, one inside the other */
const deepest = 200

/** The number that a literal of JSON is to Python. */
function numberOf(literal: string): PythonValue {
  return /[.eE]/.test(literal) ? new Float(Number(literal)) : parseInteger(literal, 10)
}

function plainNumber(value: number): PythonValue {
  if (!Number.isInteger(value) || Object.is(value, -0)) return new Float(value)
  return Number.isSafeInteger(value) ? value : integer(BigInt(value))
}

/**
 * A value of JSON as Python would have it. Numbers from `parseJson` keep whether they are floats; other whole numbers are ints.
 * Throws INVALID_ARGUMENT for what JSON does not have, and for values deeper than any template reads.
 */
function toValue(value: unknown, where: string, depth = 0): PythonValue {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value
  if (typeof value === 'number') return plainNumber(value)
  if (typeof value === 'bigint') return integer(value)
  if (typeof value !== 'object') {
    throw new SwarmError('INVALID_ARGUMENT', `${where}: expected a value of JSON, found a ${typeof value}`)
  }
  if (depth >= deepest) throw new SwarmError('INVALID_ARGUMENT', `${where}: nested deeper than ${deepest}`)
  const written = writtenIn(value)
  if (Array.isArray(value)) {
    return value.map((item: unknown, index) => {
      const literal = written?.numbers.get(String(index))
      return literal === undefined ? toValue(item ?? null, where, depth + 1) : numberOf(literal)
    })
  }
  const fields = value as Readonly<Record<string, unknown>>
  const dict = new Dict()
  for (const name of written?.order ?? Object.keys(fields)) {
    const field = fields[name]
    if (field === undefined) continue
    const literal = written?.numbers.get(name)
    dict.set(name, literal === undefined ? toValue(field, where, depth + 1) : numberOf(literal))
  }
  return dict
}

/** what thoughts are called in messages; the first is the standard one */
const reasoningFields = ['reasoning_content', 'thinking', 'reasoning']

/** A message without its fields that are null, and its thoughts by the names that templates read. */
function toMessage(message: object, where: string): Dict {
  const all = toValue(message, where) as Dict
  const kept = new Dict()
  const reasoning = reasoningFields.map(name => all.get(name) ?? null).find(thoughts => thoughts !== null)
  if (reasoning !== undefined) kept.set('thinking', reasoning)
  for (const [name, value] of all.entries()) if (value !== null) kept.set(name, value)
  if (reasoning !== undefined) kept.set('reasoning_content', reasoning)
  return kept
}

/** The messages of a conversation. Throws INVALID_ARGUMENT for none, and for one without a role. */
export function toMessages(messages: readonly unknown[]): Dict[] {
  if (messages.length === 0) throw new SwarmError('INVALID_ARGUMENT', 'messages: expected at least one, found none')
  return messages.map((message, index) => {
    const { role } = (message ?? {}) as { role?: unknown }
    if (typeof role !== 'string') {
      const found = quoteForeign(message)
      throw new SwarmError('INVALID_ARGUMENT', `message ${index}: expected { role, content }, found ${found}`)
    }
    return toMessage(message as object, `message ${index}`)
  })
}

/** The variables of a template. Throws INVALID_ARGUMENT where tools or documents are no lists of objects. */
export function toVariables(variables: Readonly<Record<string, unknown>>): Map<string, PythonValue> {
  const values = new Map((toValue(variables, 'variables') as Dict).entries() as Iterable<[string, PythonValue]>)
  for (const name of ['tools', 'documents']) {
    const value = values.get(name)
    const isRight = Array.isArray(value) && value.every(item => item instanceof Dict)
    if (value !== undefined && value !== null && !isRight) {
      const found = quoteForeign(variables[name])
      throw new SwarmError('INVALID_ARGUMENT', `${name}: expected a list of objects, found ${found}`)
    }
  }
  return values
}

/** True where a text of the values has this character. */
export function hasCharacter(value: PythonValue, character: string): boolean {
  if (typeof value === 'string') return value.includes(character)
  if (Array.isArray(value)) return value.some((item: PythonValue) => hasCharacter(item, character))
  if (!(value instanceof Dict)) return false
  for (const [name, item] of value.entries()) {
    if (hasCharacter(name, character) || hasCharacter(item, character)) return true
  }
  return false
}
