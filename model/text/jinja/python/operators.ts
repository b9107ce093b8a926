// `+`, `*`, `%` and their kin over all values.
import { chargeList, chargeText } from '../budget.ts'
import { failTemplate, unsupported } from '../errors.ts'
import { formatPercent } from './formatting.ts'
import { addMarkup } from './markup.ts'
import { type ArithmeticOperator, arithmetic } from './numbers.ts'
import { concatenate } from './text.ts'
import { Dict, DictView, isInteger, isList, Markup, type PythonValue, Tuple, typeName, Undefined } from './values.ts'

function repeat(value: PythonValue, times: PythonValue): PythonValue | undefined {
  if (!isInteger(times)) return undefined
  const count = Math.max(0, Number(times))
  if (typeof value === 'string') {
    chargeText(value.length * count)
    return value.repeat(count)
  }
  const items = isList(value) ? value : value instanceof Tuple ? value.items : undefined
  if (items === undefined) return undefined
  chargeList(items.length * count)
  const repeated = Array.from({ length: items.length * count }, (_, at) => items[at % items.length]!)
  return isList(value) ? repeated : new Tuple(repeated)
}

function concatenated(left: PythonValue, right: PythonValue): PythonValue | undefined {
  if (typeof left === 'string') {
    if (typeof right === 'string') return concatenate(left, right)
    if (right instanceof Undefined) return right.raise()
    return failTemplate('TypeError', `can only concatenate str (not "${typeName(right)}") to str`)
  }
  if (isList(left)) {
    if (right instanceof Undefined) return right.raise()
    if (!isList(right)) return failTemplate('TypeError', `can only concatenate list (not "${typeName(right)}") to list`)
    chargeList(left.length + right.length)
    return [...left, ...right]
  }
  if (left instanceof Tuple) {
    if (right instanceof Undefined) return right.raise()
    if (!(right instanceof Tuple))
      return failTemplate('TypeError', `can only concatenate tuple (not "${typeName(right)}") to tuple`)
    chargeList(left.items.length + right.items.length)
    return new Tuple([...left.items, ...right.items])
  }
  return undefined
}

/** `left + right`. */
export function add(left: PythonValue, right: PythonValue): PythonValue {
  if (typeof left === 'string' && typeof right === 'string') return concatenate(left, right)
  return operate('+', left, right)
}

/** A binary operator of Python. Throws TypeError where the types have none. */
export function operate(operator: ArithmeticOperator, left: PythonValue, right: PythonValue): PythonValue {
  const number = arithmetic(operator, left, right)
  if (number !== undefined) return number
  if (left instanceof Undefined) return left.raise()
  if (left instanceof Markup || right instanceof Markup) {
    if (operator === '+') return addMarkup(left, right)
    const [html, times] = left instanceof Markup ? [left, right] : [right, left]
    const repeated = operator === '*' ? repeat((html as Markup).text, times) : undefined
    if (repeated !== undefined) return new Markup(repeated as string)
    return unsupported(`uses ${operator} with the result of |escape or |safe`)
  }
  if (operator === '+') {
    const joined = concatenated(left, right)
    if (joined !== undefined) return joined
  }
  if (operator === '*') {
    const repeated = repeat(left, right) ?? repeat(right, left)
    if (repeated !== undefined) return repeated
    if (right instanceof Undefined) return right.raise()
    const [sequence, other] =
      typeof left === 'string' || isList(left) || left instanceof Tuple ? [left, right] : [right, left]
    if (typeof sequence === 'string' || isList(sequence) || sequence instanceof Tuple) {
      return failTemplate('TypeError', `can't multiply sequence by non-int of type '${typeName(other)}'`)
    }
  }
  if (operator === '%' && typeof left === 'string') return formatPercent(left, right)
  if (right instanceof Undefined) return right.raise()
  if (left instanceof DictView && right instanceof DictView)
    unsupported(`uses ${operator} with the keys of two dictionaries`)
  if (left instanceof Dict && right instanceof Dict && operator !== '+')
    unsupported(`uses ${operator} with dictionaries`)
  const name = operator === '**' ? '** or pow()' : operator
  return failTemplate(
    'TypeError',
    `unsupported operand type(s) for ${name}: '${typeName(left)}' and '${typeName(right)}'`
  )
}
