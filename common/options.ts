// The options that a public function knows: an unknown one is an error that names the nearest, never ignored. Pure.
import { SwarmError } from './errors.ts'
import { camelCase, suggestion } from './names.ts'

/** The names of all options of a type; the compiler keeps the list complete. */
export type OptionKeys<Options> = Readonly<Record<keyof Required<Options> & string, true>>

/** More options than these are not all named in a message. */
const listed = 8

function describe(value: unknown): string {
  if (value === null) return 'null'
  if (value instanceof Promise) return 'a Promise (await it)'
  if (value instanceof Map) return 'a Map (pass Object.fromEntries of it)'
  if (Array.isArray(value)) return 'a list'
  return value instanceof AbortSignal ? 'an AbortSignal (pass { signal })' : `a ${typeof value}`
}

const isRecord = (value: unknown): value is object =>
  typeof value === 'object' &&
  value !== null &&
  !(Array.isArray(value) || value instanceof AbortSignal || value instanceof Promise || value instanceof Map)

/** A value or getter that options inherit from a prototype: a copy of the options loses it. Methods are not options. */
function inheritedName(options: object): string | undefined {
  let from: object | null = Object.getPrototypeOf(options)
  // what every object inherits from inherits from nothing, also that of another realm
  while (from !== null && Object.getPrototypeOf(from) !== null) {
    for (const [name, { value, get }] of Object.entries(Object.getOwnPropertyDescriptors(from))) {
      const isOption = get !== undefined || (value !== undefined && typeof value !== 'function')
      if (isOption && !Object.hasOwn(options, name)) return name
    }
    from = Object.getPrototypeOf(from)
  }
  return undefined
}

/**
 * Throws INVALID_ARGUMENT where `options` is not an object, or holds a value under a name that the function does not know:
 * `generate: unknown option 'max_new_tokens' (did you mean maxNewTokens?)`.
 * @param what the function, for the message
 * @param options undefined: none were given
 */
export function checkOptions<Options extends object>(
  what: string,
  options: Options | undefined,
  keys: OptionKeys<NoInfer<Options>>
): void {
  if (options === undefined) return
  if (!isRecord(options)) {
    throw new SwarmError('INVALID_ARGUMENT', `${what}: expected options as an object, found ${describe(options)}`)
  }
  const inherited = inheritedName(options)
  if (inherited !== undefined) {
    const message = `${what}: option '${inherited}' is inherited from a prototype: give options as properties of their own`
    throw new SwarmError('INVALID_ARGUMENT', message)
  }
  const unknown = Object.entries(options).filter(([name, value]) => value !== undefined && !Object.hasOwn(keys, name))
  if (unknown.length === 0) return
  const known = Object.keys(keys)
  const faults = unknown.map(([name]) => `'${name}'${suggestion(name, known)}`)
  const all = known.length <= listed ? `; there are ${known.join(', ')}` : ''
  throw new SwarmError('INVALID_ARGUMENT', `${what}: unknown option ${faults.join(', ')}${all}`)
}

/** The same for a function whose only option is a signal. */
export function checkSignal(what: string, options: { readonly signal?: AbortSignal } | undefined): void {
  checkOptions(what, options, { signal: true })
}

/**
 * The same for an object that may carry more than what is read of it, such as an example or a hook: only a name that is
 * a known one in snake case is an error.
 */
export function checkSpelling<Fields extends object>(
  what: string,
  fields: Fields | undefined,
  keys: OptionKeys<NoInfer<Fields>>
): void {
  if (typeof fields !== 'object' || fields === null) return
  for (const name of Object.keys(fields)) {
    const meant = camelCase(name)
    if (Object.hasOwn(keys, name) || !Object.hasOwn(keys, meant)) continue
    throw new SwarmError('INVALID_ARGUMENT', `${what}: unknown field '${name}' (did you mean ${meant}?)`)
  }
}

/** The options under these names: of a function's, those that another takes. */
export function pickOptions<Options extends object>(options: Options, keys: OptionKeys<NoInfer<Options>>): Options {
  return Object.fromEntries(Object.entries(options).filter(([name]) => Object.hasOwn(keys, name))) as Options
}

/**
 * Numbers that are counted or stepped by, each with the least that it may be; what is left out is not looked at. Throws
 * INVALID_ARGUMENT with the name: a step of 0 would never end.
 */
export function checkCounts(
  what: string,
  counts: Readonly<Record<string, readonly [value: unknown, least: number]>>
): void {
  for (const [name, [value, least]] of Object.entries(counts)) {
    if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= least)) continue
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `${what}: ${name}: expected a whole number from ${least} on, found ${String(value)}`
    )
  }
}
