// Jinja's text as tokens, with the settings of transformers: trim_blocks, lstrip_blocks, no newline at the end.
// Reference: lexer.py of jinja2.
import { JinjaError } from '../errors.ts'
import { parseFloat_, parseInteger } from '../python/numbers.ts'
import { Float, type PythonValue } from '../python/values.ts'
import { spaceClass } from '../python/white-space.ts'

export type TokenKind =
  | 'data'
  | 'variable begin'
  | 'variable end'
  | 'block begin'
  | 'block end'
  | 'name'
  | 'string'
  | 'number'
  | 'operator'
  | 'end of template'

export interface Token {
  readonly kind: TokenKind
  /** as written; of a string its value */
  readonly text: string
  /** of a number */
  readonly value: PythonValue
  readonly line: number
}

const opening = /\{[%{#]/g
const space = `[${spaceClass}]`
const spaces = new RegExp(`${space}+`, 'y')
const oneSpace = new RegExp(space)
const onlySpaces = new RegExp(`^${space}+$`)
const rawBegin = new RegExp(`\\{%([-+]?)${space}*raw${space}*(?:-%\\}${space}*|%\\})`, 'y')
const rawEnd = new RegExp(`\\{%([-+]?)${space}*endraw${space}*(?:\\+%\\}|-%\\}${space}*|%\\}\\n?)`, 'g')
const commentEnd = new RegExp(`\\+#\\}|-#\\}${space}*|#\\}\\n?`, 'g')
const blockEnd = new RegExp(`\\+%\\}|-%\\}${space}*|%\\}\\n?`, 'y')
const variableEnd = new RegExp(`-\\}\\}${space}*|\\}\\}`, 'y')
const float = /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy
const integer = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy
const name = /[\p{L}\p{N}\p{M}\p{Pc}·]+/uy
const identifier = /^[\p{XID_Start}_]\p{XID_Continue}*$/u
const string = /'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*"/sy
const operator = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y

const closing: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' }
const simpleEscapes: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v'
}

function syntax(message: string, line: number): never {
  throw new JinjaError('syntax', message, { line })
}

function countLines(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count++
  return count
}

/** A literal's text without its quotes, by Python's escapes. */
function unescapeText(text: string, line: number): string {
  if (!text.includes('\\')) return text
  return text.replace(
    /\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|.)/gs,
    (whole, octal?: string, byte?: string, short?: string, long?: string) => {
      if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8))
      const letter = whole[1]!
      const digits = byte ?? short ?? long
      if (digits !== undefined) {
        const code = Number.parseInt(digits, 16)
        return code > 0x10ffff ? syntax('illegal Unicode character in a string', line) : String.fromCodePoint(code)
      }
      if (letter === 'x' || letter === 'u' || letter === 'U')
        return syntax(`truncated \\${letter} escape in a string`, line)
      if (letter === 'N') throw new JinjaError('unsupported', 'names of characters (\\N{…}) in strings', { line })
      return simpleEscapes[letter] ?? whole
    }
  )
}

/** The tokens of a template. Throws `syntax`. */
export function tokenize(template: string): Token[] {
  const source = template.replace(/\r\n?/g, '\n').replace(/\n$/, '')
  const tokens: Token[] = []
  let at = 0
  let line = 1
  /** the last tag ended with a line end, or there was none: what follows begins a line */
  let startsLine = true

  const push = (kind: TokenKind, text: string, value: PythonValue = null): void => {
    tokens.push({ kind, text, value, line })
  }
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    return pattern.exec(source)?.[0]
  }
  /** Text before a tag, whose white space goes by the tag's sign. */
  const data = (text: string, sign: string, isVariable: boolean): void => {
    let kept = text
    if (sign === '-') {
      let end = text.length
      while (end > 0 && oneSpace.test(text[end - 1]!)) end--
      kept = text.slice(0, end)
    } else if (sign !== '+' && !isVariable) {
      const start = text.lastIndexOf('\n') + 1
      if ((start > 0 || startsLine) && onlySpaces.test(text.slice(start))) kept = text.slice(0, start)
    }
    if (kept !== '') push('data', kept)
    line += countLines(text)
  }
  const pass = (text: string): void => {
    at += text.length
    line += countLines(text)
    startsLine = text.endsWith('\n')
  }

  const tag = (end: RegExp, kind: 'variable end' | 'block end'): void => {
    const open: string[] = []
    for (;;) {
      const blank = match(spaces)
      const closed = open.length === 0 ? match(end) : undefined
      if (closed !== undefined) {
        push(kind, closed)
        pass(closed)
        return
      }
      if (blank !== undefined) {
        pass(blank)
        continue
      }
      if (at >= source.length) {
        push('end of template', '')
        return
      }
      const real = match(float)
      const whole = real ?? match(integer)
      if (whole !== undefined) {
        push('number', whole, real === undefined ? parseInteger(whole, 0) : new Float(parseFloat_(real)))
        pass(whole)
        continue
      }
      const word = match(name)
      if (word !== undefined) {
        if (!identifier.test(word)) syntax(`Invalid character in identifier '${word}'`, line)
        push('name', word)
        pass(word)
        continue
      }
      const literal = match(string)
      if (literal !== undefined) {
        push('string', unescapeText(literal.slice(1, -1), line))
        pass(literal)
        continue
      }
      const sign = match(operator)
      if (sign === undefined) {
        syntax(`unexpected char '${String.fromCodePoint(source.codePointAt(at)!)}'`, line)
        return
      }
      if (closing[sign] !== undefined) open.push(closing[sign])
      else if (sign === ')' || sign === ']' || sign === '}') {
        const expected = open.pop()
        if (expected === undefined) syntax(`unexpected '${sign}'`, line)
        if (expected !== sign) syntax(`unexpected '${sign}', expected '${expected}'`, line)
      }
      push('operator', sign)
      pass(sign)
    }
  }

  while (at < source.length) {
    opening.lastIndex = at
    const found = opening.exec(source)
    if (found === null) {
      push('data', source.slice(at))
      break
    }
    const text = source.slice(at, found.index)
    at = found.index
    const sign = /[-+]/.test(source[at + 2] ?? '') ? source[at + 2]! : ''
    rawBegin.lastIndex = at
    const raw = rawBegin.exec(source)
    data(text, raw === null ? sign : raw[1]!, found[0] === '{{')
    if (raw !== null) {
      pass(raw[0])
      if (at >= source.length) break
      rawEnd.lastIndex = at
      const end = rawEnd.exec(source) ?? syntax('Missing end of raw directive', line)
      const inside = source.slice(at, end.index)
      data(inside, end[1]!, false)
      at = end.index
      pass(end[0])
      continue
    }
    const begin = found[0] + sign
    if (found[0] === '{#') {
      pass(begin)
      // as in jinja2, a comment that begins with the last characters needs no end
      if (at >= source.length) break
      commentEnd.lastIndex = at
      const end = commentEnd.exec(source) ?? syntax('Missing end of comment tag', line)
      pass(source.slice(at, end.index) + end[0])
      continue
    }
    push(found[0] === '{{' ? 'variable begin' : 'block begin', begin)
    pass(begin)
    if (found[0] === '{{') tag(variableEnd, 'variable end')
    else tag(blockEnd, 'block end')
  }
  push('end of template', '')
  return tokens
}
