// `'{:>5}'.format(x)` and `'%5s' % x`.
import { charge, chargeText } from '../budget.ts'
import { failTemplate, unsupported } from '../errors.ts'
import { asFloat, fixed, floatText, isNumeric, parseInteger, significant, truncate } from './numbers.ts'
import { repr, str, textLength } from './text.ts'
import {
  Dict,
  Float,
  isInteger,
  isList,
  type Keywords,
  Markup,
  orElse,
  type PythonValue,
  Tuple,
  typeName,
  Undefined
} from './values.ts'

/** How `{0.name}` and `{0[name]}` find what they name. */
export interface Lookup {
  attribute(value: PythonValue, name: string): PythonValue
  item(value: PythonValue, name: PythonValue): PythonValue
}

/** How a value is written: Python's format specification. */
interface Specification {
  fill: string
  align: string
  sign: string
  alternate: boolean
  width: number
  grouping: string
  precision: number | undefined
  type: string
}

const specificationPattern =
  /^(?:(?:(.)([<>=^]))|([<>=^]))?([-+ ])?(z)?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([bcdeEfFgGnosxX%])?$/su

function parseSpecification(text: string, type: string): Specification {
  const match = specificationPattern.exec(text)
  if (match === null) {
    return failTemplate('ValueError', `Invalid format specifier '${text}' for object of type '${type}'`)
  }
  const [, fill, aligned, align, sign, zeroes, alternate, zero, width, grouping, precision, kind] = match
  if (zeroes !== undefined) unsupported("format specification with 'z' is not supported")
  const size = Number(width ?? 0)
  chargeText(size)
  chargeText(Number(precision ?? 0))
  return {
    fill: fill ?? (zero === undefined ? ' ' : '0'),
    align: aligned ?? align ?? (zero === undefined ? '' : '='),
    sign: sign ?? '-',
    alternate: alternate !== undefined,
    width: size,
    grouping: grouping ?? '',
    precision: precision === undefined ? undefined : Number(precision),
    type: kind ?? ''
  }
}

const exponentText = (exponent: number): string =>
  `e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`

function scientific(value: number, precision: number, alternate: boolean): string {
  const { digits, exponent } = significant(value, precision + 1)
  const fraction = digits.slice(1)
  return digits[0]! + (fraction === '' ? (alternate ? '.' : '') : `.${fraction}`) + exponentText(exponent)
}

function withoutZeros(text: string): string {
  let end = text.length
  while (text[end - 1] === '0') end--
  return text.slice(0, text[end - 1] === '.' ? end - 1 : end)
}

/** Of `g`: precision counts significant digits, zeros at the end are dropped. */
function general(value: number, precision: number, alternate: boolean, leastDecimals = 0): string {
  const digits = Math.max(1, precision)
  const { exponent } = significant(value, digits)
  const last = leastDecimals > 0 ? digits - 1 : digits
  const plain = exponent >= -4 && exponent < last
  let text = plain ? fixed(value, Math.max(0, digits - 1 - exponent)) : scientific(value, digits - 1, false)
  if (!alternate) {
    let [mantissa = '', tail = ''] = text.split('e')
    if (mantissa.includes('.')) mantissa = withoutZeros(mantissa)
    if (leastDecimals > 0 && plain && !mantissa.includes('.')) mantissa += '.0'
    text = tail === '' ? mantissa : `${mantissa}e${tail}`
  } else if (!text.includes('.')) text = text.replace(/(?=e|$)/, '.')
  return text
}

/** The digits of a finite non-negative float. */
function floatDigits(value: number, type: string, precision: number | undefined, alternate: boolean): string {
  switch (type.toLowerCase()) {
    case 'f':
      return fixed(value, precision ?? 6) + (alternate && precision === 0 ? '.' : '')
    case '%':
      return `${fixed(value * 100, precision ?? 6)}%`
    case 'e':
      return scientific(value, precision ?? 6, alternate)
    case 'g':
    case 'n':
      return general(value, precision ?? 6, alternate)
    default:
      return precision === undefined ? floatText(value) : general(value, precision, alternate, 1)
  }
}

function grouped(digits: string, separator: string, size: number): string {
  if (separator === '') return digits
  const [, whole = '', rest = ''] = /^([0-9a-f]*)(.*)$/is.exec(digits) ?? []
  return whole.replace(new RegExp(`\\B(?=(?:[0-9a-f]{${size}})+$)`, 'gi'), separator) + rest
}

const bases: Readonly<Record<string, number>> = { b: 2, o: 8, x: 16, X: 16 }

function number(value: number | bigint | boolean | Float, spec: Specification): { sign: string; digits: string } {
  const { type, precision, alternate } = spec
  const isFloat = value instanceof Float
  if (!isFloat && (type === '' || 'bcdnoxX'.includes(type))) {
    if (precision !== undefined) failTemplate('ValueError', 'Precision not allowed in integer format specifier')
    const whole = BigInt(value)
    const magnitude = whole < 0n ? -whole : whole
    if (type === 'c') return { sign: '', digits: String.fromCodePoint(Number(whole)) }
    const base = bases[type] ?? 10
    const digits = type === 'X' ? magnitude.toString(16).toUpperCase() : magnitude.toString(base)
    const prefix = alternate && base !== 10 ? `0${type}` : ''
    return { sign: (whole < 0n ? '-' : '') + prefix, digits: grouped(digits, spec.grouping, base === 10 ? 3 : 4) }
  }
  if ('bcdoxXs'.includes(type) && type !== '') {
    failTemplate('ValueError', `Unknown format code '${type}' for object of type '${typeName(value)}'`)
  }
  const float = asFloat(value)
  const negative = float < 0 || Object.is(float, -0)
  const magnitude = Math.abs(float)
  let digits = Number.isFinite(magnitude)
    ? grouped(floatDigits(magnitude, type, precision, alternate), spec.grouping, 3)
    : floatText(magnitude) + (type === '%' ? '%' : '')
  if ('EFG'.includes(type) && type !== '') digits = digits.toUpperCase()
  return { sign: negative && !Number.isNaN(float) ? '-' : '', digits }
}

function filled(sign: string, digits: string, spec: Specification, align: string): string {
  const missing = spec.width - textLength(sign) - textLength(digits)
  if (missing <= 0) return sign + digits
  const fill = (count: number): string => spec.fill.repeat(count)
  if (align === '=') {
    if (spec.fill === '0' && spec.grouping !== '') unsupported('format specification with zeros and groups')
    return sign + fill(missing) + digits
  }
  if (align === '<') return sign + digits + fill(missing)
  if (align === '>') return fill(missing) + sign + digits
  const before = Math.floor(missing / 2)
  return fill(before) + sign + digits + fill(missing - before)
}

/** Python's `format(value, specification)`. */
export function formatValue(value: PythonValue, specification: string): string {
  if (specification === '') return str(value)
  if (typeof value === 'string') {
    const spec = parseSpecification(specification, 'str')
    if (spec.type !== '' && spec.type !== 's') {
      failTemplate('ValueError', `Unknown format code '${spec.type}' for object of type 'str'`)
    }
    if (spec.align === '=' && /^.?=/su.test(specification)) {
      failTemplate('ValueError', "'=' alignment not allowed in string format specifier")
    }
    const text = spec.precision === undefined ? value : Array.from(value).slice(0, spec.precision).join('')
    return filled('', text, spec, spec.align === '' || spec.align === '=' ? '<' : spec.align)
  }
  if (!isNumeric(value)) {
    if (value instanceof Undefined) return ''
    return failTemplate('TypeError', `unsupported format string passed to ${typeName(value)}.__format__`)
  }
  const spec = parseSpecification(specification, typeName(value))
  const { sign, digits } = number(value, spec)
  const signs = sign.startsWith('-') || spec.sign === '-' ? sign : spec.sign + sign
  return filled(signs, digits, spec, spec.align === '' ? '>' : spec.align)
}

const convert = (value: PythonValue, conversion: string | undefined): PythonValue => {
  if (conversion === undefined) return value
  if (conversion === 's') return str(value)
  if (conversion === 'r') return repr(value)
  if (conversion === 'a') return ascii(repr(value))
  return failTemplate('ValueError', `Unknown conversion specifier '${conversion}'`)
}

const ascii = (text: string): string =>
  text.replace(/[^\0-\x7f]/gu, point => {
    const code = point.codePointAt(0)!
    if (code < 0x100) return `\\x${code.toString(16)}`
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`
  })

/** The end of a replacement field that begins at `start`, after its `{`. */
function endOfField(text: string, start: number): number {
  let open = 1
  for (let at = start; at < text.length; at++) {
    if (text[at] === '{') open++
    else if (text[at] === '}' && --open === 0) return at
  }
  return failTemplate(
    'ValueError',
    start === text.length ? "Single '{' encountered in format string" : "expected '}' before end of string"
  )
}

/** Python's `text.format(*args, **keywords)`, with the sandbox's look-up of attributes. */
export function formatFields(text: string, args: readonly PythonValue[], keywords: Keywords, look: Lookup): string {
  let next: number | 'given' = 0
  const lookUp = (name: string): PythonValue => {
    const [first = '', ...rest] = name.split(/(?=\.)|(?=\[)/)
    let value: PythonValue | undefined
    if (first === '' || /^\d+$/.test(first)) {
      if (first === '') {
        if (next === 'given')
          failTemplate('ValueError', 'cannot switch from manual field specification to automatic field numbering')
        value = args[next]
        next++
      } else {
        if (typeof next === 'number' && next > 0) {
          failTemplate('ValueError', 'cannot switch from automatic field numbering to manual field specification')
        }
        next = 'given'
        value = args[Number(first)]
      }
      if (value === undefined) failTemplate('IndexError', 'Replacement index out of range for positional args tuple')
    } else value = orElse(keywords?.get(first), () => failTemplate('KeyError', `'${first}'`))
    for (const part of rest) {
      const item = part.slice(1, -1)
      if (part.startsWith('.')) value = look.attribute(value, part.slice(1))
      else value = look.item(value, /^\d+$/.test(item) ? Number(item) : item)
    }
    return value
  }
  const write = (source: string, level: number): string => {
    if (level < 0) failTemplate('ValueError', 'Max string recursion exceeded')
    let result = ''
    for (let at = 0; at < source.length; ) {
      charge(1)
      const brace = source.slice(at).search(/[{}]/)
      if (brace === -1) return result + source.slice(at)
      result += source.slice(at, at + brace)
      at += brace
      if (source[at] === source[at + 1]) {
        result += source[at]
        at += 2
        continue
      }
      if (source[at] === '}') failTemplate('ValueError', "Single '}' encountered in format string")
      const end = endOfField(source, at + 1)
      const [, name = '', conversion, specification = ''] =
        /^([^!:[]*(?:\[[^\]]*\][^!:[]*)*)(?:!([^:]*))?(?::(.*))?$/s.exec(source.slice(at + 1, end)) ?? []
      const value = convert(lookUp(name), conversion)
      const plain = value instanceof Markup ? value.text : value
      const part = formatValue(plain, specification.includes('{') ? write(specification, level - 1) : specification)
      chargeText(result.length + part.length)
      result += part
      at = end + 1
    }
    return result
  }
  return write(text, 1)
}

const conversionPattern = /%(?:\(([^)]*)\))?([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+)?)?[hlL]?(.)?/gsu

function integerOf(value: PythonValue, kind: string): number | bigint | boolean {
  if (isInteger(value)) return value
  if (value instanceof Float && 'diu'.includes(kind)) return truncate(value.value)
  if (value instanceof Float) return failTemplate('TypeError', `%${kind} format: an integer is required, not float`)
  return failTemplate('TypeError', `%${kind} format: a real number is required, not ${typeName(value)}`)
}

/** One value of `%`. */
function converted(value: PythonValue, kind: string, spec: Specification): string {
  if ('sra'.includes(kind)) {
    const text = kind === 's' ? str(value) : kind === 'r' ? repr(value) : ascii(repr(value))
    const short = spec.precision === undefined ? text : Array.from(text).slice(0, spec.precision).join('')
    return filled('', short, { ...spec, fill: ' ' }, spec.align === '<' ? '<' : '>')
  }
  if (kind === 'c') {
    if (typeof value === 'string' && textLength(value) === 1) return filled('', value, { ...spec, fill: ' ' }, '>')
    if (isInteger(value)) return filled('', String.fromCodePoint(Number(value)), spec, '>')
    return failTemplate('TypeError', '%c requires int or char')
  }
  if ('diouxX'.includes(kind)) {
    const plain = { ...spec, precision: undefined, type: kind === 'i' || kind === 'u' ? 'd' : kind }
    const { sign, digits } = number(integerOf(value, kind), plain)
    const least = digits.padStart(spec.precision ?? 0, '0')
    const signs = sign.startsWith('-') || spec.sign === '-' ? sign : spec.sign + sign
    return filled(signs, least, spec, spec.align === '' ? '>' : spec.align)
  }
  if (!'eEfFgG'.includes(kind)) {
    return failTemplate('ValueError', `unsupported format character '${kind}' (0x${kind.codePointAt(0)!.toString(16)})`)
  }
  if (!isNumeric(value)) return failTemplate('TypeError', `must be real number, not ${typeName(value)}`)
  const { sign, digits } = number(new Float(asFloat(value)), { ...spec, type: kind })
  const signs = sign.startsWith('-') || spec.sign === '-' ? sign : spec.sign + sign
  return filled(signs, digits, spec, spec.align === '' ? '>' : spec.align)
}

/** Python's `text % values`. */
export function formatPercent(text: string, values: PythonValue): string {
  // each name in brackets that are not closed is looked for to the end
  charge(1 + text.length + ((text.split('%(').length - 1) * text.length) / 8)
  const args = values instanceof Tuple ? values.items : [values]
  let next = 0
  let usesNames = false
  const take = (): PythonValue =>
    orElse(args[next++], () => failTemplate('TypeError', 'not enough arguments for format string'))
  let result = ''
  let end = 0
  for (const match of text.matchAll(conversionPattern)) {
    charge(1)
    const [whole, name, flags = '', width, precision, kind] = match
    result += text.slice(end, match.index)
    end = match.index + whole.length
    if (kind === undefined) failTemplate('ValueError', 'incomplete format')
    if (kind === '%') {
      result += '%'
      continue
    }
    const count = (given: string): number => {
      const size = given === '*' ? take() : parseInteger(given, 10)
      return isInteger(size) ? Number(size) : failTemplate('TypeError', '* wants int')
    }
    let source: PythonValue
    const hasPrecision = /\.[*\d]*[hlL]?.$/su.test(whole) && whole.slice(0, -1).includes('.')
    const wide = width === undefined ? 0 : count(width)
    const decimals = hasPrecision ? (precision === undefined ? 0 : count(precision)) : undefined
    if (name !== undefined) {
      usesNames = true
      if (!(values instanceof Dict)) failTemplate('TypeError', 'format requires a mapping')
      source = orElse((values as Dict).get(name), () => failTemplate('KeyError', repr(name)))
    } else source = take()
    chargeText(Math.abs(wide) + Math.abs(decimals ?? 0))
    const left = flags.includes('-') || wide < 0
    const part = converted(source, kind, {
      fill: flags.includes('0') && !left ? '0' : ' ',
      align: left ? '<' : flags.includes('0') ? '=' : '',
      sign: flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '-',
      alternate: flags.includes('#'),
      width: Math.abs(wide),
      grouping: '',
      precision: decimals === undefined ? undefined : Math.max(0, decimals),
      type: ''
    })
    chargeText(result.length + part.length)
    result += part
  }
  result += text.slice(end)
  if (next < args.length && !usesNames && !(values instanceof Dict) && !isList(values)) {
    failTemplate('TypeError', 'not all arguments converted during string formatting')
  }
  return result
}
