// What can be counted, read in order, indexed and sliced.
import { charge, chargeList, chargeText } from '../budget.ts'
import { failTemplate } from '../errors.ts'
import { isEqual } from './compare.ts'
import { firstIndex } from './search.ts'
import { codePoints, isPlain, str, textLength, unitsOf } from './text.ts'
import {
  Dict,
  DictView,
  Internal,
  Iter,
  isInteger,
  isList,
  Markup,
  type PythonValue,
  Range,
  Tuple,
  typeName,
  Undefined
} from './values.ts'

function* rangeItems(range: Range): Generator<PythonValue> {
  for (let index = 0; index < range.length; index++) yield range.at(index)
}

/** The elements in order, or undefined for what has none. A generator can be read once. */
export function elements(value: PythonValue): Iterable<PythonValue> | undefined {
  if (isList(value)) return value
  if (typeof value === 'string') return codePoints(value)
  if (value instanceof Tuple) return value.items
  if (value instanceof Dict) return value.keys()
  if (value instanceof DictView) return value.entries()
  if (value instanceof Range) return rangeItems(value)
  if (value instanceof Iter) return { [Symbol.iterator]: () => value.iterator }
  if (value instanceof Undefined) return []
  if (value instanceof Markup) return codePoints(value.text)
  return undefined
}

/** The elements in order. Throws TypeError for what has none. */
export function iterate(value: PythonValue): Iterable<PythonValue> {
  return elements(value) ?? failTemplate('TypeError', `'${typeName(value)}' object is not iterable`)
}

/** Python's `list(value)`. */
export function listOf(value: PythonValue): PythonValue[] {
  const list: PythonValue[] = []
  for (const item of iterate(value)) {
    charge(8)
    list.push(item)
  }
  return list
}

/** Python's `len`, or undefined for what has none. */
export function lengthOf(value: PythonValue): number | undefined {
  if (typeof value === 'string') return textLength(value)
  if (isList(value)) return value.length
  if (value instanceof Tuple) return value.items.length
  if (value instanceof Dict) return value.size
  if (value instanceof DictView) return value.dict.size
  if (value instanceof Range) return value.length
  if (value instanceof Undefined) return 0
  if (value instanceof Markup) return textLength(value.text)
  if (value instanceof Internal) return value.structure.length?.()
  return undefined
}

/** Python's `len`. Throws TypeError. */
export function length(value: PythonValue): number {
  return lengthOf(value) ?? failTemplate('TypeError', `object of type '${typeName(value)}' has no len()`)
}

/** Python's `item in container`. */
export function contains(container: PythonValue, item: PythonValue): boolean {
  if (typeof container === 'string') {
    if (item instanceof Markup) return firstIndex(container, item.text) !== -1
    if (typeof item !== 'string') {
      failTemplate('TypeError', `'in <string>' requires string as left operand, not ${typeName(item)}`)
    }
    charge(container.length / 8 + item.length / 8 + 1)
    return firstIndex(container, item) !== -1
  }
  if (container instanceof Dict) return container.has(item)
  if (container instanceof DictView && container.kind === 'dict_keys') return container.dict.has(item)
  if (container instanceof Markup) return contains(container.text, item)
  const all = elements(container)
  if (all === undefined) return failTemplate('TypeError', `argument of type '${typeName(container)}' is not iterable`)
  for (const element of all) if (isEqual(element, item)) return true
  return false
}

/** The element at a position that counts from the end where it is negative; undefined beyond. */
export function at(value: PythonValue, index: number): PythonValue | undefined {
  const list = isList(value) ? value : value instanceof Tuple ? value.items : undefined
  if (list !== undefined) return list[index < 0 ? index + list.length : index]
  if (typeof value === 'string') {
    if (isPlain(value)) return value[index < 0 ? index + value.length : index]
    const place = index < 0 ? index + textLength(value) : index
    const point = place < 0 ? undefined : value.codePointAt(unitsOf(value, place))
    return point === undefined ? undefined : String.fromCodePoint(point)
  }
  if (value instanceof Range) {
    const place = index < 0 ? index + value.length : index
    return place >= 0 && place < value.length ? value.at(place) : undefined
  }
  return undefined
}

function bound(value: PythonValue, name: string): number | undefined {
  if (value === null) return undefined
  if (value instanceof Undefined) value.raise()
  if (!isInteger(value)) {
    return failTemplate('TypeError', `slice indices must be integers or None or have an __index__ method (${name})`)
  }
  return Number(value)
}

function positions(
  size: number,
  start: PythonValue,
  stop: PythonValue,
  step: PythonValue
): { from: number; to: number; by: number } {
  const by = bound(step, 'step') ?? 1
  if (by === 0) failTemplate('ValueError', 'slice step cannot be zero')
  const clamp = (given: number | undefined, otherwise: number): number => {
    if (given === undefined) return otherwise
    const place = given < 0 ? given + size : given
    return by > 0 ? Math.min(Math.max(place, 0), size) : Math.min(Math.max(place, -1), size - 1)
  }
  return {
    from: clamp(bound(start, 'start'), by > 0 ? 0 : size - 1),
    to: clamp(bound(stop, 'stop'), by > 0 ? size : -1),
    by
  }
}

function picked<T>(list: readonly T[], start: PythonValue, stop: PythonValue, step: PythonValue): T[] {
  const { from, to, by } = positions(list.length, start, stop, step)
  if (by === 1) {
    chargeList(Math.max(0, to - from))
    return list.slice(from, Math.max(from, to))
  }
  const found: T[] = []
  for (let index = from; by > 0 ? index < to : index > to; index += by) {
    charge(8)
    found.push(list[index]!)
  }
  return found
}

/** `value[start:stop:step]`. */
export function slice(value: PythonValue, start: PythonValue, stop: PythonValue, step: PythonValue): PythonValue {
  if (isList(value)) return picked(value, start, stop, step)
  if (value instanceof Tuple) return new Tuple(picked(value.items, start, stop, step))
  if (typeof value === 'string') {
    const { from, to, by } = positions(textLength(value), start, stop, step)
    if (by === 1) {
      chargeText(Math.max(0, to - from) / 8)
      return value.slice(unitsOf(value, from), unitsOf(value, Math.max(from, to)))
    }
    return picked(codePoints(value), start, stop, step).join('')
  }
  if (value instanceof Range) {
    const { from, to, by } = positions(value.length, start, stop, step)
    const count = Math.max(0, Math.ceil((to - from) / by))
    const first = value.at(from)
    return new Range(first, first + count * by * value.step, by * value.step)
  }
  if (value instanceof Undefined) return value.raise()
  if (value instanceof Dict) return failTemplate('TypeError', "unhashable type: 'slice'")
  if (value instanceof Markup) return new Markup(slice(value.text, start, stop, step) as string)
  return failTemplate('TypeError', `'${typeName(value)}' object is not subscriptable`)
}

/** Assigns the elements of a value to `count` names. Throws ValueError where there are more or fewer. */
export function unpack(value: PythonValue, count: number): PythonValue[] {
  if (value instanceof Undefined)
    return failTemplate('ValueError', `not enough values to unpack (expected ${count}, got 0)`)
  const all = elements(value)
  if (all === undefined) return failTemplate('TypeError', `cannot unpack non-iterable ${typeName(value)} object`)
  const found: PythonValue[] = []
  for (const item of all) {
    if (found.length === count) failTemplate('ValueError', `too many values to unpack (expected ${count})`)
    found.push(item)
  }
  if (found.length < count)
    failTemplate('ValueError', `not enough values to unpack (expected ${count}, got ${found.length})`)
  return found
}

/** Python's `separator.join(map(str, values))`. */
export function joinTexts(separator: string, values: Iterable<PythonValue>): string {
  const parts: string[] = []
  let size = 0
  for (const value of values) {
    const part = str(value)
    size += part.length + separator.length
    charge(8 + part.length)
    parts.push(part)
  }
  chargeText(size)
  return parts.join(separator)
}
