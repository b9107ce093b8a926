// Numbers within bounds as a grammar, digit by digit. Rounding to a double keeps order, so what is within the bounds as decimals is so
// once it is parsed. Pure.

import { characters, choice, empty, type GrammarPiece, literal, never, type Rules, repeat, sequence } from './ebnf.ts'
import { digit } from './json-text.ts'

/** Inclusive bounds; exclusive ones are moved to the next double. Infinite where there is none. */
export interface Bounds {
  readonly min: number
  readonly max: number
}

/** Whole numbers have at most this many digits, and fractions, where bounds do not need more. */
const mostDigits = 20
const highest = 10n ** BigInt(mostDigits) - 1n

const bits = new DataView(new ArrayBuffer(8))

/** The next double above. */
export function nextUp(value: number): number {
  if (value === Infinity || Number.isNaN(value)) return value
  if (value === 0) return Number.MIN_VALUE
  bits.setFloat64(0, value)
  bits.setBigInt64(0, bits.getBigInt64(0) + (value > 0 ? 1n : -1n))
  return bits.getFloat64(0)
}

const anyDigits = (min: number, max: number): GrammarPiece => repeat(digit, min, max)

function digitsBetween(from: number, to: number): GrammarPiece {
  return from > to ? never : characters([[0x30 + from, 0x30 + to]])
}

/** Digits of one length, at least `least`. */
function atLeast(least: string): GrammarPiece {
  if (/^0*$/.test(least)) return anyDigits(least.length, least.length)
  const [first, rest] = [Number(least[0]), least.slice(1)]
  return choice([
    sequence(literal(least[0]!), atLeast(rest)),
    sequence(digitsBetween(first + 1, 9), anyDigits(rest.length, rest.length))
  ])
}

function atMost(most: string): GrammarPiece {
  if (/^9*$/.test(most)) return anyDigits(most.length, most.length)
  const [first, rest] = [Number(most[0]), most.slice(1)]
  return choice([
    sequence(literal(most[0]!), atMost(rest)),
    sequence(digitsBetween(0, first - 1), anyDigits(rest.length, rest.length))
  ])
}

/** Digits of the same length as both. */
function within(least: string, most: string): GrammarPiece {
  if (least === '') return empty
  if (least[0] === most[0]) return sequence(literal(least[0]!), within(least.slice(1), most.slice(1)))
  const length = least.length - 1
  return choice([
    sequence(literal(least[0]!), atLeast(least.slice(1))),
    sequence(digitsBetween(Number(least[0]) + 1, Number(most[0]) - 1), anyDigits(length, length)),
    sequence(literal(most[0]!), atMost(most.slice(1)))
  ])
}

/** Whole numbers of at least 0, without leading zeros. */
function naturals(from: bigint, to: bigint): GrammarPiece {
  const options: GrammarPiece[] = []
  const last = to > highest ? highest : to
  for (let length = String(from).length; length <= String(last).length; length++) {
    const lowest = length === 1 ? 0n : 10n ** BigInt(length - 1)
    const largest = 10n ** BigInt(length) - 1n
    const [start, end] = [from > lowest ? from : lowest, last < largest ? last : largest]
    if (start <= end) options.push(within(String(start), String(end)))
  }
  return choice(options)
}

const ceil = (value: number): bigint => BigInt(Math.ceil(value))
const floor = (value: number): bigint => BigInt(Math.floor(value))
const limited = (value: bigint): bigint => (value > highest ? highest : value < -highest ? -highest : value)
const lowestInteger = ({ min }: Bounds): bigint => (min === -Infinity ? -highest : limited(ceil(min)))
const highestInteger = ({ max }: Bounds): bigint => (max === Infinity ? highest : limited(floor(max)))

/** Whole numbers within bounds. */
export function integers(bounds: Bounds): GrammarPiece {
  const [from, to] = [lowestInteger(bounds), highestInteger(bounds)]
  if (from > to) return never
  const options: GrammarPiece[] = []
  if (to >= 0n) options.push(naturals(from > 0n ? from : 0n, to))
  if (from < 0n) options.push(sequence(literal('-'), naturals(to < -1n ? -to : 1n, -from)))
  return choice(options)
}

interface Decimal {
  readonly whole: bigint
  /** digits after the point, without zeros at the end */
  readonly fraction: string
}

/** Of a number of at least 0, exactly as JavaScript writes it. */
function decimalOf(value: number): Decimal {
  const [mantissa, exponent = '0'] = String(value).split('e') as [string, string?]
  const [whole, fraction = ''] = mantissa.split('.') as [string, string?]
  const shift = Number(exponent)
  const all = whole + fraction
  const point = whole.length + shift
  const padded = point <= 0 ? '0'.repeat(1 - point) + all : all.padEnd(point, '0')
  const at = point <= 0 ? 1 : point
  return { whole: BigInt(padded.slice(0, at)), fraction: padded.slice(at).replace(/0+$/, '') }
}

const anyFraction = choice([empty, sequence(literal('.'), anyDigits(1, mostDigits))])

function fractionAtLeast(least: string): GrammarPiece {
  if (least === '') return anyDigits(0, mostDigits)
  return choice([
    sequence(digitsBetween(Number(least[0]) + 1, 9), anyDigits(0, mostDigits)),
    sequence(literal(least[0]!), fractionAtLeast(least.slice(1)))
  ])
}

/** More digits, or none. */
function fractionAtMost(most: string): GrammarPiece {
  return most === '' ? anyZeros : choice([empty, someFractionAtMost(most)])
}

const anyZeros = repeat(literal('0'), 0, 2)

function someFractionAtMost(most: string): GrammarPiece {
  return choice([
    sequence(digitsBetween(0, Number(most[0]) - 1), anyDigits(0, mostDigits)),
    sequence(literal(most[0]!), fractionAtMost(most.slice(1)))
  ])
}

function fractionWithin(least: string, most: string): GrammarPiece {
  if (least === '') return fractionAtMost(most)
  if (least[0] === most[0]) return sequence(literal(least[0]!), fractionWithin(least.slice(1), most.slice(1)))
  return choice([
    sequence(literal(least[0]!), fractionAtLeast(least.slice(1))),
    sequence(digitsBetween(Number(least[0]) + 1, Number(most[0]) - 1), anyDigits(0, mostDigits)),
    sequence(literal(most[0]!), fractionAtMost(most.slice(1)))
  ])
}

/** What follows the whole part where that is the bound's. */
const upTo = (most: string): GrammarPiece =>
  choice([empty, sequence(literal('.'), most === '' ? repeat(literal('0'), 1, 2) : someFractionAtMost(most))])
const from = (least: string): GrammarPiece =>
  least === '' ? anyFraction : sequence(literal('.'), fractionAtLeast(least))
const between = (least: string, most: string): GrammarPiece =>
  least === '' ? upTo(most) : sequence(literal('.'), fractionWithin(least, most))

/** Decimals of at least 0. */
function decimals(min: number, max: number): GrammarPiece {
  if (min > max) return never
  // what no 20 digits after the point can tell from 0
  const least = min > 0 && min < 1e-20 ? { whole: 0n, fraction: `${'0'.repeat(mostDigits - 1)}1` } : decimalOf(min)
  const most = max < 1e-20 ? decimalOf(0) : max > 1e20 ? { whole: highest, fraction: '' } : decimalOf(max)
  if (least.whole > most.whole || (least.whole === most.whole && least.fraction > most.fraction)) return never
  if (least.whole === most.whole) {
    return sequence(literal(String(least.whole)), between(least.fraction, most.fraction))
  }
  const options = [sequence(literal(String(least.whole)), from(least.fraction))]
  if (most.whole - least.whole > 1n) {
    options.push(sequence(naturals(least.whole + 1n, most.whole - 1n), anyFraction))
  }
  return choice([...options, sequence(literal(String(most.whole)), upTo(most.fraction))])
}

/** Numbers within bounds, without an exponent. */
export function numbers({ min, max }: Bounds): GrammarPiece {
  const options: GrammarPiece[] = []
  if (max >= 0) options.push(decimals(Math.max(min, 0), max))
  if (min < 0) options.push(sequence(literal('-'), decimals(Math.max(-max, 0), -min)))
  return choice(options)
}

/** most values that are listed one by one */
const mostListed = 1000
const largestCounted = 20
const mostCountedDigits = 15

/** Multiples of a whole number within bounds; null where they are too many to be listed and bounds are not 0. */
export function multiples(rules: Rules, of: number, bounds: Bounds): GrammarPiece | null {
  const step = BigInt(of)
  const [least, most] = [lowestInteger(bounds), highestInteger(bounds)]
  let first = (least / step) * step
  if (first < least) first += step
  if (first > most) return never
  if ((most - first) / step < BigInt(mostListed)) {
    const listed: GrammarPiece[] = []
    for (let value = first; value <= most; value += step) listed.push(literal(String(value)))
    return choice(listed)
  }
  const isFree = (bound: number): boolean => Math.abs(bound) === Infinity || bound === 0
  if (!isFree(bounds.min) || !isFree(bounds.max)) return null
  const zeros = /^10+$/.exec(String(of))?.[0].length
  const positive =
    zeros !== undefined
      ? sequence(naturals(1n, 10n ** 12n), literal('0'.repeat(zeros - 1)))
      : of <= largestCounted
        ? countedMultiples(rules, of)
        : null
  if (positive === null) return null
  const options: GrammarPiece[] = [literal('0')]
  if (bounds.max > 0) options.push(positive)
  if (bounds.min < 0) options.push(sequence(literal('-'), positive))
  return choice(options)
}

/** Digits of a multiple above 0, by the remainder of what stands before each. */
function countedMultiples(rules: Rules, of: number): GrammarPiece {
  const rest = (remainder: number, room: number): GrammarPiece =>
    rules.rule(`multiples of ${of}: ${remainder}, ${room}`, () => {
      const ends = remainder === 0 ? [empty] : []
      if (room === 0) return choice(ends)
      const more = Array.from({ length: 10 }, (_, one) =>
        sequence(literal(String(one)), rest((remainder * 10 + one) % of, room - 1))
      )
      return choice([...ends, ...more])
    })
  const first = Array.from({ length: 9 }, (_, at) => at + 1)
  return choice(first.map(one => sequence(literal(String(one)), rest(one % of, mostCountedDigits - 1))))
}
