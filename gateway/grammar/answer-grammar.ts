// The form of an answer, as it is asked for, and its grammar in EBNF. Pure.
import {
  type CodeRange,
  characters,
  choice,
  empty,
  type GrammarPiece,
  GrammarTooLarge,
  literal,
  optional,
  Rules,
  repeat,
  sequence
} from './ebnf.ts'
import { isSchema, schemaGrammar } from './json-schema.ts'
import { anyObject, complement } from './json-text.ts'
import { SchemaError } from './schema.ts'

/** What an answer may be: JSON, or a text with JSON in it, such as a call of a tool. */
export type AnswerGrammar =
  /** any object of JSON */
  | { readonly type: 'json_object' }
  /** a value that is valid; `strict`: keywords that cannot be enforced are an error, else they are left out */
  | {
      readonly type: 'json_schema'
      readonly schema: unknown
      readonly strict: boolean
      /** for messages, as `tool 'add'` */
      readonly name?: string
    }
  /** this text */
  | { readonly type: 'text'; readonly text: string }
  /** any text that has none of these and does not begin with the one character, the empty one too */
  | { readonly type: 'any'; readonly without: readonly string[]; readonly notFirst?: string }
  | { readonly type: 'sequence'; readonly parts: readonly AnswerGrammar[] }
  | { readonly type: 'choice'; readonly options: readonly AnswerGrammar[] }
  /** `max`: default no limit */
  | { readonly type: 'repeat'; readonly part: AnswerGrammar; readonly min: number; readonly max?: number }

export interface WrittenGrammar {
  readonly ebnf: string
  /** places of keywords of schemas that are not enforced */
  readonly relaxed: readonly string[]
}

/** A text without these: the state is what of them stands at its end. */
function anyWithout(rules: Rules, without: readonly string[], notFirst: string | undefined): GrammarPiece {
  const stops = without.filter(stop => stop !== '')
  const states = new Set([''])
  for (const stop of stops) {
    const units = [...stop]
    for (let length = 1; length < units.length; length++) states.add(units.slice(0, length).join(''))
  }
  const letters = [...new Set(stops.flatMap(stop => [...stop]))]
  const others = complement(letters.map(letter => [letter.codePointAt(0)!, letter.codePointAt(0)!] as const))
  /** the longest state at the end of the text; null where a stop is there */
  const follow = (seen: string): string | null => {
    if (stops.some(stop => seen.endsWith(stop))) return null
    const units = [...seen]
    for (let from = 0; from < units.length; from++) {
      const end = units.slice(from).join('')
      if (states.has(end)) return end
    }
    return ''
  }
  const options = (state: string, left: readonly CodeRange[], taken: readonly string[]): GrammarPiece =>
    choice([
      empty,
      sequence(characters(left), after('')),
      ...taken.flatMap(letter => {
        const next = follow(state + letter)
        return next === null ? [] : [sequence(literal(letter), after(next))]
      })
    ])
  const after = (state: string): GrammarPiece =>
    rules.rule(`any ${JSON.stringify([stops, state])}`, () => options(state, others, letters))
  if (notFirst === undefined) return after('')
  const excluded = [...new Set([...letters, notFirst])].map(one => [one.codePointAt(0)!, one.codePointAt(0)!] as const)
  return options(
    '',
    complement(excluded),
    letters.filter(letter => letter !== notFirst)
  )
}

function expressionOf(rules: Rules, grammar: AnswerGrammar, relaxed: Set<string>, path: string): GrammarPiece {
  const inner = (part: AnswerGrammar, at: number): GrammarPiece => expressionOf(rules, part, relaxed, `${path}${at}.`)
  switch (grammar.type) {
    case 'json_object':
      return anyObject(rules)
    case 'json_schema': {
      const { schema, strict, name } = grammar
      const of = name === undefined ? '' : `${name}: `
      if (!isSchema(schema)) throw new SchemaError(`${of}expected a schema of JSON: an object`)
      let written: ReturnType<typeof schemaGrammar>
      try {
        written = schemaGrammar(rules, schema, { strict, prefix: path })
      } catch (error) {
        throw error instanceof SchemaError ? new SchemaError(of + error.message) : error
      }
      for (const place of written.relaxed) relaxed.add(place)
      return written.expression
    }
    case 'text':
      return literal(grammar.text)
    case 'any':
      return anyWithout(rules, grammar.without, grammar.notFirst)
    case 'sequence':
      return sequence(...grammar.parts.map(inner))
    case 'choice':
      return choice(grammar.options.map(inner))
    case 'repeat': {
      // a rule that repeats itself, so that a token may reach over the end of a part
      const { part, min, max = Infinity } = grammar
      const one = rules.rule(`${path}part`, () => inner(part, 0))
      if (max === Infinity && min === 0) return rules.rule(`${path}parts`, self => optional(sequence(one, self)))
      return repeat(one, min, max)
    }
  }
}

/** Throws SchemaError, with place and keyword, for what cannot be enforced, for what has no valid value, and for what is too large. */
export function writeGrammar(grammar: AnswerGrammar): WrittenGrammar {
  const rules = new Rules()
  const relaxed = new Set<string>()
  try {
    const ebnf = rules.write(expressionOf(rules, grammar, relaxed, ''))
    if (ebnf === null) throw new SchemaError('no value is valid')
    return { ebnf, relaxed: [...relaxed] }
  } catch (error) {
    if (error instanceof GrammarTooLarge) throw new SchemaError(`the schema is too large: ${error.message}`)
    if (error instanceof RangeError) throw new SchemaError('the schema is nested too deep')
    throw error
  }
}
