// jinja2's filters over sequences and values; those over texts are in text-filters.ts.

import { charge, chargeList } from './budget.ts'
import { failTemplate, isPythonError, unsupported } from './errors.ts'
import { getItem, onlyAttribute } from './lookup.ts'
import { bind, integerArgument, signature, textArgument } from './python/arguments.ts'
import { isEqual, order, sorted } from './python/compare.ts'
import { lowerCase } from './python/letters.ts'
import { arithmetic, asFloat, isNumeric, parseFloat_, parseInteger, round, signed, truncate } from './python/numbers.ts'
import { add } from './python/operators.ts'
import { at, iterate, joinTexts, length, listOf } from './python/sequences.ts'
import { codePoints, str } from './python/text.ts'
import {
  Dict,
  DictView,
  Float,
  Iter,
  isInteger,
  isList,
  isTrue,
  type Keywords,
  orElse,
  type PythonValue,
  Range,
  Tuple,
  typeName,
  Undefined
} from './python/values.ts'
import { tests } from './tests.ts'
import { textFilters } from './text-filters.ts'

/** The value is the first argument. */
export type Filter = (args: readonly PythonValue[], keywords: Keywords) => PythonValue

type Getter = (item: PythonValue) => PythonValue

const lower: Getter = value => (typeof value === 'string' ? lowerCase(value) : value)

const parts = (path: PythonValue | undefined): PythonValue[] => {
  if (path === undefined || path === null) return []
  if (typeof path !== 'string') return [path]
  return path.split('.').map(part => (/^\p{Nd}+$/u.test(part) ? parseInteger(part, 10) : part))
}

/** Looks up a path such as `address.city`. */
function getter(path: PythonValue | undefined, otherwise?: PythonValue): Getter {
  const names = parts(path)
  return item => {
    let found = item
    for (const name of names) {
      found = getItem(found, name)
      if (found instanceof Undefined && otherwise !== undefined && otherwise !== null) found = otherwise
    }
    return found
  }
}

const ignoringCase = (get: Getter, caseSensitive: PythonValue | undefined): Getter =>
  isTrue(caseSensitive ?? false) ? get : item => lower(get(item))

function* mapped(values: Iterable<PythonValue>, run: Getter): Generator<PythonValue> {
  for (const value of values) {
    charge(4)
    yield run(value)
  }
}

function* selected(values: Iterable<PythonValue>, keep: (value: PythonValue) => boolean): Generator<PythonValue> {
  for (const value of values) {
    charge(4)
    if (keep(value)) yield value
  }
}

function filterNamed(name: PythonValue): Filter {
  const filter = typeof name === 'string' ? filters.get(name) : undefined
  return filter ?? failTemplate('TemplateRuntimeError', `No filter named '${str(name)}'.`)
}

function map(args: readonly PythonValue[], keywords: Keywords): PythonValue {
  const [value, name, ...rest] = args
  if (name === undefined && keywords?.has('attribute')) {
    for (const keyword of keywords.keys()) {
      if (keyword !== 'attribute' && keyword !== 'default') {
        failTemplate('FilterArgumentError', `Unexpected keyword argument '${keyword}'`)
      }
    }
    const get = getter(keywords.get('attribute'), keywords.get('default'))
    return new Iter('generator', mapped(isTrue(value!) ? iterate(value!) : [], get))
  }
  function* run(): Generator<PythonValue> {
    if (!isTrue(value!)) return
    if (name === undefined) failTemplate('FilterArgumentError', 'map requires a filter argument')
    const filter = filterNamed(name)
    yield* mapped(iterate(value!), item => filter([item, ...rest], keywords))
  }
  return new Iter('generator', run())
}

/** `select`, `reject`, and the two of attributes. */
function selection(wanted: boolean, byAttribute: boolean): Filter {
  return (args, keywords) => {
    const [value, ...rest] = args
    function* run(): Generator<PythonValue> {
      if (!isTrue(value!)) return
      if (byAttribute && rest.length === 0) failTemplate('FilterArgumentError', 'Missing parameter for attribute name')
      const get = byAttribute ? getter(rest[0]) : (item: PythonValue) => item
      const [name, ...others] = rest.slice(byAttribute ? 1 : 0)
      const test = typeof name === 'string' ? tests.get(name) : undefined
      if (name !== undefined && test === undefined)
        failTemplate('TemplateRuntimeError', `No test named '${str(name)}'.`)
      yield* selected(iterate(value!), item => {
        const found = get(item)
        return (test === undefined ? isTrue(found) : test([found, ...others], keywords)) === wanted
      })
    }
    return new Iter('generator', run())
  }
}

function extreme(
  value: PythonValue,
  caseSensitive: PythonValue | undefined,
  attribute: PythonValue | undefined,
  sign: 1 | -1
): PythonValue {
  const key = ignoringCase(getter(attribute), caseSensitive)
  let best: { value: PythonValue; key: PythonValue } | undefined
  for (const item of iterate(value)) {
    const found = { value: item, key: key(item) }
    const better =
      best === undefined || (sign > 0 ? order(found.key, best.key, '>') > 0 : order(found.key, best.key, '<') < 0)
    if (better) best = found
  }
  return best === undefined ? new Undefined(() => 'No aggregated item, sequence was empty.') : best.value
}

function sum(values: Iterable<PythonValue>, start: PythonValue): PythonValue {
  if (typeof start === 'string') failTemplate('TypeError', "sum() can't sum strings [use ''.join(seq) instead]")
  let total: PythonValue = start
  for (const value of values) {
    charge(2)
    total = add(total, value)
  }
  return total
}

function* unique(values: Iterable<PythonValue>, key: Getter): Generator<PythonValue> {
  const seen = new Dict()
  for (const value of values) {
    const found = key(value)
    if (seen.has(found)) continue
    charge(16)
    seen.set(found, null)
    yield value
  }
}

function groupBy(args: readonly (PythonValue | undefined)[]): PythonValue {
  const [value, attribute, otherwise, caseSensitive] = args
  const get = getter(attribute, otherwise)
  const key = ignoringCase(get, caseSensitive)
  const groups: { key: PythonValue; items: PythonValue[] }[] = []
  for (const item of sorted(listOf(value!), key, false)) {
    const found = key(item)
    const last = groups.at(-1)
    if (last !== undefined && isEqual(last.key, found)) last.items.push(item)
    else groups.push({ key: found, items: [item] })
  }
  const shown = isTrue(caseSensitive ?? false)
    ? (group: { key: PythonValue }) => group.key
    : (group: { items: PythonValue[] }) => get(group.items[0]!)
  return groups.map(group => new Tuple([shown(group), group.items], ['grouper', 'list']))
}

function* batches(value: PythonValue, size: number, fill: PythonValue): Generator<PythonValue> {
  let batch: PythonValue[] = []
  for (const item of iterate(value)) {
    charge(8)
    if (batch.length === size) {
      yield batch
      batch = []
    }
    batch.push(item)
  }
  if (batch.length === 0) return
  if (fill !== null) {
    chargeList(Math.max(0, size - batch.length))
    while (batch.length < size) batch.push(fill)
  }
  yield batch
}

function* slices(value: PythonValue, count: number, fill: PythonValue): Generator<PythonValue> {
  const all = listOf(value)
  if (count === 0) failTemplate('ZeroDivisionError', 'integer division or modulo by zero')
  const size = Math.floor(all.length / count)
  const longer = all.length - size * count
  let start = 0
  for (let index = 0; index < count; index++) {
    const end = start + size + (index < longer ? 1 : 0)
    chargeList(end - start)
    const part = all.slice(start, end)
    if (fill !== null && index >= longer) part.push(fill)
    yield part
    start = end
  }
}

function reversed(value: PythonValue): PythonValue {
  if (typeof value === 'string') return codePoints(value).reverse().join('')
  const kind = isList(value)
    ? 'list_reverseiterator'
    : value instanceof Dict || value instanceof DictView
      ? 'dict_reversekeyiterator'
      : value instanceof Range
        ? 'range_iterator'
        : 'reversed'
  if (value instanceof Iter || value instanceof Undefined) return listOf(value).reverse()
  if (!isReversible(value)) return failTemplate('FilterArgumentError', 'argument must be iterable')
  return new Iter(kind, listOf(value).reverse().values())
}

const isReversible = (value: PythonValue): boolean =>
  isList(value) ||
  value instanceof Tuple ||
  value instanceof Dict ||
  value instanceof DictView ||
  value instanceof Range ||
  typeof value === 'string'

function last(value: PythonValue): PythonValue {
  if (value instanceof Undefined) return failTemplate('TypeError', "'Undefined' object is not reversible")
  if (!isReversible(value)) return failTemplate('TypeError', `'${typeName(value)}' object is not reversible`)
  const found = value instanceof Dict || value instanceof DictView ? listOf(value).at(-1) : at(value, -1)
  return orElse(found, () => new Undefined(() => 'No last item, sequence was empty.'))
}

function first(value: PythonValue): PythonValue {
  for (const item of iterate(value)) return item
  return new Undefined(() => 'No first item, sequence was empty.')
}

function toFloat(value: PythonValue): number {
  if (typeof value === 'string') return parseFloat_(value)
  if (value instanceof Undefined) value.raise()
  if (!isNumeric(value)) {
    return failTemplate('TypeError', `float() argument must be a string or a real number, not '${typeName(value)}'`)
  }
  return asFloat(value)
}

function toInteger(value: PythonValue, base: number): PythonValue {
  if (typeof value === 'string') return parseInteger(value, base)
  if (value instanceof Undefined) value.raise()
  if (value instanceof Float) return truncate(value.value)
  if (!isInteger(value)) {
    return failTemplate('TypeError', `int() argument must be a string or a real number, not '${typeName(value)}'`)
  }
  return typeof value === 'boolean' ? Number(value) : value
}

function attempt<T>(
  run: () => T,
  otherwise: (error: unknown) => T,
  ...types: readonly ('TypeError' | 'ValueError' | 'OverflowError')[]
): T {
  try {
    return run()
  } catch (error) {
    if (!isPythonError(error, ...types)) throw error
    return otherwise(error)
  }
}

const numberFilters = {
  int: (value: PythonValue, otherwise: PythonValue = 0, base: PythonValue = 10): PythonValue =>
    attempt(
      () => toInteger(value, integerArgument(base, 10)),
      () =>
        attempt(
          () => truncate(toFloat(value)) as PythonValue,
          () => otherwise,
          'TypeError',
          'ValueError',
          'OverflowError'
        ),
      'TypeError',
      'ValueError'
    ),
  float: (value: PythonValue, otherwise: PythonValue = new Float(0)): PythonValue =>
    attempt(
      () => new Float(toFloat(value)) as PythonValue,
      () => otherwise,
      'TypeError',
      'ValueError'
    )
}

function rounded(value: PythonValue, precision: PythonValue | undefined, method: PythonValue | undefined): PythonValue {
  const how = method === undefined ? 'common' : method
  const decimals = integerArgument(precision, 0)
  if (how === 'common') {
    if (value instanceof Undefined) value.raise()
    return round(value, decimals)
  }
  if (how !== 'ceil' && how !== 'floor')
    return failTemplate('FilterArgumentError', 'method must be common, ceil or floor')
  const scale = arithmetic('**', 10, decimals)!
  const scaled = arithmetic('*', value, scale)
  if (scaled === undefined) {
    if (value instanceof Undefined) value.raise()
    return failTemplate('TypeError', `must be real number, not ${typeName(value)}`)
  }
  const whole =
    scaled instanceof Float ? truncate(how === 'ceil' ? Math.ceil(scaled.value) : Math.floor(scaled.value)) : scaled
  return arithmetic('/', whole, scale)!
}

const entry = (text: string, run: (...args: (PythonValue | undefined)[]) => PythonValue): [string, Filter] => {
  const known = signature(text)
  return [known.name, (args, keywords) => run(...bind(known, args, keywords))]
}

const missingFilter = (name: string): [string, Filter] => [
  name,
  () => unsupported(`uses the filter '${name}', which is not supported`)
]

const count = (value: PythonValue | undefined): PythonValue => length(value!)
const otherwise = (value?: PythonValue, given: PythonValue = '', boolean: PythonValue = false): PythonValue =>
  value instanceof Undefined || (isTrue(boolean) && !isTrue(value!)) ? given : value!

/** The filters by name. */
export const filters: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ...textFilters,
  ['map', map],
  ['select', selection(true, false)],
  ['reject', selection(false, false)],
  ['selectattr', selection(true, true)],
  ['rejectattr', selection(false, true)],
  entry('abs x', value => {
    if (value instanceof Float) return new Float(Math.abs(value.value))
    if (value instanceof Undefined) value.raise()
    if (!isInteger(value!)) return failTemplate('TypeError', `bad operand type for abs(): '${typeName(value!)}'`)
    return Number(value) < 0 ? signed('-', value) : signed('+', value)
  }),
  entry('attr obj name', (object, name) => onlyAttribute(object!, textArgument(name, 'attribute name'))),
  entry(
    'batch value linecount fill_with?',
    (value, size, fill = null) => new Iter('generator', batches(value!, integerArgument(size, 1), fill))
  ),
  entry('count obj', count),
  entry('length obj', count),
  entry('d value default_value? boolean?', otherwise),
  entry('default value default_value? boolean?', otherwise),
  entry('dictsort value case_sensitive? by? reverse?', (value, caseSensitive, by = 'key', reverse = false) => {
    if (by !== 'key' && by !== 'value')
      failTemplate('FilterArgumentError', 'You can only sort by either "key" or "value"')
    if (value instanceof Undefined) value.raise()
    if (!(value instanceof Dict))
      return failTemplate('AttributeError', `'${typeName(value!)}' object has no attribute 'items'`)
    const key = ignoringCase(item => (item as Tuple).items[by === 'key' ? 0 : 1]!, caseSensitive)
    return sorted(
      Array.from(value.entries(), pair => new Tuple(pair)),
      key,
      isTrue(reverse)
    )
  }),
  entry('first seq', value => first(value!)),
  entry('last seq', value => last(value!)),
  entry('float value default?', (value, given) => numberFilters.float(value!, given)),
  entry('int value default? base?', (value, given, base) => numberFilters.int(value!, given, base)),
  entry('groupby value attribute default? case_sensitive?', (...args) => groupBy(args)),
  entry('items value', value => {
    function* run(): Generator<PythonValue> {
      if (value instanceof Undefined) return
      if (!(value instanceof Dict)) failTemplate('TypeError', 'Can only get item pairs from a mapping.')
      yield* new DictView('dict_items', value as Dict).entries()
    }
    return new Iter('generator', run())
  }),
  entry('join value d? attribute?', (value, separator = '', attribute) => {
    const values = iterate(value!)
    return joinTexts(
      str(separator),
      attribute === undefined || attribute === null ? values : mapped(values, getter(attribute))
    )
  }),
  entry('list value', value => listOf(value!)),
  entry('max value case_sensitive? attribute?', (value, cases, attribute) => extreme(value!, cases, attribute, 1)),
  entry('min value case_sensitive? attribute?', (value, cases, attribute) => extreme(value!, cases, attribute, -1)),
  entry('reverse value', value => reversed(value!)),
  entry('round value precision? method?', (value, precision, method) => rounded(value!, precision, method)),
  entry(
    'slice value slices fill_with?',
    (value, size, fill = null) => new Iter('generator', slices(value!, integerArgument(size, 1), fill))
  ),
  entry('sort value reverse? case_sensitive? attribute?', (value, reverse = false, cases, attribute) => {
    const paths = typeof attribute === 'string' ? attribute.split(',') : [attribute]
    const getters = paths.map(path => ignoringCase(getter(path), cases))
    return sorted(listOf(value!), item => getters.map(get => get(item)), isTrue(reverse))
  }),
  entry('sum iterable attribute? start?', (value, attribute, start = 0) => {
    const values = iterate(value!)
    return sum(attribute === undefined || attribute === null ? values : mapped(values, getter(attribute)), start)
  }),
  entry(
    'unique value case_sensitive? attribute?',
    (value, cases, attribute) => new Iter('generator', unique(iterate(value!), ignoringCase(getter(attribute), cases)))
  ),
  ...['pprint', 'random', 'urlize', 'wordwrap'].map(missingFilter)
])

tests.set('filter', args => typeof args[0] === 'string' && filters.has(args[0]))
tests.set('test', args => typeof args[0] === 'string' && tests.has(args[0]))
