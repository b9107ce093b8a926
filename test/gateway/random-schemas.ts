// Random JSON Schemas for property tests.
import fc from 'fast-check'

type Schema = Record<string, unknown> | boolean

const name = fc.constantFrom('a', 'b', 'id', 'name', 'größe', 'x y', 'a"b', 'next', 'items', '')
const patterns = [
  '^[a-z]{2,4}$',
  '[0-9]+',
  '^(foo|bar)-\\d+$',
  '^\\w+@\\w+\\.com$',
  '^[^"\\\\]*$',
  '^.{1,3}$',
  '^\\s*$',
  '^[äöü😀]+$',
  '^a|b$',
  '^(a?b*)*$',
  '^\\n\\t"$',
  '^[\\u0000-\\u001f]{1,2}$',
  '^\\p{Lu}[^\\S ]?$'
] as const
const bound = fc.oneof(
  fc.integer({ min: -1200, max: 1200 }),
  fc.double({ min: -50, max: 50, noNaN: true }).map(value => Number(value.toFixed(3))),
  fc.constantFrom(0, -0.5, 1e-7, 1e21, -1e300, 2 ** 53, 0.1, 0.3)
)
const present = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 2 })

/** Without the fields that are undefined. */
const defined = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

const numeric = fc
  .record({
    type: fc.constantFrom('number', 'integer'),
    low: present(bound),
    high: present(bound),
    exclusive: fc.boolean(),
    multipleOf: fc.option(fc.constantFrom(1, 3, 5, 10, 7), { nil: undefined, freq: 5 })
  })
  .map(({ type, low, high, exclusive, multipleOf }) => {
    const [least, most] = low !== undefined && high !== undefined && low > high ? [high, low] : [low, high]
    const free = multipleOf !== undefined && (Math.abs(least ?? 0) > 1000 || Math.abs(most ?? 0) > 1000)
    return defined({
      type,
      [exclusive ? 'exclusiveMinimum' : 'minimum']:
        multipleOf !== undefined && (most === undefined || free) ? undefined : least,
      maximum: multipleOf !== undefined && (least === undefined || free) ? undefined : most,
      multipleOf
    })
  })

const formats = ['date', 'time', 'date-time', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid', 'uri']
const textual = fc.oneof(
  fc
    .record({ minLength: present(fc.nat(5)), more: present(fc.nat(90)) })
    .map(({ minLength, more }) =>
      defined({ type: 'string', minLength, maxLength: more === undefined ? undefined : (minLength ?? 0) + more })
    ),
  fc.constantFrom(...patterns).map(pattern => ({ type: 'string', pattern })),
  fc.constantFrom(...formats).map(format => ({ type: 'string', format }))
)

const constant = fc.oneof(
  fc.constantFrom(null, true, 0, -1.5, 'a', 'ü"\\\n', ''),
  fc.constantFrom({ a: 1 }, [1, 'x'], {}, [])
)

const literal = fc.oneof(
  constant.map(value => ({ const: value })),
  fc.array(constant, { minLength: 1, maxLength: 4 }).map(values => ({ enum: values }))
)

export const { schema } = fc.letrec<{ schema: Schema; array: Schema; object: Schema; joined: Schema }>(tie => ({
  schema: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.oneof(
      numeric,
      textual,
      literal,
      fc.constantFrom<Schema>({ type: 'boolean' }, { type: 'null' }, { type: ['string', 'null'] }, {}, true),
      fc.constant<Schema>({ $ref: '#/$defs/node' })
    ),
    tie('array'),
    tie('object'),
    tie('joined')
  ),
  array: fc
    .record({
      items: present(tie('schema')),
      prefixItems: fc.option(fc.array(tie('schema'), { minLength: 1, maxLength: 2 }), { nil: undefined, freq: 4 }),
      minItems: present(fc.nat(2)),
      more: present(fc.nat(2))
    })
    .map(({ items, prefixItems, minItems, more }) =>
      defined({
        type: 'array',
        items,
        prefixItems,
        minItems,
        maxItems: more === undefined ? undefined : (minItems ?? 0) + more
      })
    ),
  object: fc
    .record({
      entries: fc.array(fc.tuple(name, tie('schema'), fc.boolean()), { maxLength: 4 }),
      additionalProperties: present(fc.oneof(fc.boolean(), tie('schema'))),
      minProperties: fc.option(fc.nat(1), { nil: undefined, freq: 4 }),
      maxProperties: fc.option(fc.integer({ min: 3, max: 4 }), { nil: undefined, freq: 4 })
    })
    .map(({ entries, ...rest }) =>
      defined({
        type: 'object',
        properties: Object.fromEntries(entries.map(([key, value]) => [key, value])),
        required: [...new Set(entries.filter(([, , needed]) => needed).map(([key]) => key))],
        ...rest
      })
    ),
  joined: fc.oneof(
    fc.array(tie('schema'), { minLength: 1, maxLength: 3 }).map(anyOf => ({ anyOf })),
    fc.tuple(tie('object'), tie('object')).map(allOf => ({ allOf })),
    fc.tuple(tie('schema'), tie('object')).map(([anyOf, object]) => ({ anyOf: [anyOf, {}], ...(object as object) })),
    fc.tuple(tie('object'), tie('object')).map(pair => ({
      oneOf: pair.map((one, at) => ({
        ...(one as object),
        properties: { ...((one as { properties: object }).properties ?? {}), kind: { const: at } },
        required: ['kind']
      }))
    }))
  )
}))

/** A schema that may refer to a recursive one. */
export const rootSchema = schema.map(one => ({
  allOf: [one],
  $defs: {
    node: {
      type: 'object',
      properties: {
        value: { type: 'integer' },
        next: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] },
        kids: { type: 'array', items: { $ref: '#/$defs/node' }, maxItems: 2 }
      },
      required: ['value', 'next'],
      additionalProperties: false
    }
  }
}))
