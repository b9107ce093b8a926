// What a format of training data is to the rest: the fields by which a row is known, and how a row becomes an example.

import { SwarmError } from '../../../common/errors.ts'
import { quoteForeign } from '../../../common/foreign-json.ts'
import type { JsonObject } from '../../../model/json.ts'
import type { ChatTemplate } from '../../../model/text/chat-template.ts'
import type { Tokenizer } from '../../../model/text/tokenizer.ts'
import type { ProblemType } from '../../local/labels.ts'
import type { Example } from './example.ts'
import type { LengthLimit } from './fit.ts'

/** What a model is trained for, as PEFT names it. */
export const dataTasks = [
  'CAUSAL_LM',
  'SEQ_2_SEQ_LM',
  'SEQ_CLS',
  'TOKEN_CLS',
  'QUESTION_ANS',
  'FEATURE_EXTRACTION'
] as const

/** A task that data can be for, as PEFT names it. */
export type DataTask = (typeof dataTasks)[number]

/** A class as data names it. */
export type Label = string | number

/** One object of a file. */
export interface DataRow {
  readonly fields: JsonObject
  /** for messages: `capitals.jsonl:3` */
  readonly where: string
}

/** What formats need of a tokenizer; two texts need `joinPair`. */
export type DataTokenizer = Pick<Tokenizer, 'encode'> & Partial<Pick<Tokenizer, 'joinPair'>>

export interface EncodeContext {
  readonly tokenizer: DataTokenizer
  /** appended to the trained text, so that the model learns to stop */
  readonly eosTokenId?: number
  /** the loss is taken of prompts too */
  readonly trainOnInputs: boolean
  /** null if the model has none */
  readonly chatTemplate: ChatTemplate | null
  /** number of a class, if the format has classes */
  readonly classOf: (label: Label, where: string) => number
  /** number of classes */
  readonly numClasses: number
  /** what labels of texts are */
  readonly problem: ProblemType
  /** of examples; special tokens at the end of a text stay where it is cut */
  readonly limit: LengthLimit
  /** of what is written from a text */
  readonly targetLimit: LengthLimit
  /** text before every source, as T5's `summarize: ` */
  readonly sourcePrefix: string
  /** tokens that neighbouring pieces of a long context share */
  readonly docStride: number
}

export interface DataFormat {
  readonly task: DataTask
  /** A row that has all of these is of this format. */
  readonly fields: readonly string[]
  /** other names for the same fields: a row with all of one list is of this format, too */
  readonly otherFields?: readonly (readonly string[])[]
  /** the same, where the task is known to be this format's */
  readonly taskFields?: readonly (readonly string[])[]
  /**
   * The example of a row, of any length; several of a row that is longer than one may be. Throws INVALID_ARGUMENT naming the row and the
   * field.
   */
  encode(row: DataRow, context: EncodeContext): Example | readonly Example[]
  /** Whether a row is empty, so that it is skipped and counted. */
  isEmpty?(row: DataRow): boolean
  /** The classes of a row, if the format has classes. */
  classes?(row: DataRow): readonly Label[]
  /** What the labels of a row can be, if they are of texts. */
  problem?(row: DataRow): ProblemType
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

/** The first list of which a row has all fields. */
export function fieldsIn(row: DataRow, lists: readonly (readonly string[])[]): readonly string[] | undefined {
  return lists.find(fields => fields.every(field => row.fields[field] !== undefined))
}
