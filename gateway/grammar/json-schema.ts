// A JSON Schema as a grammar. Every text that it matches is valid; of valid ones it leaves some out, such as other orders of properties.
import { choice, empty, type GrammarPiece, literal, never, Rules, repeat, sequence } from './ebnf.ts'
import { formats } from './formats.ts'
import {
  anyArray,
  anyInteger,
  anyNumber,
  anyObject,
  anyString,
  complement,
  everything,
  space,
  stringCharacters
} from './json-text.ts'
import { integers, multiples, numbers } from './numbers.ts'
import { type PatternGrammar, patternGrammar, UnsupportedPattern } from './pattern.ts'
import { type All, type Branch, isObject, type Json, type JsonFields, SchemaSet } from './schema.ts'

/** Values of one schema, as rules of a grammar. */
class SchemaGrammar {
  readonly #rules: Rules
  readonly #schema: SchemaSet
  readonly #prefix: string

  constructor(rules: Rules, schema: SchemaSet, prefix: string) {
    this.#rules = rules
    this.#schema = schema
    this.#prefix = prefix
  }

  /** Throws SchemaError, and UnsupportedPattern never. */
  value(all: All): GrammarPiece {
    return this.#rules.rule(`${this.#prefix}value ${this.#schema.keyOf(all)}`, () => {
      const branches = this.#schema.branches(all)
      return choice(branches.map(branch => this.#branch(branch)))
    })
  }

  #branch({ nodes, types, isInteger, values }: Branch): GrammarPiece {
    if (values !== null) return choice(values.map(value => literal(JSON.stringify(value))))
    const options: GrammarPiece[] = []
    if (types.has('object')) options.push(this.#object(nodes))
    if (types.has('array')) options.push(this.#array(nodes))
    if (types.has('string')) options.push(this.#string(nodes))
    if (types.has('number')) options.push(this.#number(nodes, isInteger))
    if (types.has('boolean')) options.push(literal('true'), literal('false'))
    if (types.has('null')) options.push(literal('null'))
    return choice(options)
  }

  #number(nodes: readonly JsonFields[], isInteger: boolean): GrammarPiece {
    const bounds = this.#schema.bounds(nodes)
    let step = 1
    for (const node of nodes) {
      const { multipleOf } = node
      if (multipleOf === undefined) continue
      if (typeof multipleOf !== 'number' || multipleOf <= 0)
        throw this.#schema.wrong(node, 'multipleOf', 'a number above 0')
      if (!Number.isInteger(multipleOf)) {
        this.#schema.give(node, 'multipleOf', 'only whole numbers are')
        continue
      }
      step = leastCommonMultiple(step, multipleOf)
      const found = multiples(this.#rules, step, bounds)
      if (found === null) {
        this.#schema.give(node, 'multipleOf', 'with these bounds it has too many values')
        step = 1
      } else if (node === nodes.findLast(other => other.multipleOf !== undefined)) return found
    }
    const isFree = bounds.min === -Infinity && bounds.max === Infinity
    if (isFree) return isInteger ? anyInteger(this.#rules) : anyNumber(this.#rules)
    const key = `${isInteger ? 'integer' : 'number'} ${bounds.min} ${bounds.max}`
    return this.#rules.rule(key, () => (isInteger ? integers(bounds) : numbers(bounds)))
  }

  #string(nodes: readonly JsonFields[]): GrammarPiece {
    const { min, max } = this.#schema.range(nodes, 'minLength', 'maxLength')
    if (min > max) return never
    const inside = this.#shaped(nodes, min, max)
    if (inside !== null) return sequence(literal('"'), inside, literal('"'))
    if (min === 0 && max === Infinity) return anyString(this.#rules)
    return this.#rules.rule(`string ${min} ${max}`, () =>
      sequence(literal('"'), stringCharacters(this.#rules, everything, min, max), literal('"'))
    )
  }

  /** The inside of a string by its pattern or format; null where it has none that is enforced. */
  #shaped(nodes: readonly JsonFields[], min: number, max: number): GrammarPiece | null {
    let shape: GrammarPiece | null = null
    for (const node of nodes) {
      for (const keyword of ['pattern', 'format']) {
        const found = this.#pattern(node, keyword)
        if (found === null) continue
        if (shape !== null) {
          this.#schema.give(node, keyword, 'a string has one pattern or format')
          continue
        }
        if (found.min < min || found.max > max) {
          // of two that do not go together the pattern stays
          const owner = nodes.find(other => other[found.min < min ? 'minLength' : 'maxLength'] !== undefined)!
          const lengths = found.min < min ? 'minLength' : 'maxLength'
          this.#schema.give(
            owner,
            lengths,
            `together with ${keyword} (write the length into a pattern, as ^[a-z]{2,8}$)`
          )
        }
        shape = found.expression
      }
    }
    return shape
  }

  #pattern(node: JsonFields, keyword: string): PatternGrammar | null {
    const given = node[keyword]
    if (given === undefined) return null
    if (typeof given !== 'string') throw this.#schema.wrong(node, keyword, 'a text')
    const source = keyword === 'pattern' ? given : Object.hasOwn(formats, given) ? `^(${formats[given]})$` : null
    if (source === null) {
      this.#schema.give(node, 'format', `'${given.slice(0, 40)}' is none of ${Object.keys(formats).join(', ')}`)
      return null
    }
    try {
      let lengths: PatternGrammar | undefined
      const expression = this.#rules.rule(`pattern ${source}`, () => {
        lengths = patternGrammar(this.#rules, source)
        return lengths.expression
      })
      lengths ??= patternGrammar(new Rules(), source)
      return { ...lengths, expression }
    } catch (error) {
      if (!(error instanceof UnsupportedPattern)) throw error
      this.#schema.give(node, keyword, error.message)
      return null
    }
  }

  #array(nodes: readonly JsonFields[]): GrammarPiece {
    const { min, max } = this.#schema.range(nodes, 'minItems', 'maxItems')
    if (min > max) return never
    const prefix = this.#schema.prefixLength(nodes)
    if (prefix === 0 && min === 0 && max === Infinity && this.#schema.item(nodes, 0).length === 0)
      return anyArray(this.#rules)
    const gap = space(this.#rules)
    const item = (at: number): GrammarPiece => this.value(this.#schema.item(nodes, at))
    const rest = this.#rules.rule(`${this.#prefix}more items ${this.#schema.keyOf(nodes)}`, () =>
      sequence(literal(','), gap, item(prefix), gap)
    )
    /** what follows `at` items */
    const after = (at: number): GrammarPiece => {
      if (at < prefix) {
        if (at >= max) return empty
        const next = sequence(...(at === 0 ? [] : [literal(','), gap]), item(at), gap, after(at + 1))
        return at >= min ? choice([empty, next]) : next
      }
      const [least, most] = [Math.max(0, min - at), max - at]
      if (most <= 0) return empty
      if (at > 0) return repeat(rest, least, most)
      const some = sequence(item(prefix), gap, repeat(rest, Math.max(0, least - 1), most - 1))
      return least === 0 ? choice([empty, some]) : some
    }
    return sequence(literal('['), gap, after(0), literal(']'))
  }

  #object(nodes: readonly JsonFields[]): GrammarPiece {
    const schema = this.#schema
    const { min, max } = schema.range(nodes, 'minProperties', 'maxProperties')
    if (min > max) return never
    const required = schema.required(nodes)
    const declared = schema.declared(nodes)
    const isOpen = nodes.some(
      node =>
        node.additionalProperties !== undefined ||
        node.patternProperties !== undefined ||
        node.propertyNames !== undefined
    )
    if (!isOpen && declared.length === 0 && required.length === 0 && min <= 1 && max === Infinity) {
      if (min === 0) return anyObject(this.#rules)
    }
    const names = [...declared, ...required.filter(name => !declared.includes(name))]
    const gap = space(this.#rules)
    const properties = names.map(name => ({
      isRequired: required.includes(name),
      member: schema.isName(nodes, name)
        ? sequence(literal(JSON.stringify(name)), gap, literal(':'), gap, this.value(schema.property(nodes, name)), gap)
        : never
    }))
    const others = this.#otherMember(nodes, names)
    const key = `${this.#prefix}object ${schema.keyOf(nodes)}`
    const counts = min > 0 || max < Infinity
    /** what follows where `at` properties are decided and `count` are written */
    const after = (at: number, count: number): GrammarPiece =>
      this.#rules.rule(`${key} ${at} ${counts ? count : Math.min(count, 1)}`, () => {
        const comma = count === 0 ? [] : [literal(','), gap]
        if (at === properties.length) {
          // of names that are not told apart one counts
          const some =
            others === null || count >= max
              ? never
              : sequence(...comma, others, repeat(sequence(literal(','), gap, others), 0, max - count - 1))
          return choice([...(count >= min ? [empty] : []), ...(count + 1 >= min ? [some] : [])])
        }
        const { isRequired, member } = properties[at]!
        const written = count < max ? [sequence(...comma, member, after(at + 1, count + 1))] : []
        return choice([...written, ...(isRequired ? [] : [after(at + 1, count)])])
      })
    if (min > properties.length + (others === null ? 0 : 1)) {
      const owner = nodes.find(node => node.minProperties === min)!
      schema.give(owner, 'minProperties', 'names that are not declared may be the same')
      return this.#object(nodes.map(node => (node === owner ? withoutMin(node) : node)))
    }
    return sequence(literal('{'), gap, after(0, 0), literal('}'))
  }

  /** A property whose name is not declared; null where none is written. */
  #otherMember(nodes: readonly JsonFields[], names: readonly string[]): GrammarPiece | null {
    const schema = this.#schema
    const gap = space(this.#rules)
    const member = (name: GrammarPiece, all: All): GrammarPiece =>
      sequence(name, gap, literal(':'), gap, this.value(all), gap)
    const patterns = nodes.flatMap(node =>
      [...schema.table(node, 'patternProperties')].map(entry => [node, ...entry] as const)
    )
    if (patterns.length > 0) {
      // declared names might match as well, and names might match several patterns
      if (patterns.length > 1 || names.length > 0 || nodes.some(node => node.propertyNames !== undefined)) return null
      const [owner, pattern, value] = patterns[0]!
      const name = this.#pattern({ pattern }, 'pattern')
      if (name === null) return null
      const elsewhere = nodes.filter(node => node !== owner && node.additionalProperties !== undefined)
      return member(sequence(literal('"'), name.expression, literal('"')), [
        value,
        ...elsewhere.map(node => schema.child(node, 'additionalProperties'))
      ])
    }
    const open = nodes.filter(node => node.additionalProperties !== undefined)
    const named = nodes.filter(node => node.propertyNames !== undefined)
    if (open.length === 0 && named.length === 0 && names.length > 0) return null
    const all = open.map(node => schema.child(node, 'additionalProperties'))
    if (all.includes(false)) return null
    if (named.length > 0) {
      if (names.length > 0) return null
      return member(this.value([{ type: 'string' }, ...named.map(node => schema.child(node, 'propertyNames'))]), all)
    }
    return member(this.#undeclared(names), all)
  }

  /** A name that is none of these, without escapes, so that it is not one of them in disguise. */
  #undeclared(names: readonly string[]): GrammarPiece {
    const plain = complement([
      [0, 0x1f],
      [0x22, 0x22],
      [0x5c, 0x5c]
    ])
    const tails = (from: readonly string[]): GrammarPiece =>
      this.#rules.rule(`${this.#prefix}undeclared ${JSON.stringify(from)}`, () => {
        if (from.length === 0) return sequence(stringCharacters(this.#rules, plainSet, 0, Infinity), literal('"'))
        const byFirst = new Map<string, string[]>()
        for (const name of from) {
          const [first] = name
          if (first !== undefined) byFirst.set(first, [...(byFirst.get(first) ?? []), name.slice(first.length)])
        }
        const firsts = [...byFirst.keys()].map(first => [first.codePointAt(0)!, first.codePointAt(0)!] as const)
        const others = complement([...complement(plain), ...firsts])
        return choice([
          ...(from.includes('') ? [] : [literal('"')]),
          sequence({ kind: 'class', ranges: others }, tails([])),
          ...[...byFirst].map(([first, rest]) => sequence(literal(first), tails(rest)))
        ])
      })
    const plainSet = plain
    // what would need an escape cannot be written this way
    const written = names.filter(name => !JSON.stringify(name).includes('\\'))
    return sequence(literal('"'), tails(written))
  }
}

const withoutMins = new WeakMap<JsonFields, JsonFields>()

function withoutMin(node: JsonFields): JsonFields {
  let rest = withoutMins.get(node)
  if (rest === undefined) {
    const { minProperties: _, ...others } = node
    rest = others
    withoutMins.set(node, rest)
  }
  return rest
}

function leastCommonMultiple(left: number, right: number): number {
  let [a, b] = [left, right]
  while (b !== 0) [a, b] = [b, a % b]
  return (left / a) * right
}

/** Values of a schema. */
export function schemaGrammar(
  rules: Rules,
  root: Json,
  { strict, prefix }: { readonly strict: boolean; readonly prefix: string }
): { readonly expression: GrammarPiece; readonly relaxed: readonly string[] } {
  const schema = new SchemaSet(root, strict)
  const expression = new SchemaGrammar(rules, schema, prefix).value([root])
  return { expression, relaxed: [...schema.relaxed] }
}

/** Whether it may be a schema at all. */
export const isSchema = (value: unknown): value is Json => isObject(value) || typeof value === 'boolean'
