// What a format of training data is to the rest: the fields by which a row is known, and how a row becomes an example.
import { SwarmError } from '../../../common/errors.ts'
import { quoteForeign } from '../../../common/foreign-json.ts'
import type { JsonObject } from '../../../model/json.ts'
import type { ChatTemplate } from '../../../model/text/chat-template.ts'
import type { Tokenizer } from '../../../model/text/tokenizer.ts'
import type { Example } from './example.ts'

/** What a model is trained for, as PEFT names it. */
export type DataTask = 'CAUSAL_LM' | 'SEQ_CLS' | 'TOKEN_CLS'

/** A class as data names it. */
export type Label = string | number

/** One object of a file. */
export interface DataRow {
  readonly fields: JsonObject
  /** for messages: `capitals.jsonl:3` */
  readonly where: string
}

export interface EncodeContext {
  readonly tokenizer: Pick<Tokenizer, 'encode'>
  /** appended to the trained text, so that the model learns to stop */
  readonly eosTokenId?: number
  /** the loss is taken of prompts too */
  readonly trainOnInputs: boolean
  /** null if the model has none */
  readonly chatTemplate: ChatTemplate | null
  /** number of a class, if the format has classes */
  readonly classOf: (label: Label, where: string) => number
}

export interface DataFormat {
  readonly task: DataTask
  /** A row that has all of these is of this format. */
  readonly fields: readonly string[]
  /** The example of a row, of any length. Throws INVALID_ARGUMENT naming the row and the field. */
  encode(row: DataRow, context: EncodeContext): Example
  /** Whether a row is empty, so that it is skipped and counted. */
  isEmpty?(row: DataRow): boolean
  /** The classes of a row, if the format has classes. */
  classes?(row: DataRow): readonly Label[]
}

/** INVALID_ARGUMENT about a field of a row. */
export function wrongField(row: DataRow, field: string, expected: string): SwarmError {
  const found = quoteForeign(row.fields[field])
  return new SwarmError('INVALID_ARGUMENT', `${row.where}: expected "${field}" to be ${expected}, found ${found}`)
}

/** A field that must be a text. Throws INVALID_ARGUMENT. */
export function textField(row: DataRow, field: string): string {
  const value = row.fields[field]
  if (typeof value !== 'string') throw wrongField(row, field, 'a text')
  return value
}

export function isLabel(value: unknown): value is Label {
  return typeof value === 'string' || (Number.isSafeInteger(value) && (value as number) >= 0)
}
