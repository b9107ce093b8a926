// `object.name` and `object[name]` as jinja2's sandbox looks them up: methods of Python's types, then elements; or elements, then methods.

import { charge, chargeList } from './budget.ts'
import { failTemplate, unsupported } from './errors.ts'
import { bind, integerArgument, signature } from './python/arguments.ts'
import { isEqual } from './python/compare.ts'
import { formatFields, type Lookup } from './python/formatting.ts'
import { markupResult } from './python/markup.ts'
import { at } from './python/sequences.ts'
import { callStringMethod, isStringMethod } from './python/strings.ts'
import { repr } from './python/text.ts'
import {
  Callable,
  Dict,
  DictView,
  Float,
  Internal,
  isInteger,
  isList,
  type Keywords,
  Markup,
  missing,
  Namespace,
  orElse,
  type PythonValue,
  Range,
  Tuple,
  typeName,
  Undefined
} from './python/values.ts'

type Method = (args: readonly (PythonValue | undefined)[]) => PythonValue

const changers: Readonly<Record<string, ReadonlySet<string>>> = {
  dict: new Set(['clear', 'pop', 'popitem', 'setdefault', 'update']),
  list: new Set(['append', 'clear', 'pop', 'reverse', 'insert', 'sort', 'extend', 'remove'])
}

/** what every object of Python has, and the sandbox hides */
const hidden = new Set(
  (
    '__class__ __delattr__ __dir__ __doc__ __eq__ __format__ __ge__ __getattribute__ __getstate__ __gt__ __hash__ __init__ ' +
    '__init_subclass__ __le__ __lt__ __ne__ __new__ __reduce__ __reduce_ex__ __repr__ __setattr__ __sizeof__ __str__ __subclasshook__ ' +
    '__len__ __iter__ __contains__ __getitem__ __add__ __mul__ __call__ __globals__ __code__ __self__ __func__ __dict__ __module__ __name__'
  ).split(' ')
)

function unsafe(object: PythonValue, name: string): Undefined {
  return new Undefined(
    () => `access to attribute '${name}' of '${typeName(object)}' object is unsafe.`,
    'SecurityError'
  )
}

const getSignature = signature('dict.get! key default?')

function dictMethod(dict: Dict, name: string): Callable | undefined {
  const method = (shape: string, run: Method): Callable => {
    const known = signature(shape)
    return new Callable(name, (args, keywords) => run(bind(known, args, keywords)))
  }
  switch (name) {
    case 'get':
      return new Callable(name, (args, keywords) => {
        const [key, otherwise = null] = bind(getSignature, args, keywords)
        return orElse(dict.get(key!), () => otherwise)
      })
    case 'items':
      return method('dict.items!', () => new DictView('dict_items', dict))
    case 'keys':
      return method('dict.keys!', () => new DictView('dict_keys', dict))
    case 'values':
      return method('dict.values!', () => new DictView('dict_values', dict))
    case 'copy':
      return method('dict.copy!', () => {
        chargeList(dict.size)
        return dict.copy()
      })
    case 'fromkeys':
      return new Callable(name, () => unsupported('calls dict.fromkeys() of a dictionary, which is not supported'))
    default:
      return undefined
  }
}

const indexSignature = signature('index! value start? stop?')

function sequenceMethod(value: readonly PythonValue[] | Tuple | Range, name: string): Callable | undefined {
  const items = (): readonly PythonValue[] =>
    value instanceof Tuple
      ? value.items
      : value instanceof Range
        ? Array.from({ length: value.length }, (_, i) => value.at(i))
        : value
  switch (name) {
    case 'count':
      return new Callable(name, args => {
        const [wanted] = bind(signature('count! value'), args, undefined)
        return items().filter(item => isEqual(item, wanted!)).length
      })
    case 'index':
      return new Callable(name, args => {
        const [wanted, from, to] = bind(indexSignature, args, undefined)
        const all = items()
        const place = (given: number): number => (given < 0 ? Math.max(0, given + all.length) : given)
        const end = Math.min(all.length, place(integerArgument(to, all.length)))
        for (let index = place(integerArgument(from, 0)); index < end; index++) {
          if (isEqual(all[index]!, wanted!)) return index
        }
        return failTemplate('ValueError', `${repr(wanted!)} is not in ${typeName(value)}`)
      })
    case 'copy':
      if (!isList(value)) return undefined
      return new Callable(name, () => {
        chargeList(value.length)
        return [...value]
      })
    default:
      return undefined
  }
}

function numberAttribute(value: number | bigint | boolean | Float, name: string): PythonValue | undefined {
  const plain = typeof value === 'boolean' ? Number(value) : value
  switch (name) {
    case 'real':
      return plain
    case 'imag':
      return value instanceof Float ? new Float(0) : 0
    case 'conjugate':
      return new Callable(name, () => plain)
    case 'is_integer':
      return new Callable(name, () => !(value instanceof Float) || Number.isInteger(value.value))
    case 'as_integer_ratio':
    case 'fromhex':
    case 'hex':
      if (name !== 'as_integer_ratio' && !(value instanceof Float)) return undefined
      return new Callable(name, () => unsupported(`calls ${typeName(value)}.${name}(), which is not supported`))
  }
  if (value instanceof Float) return undefined
  switch (name) {
    case 'numerator':
      return plain
    case 'denominator':
      return 1
    case 'bit_length':
    case 'bit_count':
      return new Callable(name, () => {
        const bits = BigInt(value).toString(2).replace('-', '')
        return name === 'bit_count' ? bits.replaceAll('0', '').length : bits === '0' ? 0 : bits.length
      })
    case 'to_bytes':
    case 'from_bytes':
      return new Callable(name, () => unsupported(`calls int.${name}(), which is not supported`))
  }
  return undefined
}

/** What Python's `getattr` finds, or undefined. */
function attribute(object: PythonValue, name: string): PythonValue | undefined {
  if (typeof object === 'string') {
    if (name === 'format') return new Callable(name, (args, keywords) => formatFields(object, args, keywords, lookup))
    if (name === 'format_map') return new Callable(name, (args, keywords) => formatMap(object, args, keywords))
    if (!isStringMethod(name)) return undefined
    return new Callable(name, (args, keywords) => callStringMethod(object, name, args, keywords))
  }
  if (object instanceof Dict) {
    return changers.dict!.has(name) ? unsafe(object, name) : dictMethod(object, name)
  }
  if (isList(object)) return changers.list!.has(name) ? unsafe(object, name) : sequenceMethod(object, name)
  if (object instanceof Tuple) {
    const named = object.names.indexOf(name)
    return named === -1 ? sequenceMethod(object, name) : object.items[named]
  }
  if (object instanceof Namespace) return object.fields.get(name)
  if (object instanceof Internal) return object.structure.attribute(name)
  if (isInteger(object) || object instanceof Float) return numberAttribute(object, name)
  if (object instanceof Callable) return object.attributes.get(name)
  if (object instanceof Range) {
    if (name === 'start' || name === 'stop' || name === 'step') return object[name]
    return sequenceMethod(object, name)
  }
  if (object instanceof Markup) {
    if (!isStringMethod(name)) return undefined
    return new Callable(name, (args, keywords) =>
      markupResult(name, () => callStringMethod(object.text, name, args, keywords))
    )
  }
  if (object instanceof DictView && (name === 'mapping' || name === 'isdisjoint')) {
    return unsupported(`uses .${name} of ${typeName(object)}`)
  }
  return undefined
}

function formatMap(text: string, args: readonly PythonValue[], keywords: Keywords): PythonValue {
  const [fields] = args
  if (args.length !== 1 || keywords !== undefined || !(fields instanceof Dict)) {
    return failTemplate('TypeError', `format_map() takes exactly one mapping (${args.length} given)`)
  }
  return formatFields(text, [], new Map(Array.from(fields.entries(), ([key, value]) => [String(key), value])), lookup)
}

/** What `object[key]` finds, or undefined. */
function element(object: PythonValue, key: PythonValue): PythonValue | undefined {
  if (object instanceof Dict) {
    if (isList(key) || key instanceof Dict) return undefined
    return object.get(key)
  }
  if (object instanceof Namespace) return typeof key === 'string' ? object.fields.get(key) : undefined
  if (object instanceof Markup) {
    const found = element(object.text, key)
    return typeof found === 'string' ? new Markup(found) : undefined
  }
  return isInteger(key) ? at(object, Number(key)) : undefined
}

/** `object.name`. */
export function getAttribute(object: PythonValue, name: string): PythonValue {
  charge(1)
  if (object instanceof Undefined) {
    if (!hidden.has(name)) object.raise()
  }
  if (hidden.has(name)) return unsafe(object, name)
  const found = attribute(object, name)
  if (found !== undefined) return found
  return orElse(element(object, name), () => missing(object, name, repr))
}

/** `object[key]`. */
export function getItem(object: PythonValue, key: PythonValue): PythonValue {
  charge(1)
  if (object instanceof Undefined) object.raise()
  const found = element(object, key)
  if (found !== undefined) return found
  if (typeof key === 'string') {
    if (hidden.has(key)) return unsafe(object, key)
    const other = attribute(object, key)
    if (other !== undefined) return other
  }
  return missing(object, key, repr)
}

/** The filter `attr`: an attribute and no element. */
export function onlyAttribute(object: PythonValue, name: string): PythonValue {
  if (object instanceof Undefined) return getAttribute(object, name)
  if (hidden.has(name)) return unsafe(object, name)
  return orElse(attribute(object, name), () => missing(object, name, repr))
}

const lookup: Lookup = { attribute: getAttribute, item: getItem }

/** Calls what a template names. Throws TypeError for what cannot be called. */
export function call(callee: PythonValue, args: readonly PythonValue[], keywords: Keywords): PythonValue {
  charge(4)
  if (callee instanceof Callable) return callee.call(args, keywords)
  if (callee instanceof Internal && callee.structure.call !== undefined) return callee.structure.call(args, keywords)
  if (callee instanceof Undefined) return callee.raise()
  return failTemplate('TypeError', `'${typeName(callee)}' object is not callable`)
}
