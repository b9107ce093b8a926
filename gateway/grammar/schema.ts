// JSON Schema (2020-12 and draft 7) as sets of schemas that must hold together, and as branches without `anyOf` and references. It says
// which keywords it knows: what could change an answer and is not enforced is told. Knows no grammar.

import { nextUp } from './numbers.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
export type JsonFields = Readonly<Record<string, Json>>
/** Schemas that must all hold. */
export type All = readonly Json[]

/** A schema that cannot be enforced, or that is none; the message names place and keyword. */
export class SchemaError extends Error {}

/** What a value of these schemas is, one branch of `anyOf` chosen. */
export interface Branch {
  readonly nodes: readonly JsonFields[]
  readonly types: ReadonlySet<TypeName>
  readonly isInteger: boolean
  /** of `enum` and `const` */
  readonly values: readonly Json[] | null
}

export type TypeName = 'null' | 'boolean' | 'number' | 'string' | 'array' | 'object'

const typeNames: readonly TypeName[] = ['null', 'boolean', 'number', 'string', 'array', 'object']

/** these say nothing of what is valid */
const annotations = new Set([
  ...['title', 'description', 'default', 'examples', 'example', 'deprecated', 'readOnly', 'writeOnly', 'discriminator'],
  ...['$schema', '$id', '$comment', '$anchor', '$defs', 'definitions', '$vocabulary', 'id'],
  ...['contentMediaType', 'contentEncoding', 'contentSchema', 'externalDocs', 'xml']
])

/** these are enforced, here or where the value's type is written */
const enforced = new Set([
  ...['type', 'enum', 'const', 'nullable', '$ref', 'allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  ...['minLength', 'maxLength', 'pattern', 'format'],
  ...['items', 'prefixItems', 'additionalItems', 'minItems', 'maxItems', 'uniqueItems'],
  ...['properties', 'required', 'additionalProperties', 'patternProperties', 'propertyNames'],
  ...['minProperties', 'maxProperties']
])

const mostBranches = 256

export const isObject = (value: unknown): value is JsonFields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** As JSON Schema compares values. */
function sameJson(left: Json, right: Json): boolean {
  if (left === right) return true
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, at) => sameJson(item as Json, right[at] as Json))
  }
  if (!isObject(left) || !isObject(right)) return false
  const keys = Object.keys(left)
  return (
    keys.length === Object.keys(right).length &&
    keys.every(key => Object.hasOwn(right, key) && sameJson(left[key]!, right[key]!))
  )
}

export const typeOf = (value: Json): TypeName => {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value as TypeName
}

export class SchemaSet {
  readonly #root: Json
  readonly #strict: boolean
  readonly #places = new Map<Json, string>()
  readonly #ids = new Map<Json, number>()
  readonly #checked = new Set<JsonFields>()
  /** keywords that are not enforced, with their places; empty where `strict` */
  readonly relaxed = new Set<string>()

  /** @param strict what is not enforced throws; else it is told in `relaxed` */
  constructor(root: Json, strict: boolean) {
    this.#root = root
    this.#strict = strict
    this.#places.set(root, '')
  }

  /** The same for the same schemas. */
  keyOf(all: All): string {
    const ids = new Set<number>()
    for (const node of all) {
      if (node === true) continue
      let id = this.#ids.get(node)
      if (id === undefined) {
        id = this.#ids.size
        this.#ids.set(node, id)
      }
      ids.add(id)
    }
    return [...ids].sort((a, b) => a - b).join(' ')
  }

  #placeOf(node: Json): string {
    return this.#places.get(node) ?? ''
  }

  #error(node: Json, message: string): SchemaError {
    const place = this.#placeOf(node)
    return new SchemaError(`${place === '' ? 'at the top' : `at ${place}`}: ${message}`)
  }

  /** A keyword that is not enforced here. */
  give(node: JsonFields, keyword: string, why: string): void {
    if (this.#strict) throw this.#error(node, `keyword '${keyword}' is not supported: ${why}`)
    this.relaxed.add(`${this.#placeOf(node)}/${keyword}`)
  }

  wrong(node: JsonFields, keyword: string, expected: string): SchemaError {
    const found = JSON.stringify(node[keyword])?.slice(0, 80)
    return this.#error(node, `keyword '${keyword}': expected ${expected}, found ${found}`)
  }

  /** A schema under this keyword, known by its place from now on. */
  #child(parent: JsonFields, path: string, child: Json | undefined, keyword: string): Json {
    if (!isObject(child) && typeof child !== 'boolean') throw this.wrong(parent, keyword, 'a schema')
    if (isObject(child) && !this.#places.has(child)) this.#places.set(child, `${this.#placeOf(parent)}/${path}`)
    return child
  }

  child(node: JsonFields, keyword: string): Json {
    return this.#child(node, keyword, node[keyword], keyword)
  }

  list(node: JsonFields, keyword: string): readonly Json[] {
    const list = node[keyword]
    if (!Array.isArray(list) || (list.length === 0 && keyword !== 'prefixItems' && keyword !== 'items')) {
      throw this.wrong(node, keyword, 'a list of schemas')
    }
    return list.map((child, at) => this.#child(node, `${keyword}/${at}`, child as Json, keyword))
  }

  /** By name. */
  table(node: JsonFields, keyword: string): ReadonlyMap<string, Json> {
    const table = node[keyword]
    if (table === undefined) return new Map()
    if (!isObject(table)) throw this.wrong(node, keyword, 'an object of schemas')
    const pointer = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1')
    return new Map(
      Object.entries(table).map(([name, child]) => [
        name,
        this.#child(node, `${keyword}/${pointer(name)}`, child, keyword)
      ])
    )
  }

  /** A number of at least 0 under this keyword. */
  count(node: JsonFields, keyword: string): number | undefined {
    const value = node[keyword]
    if (value === undefined) return undefined
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
      throw this.wrong(node, keyword, 'a whole number of at least 0')
    }
    return value
  }

  #resolve(node: JsonFields): Json {
    const reference = node.$ref
    if (typeof reference !== 'string') throw this.wrong(node, '$ref', 'a text')
    let found: Json | undefined = this.#root
    if (reference !== '#') {
      if (!reference.startsWith('#/')) {
        const anchor = reference.startsWith('#') ? this.#anchored(this.#root, reference.slice(1), 0) : undefined
        if (anchor === undefined) throw this.wrong(node, '$ref', 'a place within this schema, such as #/$defs/name')
        found = anchor
      } else {
        for (const part of reference.slice(2).split('/')) {
          const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
          const inside: Json | undefined = found
          if (Array.isArray(inside)) found = inside[Number(key)] as Json | undefined
          else found = isObject(inside) && Object.hasOwn(inside, key) ? inside[key] : undefined
        }
        if (found === undefined) throw this.wrong(node, '$ref', 'a place that there is in this schema')
      }
    }
    if (!isObject(found) && typeof found !== 'boolean') throw this.wrong(node, '$ref', 'the place of a schema')
    if (isObject(found) && !this.#places.has(found)) this.#places.set(found, reference.slice(1))
    return found
  }

  #anchored(value: Json, name: string, depth: number): Json | undefined {
    if (depth > 64 || typeof value !== 'object' || value === null) return undefined
    if (isObject(value) && value.$anchor === name) return value
    for (const inner of Object.values(value)) {
      const found = this.#anchored(inner as Json, name, depth + 1)
      if (found !== undefined) return found
    }
    return undefined
  }

  #check(node: JsonFields): void {
    if (this.#checked.has(node)) return
    this.#checked.add(node)
    for (const keyword of Object.keys(node)) {
      if (annotations.has(keyword) || enforced.has(keyword) || keyword.startsWith('x-')) continue
      this.give(node, keyword, 'no grammar here enforces it')
    }
    if (node.if !== undefined && (node.then !== undefined || node.else !== undefined)) {
      this.give(node, 'if', 'use anyOf with one schema for each case')
    }
    if (node.uniqueItems === true && !((this.count(node, 'maxItems') ?? 2) <= 1)) {
      this.give(node, 'uniqueItems', 'a grammar does not remember the items before')
    }
  }

  /** The schemas as branches: each holds where all of its nodes do, and the schemas hold where one branch does. */
  branches(all: All): readonly Branch[] {
    const sets: JsonFields[][] = []
    type Reached = readonly [node: Json, through: readonly JsonFields[]]
    const expand = (waiting: readonly Reached[], taken: readonly JsonFields[]): void => {
      const pending = [...waiting]
      const nodes = [...taken]
      const groups: (readonly Reached[])[] = []
      for (let reached = pending.shift(); reached !== undefined; reached = pending.shift()) {
        const [node, through] = reached
        if (node === true) continue
        if (node === false) return
        if (!isObject(node)) throw new SchemaError('expected a schema: an object, true or false')
        if (through.includes(node))
          throw this.#error(node, 'the schema refers to itself without a property or an item between')
        if (nodes.includes(node)) continue
        this.#check(node)
        nodes.push(node)
        const next = (inner: Json): Reached => [inner, [...through, node]]
        if (node.$ref !== undefined) pending.push(next(this.#resolve(node)))
        if (node.allOf !== undefined) pending.push(...this.list(node, 'allOf').map(next))
        if (node.anyOf !== undefined) groups.push(this.list(node, 'anyOf').map(next))
        if (node.oneOf !== undefined) {
          const options = this.list(node, 'oneOf')
          this.#checkOneOf(node, options)
          groups.push(options.map(next))
        }
      }
      choose(groups, [], nodes)
    }
    /** One of each group, all together. */
    const choose = (
      groups: readonly (readonly Reached[])[],
      chosen: readonly Reached[],
      nodes: readonly JsonFields[]
    ): void => {
      const [group, ...rest] = groups
      if (group !== undefined) for (const option of group) choose(rest, [...chosen, option], nodes)
      else if (chosen.length > 0) expand(chosen, nodes)
      else if (sets.push([...nodes]) > mostBranches) {
        throw new SchemaError(`it has more than ${mostBranches} combinations of anyOf, oneOf and allOf`)
      }
    }
    expand(
      all.map(node => [node, []] as const),
      []
    )
    return sets.map(nodes => this.#branch(nodes)).filter(branch => branch !== null)
  }

  #checkOneOf(node: JsonFields, options: readonly Json[]): void {
    if (this.#settled.has(node)) return
    this.#settled.add(node)
    for (const [at, left] of options.entries()) {
      for (const [offset, right] of options.slice(at + 1).entries()) {
        if (this.areDisjoint([left], [right])) continue
        this.give(
          node,
          'oneOf',
          `options ${at} and ${at + 1 + offset} may both hold: use anyOf, or give them a required property with different const`
        )
        return
      }
    }
  }

  readonly #settled = new Set<JsonFields>()

  #branch(nodes: readonly JsonFields[]): Branch | null {
    let types = new Set<TypeName>(typeNames)
    let isInteger = false
    let values: readonly Json[] | null = null
    for (const node of nodes) {
      const { type, not, nullable } = node
      if (type !== undefined) {
        const names = (Array.isArray(type) ? type : [type]) as readonly Json[]
        if (!names.every(name => name === 'integer' || typeNames.includes(name as TypeName))) {
          throw this.wrong(node, 'type', `one of ${typeNames.join(', ')}, integer`)
        }
        const named = new Set<TypeName>(names.map(name => (name === 'integer' ? 'number' : name) as TypeName))
        if (nullable === true) named.add('null')
        types = new Set([...types].filter(name => named.has(name)))
        if (names.includes('integer') && !names.includes('number')) isInteger = true
      }
      if (node.const !== undefined) values = restrict(values, [node.const])
      if (node.enum !== undefined) {
        if (!Array.isArray(node.enum)) throw this.wrong(node, 'enum', 'a list')
        values = restrict(values, node.enum as readonly Json[])
      }
      if (not !== undefined) {
        const excluded = this.child(node, 'not')
        if (excluded === true || (isObject(excluded) && Object.keys(excluded).every(key => annotations.has(key))))
          return null
        if (
          isObject(excluded) &&
          Object.keys(excluded).every(key => key === 'type' || annotations.has(key)) &&
          excluded.type !== 'integer' &&
          !Array.isArray(excluded.type)
        ) {
          types.delete(excluded.type as TypeName)
        } else if (excluded !== false) this.give(node, 'not', 'no grammar here excludes it (only a type)')
      }
    }
    const branch = { nodes, types, isInteger, values }
    if (values === null) return types.size === 0 ? null : branch
    const valid = values.filter(value => this.#holds(value, { ...branch, values: null }))
    return valid.length === 0 ? null : { ...branch, values: valid }
  }

  /** Whether a value is valid; keywords that are not enforced do not count. */
  isValid(value: Json, all: All): boolean {
    return this.branches(all).some(branch => this.#holds(value, branch))
  }

  #holds(value: Json, { nodes, types, isInteger, values }: Branch): boolean {
    if (!types.has(typeOf(value))) return false
    if (values !== null && !values.some(one => sameJson(one, value))) return false
    if (typeof value === 'number') {
      if (isInteger && !Number.isInteger(value)) return false
      const { min, max } = this.bounds(nodes)
      if (value < min || value > max) return false
      return nodes.every(({ multipleOf }) => typeof multipleOf !== 'number' || Number.isInteger(value / multipleOf))
    }
    if (typeof value === 'string') {
      const { length } = [...value]
      const { min, max } = this.range(nodes, 'minLength', 'maxLength')
      if (length < min || length > max) return false
      return nodes.every(node => node.pattern === undefined || this.expression(node, 'pattern').test(value))
    }
    if (Array.isArray(value)) {
      const { min, max } = this.range(nodes, 'minItems', 'maxItems')
      if (value.length < min || value.length > max) return false
      return value.every((item, at) => this.isValid(item as Json, this.item(nodes, at)))
    }
    if (isObject(value)) {
      const { min, max } = this.range(nodes, 'minProperties', 'maxProperties')
      const names = Object.keys(value)
      if (names.length < min || names.length > max) return false
      if (!this.required(nodes).every(name => Object.hasOwn(value, name))) return false
      return names.every(name => this.isName(nodes, name) && this.isValid(value[name]!, this.property(nodes, name)))
    }
    return true
  }

  expression(node: JsonFields, keyword: string): RegExp {
    try {
      return new RegExp(String(node[keyword]), 'u')
    } catch {
      throw this.wrong(node, keyword, 'a regular expression of ECMAScript')
    }
  }

  /** Both ends, inclusive. */
  bounds(nodes: readonly JsonFields[]): { readonly min: number; readonly max: number } {
    let [min, max] = [-Infinity, Infinity]
    for (const node of nodes) {
      for (const keyword of ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum']) {
        if (node[keyword] !== undefined && typeof node[keyword] !== 'number')
          throw this.wrong(node, keyword, 'a number')
      }
      min = Math.max(min, (node.minimum as number) ?? -Infinity, above(node.exclusiveMinimum as number | undefined))
      max = Math.min(max, (node.maximum as number) ?? Infinity, -above(negative(node.exclusiveMaximum)))
    }
    return { min, max }
  }

  range(nodes: readonly JsonFields[], least: string, most: string): { readonly min: number; readonly max: number } {
    let [min, max] = [0, Infinity]
    for (const node of nodes) {
      min = Math.max(min, this.count(node, least) ?? 0)
      max = Math.min(max, this.count(node, most) ?? Infinity)
    }
    return { min, max }
  }

  /** Schemas of the item at this place. */
  item(nodes: readonly JsonFields[], at: number): All {
    return nodes.flatMap(node => {
      const isTuple = Array.isArray(node.items)
      const first = isTuple ? 'items' : 'prefixItems'
      const prefix = node[first] === undefined ? [] : this.list(node, first)
      if (at < prefix.length) return [prefix[at]!]
      const rest = isTuple ? 'additionalItems' : 'items'
      return node[rest] === undefined ? [] : [this.child(node, rest)]
    })
  }

  /** From this place on all items have the same schemas. */
  prefixLength(nodes: readonly JsonFields[]): number {
    return Math.max(
      0,
      ...nodes.map(node => {
        const prefix = Array.isArray(node.items) ? node.items : node.prefixItems
        return Array.isArray(prefix) ? prefix.length : 0
      })
    )
  }

  required(nodes: readonly JsonFields[]): readonly string[] {
    const names = new Set<string>()
    for (const node of nodes) {
      if (node.required === undefined) continue
      if (!Array.isArray(node.required) || !node.required.every(name => typeof name === 'string')) {
        throw this.wrong(node, 'required', 'a list of names')
      }
      for (const name of node.required) names.add(name as string)
    }
    return [...names]
  }

  /** Names under `properties`, in order. */
  declared(nodes: readonly JsonFields[]): readonly string[] {
    return [...new Set(nodes.flatMap(node => [...this.table(node, 'properties').keys()]))]
  }

  /** Schemas of the property of this name. */
  property(nodes: readonly JsonFields[], name: string): All {
    return nodes.flatMap(node => {
      const own = this.table(node, 'properties').get(name)
      const schemas = own === undefined ? [] : [own]
      for (const [pattern, schema] of this.table(node, 'patternProperties')) {
        if (this.expression({ pattern }, 'pattern').test(name)) schemas.push(schema)
      }
      if (schemas.length > 0 || node.additionalProperties === undefined) return schemas
      return [this.child(node, 'additionalProperties')]
    })
  }

  /** Whether a property may have this name. */
  isName(nodes: readonly JsonFields[], name: string): boolean {
    return nodes.every(
      node => node.propertyNames === undefined || this.isValid(name, [this.child(node, 'propertyNames')])
    )
  }

  /** Whether no value is valid for both; false where that is not certain. */
  areDisjoint(left: All, right: All, depth = 0): boolean {
    if (depth > 4) return false
    const others = this.branches(right)
    return this.branches(left).every(one => others.every(other => this.#exclude(one, other, depth)))
  }

  #exclude(one: Branch, other: Branch, depth: number): boolean {
    if (one.values !== null) return one.values.every(value => !this.#holds(value, other))
    if (other.values !== null) return other.values.every(value => !this.#holds(value, one))
    return [...one.types].every(type => {
      if (!other.types.has(type)) return true
      if (type === 'number') {
        const [left, right] = [this.bounds(one.nodes), this.bounds(other.nodes)]
        return left.max < right.min || right.max < left.min
      }
      if (type !== 'object') return false
      const [needed, alsoNeeded] = [this.required(one.nodes), this.required(other.nodes)]
      return [...needed, ...alsoNeeded].some(name => {
        const [mine, theirs] = [this.property(one.nodes, name), this.property(other.nodes, name)]
        if (needed.includes(name) && theirs.includes(false)) return true
        if (alsoNeeded.includes(name) && mine.includes(false)) return true
        return needed.includes(name) && alsoNeeded.includes(name) && this.areDisjoint(mine, theirs, depth + 1)
      })
    })
  }
}

const restrict = (values: readonly Json[] | null, to: readonly Json[]): readonly Json[] =>
  to.filter(
    (value, at) =>
      to.findIndex(other => sameJson(other, value)) === at &&
      (values === null || values.some(other => sameJson(other, value)))
  )

const negative = (value: Json | undefined): number | undefined => (typeof value === 'number' ? -value : undefined)

/** The smallest double above. */
function above(value: number | undefined): number {
  return value === undefined ? -Infinity : nextUp(value)
}
