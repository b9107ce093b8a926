// What is wrong with a body that does not fit its schema, in words: the field, what was expected, what was found.
import { z } from '@hono/zod-openapi'
import { type ApiError, invalid } from '../errors.ts'

type Issue = z.core.$ZodIssue

/** `messages[1].content` */
function pathOf(path: readonly PropertyKey[]): string {
  return path.map((key, at) => (typeof key === 'number' ? `[${key}]` : `${at === 0 ? '' : '.'}${String(key)}`)).join('')
}

/** How near a value comes to the branch of a union that found this fault with it. */
function nearness({ code, path, ...issue }: Issue): number {
  // a rule of our own: the branch is the right one
  if (code === 'custom') return 100 + path.length
  if (code === 'unrecognized_keys') return path.length + 1
  // the value has none of the types that the branch tells apart
  const isNoType = code === 'invalid_union' && 'errors' in issue && issue.errors.length === 0
  return isNoType ? path.length - 1 : path.length
}

/** Of a value that fits no branch of a union: what is wrong with the branch that it comes nearest to. */
function innermost(issue: Issue): Issue {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return issue
  const branches = issue.errors.flatMap(([first]) => (first === undefined ? [] : [innermost(first)]))
  const [nearest] = branches.toSorted((a, b) => nearness(b) - nearness(a))
  if (nearest === undefined || nearness(nearest) === 0) return issue
  return { ...nearest, path: [...issue.path, ...nearest.path] }
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? (value as Record<PropertyKey, unknown>)[key]
        : undefined,
    body
  )
}

/** JSON's name of a type, with an article. */
const typeNames: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null'
}

const nameOf = (type: string): string => typeNames[type] ?? type

/** A value without what people wrote: numbers and words of a choice are told, of texts only that they are texts. */
function describe(value: unknown, isChoice = false): string {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return isChoice && value.length <= 40 ? JSON.stringify(value) : nameOf('string')
  return nameOf(Array.isArray(value) ? 'array' : typeof value)
}

const anyOf = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`

const quoted = (values: readonly unknown[]): string =>
  anyOf(values.map(value => (typeof value === 'string' ? `'${value}'` : String(value))))

const units: Readonly<Record<string, readonly [one: string, many: string]>> = {
  string: ['character', 'characters'],
  array: ['item', 'items'],
  set: ['item', 'items']
}

function bound(issue: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall, value: unknown): string {
  const isMost = issue.code === 'too_big'
  const limit = isMost ? issue.maximum : issue.minimum
  const inclusive = issue.inclusive !== false
  const comparison = isMost ? (inclusive ? 'at most' : 'less than') : inclusive ? 'at least' : 'more than'
  const unit = units[issue.origin]
  if (unit === undefined) return `expected ${comparison} ${limit}, found ${describe(value)}`
  const { length } = value as { length: number }
  return `expected ${comparison} ${limit} ${unit[limit === 1 ? 0 : 1]}, found ${length === 0 ? 'none' : length}`
}

/** What a value of each branch of a union would be; null where a branch says more than its type. */
function branchNames({ errors }: z.core.$ZodIssueInvalidUnion): string[] | null {
  const names = errors.flatMap(([first]) => {
    if (first?.path.length !== 0) return [null]
    if (first.code === 'invalid_type') return [nameOf(first.expected)]
    if (first.code === 'invalid_value') return [quoted(first.values)]
    return [null]
  })
  return names.includes(null) ? null : [...new Set(names as string[])]
}

/** What was expected; null where the schema's own words are better. */
function expectation(issue: Issue): string | null {
  if (issue.code === 'invalid_type') return nameOf(issue.expected)
  if (issue.code === 'invalid_value') return quoted(issue.values)
  if (issue.code !== 'invalid_union') return null
  if (issue.errors.length > 0) return branchNames(issue)?.join(' or ') ?? null
  const { options } = issue as { options?: readonly unknown[] }
  return options === undefined ? null : quoted(options)
}

const native = z.locales.en().localeError

/** Whether a schema has no words of its own for this fault. */
function isNative(issue: Issue, input: unknown): boolean {
  const told = native({ ...issue, input } as z.core.$ZodRawIssue)
  return (typeof told === 'object' && told !== null ? told.message : told) === issue.message
}

function words(issue: Issue, value: unknown): string {
  if (issue.code === 'unrecognized_keys') {
    return `unsupported field${issue.keys.length > 1 ? 's' : ''} ${issue.keys.join(', ')}`
  }
  if (!isNative(issue, value)) return issue.message
  if (issue.code === 'too_big' || issue.code === 'too_small') return bound(issue, value)
  const expected = expectation(issue)
  if (expected === null) return issue.message
  if (value === undefined) return `is needed: expected ${expected}`
  return `expected ${expected}, found ${describe(value, issue.code !== 'invalid_type')}`
}

/** ApiError 400 that names the first field that is wrong. @param body what was checked */
export function bodyFault(error: z.ZodError, body: unknown): ApiError {
  const [outer] = error.issues
  if (outer === undefined) return invalid('body: does not fit its schema')
  const issue = innermost(outer)
  const keys = issue.code === 'unrecognized_keys' ? issue.keys : []
  const place = pathOf([...issue.path, ...keys.slice(0, 1)])
  return invalid(`${place === '' ? 'body' : place}: ${words(issue, valueAt(body, issue.path))}`, place || null)
}
