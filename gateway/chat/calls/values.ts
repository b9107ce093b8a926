// Values of arguments that a template writes as plain text, by the types of the tool's schema. Pure.
import { Reader } from '../answer/reader.ts'
import type { Tool } from '../request.ts'
import { readPython } from './python.ts'

type Schema = Readonly<Record<string, unknown>>

/** JSON's types that a parameter may have; empty where its schema does not say. */
function typesOf(schema: unknown): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return []
  const { type, anyOf, oneOf, enum: values } = schema as Schema
  if (typeof type === 'string') return [type]
  if (Array.isArray(type)) return type.filter(one => typeof one === 'string')
  const branches = [anyOf, oneOf].find(Array.isArray) as readonly unknown[] | undefined
  if (branches !== undefined) return branches.flatMap(typesOf)
  if (Array.isArray(values)) return values.every(value => typeof value === 'string') ? ['string'] : []
  return []
}

export function parameterTypes(tool: Tool | undefined, name: string): readonly string[] {
  const properties = (tool?.parameters as Schema | undefined)?.properties as Schema | undefined
  return properties !== undefined && Object.hasOwn(properties, name) ? typesOf(properties[name]) : []
}

/** Whether a parameter is always a text, so that its text is its value. */
export const isText = (types: readonly string[]): boolean => types.length > 0 && types.every(type => type === 'string')

/** Words of Python, which templates write where they do not write JSON. */
const words: Readonly<Record<string, unknown>> = { True: true, False: false, None: null }

/** A value of JSON of one of these types, as it was written; undefined: the text is none. */
function parsed(text: string, types: readonly string[]): string | undefined {
  const trimmed = text.trim()
  if (Object.hasOwn(words, trimmed)) return JSON.stringify(words[trimmed])
  try {
    const value: unknown = JSON.parse(trimmed)
    // a text that only looks like another type is a text
    if (typeof value === 'string' && types.length > 0 && !types.includes('string')) return undefined
    return typeof value === 'string' ? undefined : trimmed
  } catch {
    return undefined
  }
}

/** A list or dictionary of Python, as templates write them that do not write JSON. */
function fromPython(text: string): string | undefined {
  const reader = new Reader()
  reader.push(text.trim())
  reader.end()
  let json = ''
  const { value: isRead } = readPython(reader, piece => {
    json += piece
  }).next()
  return isRead === true && reader.position === text.trim().length ? json : undefined
}

/** A value as JSON: by the types of its parameter, or as what it looks like where they are not known. */
export function toJsonValue(text: string, types: readonly string[]): string {
  if (isText(types)) return JSON.stringify(text)
  return parsed(text, types) ?? (/^\s*[[{]/.test(text) ? fromPython(text) : undefined) ?? JSON.stringify(text)
}
