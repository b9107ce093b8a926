// Grammars as data: expressions and rules, what cannot end is pruned, and their text in the engine's EBNF. Pure; knows no JSON.
// A token mask is fast where loops stay within one rule, so loops are right-recursive rules or repeated classes.

/** Code points, inclusive. */
export type CodeRange = readonly [from: number, to: number]

export type GrammarPiece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'class'; readonly ranges: readonly CodeRange[] }
  | { readonly kind: 'rule'; readonly name: string }
  | { readonly kind: 'sequence'; readonly parts: readonly GrammarPiece[] }
  /** without options: nothing matches */
  | { readonly kind: 'choice'; readonly options: readonly GrammarPiece[] }
  /** `max` may be Infinity */
  | { readonly kind: 'repeat'; readonly part: GrammarPiece; readonly min: number; readonly max: number }

export const literal = (value: string): GrammarPiece => ({ kind: 'text', text: value })
export const characters = (ranges: readonly CodeRange[]): GrammarPiece => ({ kind: 'class', ranges })
export const sequence = (...parts: readonly GrammarPiece[]): GrammarPiece =>
  parts.length === 1 ? parts[0]! : { kind: 'sequence', parts }
export const choice = (options: readonly GrammarPiece[]): GrammarPiece =>
  options.length === 1 ? options[0]! : { kind: 'choice', options }
export const repeat = (part: GrammarPiece, min: number, max: number): GrammarPiece => ({
  kind: 'repeat',
  part,
  min,
  max
})
export const optional = (part: GrammarPiece): GrammarPiece => choice([empty, part])

/** Matches the empty text. */
export const empty: GrammarPiece = literal('')
/** Matches nothing. */
export const never: GrammarPiece = { kind: 'choice', options: [] }

/** More would take too long to compile. */
const mostRules = 20_000

/** A grammar became too large; the message says of what. */
export class GrammarTooLarge extends Error {}

/** Rules by what they stand for: the same key is the same rule, which may refer to itself. */
export class Rules {
  readonly #names = new Map<string, string>()
  readonly #bodies = new Map<string, GrammarPiece>()

  /** A reference to the rule of this key. */
  rule(key: string, make: (self: GrammarPiece) => GrammarPiece): GrammarPiece {
    const known = this.#names.get(key)
    if (known !== undefined) return { kind: 'rule', name: known }
    if (this.#names.size >= mostRules) throw new GrammarTooLarge(`it takes more than ${mostRules} rules`)
    const name = `r${this.#names.size}`
    this.#names.set(key, name)
    const self: GrammarPiece = { kind: 'rule', name }
    this.#bodies.set(name, make(self))
    return self
  }

  /** The grammar as EBNF with `root` as its start; null where no text matches. */
  write(root: GrammarPiece): string | null {
    const bodies = new Map([...this.#bodies, ['root', root] as const])
    const finite = productive(bodies)
    if (!finite.has('root')) return null
    const lines: string[] = []
    const waiting = ['root']
    const seen = new Set(waiting)
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      const pruned = prune(bodies.get(name)!, finite)!
      lines.push(`${name} ::= ${write(pruned)}`)
      for (const next of references(pruned)) {
        if (seen.has(next)) continue
        seen.add(next)
        waiting.push(next)
      }
    }
    return `${lines.join('\n')}\n${end} ::= ""\n`
  }
}

/** Names of the rules that match at least one finite text. */
function productive(bodies: ReadonlyMap<string, GrammarPiece>): ReadonlySet<string> {
  const finite = new Set<string>()
  const users = new Map<string, string[]>()
  for (const [name, body] of bodies) {
    for (const used of references(body)) users.set(used, [...(users.get(used) ?? []), name])
  }
  const waiting = [...bodies.keys()]
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (finite.has(name) || !ends(bodies.get(name)!, finite)) continue
    finite.add(name)
    waiting.push(...(users.get(name) ?? []))
  }
  return finite
}

function ends(expression: GrammarPiece, finite: ReadonlySet<string>): boolean {
  switch (expression.kind) {
    case 'text':
      return true
    case 'class':
      return expression.ranges.length > 0
    case 'rule':
      return finite.has(expression.name)
    case 'sequence':
      return expression.parts.every(part => ends(part, finite))
    case 'choice':
      return expression.options.some(option => ends(option, finite))
    case 'repeat':
      return expression.min === 0 || ends(expression.part, finite)
  }
}

/** Without the options that never end; null where nothing is left. */
function prune(expression: GrammarPiece, finite: ReadonlySet<string>): GrammarPiece | null {
  if (!ends(expression, finite)) return null
  switch (expression.kind) {
    case 'sequence':
      return { ...expression, parts: expression.parts.map(part => prune(part, finite)!) }
    case 'choice':
      return choice(expression.options.flatMap(option => prune(option, finite) ?? []))
    case 'repeat': {
      const part = prune(expression.part, finite)
      return part === null ? empty : { ...expression, part }
    }
    default:
      return expression
  }
}

function* references(expression: GrammarPiece): Generator<string> {
  if (expression.kind === 'rule') yield expression.name
  else if (expression.kind === 'sequence') for (const part of expression.parts) yield* references(part)
  else if (expression.kind === 'choice') for (const option of expression.options) yield* references(option)
  else if (expression.kind === 'repeat') yield* references(expression.part)
}

const hex = (code: number): string => `\\U${code.toString(16).padStart(8, '0')}`

const isPlain = (code: number): boolean =>
  code === 0x20 || (code >= 0x30 && code <= 0x7a && !(code >= 0x5b && code <= 0x60)) // digits, letters

/** A text between quotes; whatever could mean something else is written by its number. */
function quote(value: string): string {
  let written = ''
  for (const character of value) {
    const code = character.codePointAt(0)!
    written += isPlain(code) ? character : hex(code)
  }
  return `"${written}"`
}

function write(expression: GrammarPiece): string {
  switch (expression.kind) {
    case 'text':
      return quote(expression.text)
    case 'class':
      return writeClass(expression.ranges, '')
    case 'rule':
      return expression.name
    case 'sequence':
      return expression.parts.length === 0 ? '""' : expression.parts.map(writeGrouped).join(' ')
    case 'choice':
      return expression.options.length === 1
        ? write(expression.options[0]!)
        : expression.options.map(closed).join(' | ')
    case 'repeat': {
      const { part, min, max } = expression
      if (max === 0) return '""'
      const count = max === Infinity ? (min === 0 ? '*' : min === 1 ? '+' : `{${min},}`) : `{${min},${max}}`
      return `${part.kind === 'sequence' || part.kind === 'repeat' ? `(${write(part)})` : writeGrouped(part)}${count}`
    }
  }
}

const isAscii = (expression: GrammarPiece): boolean =>
  expression.kind === 'class' && expression.ranges.every(([, to]) => to < 0x80)

const writeGrouped = (expression: GrammarPiece): string =>
  expression.kind === 'choice' || (expression.kind === 'class' && !isAscii(expression))
    ? `(${write(expression)})`
    : write(expression)

/**
 * An option that ends with a rule. The engine (0.1.27) joins states of options that end with the same characters, also where they differ
 * in what may follow: of "10", "110", "20" it makes a loop. It leaves references alone.
 */
function closed(expression: GrammarPiece): string {
  const last = expression.kind === 'sequence' ? expression.parts.at(-1) : expression
  if (last?.kind === 'rule' || expression === empty) return writeOption(expression)
  return writeOption(
    sequence(...(expression.kind === 'sequence' ? expression.parts : [expression]), { kind: 'rule', name: end })
  )
}

/** the rule that matches the empty text */
const end = 'end'

/** An option of a choice; each sequence of bytes of a class in front is an option of its own, so that no group stands in a loop. */
function writeOption(expression: GrammarPiece): string {
  if (expression.kind !== 'sequence') return write(expression)
  const [first, ...rest] = expression.parts
  if (first?.kind !== 'class' || isAscii(first)) return write(expression)
  return writeClass(first.ranges, rest.map(part => ` ${writeGrouped(part)}`).join(''))
}

type Bytes = readonly (readonly [from: number, to: number])[]

const encode = (code: number): readonly number[] => [...new TextEncoder().encode(String.fromCodePoint(code))]

/** The sequences of bytes, in UTF-8, of code points that are no surrogates. */
function* byteSequences(from: number, to: number): Generator<Bytes> {
  for (const border of [0x7f, 0x7ff, 0xd7ff, 0xffff]) {
    if (from > border || to <= border) continue
    yield* byteSequences(from, border)
    yield* byteSequences(border === 0xd7ff ? Math.max(0xe000, border + 1) : border + 1, to)
    return
  }
  const length = encode(from).length
  for (let more = 1; more < length; more++) {
    const low = 2 ** (6 * more) - 1
    if ((from & ~low) === (to & ~low)) continue
    if ((from & low) !== 0) {
      yield* byteSequences(from, from | low)
      yield* byteSequences((from | low) + 1, to)
      return
    }
    if ((to & low) !== low) {
      yield* byteSequences(from, (to & ~low) - 1)
      yield* byteSequences(to & ~low, to)
      return
    }
  }
  const last = encode(to)
  yield encode(from).map((byte, at) => [byte, last[at]!] as const)
}

const hexByte = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`

/**
 * A class, and what follows it. The engine takes ranges beyond ASCII for bytes (0.1.27), and one byte alone for a character: so they are
 * written as bytes, a single one twice.
 */
function writeClass(ranges: readonly CodeRange[], rest: string): string {
  const ascii: string[] = []
  const options: string[] = []
  for (const [from, to] of ranges) {
    for (const bytes of byteSequences(from, to)) {
      const [[first, last]] = bytes as [readonly [number, number]]
      if (bytes.length === 1) ascii.push(`${hexByte(first)}-${hexByte(last)}`)
      else
        options.push(
          bytes.map(([low, high]) => `[${hexByte(low)}${low === high ? hexByte(low) : `-${hexByte(high)}`}]`).join(' ')
        )
    }
  }
  if (ascii.length > 0) options.unshift(`[${ascii.join('')}]`)
  return options.map(option => option + rest).join(' | ')
}
