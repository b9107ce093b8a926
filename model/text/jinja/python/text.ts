// Python's texts: `str` and `repr` of values, and positions counted in code points.
import { charge, chargeJoin, chargeText, nested } from '../budget.ts'
import { unsupported } from '../errors.ts'
import { floatText } from './numbers.ts'
import {
  Dict,
  DictView,
  Float,
  Internal,
  Iter,
  isList,
  Markup,
  Namespace,
  type PythonValue,
  Range,
  Tuple,
  typeName,
  Undefined
} from './values.ts'

const surrogate = /[\ud800-\udfff]/

/** True where code points and UTF-16 units are the same. */
export function isPlain(text: string): boolean {
  return !surrogate.test(text)
}

/** The code points of a text. */
export function codePoints(text: string): string[] {
  charge(16 * text.length)
  return isPlain(text) ? text.split('') : Array.from(text)
}

/** True where a code point of two units begins. */
function isPair(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00
}

/** Python's `len` of a text. */
export function textLength(text: string): number {
  if (text.length > 64) charge(text.length / 16)
  if (isPlain(text)) return text.length
  charge(text.length / 8)
  let length = text.length
  for (let at = 0; at < text.length - 1; at++) {
    if (!isPair(text, at)) continue
    length--
    at++
  }
  return length
}

/** The UTF-16 position of a position in code points, and the other way round. */
export function unitsOf(text: string, points: number): number {
  if (isPlain(text)) return points
  charge(1 + text.length / 8)
  let at = 0
  for (let passed = 0; passed < points && at < text.length; passed++) at += isPair(text, at) ? 2 : 1
  return at
}
export function pointsOf(text: string, units: number): number {
  return units <= 0 ? units : textLength(text.slice(0, units))
}

/** characters that are replaced at once: V8 takes some 100 bytes for each replacement until the whole is done */
const pieceLength = 65_536

/** Replaces every match of a pattern for single code points. */
export function replacePoints(text: string, pattern: RegExp, by: (point: string) => string): string {
  if (text.length <= pieceLength) return text.replace(pattern, by)
  const pieces: string[] = []
  for (let start = 0; start < text.length; ) {
    let end = Math.min(start + pieceLength, text.length)
    if (isPair(text, end - 1)) end--
    pieces.push(text.slice(start, end).replace(pattern, by))
    start = end
  }
  return pieces.join('')
}

const unprintable = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u
const anyUnprintable = /[\p{C}\p{Zl}\p{Zp}\\']|(?! )\p{Zs}/u
const everyUnprintable = new RegExp(anyUnprintable.source, 'gu')

/** Python's `str.isprintable` for one code point. */
export function isPrintable(point: string): boolean {
  return !unprintable.test(point)
}

const shortEscapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' }

function escaped(point: string, quote: string): string {
  if (point === quote) return `\\${quote}`
  const short = shortEscapes[point]
  if (short !== undefined) return short
  if (isPrintable(point)) return point
  const code = point.codePointAt(0)!
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, '0')}`
  return `\\U${code.toString(16).padStart(8, '0')}`
}

function quoted(text: string): string {
  chargeText(2 * text.length + 2)
  if (!anyUnprintable.test(text)) return `'${text}'`
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  charge(4 * text.length)
  const written = replacePoints(text, everyUnprintable, point => escaped(point, quote))
  if (written.length > 2 * text.length) chargeText(written.length)
  return quote + written + quote
}

function joined(open: string, parts: readonly string[], close: string): string {
  const text = open + parts.join(', ') + close
  chargeText(text.length)
  return text
}

/** Python's `repr`. */
export function repr(value: PythonValue): string {
  if (typeof value === 'string') return quoted(value)
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (value === null) return 'None'
  charge(8)
  if (value instanceof Float) return floatText(value.value)
  if (isList(value)) return nested(() => joined('[', value.map(repr), ']'))
  if (value instanceof Tuple) {
    return nested(() => joined('(', value.items.map(repr), value.items.length === 1 ? ',)' : ')'))
  }
  if (value instanceof Dict) {
    return nested(() =>
      joined(
        '{',
        Array.from(value.entries(), ([key, item]) => `${repr(key)}: ${repr(item)}`),
        '}'
      )
    )
  }
  if (value instanceof DictView) {
    return nested(() => joined(`${value.kind}([`, Array.from(value.entries(), repr), '])'))
  }
  if (value instanceof Range) {
    const { start, stop, step } = value
    return step === 1 ? `range(${start}, ${stop})` : `range(${start}, ${stop}, ${step})`
  }
  if (value instanceof Namespace) {
    return nested(() => {
      const fields = Array.from(value.fields, ([name, item]) => `${repr(name)}: ${repr(item)}`)
      return joined('<Namespace {', fields, '}>')
    })
  }
  if (value instanceof Markup) return `Markup(${quoted(value.text)})`
  if (value instanceof Undefined) return 'Undefined'
  if (value instanceof Internal) return value.structure.text()
  const what =
    value instanceof Iter ? `a ${typeName(value)} (add |list)` : `the function ${value.name} (call it with ())`
  return unsupported(`prints ${what}: Python writes a memory address there`)
}

/** Python's `str`: what is printed. */
export function str(value: PythonValue): string {
  if (typeof value === 'string') return value
  if (value instanceof Markup) return value.text
  if (value instanceof Undefined) return ''
  return repr(value)
}

/** Two texts as one. */
export function concatenate(left: string, right: string): string {
  chargeJoin(left.length + right.length)
  return left + right
}
