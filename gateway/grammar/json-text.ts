// JSON's own syntax as a grammar: white space, strings, numbers, any value. Every text that it matches is what JSON.parse takes,
// and its strings have no half of a surrogate pair. Pure.
import {
  type CodeRange,
  characters,
  choice,
  empty,
  type GrammarPiece,
  literal,
  type Rules,
  repeat,
  sequence
} from './ebnf.ts'

export const digits: readonly CodeRange[] = [[0x30, 0x39]]
export const digit: GrammarPiece = characters(digits)

/** Every code point that a text may have: no surrogates. */
export const everything: readonly CodeRange[] = [
  [0x0, 0xd7ff],
  [0xe000, 0x10ffff]
]

/** What both have. */
function intersect(left: readonly CodeRange[], right: readonly CodeRange[]): CodeRange[] {
  const both: CodeRange[] = []
  for (const [from, to] of left) {
    for (const [start, end] of right)
      if (Math.max(from, start) <= Math.min(to, end)) both.push([Math.max(from, start), Math.min(to, end)])
  }
  return both.sort(([a], [b]) => a - b)
}

/** What these leave. */
export function complement(ranges: readonly CodeRange[]): CodeRange[] {
  const rest: CodeRange[] = []
  let from = 0
  for (const [start, end] of [...ranges].sort(([a], [b]) => a - b)) {
    if (start > from) rest.push([from, start - 1])
    from = Math.max(from, end + 1)
  }
  if (from <= 0x10ffff) rest.push([from, 0x10ffff])
  return intersect(rest, everything)
}

const control: CodeRange = [0x0, 0x1f]
/** these stand in a string as they are */
const raw = complement([control, [0x22, 0x22], [0x5c, 0x5c]])

const has = (ranges: readonly CodeRange[], code: number): boolean =>
  ranges.some(([from, to]) => code >= from && code <= to)

/** by code point: what follows the backslash */
const shortEscapes: readonly (readonly [number, string])[] = [
  [0x22, '"'],
  [0x5c, '\\'],
  [0x8, 'b'],
  [0xc, 'f'],
  [0xa, 'n'],
  [0xd, 'r'],
  [0x9, 't']
]

const hexDigit: readonly CodeRange[] = [...digits, [0x41, 0x46], [0x61, 0x66]]

/** `\u` and what follows, of any character: with both halves where it takes two */
const anyUnicode = (rules: Rules): GrammarPiece =>
  rules.rule('unicode escape', () => {
    const one = characters(hexDigit)
    const high = characters([
      [0x38, 0x39],
      [0x41, 0x42],
      [0x61, 0x62]
    ])
    const low = characters([
      [0x43, 0x46],
      [0x63, 0x66]
    ])
    const d = characters([
      [0x44, 0x44],
      [0x64, 0x64]
    ])
    const notD = characters([...digits, [0x41, 0x43], [0x45, 0x46], [0x61, 0x63], [0x65, 0x66]])
    return choice([
      sequence(notD, one, one, one),
      sequence(d, characters([[0x30, 0x37]]), one, one),
      sequence(d, high, one, one, literal('\\u'), d, low, one, one)
    ])
  })

/** A character of these, as a string has it: itself, or an escape. Options of a choice, each with the backslash in front. */
function writtenCharacter(rules: Rules, ranges: readonly CodeRange[]): readonly GrammarPiece[] {
  const options: GrammarPiece[] = []
  const plain = intersect(ranges, raw)
  if (plain.length > 0) options.push(characters(plain))
  const isAll = ranges === everything
  const short = shortEscapes.filter(([code]) => has(ranges, code)).map(([, letter]) => letter)
  if (isAll) short.push('/')
  const after: GrammarPiece[] = []
  if (short.length > 0)
    after.push(characters(short.map(letter => [letter.charCodeAt(0), letter.charCodeAt(0)] as const)))
  if (isAll) after.push(sequence(literal('u'), anyUnicode(rules)))
  else {
    for (let code = 0; code < 0x20; code++) {
      if (has(ranges, code) && !shortEscapes.some(([other]) => other === code)) {
        after.push(literal(`u00${code.toString(16).padStart(2, '0')}`))
      }
    }
  }
  if (after.length > 0) {
    const escapes = rules.rule(
      `escape ${isAll ? 'any' : JSON.stringify(intersect(ranges, [control, [0x22, 0x22], [0x5c, 0x5c]]))}`,
      () => choice(after)
    )
    options.push(sequence(literal('\\'), escapes))
  }
  return options
}

/** more is counted in chunks: a state for each would take too long to compile */
const chunk = 64

/** From `min` to `max` characters of these, as a string has them. */
export function stringCharacters(rules: Rules, ranges: readonly CodeRange[], min: number, max: number): GrammarPiece {
  const written = writtenCharacter(rules, ranges)
  const key = ranges === everything ? 'any' : JSON.stringify(ranges)
  const then = (rest: GrammarPiece): GrammarPiece[] => written.map(one => sequence(one, rest))
  const exactly = (count: number): GrammarPiece =>
    count === 0 ? empty : rules.rule(`exactly ${count} ${key}`, () => choice(then(exactly(count - 1))))
  const upTo = (count: number): GrammarPiece =>
    count === 0 ? empty : rules.rule(`up to ${count} ${key}`, () => choice([empty, ...then(upTo(count - 1))]))
  const whole = (count: number): GrammarPiece => repeat(exactly(chunk), count, count)

  const parts: GrammarPiece[] = []
  if (min >= chunk) parts.push(whole(Math.floor(min / chunk)))
  parts.push(exactly(min % chunk))
  if (max === Infinity) parts.push(rules.rule(`many ${key}`, self => choice([empty, ...then(self)])))
  else {
    const room = max - min
    const chunks = Math.floor(room / chunk)
    if (chunks === 0) parts.push(upTo(room))
    else {
      parts.push(
        choice([
          sequence(repeat(exactly(chunk), 0, chunks - 1), upTo(chunk - 1)),
          sequence(whole(chunks), upTo(room % chunk))
        ])
      )
    }
  }
  return sequence(...parts.filter(part => part !== empty))
}

/** A string of any characters. */
export function anyString(rules: Rules): GrammarPiece {
  return rules.rule('string', () => {
    const rest = rules.rule('rest of string', self =>
      choice([literal('"'), ...writtenCharacter(rules, everything).map(one => sequence(one, self))])
    )
    return sequence(literal('"'), rest)
  })
}

/** Between tokens of JSON: nothing, a space, or a line's end with an indentation. Without a bound a model can write white space for ever. */
export const space = (rules: Rules): GrammarPiece =>
  rules.rule('space', () =>
    choice([
      empty,
      literal(' '),
      sequence(
        literal('\n'),
        repeat(
          characters([
            [0x20, 0x20],
            [0x9, 0x9]
          ]),
          0,
          64
        )
      )
    ])
  )

const sign: GrammarPiece = choice([empty, literal('-')])
const natural = (more: number): GrammarPiece =>
  choice([literal('0'), sequence(characters([[0x31, 0x39]]), repeat(digit, 0, more))])

/** Whole numbers of up to 20 digits: no number is too large to be one. */
export const anyInteger = (rules: Rules): GrammarPiece =>
  rules.rule('integer', () => choice([literal('0'), sequence(sign, characters([[0x31, 0x39]]), repeat(digit, 0, 19))]))

/** Numbers that are finite once they are parsed. */
export const anyNumber = (rules: Rules): GrammarPiece =>
  rules.rule('number', () =>
    sequence(
      sign,
      natural(19),
      choice([empty, sequence(literal('.'), repeat(digit, 1, 20))]),
      choice([
        empty,
        sequence(
          characters([
            [0x45, 0x45],
            [0x65, 0x65]
          ]),
          choice([empty, literal('+'), literal('-')]),
          repeat(digit, 1, 2)
        )
      ])
    )
  )

/** `open` items `close`, with commas and white space between; at least `min` items, at most `max`. */
function jsonList(rules: Rules, open: string, item: GrammarPiece, close: string): GrammarPiece {
  const gap = space(rules)
  const rest = sequence(literal(','), gap, item, gap)
  return sequence(literal(open), gap, choice([empty, sequence(item, gap, repeat(rest, 0, Infinity))]), literal(close))
}

/** Any object. */
export const anyObject = (rules: Rules): GrammarPiece =>
  rules.rule('object', () => {
    const gap = space(rules)
    return jsonList(rules, '{', sequence(anyString(rules), gap, literal(':'), gap, anyValue(rules)), '}')
  })

/** Any array. */
export const anyArray = (rules: Rules): GrammarPiece =>
  rules.rule('array', () => jsonList(rules, '[', anyValue(rules), ']'))

/** Any value. */
const anyValue = (rules: Rules): GrammarPiece =>
  rules.rule('value', () =>
    choice([
      anyObject(rules),
      anyArray(rules),
      anyString(rules),
      anyNumber(rules),
      literal('true'),
      literal('false'),
      literal('null')
    ])
  )
