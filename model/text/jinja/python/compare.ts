// Python's equality and order.
import { charge, nested } from '../budget.ts'
import { failTemplate, unsupported } from '../errors.ts'
import { asFloat, isNumeric } from './numbers.ts'
import {
  Dict,
  DictView,
  Float,
  isInteger,
  isList,
  Markup,
  type PythonValue,
  Range,
  Tuple,
  typeName,
  Undefined
} from './values.ts'

export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>='

function sameItems(left: readonly PythonValue[], right: readonly PythonValue[]): boolean {
  if (left.length !== right.length) return false
  return nested(() => left.every((item, index) => isEqual(item, right[index]!)))
}

function sameDict(left: Dict, right: Dict): boolean {
  if (left.size !== right.size) return false
  return nested(() => {
    for (const [key, value] of left.entries()) {
      const other = right.get(key)
      if (other === undefined || !isEqual(value, other)) return false
    }
    return true
  })
}

/** JavaScript compares ints and floats exactly where one is a bigint and the other a number. */
const plain = (value: number | bigint | boolean | Float): number | bigint =>
  value instanceof Float ? value.value : typeof value === 'boolean' ? Number(value) : value

/** Python's `==`. */
export function isEqual(left: PythonValue, right: PythonValue): boolean {
  charge(1)
  if (typeof left === 'string') {
    if (typeof right === 'string') {
      if (left.length === right.length && left.length > 64) charge(left.length / 16)
      return left === right
    }
    return right instanceof Markup && left === right.text
  }
  if (left === null || right === null) return left === right
  // biome-ignore lint/suspicious/noDoubleEquals: a bigint and a number are compared by value
  if (isNumeric(left)) return isNumeric(right) && plain(left) == plain(right)
  if (left === right) return true
  if (isList(left)) return isList(right) && sameItems(left, right)
  if (left instanceof Tuple) return right instanceof Tuple && sameItems(left.items, right.items)
  if (left instanceof Dict) return right instanceof Dict && sameDict(left, right)
  if (left instanceof Undefined) return right instanceof Undefined
  if (left instanceof Markup) return left.text === (right instanceof Markup ? right.text : right)
  if (left instanceof Range && right instanceof Range) {
    if (left.length !== right.length) return false
    return left.length === 0 || (left.start === right.start && (left.length === 1 || left.step === right.step))
  }
  if (left instanceof DictView && right instanceof DictView) {
    if (left.kind === 'dict_values' || right.kind === 'dict_values') return false
    if (left.dict.size !== right.dict.size) return false
    return left.kind === right.kind ? sameView(left, right) : false
  }
  return false
}

function sameView(left: DictView, right: DictView): boolean {
  if (left.kind === 'dict_items') return sameDict(left.dict, right.dict)
  return Array.from(left.dict.keys()).every(key => right.dict.has(key))
}

function textOrder(left: string, right: string): number {
  charge(Math.min(left.length, right.length) / 16 + 1)
  if (left === right) return 0
  const length = Math.min(left.length, right.length)
  for (let at = 0; at < length; at++) {
    const [a, b] = [left.charCodeAt(at), right.charCodeAt(at)]
    if (a === b) continue
    // code points beyond the basic plane come after all others, though their surrogates do not
    const shift = (unit: number): number => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit)
    return shift(a) - shift(b)
  }
  return left.length - right.length
}

/** Negative, zero or positive as `left` is before, at or after `right`; NaN where neither. Throws TypeError where they have no order. */
export function order(left: PythonValue, right: PythonValue, operator: Comparison = '<'): number {
  charge(1)
  if (left instanceof Undefined) left.raise()
  if (right instanceof Undefined) right.raise()
  if (typeof left === 'string' && typeof right === 'string') return textOrder(left, right)
  if (isNumeric(left) && isNumeric(right)) {
    if (left instanceof Float && isInteger(right) && typeof right !== 'bigint') return left.value - Number(right)
    const [a, b] = [plain(left), plain(right)]
    if (Number.isNaN(asFloatOrZero(left)) || Number.isNaN(asFloatOrZero(right))) return Number.NaN
    return a < b ? -1 : a > b ? 1 : 0
  }
  const [leftItems, rightItems] = [itemsOf(left), itemsOf(right)]
  if (leftItems !== undefined && rightItems !== undefined && isList(left) === isList(right)) {
    return nested(() => {
      const length = Math.min(leftItems.length, rightItems.length)
      for (let at = 0; at < length; at++) {
        if (!isEqual(leftItems[at]!, rightItems[at]!)) return order(leftItems[at]!, rightItems[at]!, operator)
      }
      return leftItems.length - rightItems.length
    })
  }
  if (left instanceof Markup) return order(left.text, right, operator)
  if (right instanceof Markup) return order(left, right.text, operator)
  if (left instanceof DictView && right instanceof DictView) unsupported('orders the keys of two dictionaries')
  return failTemplate(
    'TypeError',
    `'${operator}' not supported between instances of '${typeName(left)}' and '${typeName(right)}'`
  )
}

const asFloatOrZero = (value: number | bigint | boolean | Float): number =>
  value instanceof Float ? value.value : typeof value === 'bigint' ? 0 : asFloat(value)

const itemsOf = (value: PythonValue): readonly PythonValue[] | undefined =>
  isList(value) ? value : value instanceof Tuple ? value.items : undefined

/** One of Python's comparisons. */
export function compare(operator: Comparison, left: PythonValue, right: PythonValue): boolean {
  switch (operator) {
    case '==':
      return isEqual(left, right)
    case '!=':
      return !isEqual(left, right)
    case '<':
      return order(left, right, operator) < 0
    case '<=':
      return order(left, right, operator) <= 0
    case '>':
      return order(left, right, operator) > 0
    default:
      return order(left, right, operator) >= 0
  }
}

/** Sorted as Python does: stable, and also where the order is reversed. `key` is asked once for each. */
export function sorted(
  values: readonly PythonValue[],
  key: (value: PythonValue) => PythonValue,
  reverse: boolean
): PythonValue[] {
  const keyed = values.map(value => ({ value, key: key(value) }))
  charge(8 * values.length * Math.ceil(Math.log2(values.length + 1)))
  keyed.sort((left, right) => (reverse ? order(right.key, left.key) : order(left.key, right.key)))
  return keyed.map(({ value }) => value)
}
