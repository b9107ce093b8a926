// Python's values as JavaScript's: text is string, int is a safe number or else a bigint, None is null, a list is an array; the rest has classes.
import { failTemplate, type PythonError } from '../errors.ts'

/** Python's float; a number without this class is an int. */
export class Float {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

export class Tuple {
  readonly items: readonly PythonValue[]
  /** names of items, of what `groupby` gives */
  readonly names: readonly string[]
  constructor(items: readonly PythonValue[], names: readonly string[] = []) {
    this.items = items
    this.names = names
  }
}

/** Python's range. */
export class Range {
  readonly start: number
  readonly stop: number
  readonly step: number
  readonly length: number
  constructor(start: number, stop: number, step: number) {
    this.start = start
    this.stop = stop
    this.step = step
    this.length = Math.max(0, Math.ceil((stop - start) / step))
  }
  at(index: number): number {
    return this.start + this.step * index
  }
}

/** A generator: read once, has no length. */
export class Iter {
  readonly kind: string
  readonly iterator: Iterator<PythonValue>
  constructor(kind: string, iterator: Iterator<PythonValue>) {
    this.kind = kind
    this.iterator = iterator
  }
}

/** `dict.keys()`, `dict.values()`, `dict.items()`. */
export class DictView {
  readonly kind: 'dict_keys' | 'dict_values' | 'dict_items'
  readonly dict: Dict
  constructor(kind: DictView['kind'], dict: Dict) {
    this.kind = kind
    this.dict = dict
  }
  *entries(): Generator<PythonValue> {
    for (const [key, value] of this.dict.entries()) {
      yield this.kind === 'dict_keys' ? key : this.kind === 'dict_values' ? value : new Tuple([key, value])
    }
  }
}

export type Keywords = ReadonlyMap<string, PythonValue> | undefined

/** Whatever a template can call but macros. */
export class Callable {
  readonly name: string
  readonly call: (args: readonly PythonValue[], keywords: Keywords) => PythonValue
  /** what it has beside being called, such as `dict.fromkeys` */
  readonly attributes: ReadonlyMap<string, PythonValue>
  constructor(name: string, call: Callable['call'], attributes: ReadonlyMap<string, PythonValue> = new Map()) {
    this.name = name
    this.call = call
    this.attributes = attributes
  }
}

/** An object of the interpreter: a loop, a cycler, a macro. */
export interface Structure {
  /** Python's name of its type */
  readonly typeName: string
  /** undefined where it has no such attribute */
  attribute(name: string): PythonValue | undefined
  call?(args: readonly PythonValue[], keywords: Keywords): PythonValue
  length?(): number
  text(): string
}

export class Internal {
  readonly structure: Structure
  constructor(structure: Structure) {
    this.structure = structure
  }
}

/** The only value that templates can change: `{% set ns.a = 1 %}`. */
export class Namespace {
  readonly fields = new Map<string, PythonValue>()
}

/** What `escape` and `safe` give: text that is HTML. */
export class Markup {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** A name or attribute that is not there. Prints as nothing; most else that is done with it raises. */
export class Undefined {
  readonly describe: () => string
  readonly type: PythonError
  constructor(describe: () => string, type: PythonError = 'UndefinedError') {
    this.describe = describe
    this.type = type
  }
  raise(): never {
    failTemplate(this.type, this.describe())
  }
}

export type PythonValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly PythonValue[]
  | Float
  | Tuple
  | Dict
  | Range
  | Iter
  | DictView
  | Callable
  | Internal
  | Namespace
  | Markup
  | Undefined

type HashKey = string | number | bigint | null | object

/** begins the keys of what is not its own key; texts that begin with it get one more */
const mark = '\0'

function hashKey(value: PythonValue): HashKey {
  if (typeof value === 'string') return value.startsWith(mark) ? `${mark}s${value}` : value
  if (typeof value === 'number' || typeof value === 'bigint' || value === null) return value
  if (typeof value === 'boolean') return value ? 1 : 0
  if (value instanceof Float) {
    if (Number.isSafeInteger(value.value)) return value.value
    return Number.isInteger(value.value) ? BigInt(value.value) : `${mark}f${value.value}`
  }
  if (value instanceof Tuple) {
    const parts = value.items.map(item => {
      const key = hashKey(item)
      if (typeof key === 'object' && key !== null) failTemplate('TypeError', 'a tuple of objects cannot be a key here')
      return `${typeof key}${String(key).length}:${String(key)}`
    })
    return `${mark}t${parts.join('')}`
  }
  if (value instanceof Markup) return hashKey(value.text)
  if (value instanceof Undefined) return `${mark}u`
  if (Array.isArray(value) || value instanceof Dict) failTemplate('TypeError', `unhashable type: '${typeName(value)}'`)
  return value
}

/** Python's dict: keeps the order of insertion; 1, 1.0 and True are one key. */
export class Dict {
  readonly #values = new Map<HashKey, PythonValue>()
  /** keys that are not their own hash key */
  #written: Map<HashKey, PythonValue> | undefined

  get size(): number {
    return this.#values.size
  }
  set(key: PythonValue, value: PythonValue): void {
    const hash = hashKey(key)
    if (hash !== key && !this.#values.has(hash)) {
      this.#written ??= new Map()
      this.#written.set(hash, key)
    }
    this.#values.set(hash, value)
  }
  /** undefined where there is no such key */
  get(key: PythonValue): PythonValue | undefined {
    return this.#values.get(typeof key === 'string' && !key.startsWith(mark) ? key : hashKey(key))
  }
  has(key: PythonValue): boolean {
    return this.#values.has(hashKey(key))
  }
  *entries(): Generator<[PythonValue, PythonValue]> {
    for (const [hash, value] of this.#values) yield [this.#keyOf(hash), value]
  }
  *keys(): Generator<PythonValue> {
    for (const hash of this.#values.keys()) yield this.#keyOf(hash)
  }
  copy(): Dict {
    const copied = new Dict()
    for (const [key, value] of this.entries()) copied.set(key, value)
    return copied
  }
  #keyOf(hash: HashKey): PythonValue {
    const written = this.#written?.get(hash)
    return written === undefined ? (hash as string | number | bigint | null) : written
  }
}

/** A list, whose type the compiler cannot tell from `Value` with `Array.isArray`. */
export function isList(value: PythonValue): value is readonly PythonValue[] {
  return Array.isArray(value)
}

/** The value, or another where there is none; `??` would take Python's None for none. */
export function orElse(value: PythonValue | undefined, otherwise: () => PythonValue): PythonValue {
  return value === undefined ? otherwise() : value
}

/** Python's name of the value's type. */
export function typeName(value: PythonValue): string {
  if (typeof value === 'string') return 'str'
  if (typeof value === 'number' || typeof value === 'bigint') return 'int'
  if (typeof value === 'boolean') return 'bool'
  if (value === null) return 'NoneType'
  if (isList(value)) return 'list'
  if (value instanceof Float) return 'float'
  if (value instanceof Tuple) return 'tuple'
  if (value instanceof Dict) return 'dict'
  if (value instanceof Range) return 'range'
  if (value instanceof Iter) return value.kind
  if (value instanceof DictView) return value.kind
  if (value instanceof Callable) return 'function'
  if (value instanceof Internal) return value.structure.typeName
  if (value instanceof Namespace) return 'TemplateNamespace'
  if (value instanceof Markup) return 'Markup'
  return 'Undefined'
}

/** What `if` thinks of it. */
export function isTrue(value: PythonValue): boolean {
  if (typeof value === 'boolean') return value
  if (typeof value === 'string' || isList(value)) return value.length > 0
  if (value === null || value instanceof Undefined) return false
  if (typeof value === 'number') return value !== 0
  if (typeof value === 'bigint') return value !== 0n
  if (value instanceof Float) return value.value !== 0
  if (value instanceof Tuple) return value.items.length > 0
  if (value instanceof Dict) return value.size > 0
  if (value instanceof DictView) return value.dict.size > 0
  if (value instanceof Range) return value.length > 0
  if (value instanceof Markup) return value.text !== ''
  return true
}

/** True for int and bool, which counts as 0 or 1. */
export function isInteger(value: PythonValue): value is number | bigint | boolean {
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean'
}

/** An undefined with the words that jinja2 has for a missing attribute or element. */
export function missing(
  object: PythonValue,
  name: PythonValue,
  describeName: (value: PythonValue) => string
): Undefined {
  return new Undefined(() => {
    const type = object === null ? 'None' : `${typeName(object)} object`
    return typeof name === 'string'
      ? `'${type}' has no attribute '${name}'`
      : `${type} has no element ${describeName(name)}`
  })
}
