// Fields of the objects in tokenizer.json, checked where they are read.
import { SwarmError } from '../../../common/errors.ts'
import { quoteForeign } from '../../../common/foreign-json.ts'
import { isJsonObject, type JsonObject } from '../../json.ts'

/** No real tokenizer nests lists of rules deeper. */
const deepestNesting = 32

/** One of the parts of a tokenizer: `{"type": …, …}`. */
export class Settings {
  readonly fields: JsonObject
  /** `normalizer`, `normalizer.normalizers[2]` */
  readonly where: string
  readonly depth: number

  constructor(value: unknown, where: string, depth = 0) {
    if (!isJsonObject(value))
      throw new SwarmError('BAD_CHECKPOINT', `${where}: expected an object, found ${quoteForeign(value)}`)
    if (depth > deepestNesting)
      throw new SwarmError('BAD_CHECKPOINT', `${where.slice(0, 80)}…: nested more than ${deepestNesting} deep`)
    this.fields = value
    this.where = where
    this.depth = depth
  }

  get type(): string {
    return this.text('type')
  }

  wrong(field: string, expected: string): SwarmError {
    return new SwarmError(
      'BAD_CHECKPOINT',
      `${this.where}.${field}: expected ${expected}, found ${quoteForeign(this.fields[field])}`
    )
  }

  text(field: string, fallback?: string): string {
    const value = this.fields[field] ?? fallback
    if (typeof value !== 'string') throw this.wrong(field, 'a text')
    return value
  }

  optionalText(field: string): string | undefined {
    const value = this.fields[field]
    return value === undefined || value === null ? undefined : this.text(field)
  }

  flag(field: string, fallback: boolean): boolean {
    const value = this.fields[field] ?? fallback
    if (typeof value !== 'boolean') throw this.wrong(field, 'true or false')
    return value
  }

  whole(field: string, fallback?: number): number {
    const value = this.fields[field] ?? fallback
    if (!Number.isSafeInteger(value) || (value as number) < 0) throw this.wrong(field, 'a whole number')
    return value as number
  }

  list(field: string): readonly unknown[] {
    const value = this.fields[field]
    if (!Array.isArray(value)) throw this.wrong(field, 'a list')
    return value
  }

  /** The parts in a list, each to be read in its turn. */
  parts(field: string): Settings[] {
    return this.list(field).map(
      (value, index) => new Settings(value, `${this.where}.${field}[${index}]`, this.depth + 1)
    )
  }

  unsupported(types: Iterable<string>): SwarmError {
    return new SwarmError(
      'UNSUPPORTED',
      `${this.where}: type '${this.type}' is not supported (supported: ${[...types].join(', ')})`
    )
  }
}
