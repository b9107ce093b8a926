// The filter `tojson` as transformers has it: json.dumps.
import { charge, chargeText, nested } from '../budget.ts'
import { failTemplate } from '../errors.ts'
import { sorted } from './compare.ts'
import { floatText } from './numbers.ts'
import { replacePoints } from './text.ts'
import { Dict, Float, isInteger, isList, Markup, type PythonValue, Tuple, typeName } from './values.ts'

export interface JsonStyle {
  readonly ensureAscii: boolean
  /** what each level begins with, or null for one line */
  readonly indent: string | null
  readonly itemSeparator: string
  readonly keySeparator: string
  readonly sortKeys: boolean
}

const escapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\f': '\\f'
}
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON escapes them
const special = /["\\\0-\x1f]/g
const specialOrOther = /["\\]|[^ -~]/g

const escapeUnit = (unit: string): string => escapes[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

function text(value: string, style: JsonStyle): string {
  chargeText(value.length)
  return `"${replacePoints(value, style.ensureAscii ? specialOrOther : special, escapeUnit)}"`
}

function number(value: Float): string {
  if (Number.isNaN(value.value)) return 'NaN'
  if (!Number.isFinite(value.value)) return value.value < 0 ? '-Infinity' : 'Infinity'
  return floatText(value.value)
}

function key(value: PythonValue): string {
  if (typeof value === 'string') return value
  if (value instanceof Float) return number(value)
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  if (value === null) return 'null'
  if (isInteger(value)) return String(value)
  return failTemplate('TypeError', `keys must be str, int, float, bool or None, not ${typeName(value)}`)
}

function lines(open: string, parts: readonly string[], close: string, style: JsonStyle, level: number): string {
  if (parts.length === 0) return open + close
  const { indent, itemSeparator } = style
  const begin = indent === null ? '' : `\n${indent.repeat(level + 1)}`
  const end = indent === null ? '' : `\n${indent.repeat(level)}`
  const size = parts.reduce((sum, part) => sum + part.length + itemSeparator.length + begin.length, end.length + 2)
  chargeText(size)
  return open + begin + parts.join(itemSeparator + begin) + end + close
}

/** Python's `json.dumps`. */
export function toJson(value: PythonValue, style: JsonStyle, level = 0): string {
  charge(4)
  if (typeof value === 'string') return text(value, style)
  if (value === null) return 'null'
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  if (isInteger(value)) return String(value)
  if (value instanceof Float) return number(value)
  if (value instanceof Markup) return text(value.text, style)
  const items = isList(value) ? value : value instanceof Tuple ? value.items : undefined
  if (items !== undefined) {
    return nested(() =>
      lines(
        '[',
        items.map(item => toJson(item, style, level + 1)),
        ']',
        style,
        level
      )
    )
  }
  if (value instanceof Dict) {
    return nested(() => {
      const entries = Array.from(value.entries(), entry => new Tuple(entry))
      const ordered = style.sortKeys ? sorted(entries, entry => entry, false) : entries
      const parts = ordered.map(entry => {
        const [name, item] = (entry as Tuple).items
        return text(key(name!), style) + style.keySeparator + toJson(item!, style, level + 1)
      })
      return lines('{', parts, '}', style, level)
    })
  }
  return failTemplate('TypeError', `Object of type ${typeName(value)} is not JSON serializable`)
}
