// The methods of Python's str.

import { charge, chargeList, chargeText } from '../budget.ts'
import { failTemplate, unsupported } from '../errors.ts'
import { bind, integerArgument, type Signature, signature, textArgument } from './arguments.ts'
import {
  capitalize,
  foldCase,
  isLower,
  isTitle,
  isUpper,
  kinds,
  lowerCase,
  swapCase,
  title,
  upperCase
} from './letters.ts'
import { firstIndex, lastIndex, splitAt } from './search.ts'
import { iterate } from './sequences.ts'
import { codePoints, isPlain, isPrintable, pointsOf, textLength, unitsOf } from './text.ts'
import { type Keywords, type PythonValue, Tuple, typeName, Undefined } from './values.ts'
import { spaceClass } from './white-space.ts'

type Method = (self: string, args: readonly (PythonValue | undefined)[]) => PythonValue

const spacesAtStart = new RegExp(`^[${spaceClass}]+`)
const oneSpace = new RegExp(`[${spaceClass}]`)
const runOfSpaces = new RegExp(`[${spaceClass}]+`)

/** `strip`, `lstrip`, `rstrip`: white space, or every one of the given characters. */
export function strip(
  text: string,
  characters: PythonValue | undefined,
  ends: 'both' | 'left' | 'right' = 'both'
): string {
  charge(1 + text.length / 16)
  let start = 0
  let end = text.length
  if (characters === undefined || characters === null) {
    if (ends !== 'right') start = spacesAtStart.exec(text)?.[0].length ?? 0
    if (ends !== 'left') while (end > start && oneSpace.test(text[end - 1]!)) end--
    return text.slice(start, end)
  }
  const set = new Set(codePoints(textArgument(characters, 'strip arg')))
  const points = isPlain(text) ? undefined : codePoints(text)
  const all: ArrayLike<string> = points ?? text
  end = all.length
  if (ends !== 'right') while (start < end && set.has(all[start]!)) start++
  if (ends !== 'left') while (end > start && set.has(all[end - 1]!)) end--
  return points === undefined ? text.slice(start, end) : points.slice(start, end).join('')
}

function splitSpaces(text: string, most: number, fromEnd: boolean): string[] {
  const trimmed = strip(text, undefined, fromEnd ? 'right' : 'left')
  if (most < 0) return trimmed === '' ? [] : strip(trimmed, undefined).split(runOfSpaces)
  const parts: string[] = []
  let rest = trimmed
  while (rest !== '' && parts.length < most) {
    charge(8 + rest.length / 16)
    if (fromEnd) {
      let begin = rest.length
      while (begin > 0 && !oneSpace.test(rest[begin - 1]!)) begin--
      parts.unshift(rest.slice(begin))
      rest = strip(rest.slice(0, begin), undefined, 'right')
    } else {
      const end = rest.search(oneSpace)
      parts.push(end === -1 ? rest : rest.slice(0, end))
      rest = end === -1 ? '' : strip(rest.slice(end), undefined, 'left')
    }
  }
  if (rest !== '') {
    if (fromEnd) parts.unshift(rest)
    else parts.push(rest)
  }
  return parts
}

function split(text: string, separator: PythonValue | undefined, most: number, fromEnd: boolean): string[] {
  charge(1 + text.length)
  if (separator === undefined || separator === null) return splitSpaces(text, most, fromEnd)
  const between = textArgument(separator, 'separator')
  if (between === '') failTemplate('ValueError', 'empty separator')
  const parts = fromEnd && most >= 0 ? splitFromEnd(text, between, most) : splitFromStart(text, between, most)
  chargeList(parts.length)
  return parts
}

function splitFromStart(text: string, between: string, most: number): string[] {
  if (most < 0) return splitAt(text, between)
  const parts: string[] = []
  let start = 0
  while (parts.length < most) {
    const at = firstIndex(text, between, start)
    if (at === -1) break
    parts.push(text.slice(start, at))
    start = at + between.length
  }
  return [...parts, text.slice(start)]
}

function splitFromEnd(text: string, between: string, most: number): string[] {
  const parts: string[] = []
  let end = text.length
  while (parts.length < most) {
    const at = lastIndex(text, between, end)
    if (at === -1) break
    parts.push(text.slice(at + between.length, end))
    end = at
  }
  parts.push(text.slice(0, end))
  return parts.reverse()
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: Python ends lines at them
const lineEnds = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/g

/** Python's `str.splitlines`. */
export function splitLines(text: string, keepEnds = false): string[] {
  charge(1 + text.length)
  const lines: string[] = []
  let start = 0
  for (const match of text.matchAll(lineEnds)) {
    charge(8)
    const end = match.index + match[0].length
    lines.push(text.slice(start, keepEnds ? end : match.index))
    start = end
  }
  if (start < text.length) lines.push(text.slice(start))
  return lines
}

/** Python's `str.replace`: every one, or the first `most`. */
export function replace(text: string, old: string, by: string, most = -1): string {
  charge(1 + text.length)
  if (most === 0) return text
  const between = old === '' ? ['', ...codePoints(text), ''] : splitFromStart(text, old, most)
  if (old !== '') {
    chargeText(text.length + (between.length - 1) * Math.max(0, by.length - old.length))
    return between.join(by)
  }
  const places = between.length - 1
  const count = most < 0 ? places : Math.min(most, places)
  chargeText(text.length + count * by.length)
  const points = between.slice(1, -1)
  return points.map((point, at) => (at < count ? by + point : point)).join('') + (count > points.length ? by : '')
}

/** Fills a text on both sides, left or right, to a width in code points. */
export function pad(text: string, width: number, side: 'center' | 'left' | 'right', fill = ' '): string {
  const missing = width - textLength(text)
  if (missing <= 0) return text
  if (textLength(fill) !== 1) failTemplate('TypeError', 'The fill character must be exactly one character long')
  chargeText(text.length + missing * fill.length)
  if (side === 'left') return text + fill.repeat(missing)
  if (side === 'right') return fill.repeat(missing) + text
  const before = Math.floor(missing / 2) + (missing & width & 1)
  return fill.repeat(before) + text + fill.repeat(missing - before)
}

/** `find` and its kin, with bounds in code points; -1 where it is not. */
function find(text: string, args: readonly (PythonValue | undefined)[], last: boolean): number {
  const [part, from, to] = args
  const { start, end, within } = range(text, from, to)
  const wanted = textArgument(part, 'find() argument')
  if (start > end) return -1
  charge(1 + within.length / 8)
  const at = last ? lastIndex(within, wanted) : firstIndex(within, wanted)
  return at === -1 ? -1 : start + pointsOf(within, at)
}

function range(text: string, from: PythonValue | undefined, to: PythonValue | undefined) {
  const size = textLength(text)
  const place = (value: PythonValue | undefined, otherwise: number): number => {
    const given = value === null ? otherwise : integerArgument(value, otherwise)
    return given < 0 ? Math.max(0, given + size) : given
  }
  const start = place(from, 0)
  const end = Math.min(size, place(to, size))
  const whole = start === 0 && end === size
  return { start, end, within: whole ? text : text.slice(unitsOf(text, start), Math.max(0, unitsOf(text, end))) }
}

function startsOrEnds(
  text: string,
  args: readonly (PythonValue | undefined)[],
  name: 'startsWith' | 'endsWith'
): boolean {
  const [part, from, to] = args
  const { start, end, within } = range(text, from, to)
  const parts = part instanceof Tuple ? part.items : [part]
  return parts.some(one => {
    const python = name === 'startsWith' ? 'startswith' : 'endswith'
    if (one instanceof Undefined) one.raise()
    if (typeof one !== 'string') {
      return failTemplate(
        'TypeError',
        `${python} first arg must be str or a tuple of str, not ${one === undefined ? 'missing' : typeName(one)}`
      )
    }
    charge(1 + one.length / 16)
    return start <= end && within[name](one)
  })
}

function count(text: string, args: readonly (PythonValue | undefined)[]): number {
  const [part, from, to] = args
  const { start, end, within } = range(text, from, to)
  const wanted = textArgument(part, 'count() argument')
  if (start > end) return 0
  charge(1 + within.length)
  return wanted === '' ? textLength(within) + 1 : splitAt(within, wanted).length - 1
}

function join(separator: string, items: PythonValue | undefined): string {
  const parts: string[] = []
  let size = 0
  for (const item of iterate(items!)) {
    if (typeof item !== 'string') {
      return failTemplate('TypeError', `sequence item ${parts.length}: expected str instance, ${typeName(item)} found`)
    }
    size += item.length + separator.length
    charge(8 + item.length)
    parts.push(item)
  }
  chargeText(size)
  return parts.join(separator)
}

function expandTabs(text: string, size: number): string {
  let column = 0
  return codePoints(text)
    .map(point => {
      if (point === '\n' || point === '\r') column = 0
      else if (point !== '\t') column++
      else {
        const wide = size <= 0 ? 0 : size - (column % size)
        chargeText(wide)
        column += wide
        return ' '.repeat(wide)
      }
      return point
    })
    .join('')
}

function partition(text: string, between: PythonValue | undefined, last: boolean): Tuple {
  const separator = textArgument(between, 'separator')
  if (separator === '') failTemplate('ValueError', 'empty separator')
  charge(1 + text.length)
  const at = last ? lastIndex(text, separator) : firstIndex(text, separator)
  if (at === -1) return new Tuple(last ? ['', '', text] : [text, '', ''])
  return new Tuple([text.slice(0, at), separator, text.slice(at + separator.length)])
}

function zeroFilled(text: string, width: number): string {
  const sign = /^[+-]/.exec(text)?.[0] ?? ''
  return sign + pad(text.slice(sign.length), width - sign.length, 'right', '0')
}

const filler = (value: PythonValue | undefined): string =>
  value === undefined ? ' ' : textArgument(value, 'fill character')
const found = (at: number): number => (at === -1 ? failTemplate('ValueError', 'substring not found') : at)

/** by signature; `?` begins what may be left out, `!` forbids keywords */
const methods: Readonly<Record<string, Method>> = {
  'capitalize!': self => capitalize(self),
  'casefold!': self => foldCase(self),
  'center! width fillchar?': (self, [width, fill]) => pad(self, integerArgument(width, 0), 'center', filler(fill)),
  'count! sub start? end?': (self, args) => count(self, args),
  'endswith! suffix start? end?': (self, args) => startsOrEnds(self, args, 'endsWith'),
  'expandtabs tabsize?': (self, [size]) => expandTabs(self, integerArgument(size, 8)),
  'find! sub start? end?': (self, args) => find(self, args, false),
  'index! sub start? end?': (self, args) => found(find(self, args, false)),
  'islower!': self => isLower(self),
  'isprintable!': self => codePoints(self).every(isPrintable),
  'istitle!': self => isTitle(self),
  'isupper!': self => isUpper(self),
  'join! iterable': (self, [items]) => join(self, items),
  'ljust! width fillchar?': (self, [width, fill]) => pad(self, integerArgument(width, 0), 'left', filler(fill)),
  'lower!': self => lowerCase(self),
  'lstrip! chars?': (self, [characters]) => strip(self, characters, 'left'),
  'partition! sep': (self, [separator]) => partition(self, separator, false),
  'removeprefix! prefix': (self, [prefix]) => {
    const text = textArgument(prefix, 'removeprefix() argument')
    return self.startsWith(text) ? self.slice(text.length) : self
  },
  'removesuffix! suffix': (self, [suffix]) => {
    const text = textArgument(suffix, 'removesuffix() argument')
    return text !== '' && self.endsWith(text) ? self.slice(0, -text.length) : self
  },
  // keywords since Python 3.13
  'replace old new count?': (self, [old, by, most]) =>
    replace(
      self,
      textArgument(old, 'replace() argument 1'),
      textArgument(by, 'replace() argument 2'),
      integerArgument(most, -1)
    ),
  'rfind! sub start? end?': (self, args) => find(self, args, true),
  'rindex! sub start? end?': (self, args) => found(find(self, args, true)),
  'rjust! width fillchar?': (self, [width, fill]) => pad(self, integerArgument(width, 0), 'right', filler(fill)),
  'rpartition! sep': (self, [separator]) => partition(self, separator, true),
  'rsplit sep? maxsplit?': (self, [separator, most]) => split(self, separator, integerArgument(most, -1), true),
  'rstrip! chars?': (self, [characters]) => strip(self, characters, 'right'),
  'split sep? maxsplit?': (self, [separator, most]) => split(self, separator, integerArgument(most, -1), false),
  'splitlines keepends?': (self, [keep]) => splitLines(self, integerArgument(keep, 0) !== 0),
  'startswith! prefix start? end?': (self, args) => startsOrEnds(self, args, 'startsWith'),
  'strip! chars?': (self, [characters]) => strip(self, characters),
  'swapcase!': self => swapCase(self),
  'title!': self => title(self),
  'upper!': self => upperCase(self),
  'zfill! width': (self, [width]) => zeroFilled(self, integerArgument(width, 0))
}

const table = new Map<string, { signature: Signature; method: Method }>(
  Object.entries(methods).map(([text, method]) => {
    const known = signature(text)
    return [known.name, { signature: { ...known, name: `str.${known.name}` }, method }]
  })
)
for (const [name, pattern] of Object.entries(kinds)) {
  table.set(name, {
    signature: signature(`str.${name}!`),
    method: self => {
      charge(1 + self.length)
      return (self !== '' || name === 'isascii') && pattern.test(self)
    }
  })
}

const others = new Set(['encode', 'maketrans', 'translate'])

export const isStringMethod = (name: string): boolean => table.has(name) || others.has(name)

/** Calls a method of a text. */
export function callStringMethod(
  self: string,
  name: string,
  args: readonly PythonValue[],
  keywords: Keywords
): PythonValue {
  const known = table.get(name)
  if (known === undefined) return unsupported(`calls str.${name}(), which is not supported`)
  return known.method(self, bind(known.signature, args, keywords))
}
