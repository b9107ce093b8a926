// jinja2's tests: `is defined`, `is odd`, …

import { failTemplate } from './errors.ts'
import { bind, signature } from './python/arguments.ts'
import { compare, isEqual } from './python/compare.ts'
import { formatPercent } from './python/formatting.ts'
import { isLower, isUpper } from './python/letters.ts'
import { arithmetic, isNumeric } from './python/numbers.ts'
import { contains, elements, lengthOf } from './python/sequences.ts'
import { str } from './python/text.ts'
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
  type PythonValue,
  Range,
  Tuple,
  typeName,
  Undefined
} from './python/values.ts'

export type Test = (args: readonly PythonValue[], keywords: Keywords) => boolean

function remainderIs(value: PythonValue, divisor: PythonValue, rest: number): boolean {
  if (value instanceof Undefined) value.raise()
  // Python's % of a text is another thing
  if (typeof value === 'string') return isEqual(formatPercent(value, divisor), rest)
  const remainder = arithmetic('%', value, divisor)
  if (remainder === undefined) {
    if (divisor instanceof Undefined) divisor.raise()
    return failTemplate(
      'TypeError',
      `unsupported operand type(s) for %: '${typeName(value)}' and '${typeName(divisor)}'`
    )
  }
  return isEqual(remainder, rest)
}

function isSame(left: PythonValue, right: PythonValue): boolean {
  if (left instanceof Float && right instanceof Float) return Object.is(left, right)
  return left === right
}

/** by signature */
const written: Readonly<Record<string, (value: PythonValue, other: PythonValue) => boolean>> = {
  'odd value': value => remainderIs(value, 2, 1),
  'even value': value => remainderIs(value, 2, 0),
  'divisibleby value num': (value, other) => remainderIs(value, other, 0),
  'defined value': value => !(value instanceof Undefined),
  'undefined value': value => value instanceof Undefined,
  'none value': value => value === null,
  'boolean value': value => typeof value === 'boolean',
  'false value': value => value === false,
  'true value': value => value === true,
  'integer value': value => typeof value === 'number' || typeof value === 'bigint',
  'float value': value => value instanceof Float,
  'lower value': value => isLower(str(value)),
  'upper value': value => isUpper(str(value)),
  'string value': value => typeof value === 'string' || value instanceof Markup,
  'mapping value': value => value instanceof Dict,
  'number value': value => isNumeric(value) || isInteger(value),
  'sequence value': value =>
    lengthOf(value) !== undefined &&
    !(value instanceof DictView) &&
    (typeof value === 'string' ||
      isList(value) ||
      value instanceof Tuple ||
      value instanceof Dict ||
      value instanceof Range ||
      value instanceof Markup ||
      value instanceof Undefined),
  'iterable value': value =>
    elements(value) !== undefined || (value instanceof Internal && value.structure.typeName === 'LoopContext'),
  'callable value': value =>
    value instanceof Callable ||
    value instanceof Undefined ||
    (value instanceof Internal && value.structure.call !== undefined),
  'sameas value other': isSame,
  'escaped value': value => value instanceof Markup,
  'in value seq': (value, other) => contains(other, value),
  'eq a! b': (value, other) => isEqual(value, other),
  'ne a! b': (value, other) => !isEqual(value, other),
  'gt a! b': (value, other) => compare('>', value, other),
  'ge a! b': (value, other) => compare('>=', value, other),
  'lt a! b': (value, other) => compare('<', value, other),
  'le a! b': (value, other) => compare('<=', value, other)
}

const otherNames: Readonly<Record<string, string>> = {
  '==': 'eq',
  equalto: 'eq',
  '!=': 'ne',
  '>': 'gt',
  greaterthan: 'gt',
  '>=': 'ge',
  '<': 'lt',
  lessthan: 'lt',
  '<=': 'le'
}

/** The tests by name; `filter` and `test` are added where the filters are known. */
export const tests = new Map<string, Test>(
  Object.entries(written).map(([text, test]) => {
    const known = signature(text.replace('!', ''))
    return [known.name, (args, keywords) => test(...(bind(known, args, keywords) as [PythonValue, PythonValue]))]
  })
)
for (const [name, other] of Object.entries(otherNames)) tests.set(name, tests.get(other)!)
