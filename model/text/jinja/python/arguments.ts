// Binds the arguments of a call to parameters, as Python does.
import { failTemplate } from '../errors.ts'
import { Float, isInteger, type Keywords, type PythonValue, typeName, Undefined } from './values.ts'

/** What a function takes: names in order; those from `optional` on may be left out. */
export interface Signature {
  readonly name: string
  readonly parameters: readonly string[]
  readonly optional: number
  /** of a method of Python's own types, which takes no keywords for its first parameters */
  readonly positionalOnly: boolean
}

/** A signature written as `replace old new count?`; `!` after the name takes positions only. */
export function signature(text: string): Signature {
  const [name = '', ...parameters] = text.split(' ')
  const optional = parameters.findIndex(parameter => parameter.endsWith('?'))
  return {
    name: name.replace('!', ''),
    parameters: parameters.map(parameter => parameter.replace('?', '')),
    optional: optional === -1 ? parameters.length : optional,
    positionalOnly: name.endsWith('!')
  }
}

/** The arguments by parameter, undefined for those left out. Throws TypeError as Python does. */
export function bind(to: Signature, args: readonly PythonValue[], keywords: Keywords): (PythonValue | undefined)[] {
  const { name, parameters, optional } = to
  if (args.length > parameters.length) {
    failTemplate('TypeError', `${name}() takes ${parameters.length} arguments but ${args.length} were given`)
  }
  const bound: (PythonValue | undefined)[] = [...args]
  if (keywords !== undefined) {
    for (const [keyword, value] of keywords) {
      const at = parameters.indexOf(keyword)
      if (to.positionalOnly) failTemplate('TypeError', `${name}() takes no keyword arguments`)
      if (at === -1) failTemplate('TypeError', `${name}() got an unexpected keyword argument '${keyword}'`)
      if (bound[at] !== undefined) failTemplate('TypeError', `${name}() got multiple values for argument '${keyword}'`)
      bound[at] = value
    }
  }
  for (let at = 0; at < optional; at++) {
    if (bound[at] === undefined) failTemplate('TypeError', `${name}() missing 1 required argument: '${parameters[at]}'`)
  }
  return bound
}

/** An argument that is an int; `otherwise` where it was left out. */
export function integerArgument(value: PythonValue | undefined, otherwise: number): number {
  if (value === undefined) return otherwise
  if (value instanceof Undefined) value.raise()
  if (value instanceof Float) failTemplate('TypeError', "'float' object cannot be interpreted as an integer")
  if (!isInteger(value))
    return failTemplate('TypeError', `'${typeName(value)}' object cannot be interpreted as an integer`)
  return Number(value)
}

/** An argument that is a text. */
export function textArgument(value: PythonValue | undefined, what: string): string {
  if (typeof value === 'string') return value
  if (value instanceof Undefined) value.raise()
  return failTemplate('TypeError', `${what} must be str, not ${value === undefined ? 'missing' : typeName(value)}`)
}
