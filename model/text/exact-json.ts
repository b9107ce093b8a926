// JSON as Python reads it: what was written as 41.0 stays a float, large ints keep their digits, keys keep their order.
// The values are JavaScript's; what those forget is noted beside them.
import { type JsonLimits, parseForeignJson, stringEnd } from '../../common/foreign-json.ts'

/** What a value of `parseJson` forgets of its text. */
export interface Written {
  /** literals of numbers, by key or index: `41.0`, `1e5`, `12345678901234567890` */
  readonly numbers: ReadonlyMap<string, string>
  /** keys in the order of the text, where JavaScript has another: it puts `"10"` before `"a"` */
  readonly order: readonly string[] | undefined
}

const notes = new WeakMap<object, Written>()

/** What was noted of an object or list that `parseJson` gave. */
export function writtenIn(holder: object): Written | undefined {
  return notes.get(holder)
}

/** The fields of two objects of `parseJson` as one, with what was noted of them; those of the second replace those of the first. */
export function mergeJson<T extends object, U extends object>(first: T, second: U): T & U {
  const merged = { ...first, ...second }
  const numbers = new Map(notes.get(first)?.numbers)
  for (const name of Object.keys(second)) numbers.delete(name)
  for (const [name, literal] of notes.get(second)?.numbers ?? []) numbers.set(name, literal)
  const orders = [first, second].map(object => notes.get(object)?.order ?? Object.keys(object))
  notes.set(merged, { numbers, order: [...new Set(orders.flat())] })
  return merged
}

/** numbers that JavaScript does not preserve, and keys that it sorts; matches inside texts only cost time */
const telling = /\d\.\d|\d[eE]|\d{16}|-0|"\d+"\s*:/

const isKept = (literal: string): boolean => {
  if (!/^[-\d]/.test(literal)) return false
  if (/[.eE]/.test(literal)) return Number.isInteger(Number(literal)) || !Number.isFinite(Number(literal))
  return literal === '-0' || !Number.isSafeInteger(Number(literal))
}

/** Walks over a text that is known to be JSON, beside its value. */
class Walker {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(value: unknown): string | undefined {
    this.#skip(/[\s:,]*/y)
    switch (this.#text[this.#at]) {
      case '{':
        this.#object(value as Record<string, unknown>)
        return undefined
      case '[':
        this.#list(value as readonly unknown[])
        return undefined
      case '"':
        this.#string()
        return undefined
      default:
        return this.#skip(/[^\s,\]}]+/y)
    }
  }

  #skip(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0] ?? ''
    this.#at += found.length
    return found
  }

  #string(): string {
    const start = this.#at
    this.#at = stringEnd(this.#text, start) + 1
    return this.#text.slice(start, this.#at)
  }

  #ends(close: string): boolean {
    this.#skip(/[\s,]*/y)
    if (this.#text[this.#at] !== close) return false
    this.#at++
    return true
  }

  #object(value: Record<string, unknown>): void {
    this.#at++
    const numbers = new Map<string, string>()
    const order = new Set<string>()
    while (!this.#ends('}')) {
      const literal = this.#string()
      const key = literal.includes('\\') ? (JSON.parse(literal) as string) : literal.slice(1, -1)
      order.add(key)
      const number = this.value(value[key])
      if (number !== undefined && isKept(number)) numbers.set(key, number)
      else numbers.delete(key)
    }
    const names = [...order]
    const isSorted = Object.keys(value).every((key, index) => key === names[index])
    if (numbers.size > 0 || !isSorted) notes.set(value, { numbers, order: isSorted ? undefined : names })
  }

  #list(value: readonly unknown[]): void {
    this.#at++
    const numbers = new Map<string, string>()
    for (let index = 0; !this.#ends(']'); index++) {
      const number = this.value(value[index])
      if (number !== undefined && isKept(number)) numbers.set(String(index), number)
    }
    if (numbers.size > 0) notes.set(value, { numbers, order: undefined })
  }
}

/**
 * The value of a JSON text, as JSON.parse gives it. `renderChat` writes what it holds as Python would: `41.0` as a float, large ints with all digits,
 * keys in their order. Copies of its objects forget that. Throws SyntaxError, also for a text that nests deeper than 200 levels.
 */
export function parseJson(text: string, limits?: JsonLimits): unknown {
  const value = parseForeignJson(text, limits)
  if (typeof value !== 'object' || value === null || !telling.test(text)) return value
  // a key that stands twice may have had another kind of value at first, which the walk beside the value does not expect
  try {
    new Walker(text).value(value)
  } catch {
    notes.delete(value)
  }
  return value
}
