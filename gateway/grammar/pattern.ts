// A `pattern` of JSON Schema, an ECMAScript expression with the flag `u`, as a grammar of what a JSON string writes. Pure.
import { type CodeRange, choice, empty, type GrammarPiece, type Rules, repeat, sequence } from './ebnf.ts'
import { complement, everything, stringCharacters } from './json-text.ts'

/** What the expression uses and no grammar can do. */
export class UnsupportedPattern extends Error {}

/** A pattern as a grammar, and how long its matches are, in code points. */
export interface PatternGrammar {
  readonly expression: GrammarPiece
  readonly min: number
  readonly max: number
}

const mostRepeats = 1000

const digitSet: readonly CodeRange[] = [[0x30, 0x39]]
const wordSet: readonly CodeRange[] = [...digitSet, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]]
const spaceSet: readonly CodeRange[] = [
  [0x9, 0xd],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff]
]
const lineEnds: readonly CodeRange[] = [
  [0xa, 0xa],
  [0xd, 0xd],
  [0x2028, 0x2029]
]

const sets: Readonly<Record<string, readonly CodeRange[]>> = {
  d: digitSet,
  D: complement(digitSet),
  w: wordSet,
  W: complement(wordSet),
  s: spaceSet,
  S: complement(spaceSet)
}

const controls: Readonly<Record<string, number>> = { n: 0xa, r: 0xd, t: 0x9, v: 0xb, f: 0xc, '0': 0 }

const properties = new Map<string, readonly CodeRange[]>()

/** Code points that a `\p{…}` takes, found by trying them all. */
function propertySet(source: string): readonly CodeRange[] {
  const known = properties.get(source)
  if (known !== undefined) return known
  const expression = new RegExp(`^${source}$`, 'u')
  const found: CodeRange[] = []
  let start = -1
  for (let code = 0; code <= 0x110000; code++) {
    const matches = code < 0x110000 && (code < 0xd800 || code > 0xdfff) && expression.test(String.fromCodePoint(code))
    if (matches && start === -1) start = code
    if (!matches && start !== -1) {
      found.push([start, code - 1])
      start = -1
    }
  }
  properties.set(source, found)
  return found
}

interface PatternPart extends PatternGrammar {
  /** the set where it is one character */
  readonly set?: readonly CodeRange[]
}

class Parser {
  readonly #source: string
  readonly #rules: Rules
  #at = 0

  constructor(source: string, rules: Rules) {
    this.#source = source
    this.#rules = rules
  }

  #takes(piece: string): boolean {
    if (!this.#source.startsWith(piece, this.#at)) return false
    this.#at += piece.length
    return true
  }

  #next(): string {
    const character = String.fromCodePoint(this.#source.codePointAt(this.#at)!)
    this.#at += character.length
    return character
  }

  /** Options; at the top each may be held to the beginning and the end of the text. */
  options(isTop: boolean): PatternGrammar {
    const options: PatternGrammar[] = []
    do options.push(this.#option(isTop))
    while (this.#takes('|'))
    return {
      expression: choice(options.map(option => option.expression)),
      min: Math.min(...options.map(option => option.min)),
      max: Math.max(...options.map(option => option.max))
    }
  }

  get isDone(): boolean {
    return this.#at >= this.#source.length
  }

  #option(isTop: boolean): PatternGrammar {
    const pieces: PatternGrammar[] = []
    const anything = (): PatternPart => this.#repeated(this.#ofSet(everything), 0, Infinity)
    const begins = isTop && this.#takes('^')
    if (isTop && !begins) pieces.push(anything())
    let ends = false
    while (!this.isDone && this.#source[this.#at] !== '|' && this.#source[this.#at] !== ')') {
      if (isTop && this.#source[this.#at] === '$' && [undefined, '|'].includes(this.#source[this.#at + 1])) {
        this.#at++
        ends = true
        break
      }
      pieces.push(this.#quantified(this.#atom()))
    }
    if (isTop && !ends) pieces.push(anything())
    return {
      expression: sequence(...pieces.map(piece => piece.expression)),
      min: pieces.reduce((sum, piece) => sum + piece.min, 0),
      max: pieces.reduce((sum, piece) => sum + piece.max, 0)
    }
  }

  #ofSet(set: readonly CodeRange[]): PatternPart {
    return { expression: stringCharacters(this.#rules, set, 1, 1), min: 1, max: 1, set }
  }

  #repeated(piece: PatternPart, min: number, max: number): PatternPart {
    if (min > mostRepeats || (max > mostRepeats && max !== Infinity)) {
      throw new UnsupportedPattern(`it repeats something more than ${mostRepeats} times`)
    }
    const expression =
      piece.set !== undefined
        ? stringCharacters(this.#rules, piece.set, min, max)
        : max === 0
          ? empty
          : repeat(piece.expression, min, max)
    return { expression, min: piece.min * min, max: piece.max === 0 || max === 0 ? 0 : piece.max * max }
  }

  #quantified(piece: PatternPart): PatternPart {
    const counts = /^\{(\d+)(,(\d*))?\}/.exec(this.#source.slice(this.#at, this.#at + 40))
    let [min, max] = [1, 1]
    if (this.#takes('*')) [min, max] = [0, Infinity]
    else if (this.#takes('+')) [min, max] = [1, Infinity]
    else if (this.#takes('?')) [min, max] = [0, 1]
    else if (counts !== null) {
      this.#at += counts[0].length
      min = Number(counts[1])
      max = counts[2] === undefined ? min : counts[3] === '' ? Infinity : Number(counts[3])
    } else return piece
    this.#takes('?') // lazy: the same texts match
    return this.#repeated(piece, min, max)
  }

  #atom(): PatternPart {
    if (this.#takes('(')) {
      if (this.#takes('?')) {
        if (['=', '!', '<=', '<!'].some(kind => this.#source.startsWith(kind, this.#at))) {
          throw new UnsupportedPattern('it looks ahead or behind')
        }
        if (this.#takes('<')) this.#at = this.#source.indexOf('>', this.#at) + 1
        else if (!this.#takes(':')) throw new UnsupportedPattern('it changes flags within a group')
      }
      const group = this.options(false)
      this.#takes(')')
      return group
    }
    if (this.#takes('[')) return this.#ofSet(this.#class())
    if (this.#takes('.')) return this.#ofSet(complement(lineEnds))
    if (this.#takes('\\')) return this.#ofSet(this.#escape(false))
    const character = this.#next()
    if (character === '^' || character === '$')
      throw new UnsupportedPattern(`it has '${character}' within the expression`)
    const code = character.codePointAt(0)!
    return this.#ofSet([[code, code]])
  }

  #hex(count: number): number {
    const value = Number.parseInt(this.#source.slice(this.#at, this.#at + count), 16)
    this.#at += count
    return value
  }

  #escape(inClass: boolean): readonly CodeRange[] {
    const letter = this.#next()
    const set = sets[letter]
    if (set !== undefined) return set
    if (letter === 'p' || letter === 'P') {
      const end = this.#source.indexOf('}', this.#at) + 1
      const source = `\\${letter}${this.#source.slice(this.#at, end)}`
      this.#at = end
      return propertySet(source)
    }
    let code = controls[letter]
    if (letter === 'x') code = this.#hex(2)
    else if (letter === 'c') code = this.#next().charCodeAt(0) % 32
    else if (letter === 'u') code = this.#unicode()
    else if (letter === 'b' && inClass) code = 0x8
    else if (letter === 'b' || letter === 'B') throw new UnsupportedPattern('it looks for a border of a word')
    else if (/[1-9k]/.test(letter)) throw new UnsupportedPattern('it refers back to a group')
    code ??= letter.codePointAt(0)!
    return [[code, code]]
  }

  #unicode(): number {
    if (this.#takes('{')) {
      const end = this.#source.indexOf('}', this.#at)
      const code = this.#hex(end - this.#at)
      this.#at++
      return code
    }
    const code = this.#hex(4)
    const isHigh = code >= 0xd800 && code <= 0xdbff
    const low = /^\\u([dD][c-fC-F][0-9a-fA-F]{2})/.exec(this.#source.slice(this.#at, this.#at + 6))?.[1]
    if (!isHigh || low === undefined) return code
    this.#at += 6
    return (code - 0xd800) * 0x400 + (Number.parseInt(low, 16) - 0xdc00) + 0x10000
  }

  #class(): readonly CodeRange[] {
    const negated = this.#takes('^')
    const ranges: CodeRange[] = []
    const member = (): readonly CodeRange[] => {
      if (this.#takes('\\')) return this.#escape(true)
      const code = this.#next().codePointAt(0)!
      return [[code, code]]
    }
    while (!this.#takes(']')) {
      const first = member()
      if (this.#source[this.#at] === '-' && this.#source[this.#at + 1] !== ']') {
        this.#at++
        const last = member()
        ranges.push([first[0]![0], last[0]![1]])
      } else ranges.push(...first)
    }
    return negated ? complement(ranges) : complement(complement(ranges))
  }
}

/**
 * The inside of a JSON string whose value the pattern finds something in. Throws UnsupportedPattern for what no grammar can do, and for
 * what is no expression.
 */
export function patternGrammar(rules: Rules, pattern: string): PatternGrammar {
  try {
    new RegExp(pattern, 'u')
  } catch {
    throw new UnsupportedPattern('it is no regular expression of ECMAScript with the flag u')
  }
  const parser = new Parser(pattern, rules)
  return parser.options(true)
}
