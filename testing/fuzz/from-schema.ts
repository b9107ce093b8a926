// Values that fit a JSON Schema, as fast-check draws them: of what zod writes into an OpenAPI document. Pure.
import fc from 'fast-check'

/** A schema of JSON Schema 2020-12, in so far as zod writes it. */
export interface Schema {
  readonly description?: string
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly not?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly minItems?: number
  readonly maxItems?: number
  readonly minLength?: number
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
}

/** What to do with fields of some names, so that requests reach the model. */
export interface Wishes {
  /** their values, whatever the schema says */
  readonly values: Readonly<Record<string, fc.Arbitrary<unknown>>>
  /** fields that are always there */
  readonly always: readonly string[]
}

/** Small numbers are what requests have; large ones come by mutation. */
const span = 8
const deepest = 12

/** Fields and types that the document says are refused come by mutation. */
const isRefused = ({ description }: Schema): boolean => description?.startsWith('Refused') ?? false

function numbers(schema: Schema, isWhole: boolean): fc.Arbitrary<number> {
  const { minimum = schema.exclusiveMinimum ?? 0, maximum = schema.exclusiveMaximum ?? minimum + span } = schema
  const [least, most] = [minimum, Math.min(maximum, minimum + span)]
  if (isWhole) {
    const first = schema.exclusiveMinimum === least ? Math.floor(least) + 1 : Math.ceil(least)
    return fc.integer({ min: first, max: Math.max(first, Math.floor(most)) })
  }
  const numbers = fc.double({ min: least, max: most, noNaN: true, noDefaultInfinity: true })
  return numbers.filter(value => value !== schema.exclusiveMinimum && value !== schema.exclusiveMaximum)
}

const texts = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.constantFrom('It was a dark', '<|endoftext|>', '<|im_end|>', '{"a": 1}', '\u0000', '🦙', '', '../..')
)

/** Draws values of a schema. `$ref` is looked up by `resolve`. Fields that are not required are there every fifth time. */
export function arbitraryOf(
  schema: Schema,
  resolve: (ref: string) => Schema,
  wishes: Wishes,
  depth = 0
): fc.Arbitrary<unknown> {
  const inner = (one: Schema): fc.Arbitrary<unknown> => arbitraryOf(one, resolve, wishes, depth + 1)
  if (depth > deepest) return fc.constant(null)
  if (schema.$ref !== undefined) return arbitraryOf(resolve(schema.$ref), resolve, wishes, depth)
  if (schema.not !== undefined && Object.keys(schema.not).length === 0) return fc.constant(null)
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  const choices = schema.anyOf ?? schema.oneOf
  if (choices !== undefined) {
    // the first is the plain one: a text, not a list of parts
    const weighed = choices
      .filter(choice => !isRefused(choice))
      .map((choice, index) => ({
        arbitrary: inner(choice),
        weight: index === 0 ? 3 : 1
      }))
    return fc.oneof(...weighed)
  }
  if (schema.allOf !== undefined) {
    return fc.tuple(...schema.allOf.map(inner)).map(parts => Object.assign({}, ...(parts as object[])) as unknown)
  }
  if (Array.isArray(schema.type)) return fc.oneof(...schema.type.map(type => inner({ ...schema, type: String(type) })))
  switch (schema.type) {
    case 'null':
      return fc.constant(null)
    case 'boolean':
      return fc.boolean()
    case 'integer':
      return numbers(schema, true)
    case 'number':
      return numbers(schema, false)
    case 'string': {
      if (schema.pattern !== undefined) return fc.stringMatching(new RegExp(schema.pattern, 'u'))
      const { minLength = 0 } = schema
      return texts.map(text => (text.length < minLength ? text.padEnd(minLength, 'x') : text))
    }
    case 'array': {
      const { items = {}, minItems = 0, maxItems = 3 } = schema
      return fc.array(inner(items), { minLength: minItems, maxLength: Math.max(minItems, Math.min(maxItems, 3)) })
    }
    case 'object': {
      const { properties = {}, required = [], additionalProperties: more } = schema
      const fields = Object.entries(properties)
        .filter(([, one]) => !isRefused(one))
        .map(([name, one]) => {
          const value = wishes.values[name] ?? inner(one)
          const isThere = [...required, ...wishes.always].includes(name)
            ? fc.constant(true)
            : fc.integer({ min: 0, max: 4 }).map(n => n === 0)
          return fc.tuple(fc.constant(name), value, isThere)
        })
      const others =
        typeof more === 'object'
          ? fc.dictionary(fc.stringMatching(/^[a-z0-9]{1,4}$/), inner(more), { maxKeys: 2 })
          : fc.constant({})
      return fc.tuple(fc.tuple(...fields), others).map(([entries, rest]) => ({
        ...Object.fromEntries(entries.flatMap(([name, value, isThere]) => (isThere ? [[name, value]] : []))),
        ...rest
      }))
    }
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}
