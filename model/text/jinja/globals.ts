// What a template can call without being given it: jinja2's globals, and those of transformers.

import { charge, chargeList } from './budget.ts'
import { failTemplate, JinjaError, unsupported } from './errors.ts'
import { bind, integerArgument, signature, textArgument } from './python/arguments.ts'
import { iterate, unpack } from './python/sequences.ts'
import { strftime } from './python/strftime.ts'
import { str } from './python/text.ts'
import {
  Callable,
  Dict,
  Internal,
  type Keywords,
  Namespace,
  type PythonValue,
  Range,
  type Structure,
  typeName
} from './python/values.ts'

/** elements of the longest range that the sandbox makes */
const longestRange = 100_000

function range(args: readonly PythonValue[], keywords: Keywords): PythonValue {
  if (keywords !== undefined) failTemplate('TypeError', 'range() takes no keyword arguments')
  if (args.length === 0 || args.length > 3)
    failTemplate('TypeError', `range expected 1 to 3 arguments, got ${args.length}`)
  const numbers = args.map(value => integerArgument(value, 0))
  const [start = 0, stop = 0, step = 1] = numbers.length === 1 ? [0, ...numbers] : numbers
  if (step === 0) failTemplate('ValueError', 'range() arg 3 must not be zero')
  const made = new Range(start, stop, step)
  if (made.length > longestRange) {
    failTemplate('OverflowError', `Range too big. The sandbox blocks ranges larger than MAX_RANGE (${longestRange}).`)
  }
  return made
}

/** Python's `dict(source, **keywords)`. */
function dictOf(args: readonly PythonValue[], keywords: Keywords): Dict {
  if (args.length > 1) failTemplate('TypeError', `dict expected at most 1 argument, got ${args.length}`)
  const [source] = args
  const made = source instanceof Dict ? source.copy() : new Dict()
  if (source !== undefined && !(source instanceof Dict)) {
    for (const pair of iterate(source)) {
      charge(16)
      const [key, value] = unpack(pair, 2)
      made.set(key!, value!)
    }
  }
  for (const [name, value] of keywords ?? []) made.set(name, value)
  chargeList(made.size)
  return made
}

const dict = new Callable(
  'dict',
  dictOf,
  new Map<string, PythonValue>([
    [
      'fromkeys',
      new Callable('fromkeys', (args, keywords) => {
        const [keys, value = null] = bind(signature('fromkeys! iterable value?'), args, keywords)
        const made = new Dict()
        for (const key of iterate(keys!)) {
          charge(16)
          made.set(key, value)
        }
        return made
      })
    ]
  ])
)

/** Throws SecurityError for names that transformers keeps out of namespaces. */
export function checkNamespaceName(name: PythonValue): string {
  if (typeof name !== 'string') return unsupported(`a namespace with a name that is no text: ${str(name)}`)
  if (name.startsWith('_')) {
    failTemplate(
      'SecurityError',
      `Chat templates cannot store underscore-prefixed attributes on a namespace, but got '${name}'. Please rename the attribute.`
    )
  }
  return name
}

function namespace(args: readonly PythonValue[], keywords: Keywords): PythonValue {
  const made = new Namespace()
  for (const [name, value] of dictOf(args, keywords).entries()) made.fields.set(checkNamespaceName(name), value)
  return made
}

function cycler(args: readonly PythonValue[]): PythonValue {
  if (args.length === 0) failTemplate('RuntimeError', 'at least one item has to be provided')
  let at = 0
  const structure: Structure = {
    typeName: 'Cycler',
    attribute: name => {
      if (name === 'next') {
        return new Callable(name, () => {
          const value = args[at]!
          at = (at + 1) % args.length
          return value
        })
      }
      if (name === 'reset') {
        return new Callable(name, () => {
          at = 0
          return null
        })
      }
      return name === 'current' ? args[at] : name === 'pos' ? at : name === 'items' ? [...args] : undefined
    },
    text: () => unsupported('prints a cycler')
  }
  return new Internal(structure)
}

function joiner(args: readonly PythonValue[], keywords: Keywords): PythonValue {
  const [separator = ', '] = bind(signature('joiner sep?'), args, keywords)
  let used = false
  const structure: Structure = {
    typeName: 'Joiner',
    attribute: name => (name === 'sep' ? separator : name === 'used' ? used : undefined),
    call: () => {
      if (used) return separator
      used = true
      return ''
    },
    text: () => unsupported('prints a joiner')
  }
  return new Internal(structure)
}

/** The globals of one rendering. `now` is what `strftime_now` writes. */
export function makeGlobals(now: () => Date): ReadonlyMap<string, PythonValue> {
  return new Map<string, PythonValue>([
    ['range', new Callable('range', range)],
    ['dict', dict],
    ['lipsum', new Callable('lipsum', () => unsupported('calls lipsum(), which writes random words'))],
    ['cycler', new Callable('cycler', cycler)],
    ['joiner', new Callable('joiner', joiner)],
    ['namespace', new Callable('namespace', namespace)],
    [
      'raise_exception',
      new Callable('raise_exception', (args, keywords) => {
        const [message] = bind(signature('raise_exception message'), args, keywords)
        throw new JinjaError('raised', str(message!))
      })
    ],
    [
      'strftime_now',
      new Callable('strftime_now', (args, keywords) => {
        const [format] = bind(signature('strftime_now format'), args, keywords)
        return strftime(now(), textArgument(format, 'strftime() argument 1'))
      })
    ]
  ])
}

/** Of a value that is no namespace. */
export function notNamespace(value: PythonValue): never {
  return failTemplate('TemplateRuntimeError', `cannot assign attribute on non-namespace object (${typeName(value)})`)
}
