// jinja2's filters over texts.

import { charge, chargeText } from './budget.ts'
import { failTemplate, unsupported } from './errors.ts'
import { bind, integerArgument, signature, textArgument } from './python/arguments.ts'
import { formatPercent, formatValue } from './python/formatting.ts'
import { type JsonStyle, toJson } from './python/json.ts'
import { capitalize, lowerCase, upperCase } from './python/letters.ts'
import { escapeText, toMarkup } from './python/markup.ts'
import { asFloat, isNumeric, parseFloat_, truncate } from './python/numbers.ts'
import { add } from './python/operators.ts'
import { elements, length, slice, unpack } from './python/sequences.ts'
import { pad, replace, splitLines, strip } from './python/strings.ts'
import { str } from './python/text.ts'
import {
  Dict,
  Float,
  isTrue,
  type Keywords,
  Markup,
  type PythonValue,
  Tuple,
  typeName,
  Undefined
} from './python/values.ts'
import { spaceClass } from './python/white-space.ts'

type Filter = (args: readonly PythonValue[], keywords: Keywords) => PythonValue

/** Python's `quote` of urllib: UTF-8 bytes, with `/` as it is in paths. */
function quoteUrl(value: PythonValue, inQuery: boolean): string {
  const text = str(value)
  charge(3 * text.length)
  const quoted = encodeURIComponent(text).replace(
    /[!'()*]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  )
  return inQuery ? quoted.replaceAll('%20', '+') : quoted.replaceAll('%2F', '/')
}

function encodeUrl(value: PythonValue): PythonValue {
  const items = typeof value === 'string' || value instanceof Markup ? undefined : elements(value)
  if (items === undefined) return quoteUrl(value, false)
  const pairs = value instanceof Dict ? Array.from(value.entries()) : Array.from(items, item => unpack(item, 2))
  return pairs.map(([name, item]) => `${quoteUrl(name!, true)}=${quoteUrl(item!, true)}`).join('&')
}

function indent(
  value: PythonValue,
  width: PythonValue = 4,
  first: PythonValue = false,
  blank: PythonValue = false
): PythonValue {
  const before = typeof width === 'string' ? width : ' '.repeat(checked(integerArgument(width, 4)))
  if (value instanceof Markup) {
    return new Markup(str(indent(value.text, width, first, blank)))
  }
  const text = add(value, '\n') as string
  const lines = splitLines(text)
  chargeText(text.length + lines.length * before.length)
  const [head = '', ...rest] = lines
  const others = isTrue(blank)
    ? rest.map(line => before + line)
    : rest.map(line => (line === '' ? line : before + line))
  return (isTrue(first) ? before : '') + [head, ...others].join('\n')
}

function checked(count: number): number {
  const positive = Math.max(0, count)
  chargeText(positive)
  return positive
}

const wordStart = new RegExp(`([-${spaceClass}({\\[<]+)`)

function title(text: string): string {
  chargeText(text.length)
  return text
    .split(wordStart)
    .map(part => {
      const [head = ''] = part
      return head.toUpperCase() + part.slice(head.length).toLowerCase()
    })
    .join('')
}

function truncated(args: readonly (PythonValue | undefined)[]): PythonValue {
  const [value, given, killWords = false, ending, leewayGiven] = args
  const size = integerArgument(given, 255)
  const end = ending === undefined ? '...' : textArgument(ending, 'end')
  const leeway = leewayGiven === undefined || leewayGiven === null ? 5 : integerArgument(leewayGiven, 5)
  if (size < length(end)) failTemplate('AssertionError', `expected length >= ${length(end)}, got ${size}`)
  if (leeway < 0) failTemplate('AssertionError', `expected leeway >= 0, got ${leeway}`)
  if (length(value!) <= size + leeway) return value!
  const cut = slice(value!, 0, size - length(end), null)
  if (isTrue(killWords)) return add(cut, end)
  const text = textArgument(cut, 'truncate() argument')
  const space = text.lastIndexOf(' ')
  return (space === -1 ? text : text.slice(0, space)) + end
}

function fileSize(value: PythonValue, binary: boolean): string {
  const bytes = typeof value === 'string' ? parseFloat_(value) : isNumeric(value) ? asFloat(value) : Number.NaN
  if (Number.isNaN(bytes))
    return failTemplate('TypeError', `float() argument must be a number, not '${typeName(value)}'`)
  const base = binary ? 1024 : 1000
  if (bytes === 1) return '1 Byte'
  if (bytes < base) return `${truncate(bytes)} Bytes`
  const letters = ['k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y']
  const at = letters.findIndex((_, index) => bytes < base ** (index + 2))
  const index = at === -1 ? letters.length - 1 : at
  const letter = binary ? letters[index]!.toUpperCase() : letters[index]!
  return `${formatValue(new Float((base * bytes) / base ** (index + 2)), '.1f')} ${letter}${binary ? 'iB' : 'B'}`
}

/** markupsafe's `striptags`: comments and tags out, white space to one space, the five entities of `escape` and numbered ones back. */
function stripTags(text: string): string {
  charge(4 * text.length)
  let rest = text
  for (const [open, close] of [
    ['<!--', '-->'],
    ['<', '>']
  ] as const) {
    let kept = ''
    let at = 0
    for (;;) {
      const start = rest.indexOf(open, at)
      const end = start === -1 ? -1 : rest.indexOf(close, start)
      if (end === -1) break
      kept += rest.slice(at, start)
      at = end + close.length
    }
    rest = kept + rest.slice(at)
  }
  const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\xa0' }
  return strip(rest.replace(new RegExp(`[${spaceClass}]+`, 'g'), ' '), undefined).replace(
    /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]+));/gi,
    (whole, decimal?: string, hex?: string, name?: string) => {
      const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
      if (name !== undefined)
        return named[name] ?? failTemplate('ValueError', `striptags: the entity ${whole} is not supported`)
      return code > 0x10ffff ? '\ufffd' : String.fromCodePoint(code)
    }
  )
}

function jsonStyle(args: readonly (PythonValue | undefined)[]): JsonStyle {
  const [, ensureAscii = false, indentation = null, separators = null, sortKeys = false] = args
  const level =
    indentation === null
      ? null
      : typeof indentation === 'string'
        ? indentation
        : ' '.repeat(checked(integerArgument(indentation, 0)))
  const [item, key] =
    separators === null
      ? [level === null ? ', ' : ',', ': ']
      : unpack(separators, 2).map(part => textArgument(part, 'separator'))
  return {
    ensureAscii: isTrue(ensureAscii),
    indent: level,
    itemSeparator: item!,
    keySeparator: key!,
    sortKeys: isTrue(sortKeys)
  }
}

const entry = (text: string, run: (...args: (PythonValue | undefined)[]) => PythonValue): [string, Filter] => {
  const known = signature(text)
  return [known.name, (args, keywords) => run(...bind(known, args, keywords))]
}

const wrongInAttribute = /[\t\n\r\f\v />=]/

function xmlAttributes(value: PythonValue, space: boolean): string {
  if (!(value instanceof Dict))
    return failTemplate('AttributeError', `'${typeName(value)}' object has no attribute 'items'`)
  const items: string[] = []
  for (const [name, item] of value.entries()) {
    if (item === null || item instanceof Undefined) continue
    const text = str(name)
    if (wrongInAttribute.test(text)) failTemplate('ValueError', `Invalid character in attribute name: '${text}'`)
    items.push(`${str(toMarkup(name))}="${str(toMarkup(item))}"`)
  }
  return (space && items.length > 0 ? ' ' : '') + items.join(' ')
}

const soft = (value: PythonValue | undefined): string => str(value!)

/** Of HTML what is made stays HTML. */
const softly = (value: PythonValue | undefined, run: (text: string) => string): PythonValue => {
  const made = run(soft(value))
  return value instanceof Markup ? new Markup(made) : made
}

export const textFilters: readonly (readonly [string, Filter])[] = [
  entry('capitalize s', value => softly(value, capitalize)),
  entry('center value width?', (value, width) =>
    softly(value, text => pad(text, integerArgument(width, 80), 'center'))
  ),
  entry('e s', value => toMarkup(value!)),
  entry('escape s', value => toMarkup(value!)),
  entry('forceescape value', value => new Markup(escapeText(soft(value)))),
  entry('filesizeformat value binary?', (value, binary = false) => fileSize(value!, isTrue(binary))),
  entry('indent s width? first? blank?', (value, width, first, blank) => indent(value!, width, first, blank)),
  entry('lower s', value => softly(value, lowerCase)),
  entry('upper s', value => softly(value, upperCase)),
  entry('replace s old new count?', (value, old, by, most) =>
    replace(soft(value), soft(old), soft(by), most === null ? -1 : integerArgument(most, -1))
  ),
  entry('safe value', value => (value instanceof Markup ? value : new Markup(soft(value)))),
  entry('string object', value => (value instanceof Markup ? value : soft(value))),
  entry('striptags value', value => stripTags(soft(value))),
  entry('title s', value => title(soft(value))),
  entry('tojson x ensure_ascii? indent? separators? sort_keys?', (...args) => toJson(args[0]!, jsonStyle(args))),
  entry('trim value chars?', (value, characters) => softly(value, text => strip(text, characters))),
  entry('truncate s length? killwords? end? leeway?', (...args) => truncated(args)),
  entry('xmlattr d autospace?', (value, space = true) => xmlAttributes(value!, isTrue(space))),
  entry('urlencode value', value => encodeUrl(value!)),
  entry('wordcount s', value => {
    const text = soft(value)
    charge(text.length)
    return text.match(/[\p{L}\p{N}_]+/gu)?.length ?? 0
  }),
  [
    'format',
    ([value, ...args], keywords) => {
      if (value instanceof Markup) unsupported('formats the result of |escape or |safe')
      if (args.length > 0 && keywords !== undefined) {
        failTemplate('FilterArgumentError', "can't handle positional and keyword arguments at the same time")
      }
      if (keywords === undefined) return formatPercent(soft(value), new Tuple(args))
      const fields = new Dict()
      for (const [name, item] of keywords) fields.set(name, item)
      return formatPercent(soft(value), fields)
    }
  ]
]
