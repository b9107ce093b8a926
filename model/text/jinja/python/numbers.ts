// Python's arithmetic: ints of any size, floats with their own text, floor division, rounding to even.
import { charge } from '../budget.ts'
import { failTemplate, unsupported } from '../errors.ts'
import { Float, isInteger, type PythonValue, typeName } from './values.ts'
import { spaceClass } from './white-space.ts'

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '//' | '%' | '**'

/** digits of an int that a template may compute */
const mostDigits = 4000

/** A bigint as the int that it is: a number where it is safe. */
export function integer(value: bigint): number | bigint {
  if (value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value)
  if (value > 2n ** 13300n || value < -(2n ** 13300n))
    failTemplate('ValueError', `an int of more than ${mostDigits} digits`)
  return value
}

const isSmall = (value: number | bigint | boolean): value is number | boolean => typeof value !== 'bigint'

export function isNumeric(value: PythonValue): value is number | bigint | boolean | Float {
  return isInteger(value) || value instanceof Float
}

/** The value as JavaScript's number; large ints are rounded as Python's `float` does. */
export function asFloat(value: number | bigint | boolean | Float): number {
  const number = value instanceof Float ? value.value : Number(value)
  if (!(value instanceof Float) && !Number.isFinite(number))
    failTemplate('OverflowError', 'int too large to convert to float')
  return number
}

const floorModulo = (left: number, right: number): number => {
  const rest = left % right
  if (rest === 0) return right < 0 ? -0 : 0
  return rest < 0 !== right < 0 ? rest + right : rest
}

function floorDivide(left: number, right: number): number {
  const rest = floorModulo(left, right)
  const quotient = (left - rest) / right
  if (quotient === 0) return left / right < 0 ? -0 : 0
  const floor = Math.floor(quotient)
  return quotient - floor > 0.5 ? floor + 1 : floor
}

function floats(operator: ArithmeticOperator, left: number, right: number): PythonValue {
  switch (operator) {
    case '+':
      return new Float(left + right)
    case '-':
      return new Float(left - right)
    case '*':
      return new Float(left * right)
    case '/':
      if (right === 0) failTemplate('ZeroDivisionError', 'float division by zero')
      return new Float(left / right)
    case '//':
      if (right === 0) failTemplate('ZeroDivisionError', 'float floor division by zero')
      return new Float(floorDivide(left, right))
    case '%':
      if (right === 0) failTemplate('ZeroDivisionError', 'float modulo')
      return new Float(floorModulo(left, right))
    case '**': {
      if (left === 0 && right < 0) failTemplate('ZeroDivisionError', '0.0 cannot be raised to a negative power')
      if (left === 1) return new Float(1)
      const power = left ** right
      if (Number.isNaN(power) && !Number.isNaN(left) && !Number.isNaN(right)) {
        unsupported('computes a complex number')
      }
      if (!Number.isFinite(power) && Number.isFinite(left) && Number.isFinite(right)) {
        failTemplate('OverflowError', "(34, 'Numerical result out of range')")
      }
      return new Float(power)
    }
  }
}

function bigIntegers(operator: ArithmeticOperator, left: bigint, right: bigint): PythonValue {
  switch (operator) {
    case '+':
      return integer(left + right)
    case '-':
      return integer(left - right)
    case '*':
      return integer(left * right)
    case '**': {
      const bits = BigInt(left.toString(2).length) * right
      if (bits > 13300n && left !== 0n && left !== 1n && left !== -1n) {
        failTemplate('ValueError', `an int of more than ${mostDigits} digits`)
      }
      charge(200)
      return integer(left ** right)
    }
    case '//': {
      const quotient = left / right
      return integer(quotient * right !== left && left < 0n !== right < 0n ? quotient - 1n : quotient)
    }
    default: {
      const rest = left % right
      return integer(rest !== 0n && rest < 0n !== right < 0n ? rest + right : rest)
    }
  }
}

function integers(
  operator: ArithmeticOperator,
  left: number | bigint | boolean,
  right: number | bigint | boolean
): PythonValue {
  if (operator === '/') {
    if (Number(right) === 0) failTemplate('ZeroDivisionError', 'division by zero')
    return new Float(asFloat(left) / asFloat(right))
  }
  if (operator === '//' || operator === '%') {
    if (Number(right) === 0) {
      failTemplate(
        'ZeroDivisionError',
        operator === '%' ? 'integer modulo by zero' : 'integer division or modulo by zero'
      )
    }
  }
  if (operator === '**' && Number(right) < 0) {
    if (Number(left) === 0) failTemplate('ZeroDivisionError', '0.0 cannot be raised to a negative power')
    return floats('**', asFloat(left), asFloat(right))
  }
  if (isSmall(left) && isSmall(right)) {
    const [a, b] = [Number(left), Number(right)]
    const result =
      operator === '+'
        ? a + b
        : operator === '-'
          ? a - b
          : operator === '*'
            ? a * b
            : operator === '//'
              ? Math.floor(a / b)
              : operator === '%'
                ? floorModulo(a, b)
                : a ** b
    // a quotient of safe integers may be rounded up to a whole number
    if (Number.isSafeInteger(result) && (operator !== '//' || Math.abs(a) < 2 ** 48)) return result + 0
  }
  return bigIntegers(operator, BigInt(left), BigInt(right))
}

/** Arithmetic of two numbers; undefined where one is none. */
export function arithmetic(
  operator: ArithmeticOperator,
  left: PythonValue,
  right: PythonValue
): PythonValue | undefined {
  if (typeof left === 'number' && typeof right === 'number') return integers(operator, left, right)
  if (!isNumeric(left) || !isNumeric(right)) return undefined
  if (left instanceof Float || right instanceof Float) return floats(operator, asFloat(left), asFloat(right))
  return integers(operator, left, right)
}

/** `-value` or `+value`. */
export function signed(operator: '+' | '-', value: PythonValue): PythonValue {
  if (value instanceof Float) return operator === '-' ? new Float(-value.value) : value
  if (!isInteger(value))
    return failTemplate('TypeError', `bad operand type for unary ${operator}: '${typeName(value)}'`)
  if (typeof value === 'bigint') return operator === '-' ? integer(-value) : value
  return operator === '-' ? 0 - Number(value) : Number(value)
}

/** Python's `repr` of a float: the shortest digits that give it back, with an exponent below 1e-4 and from 1e16. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf'
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0'
  const [digits = '', exponentText = '0'] = Math.abs(value).toExponential().split('e')
  const exponent = Number(exponentText)
  const sign = value < 0 ? '-' : ''
  if (exponent < -4 || exponent >= 16) {
    const size = String(Math.abs(exponent)).padStart(2, '0')
    return `${sign}${digits}e${exponent < 0 ? '-' : '+'}${size}`
  }
  const plain = digits.replace('.', '')
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${plain}`
  if (plain.length <= exponent + 1) return `${sign}${plain}${'0'.repeat(exponent + 1 - plain.length)}.0`
  return `${sign}${plain.slice(0, exponent + 1)}.${plain.slice(exponent + 1)}`
}

/** The exact decimal digits of a finite non-negative float: `digits` times ten to the minus `decimals`. */
function exactDecimal(value: number): { digits: bigint; decimals: number } {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  const bits = view.getBigUint64(0)
  const field = Number((bits >> 52n) & 0x7ffn)
  const mantissa = field === 0 ? bits & 0xfffffffffffffn : (bits & 0xfffffffffffffn) | 0x10000000000000n
  const exponent = (field === 0 ? 1 : field) - 1075
  if (exponent >= 0) return { digits: mantissa << BigInt(exponent), decimals: 0 }
  return { digits: mantissa * 5n ** BigInt(-exponent), decimals: -exponent }
}

/** A non-negative finite float with this many decimals (which may be negative), half to even of its exact value: digits times 10^-decimals. */
function roundedDigits(value: number, decimals: number): bigint {
  const exact = exactDecimal(value)
  if (exact.decimals <= decimals) return exact.digits * 10n ** BigInt(decimals - exact.decimals)
  const unit = 10n ** BigInt(exact.decimals - decimals)
  const quotient = exact.digits / unit
  const twice = (exact.digits % unit) * 2n
  return twice > unit || (twice === unit && quotient % 2n === 1n) ? quotient + 1n : quotient
}

/** decimals and digits that a float has at most: all after them are zeros */
const mostDecimals = 1100

/** A non-negative finite float with a fixed number of decimals, as `%.2f`. */
export function fixed(value: number, decimals: number): string {
  charge(decimals + 400)
  if (decimals > mostDecimals) return fixed(value, mostDecimals) + '0'.repeat(decimals - mostDecimals)
  const digits = String(roundedDigits(value, decimals)).padStart(decimals + 1, '0')
  return decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`
}

/** A non-negative finite float as `digits` significant decimals and the exponent of the first, half to even. */
export function significant(value: number, digits: number): { digits: string; exponent: number } {
  charge(digits + 400)
  if (digits > mostDecimals) {
    const { digits: first, exponent } = significant(value, mostDecimals)
    return { digits: first + '0'.repeat(digits - mostDecimals), exponent }
  }
  if (value === 0) return { digits: '0'.repeat(digits), exponent: 0 }
  let exponent = Math.floor(Math.log10(value))
  if (10 ** exponent > value) exponent--
  if (10 ** (exponent + 1) <= value) exponent++
  let text = String(roundedDigits(value, digits - 1 - exponent))
  if (text.length > digits) {
    exponent++
    text = String(roundedDigits(value, digits - 1 - exponent))
  }
  return { digits: text.padStart(digits, '0'), exponent }
}

/** Python's `round`: half to even of the exact value. Without decimals of an int stays one. */
export function round(value: PythonValue, decimals: number): PythonValue {
  if (value instanceof Float) {
    if (!Number.isFinite(value.value) || Math.abs(value.value) > 1e22 || decimals > 340) return value
    const sign = value.value < 0 || Object.is(value.value, -0) ? -1 : 1
    if (decimals < -320) return new Float(sign * 0)
    const digits = roundedDigits(Math.abs(value.value), decimals)
    return new Float(sign * Number(`${digits}e${-decimals}`))
  }
  if (!isInteger(value)) return failTemplate('TypeError', `type ${typeName(value)} doesn't define __round__ method`)
  if (decimals >= 0) return integer(BigInt(value))
  const unit = 10n ** BigInt(Math.min(-decimals, 5000))
  const whole = BigInt(value)
  const magnitude = whole < 0n ? -whole : whole
  const quotient = magnitude / unit
  const twice = (magnitude % unit) * 2n
  const rounded = (twice > unit || (twice === unit && quotient % 2n === 1n) ? quotient + 1n : quotient) * unit
  return integer(whole < 0n ? -rounded : rounded)
}

const spaces = `[${spaceClass}]*`
const floatPattern = new RegExp(
  `^${spaces}([+-]?(?:(?:\\d+(?:_\\d+)*)?\\.?(?:\\d+(?:_\\d+)*)?(?:[eE][+-]?\\d+(?:_\\d+)*)?|inf(?:inity)?|nan))${spaces}$`,
  'i'
)

const zeros = (digit: string): number => {
  // blocks of ten digits begin at their zero, which follows what is no digit
  let at = digit.codePointAt(0)!
  while (/\p{Nd}/u.test(String.fromCodePoint(at - 1)) && digit.codePointAt(0)! - at < 9) at--
  return digit.codePointAt(0)! - at
}

const withPlainDigits = (text: string): string =>
  /[^\0-\x7f]/.test(text) ? text.replace(/(?![0-9])\p{Nd}/gu, digit => String(zeros(digit))) : text

/** Python's `float(text)`. */
export function parseFloat_(text: string): number {
  // what is no number may be read once for each of its digits
  charge(1 + text.length ** 2 / 16)
  const match = text.length > 5000 ? null : floatPattern.exec(withPlainDigits(text))
  const digits = match?.[1]?.replaceAll('_', '').toLowerCase()
  if (digits === undefined || !/\d|inf|nan/.test(digits) || /^[+-]?e/.test(digits) || /^[+-]?\.(e|$)/.test(digits)) {
    return failTemplate('ValueError', `could not convert string to float: '${text.slice(0, 100)}'`)
  }
  if (digits.includes('nan')) return Number.NaN
  if (digits.includes('inf')) return digits.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  return Number(digits)
}

const prefixes: Readonly<Record<number, string>> = { 2: '0b', 8: '0o', 16: '0x' }

/** Python's `int(text, base)`. */
export function parseInteger(text: string, base: number): number | bigint {
  charge(text.length)
  const wrong = (): never =>
    failTemplate('ValueError', `invalid literal for int() with base ${base}: '${text.slice(0, 100)}'`)
  if (base !== 0 && (base < 2 || base > 36)) failTemplate('ValueError', 'int() base must be >= 2 and <= 36, or 0')
  if (text.length > mostDigits) wrong()
  const trimmed = withPlainDigits(text).replace(new RegExp(`^${spaces}|${spaces}$`, 'g'), '')
  let [, sign = '', digits = ''] = /^([+-]?)(.*)$/s.exec(trimmed) ?? []
  let actual = base
  for (const [size, prefix] of Object.entries(prefixes)) {
    if ((base === 0 || base === Number(size)) && digits.toLowerCase().startsWith(prefix)) {
      actual = Number(size)
      digits = digits.slice(2).replace(/^_/, '')
    }
  }
  if (actual === 0) {
    actual = 10
    if (/^0[0_]*[1-9]/.test(digits)) wrong()
  }
  if (!/^[0-9a-z]+(_[0-9a-z]+)*$/i.test(digits)) wrong()
  let value = 0n
  for (const digit of digits.replaceAll('_', '')) {
    const size = Number.parseInt(digit, 36)
    if (size >= actual) wrong()
    value = value * BigInt(actual) + BigInt(size)
  }
  return integer(sign === '-' ? -value : value)
}

/** Python's `int(value)` of a float. */
export function truncate(value: number): number | bigint {
  if (Number.isNaN(value)) return failTemplate('ValueError', 'cannot convert float NaN to integer')
  if (!Number.isFinite(value)) return failTemplate('OverflowError', 'cannot convert float infinity to integer')
  return integer(BigInt(Math.trunc(value)))
}
