// The stages between the bytes of a data file and its rows, to be piped one into the next. Each names the line of a fault.
import Papa from 'papaparse'
import { files } from '#files'
import { messageOf, SwarmError } from '../../../common/errors.ts'
import { type Bytes, joinBytes } from '../../../common/files/byte-stages.ts'
import { quoteForeign } from '../../../common/foreign-json.ts'
import { formatBytes } from '../../../common/units.ts'
import { isJsonObject } from '../../../model/json.ts'
import { parseJson } from '../../../model/text/exact-json.ts'
import type { DataRow } from './format.ts'

/** A line of a text without its end; lines count from 1. */
export interface DataLine {
  readonly text: string
  readonly number: number
}

const newline = 0x0a

/** What V8 can hold in one string, in UTF-16 units. */
const maxCharacters = 2 ** 29 - 24

/** What a list that fills one string may hold, where its objects take 25 bytes and more; they take some GB of memory. */
const listLimits = { containers: 20_000_000, entries: 80_000_000 } as const

/** What data takes in memory while it becomes examples, measured: of each byte, and of each row beside. */
const [bytesPerByte, bytesPerRow] = [4, 1000]

/** What the rows and texts of all files may take in memory. A small packed file, or one of very short rows, may take a thousand times its size. */
export class DataBudget {
  readonly #limit: number
  #left: number

  /** @param limit bytes of memory; default: any number */
  constructor(limit: number = Number.POSITIVE_INFINITY) {
    this.#limit = limit
    this.#left = limit
  }

  /** Throws INVALID_ARGUMENT where there is no room for so many bytes and rows more. */
  take(file: string, bytes: number, rows: number): void {
    this.#left -= bytes * bytesPerByte + rows * bytesPerRow
    if (this.#left >= 0) return
    throw wrong(
      `${file}: unpacked, the data would take more than the ${formatBytes(this.#limit)} of memory that it may ` +
        `(${bytesPerByte} bytes for each byte, ${bytesPerRow} for each row): give less of it, or use a machine with more memory`
    )
  }

  /** Rows for which there is room. */
  get rows(): number {
    return Math.floor(this.#left / bytesPerRow)
  }
}

const wrong = (message: string, cause?: unknown): SwarmError => new SwarmError('INVALID_ARGUMENT', message, { cause })

/** Unpacks gzip, also several files of it one after the other. Throws INVALID_ARGUMENT for bytes that are not gzip or end too early. */
export function unzip(file: string) {
  return async function* (source: Bytes): AsyncGenerator<Uint8Array> {
    try {
      yield* files.gunzip(source)
    } catch (cause) {
      if (cause instanceof SwarmError) throw cause
      throw wrong(`${file}: cannot be unpacked as gzip (${messageOf(cause)})`, cause)
    }
  }
}

function checkLine(length: number, file: string, number: number): void {
  if (length <= maxCharacters) return
  throw wrong(`${file}:${number}: a line of ${length} bytes or more is too long (write one JSON object on each line)`)
}

function decodeLine(bytes: Uint8Array, file: string, number: number): DataLine {
  checkLine(bytes.length, file, number)
  try {
    // a byte order mark may only begin the file
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: number > 1 }).decode(bytes), number }
  } catch (cause) {
    const isUtf16 = number === 1 && (bytes[0]! ^ bytes[1]!) === 1 && Math.min(bytes[0]!, bytes[1]!) === 0xfe
    throw wrong(`${file}:${number}: not UTF-8${isUtf16 ? ' but UTF-16' : ''} (save the file in that encoding)`, cause)
  }
}

/** Lines that are whole, decoded together; where that fails one by one, for the line that is wrong. */
function decodeLines(bytes: Uint8Array, file: string, first: number): DataLine[] {
  if (bytes.length <= maxCharacters) {
    try {
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: first > 1 }).decode(bytes)
      return text.split('\n').map((line, index) => ({ text: line, number: first + index }))
    } catch {
      // the loop below names the line
    }
  }
  const lines: DataLine[] = []
  for (let start = 0; start <= bytes.length; ) {
    const found = bytes.indexOf(newline, start)
    const end = found === -1 ? bytes.length : found
    lines.push(decodeLine(bytes.subarray(start, end), file, first + lines.length))
    start = end + 1
  }
  return lines
}

/**
 * Lines of strict UTF-8 as they arrive, many together; the byte order mark is left out. Throws INVALID_ARGUMENT with the line that is
 * not UTF-8.
 */
export function toLines(file: string, budget: DataBudget = new DataBudget()) {
  return async function* (source: Bytes): AsyncGenerator<readonly DataLine[]> {
    let parts: Uint8Array[] = []
    /** bytes of a line whose end has not come */
    let open = 0
    let number = 1
    for await (const bytes of source) {
      budget.take(file, bytes.length, 0)
      const end = bytes.lastIndexOf(newline)
      if (end !== -1) {
        const lines = decodeLines(joinBytes([...parts, bytes.subarray(0, end)]), file, number)
        budget.take(file, 0, lines.length)
        number += lines.length
        parts = []
        open = 0
        yield lines
      }
      parts.push(bytes.subarray(end + 1))
      open += bytes.length - end - 1
      // a small packed file may unpack to a line without end
      checkLine(open, file, number)
    }
    yield decodeLines(joinBytes(parts), file, number)
  }
}

/** Collects lines as one text. */
class TextOfLines {
  readonly #file: string
  readonly #texts: string[] = []
  #length = 0

  constructor(file: string) {
    this.#file = file
  }

  /** Throws INVALID_ARGUMENT where the whole is larger than a text can be. */
  add(lines: readonly DataLine[]): void {
    if (lines.length === 0) return
    const text = lines.map(line => line.text).join('\n')
    this.#length += text.length + 1
    if (this.#length > maxCharacters) {
      const advice = 'split it, or write it as .jsonl'
      throw wrong(`${this.#file}: expected at most ${maxCharacters} characters in one text (${advice})`)
    }
    this.#texts.push(text)
  }

  toString(): string {
    return this.#texts.join('\n')
  }
}

/** Lines as one text. Throws INVALID_ARGUMENT for one that is larger than a text can be. */
export function toText(file: string) {
  return async (source: AsyncIterable<readonly DataLine[]>): Promise<string> => {
    const text = new TextOfLines(file)
    for await (const lines of source) text.add(lines)
    return text.toString()
  }
}

function toRow(value: unknown, where: string): DataRow {
  if (isJsonObject(value)) return { fields: value, where }
  throw wrong(`${where}: expected a JSON object, found ${quoteForeign(value)}`)
}

function parseLine({ text, number }: DataLine, file: string): DataRow {
  const where = `${file}:${number}`
  let value: unknown
  try {
    value = parseJson(text)
  } catch (cause) {
    throw wrong(`${where}: not JSON (each line holds one object): ${messageOf(cause)}`, cause)
  }
  return toRow(value, where)
}

/** The rows of a JSONL text; empty lines are skipped. Throws INVALID_ARGUMENT with file and line. */
export function parseJsonLines(text: string, file: string): DataRow[] {
  const lines = text.split('\n').map((line, index) => ({ text: line, number: index + 1 }))
  return lines.filter(line => line.text.trim() !== '').map(line => parseLine(line, file))
}

function parseJsonList(text: string, file: string, budget: DataBudget): DataRow[] {
  let value: unknown
  try {
    value = parseJson(text, { ...listLimits, containers: Math.min(listLimits.containers, budget.rows) })
  } catch (cause) {
    throw wrong(`${file}: not JSON: ${messageOf(cause)}`, cause)
  }
  if (Array.isArray(value)) return value.map((item, index) => toRow(item, `${file}[${index}]`))
  const questions = squadRows(value, file)
  if (questions !== null) return questions
  const lists = isJsonObject(value) ? Object.keys(value).filter(name => Array.isArray(value[name])) : []
  const hint =
    lists.length > 0 ? `: write the list in ${lists.map(name => JSON.stringify(name)).join(' or ')} alone` : ''
  throw wrong(`${file}: expected a list of objects, or one object on each line; found a single value${hint}`)
}

/** One question of SQuAD's nested files, with the context that it is about. */
function squadQuestion(question: unknown, context: string, where: string): DataRow {
  const { fields } = toRow(question, where)
  const answers = fields.answers ?? []
  if (typeof fields.question !== 'string' || !Array.isArray(answers)) {
    throw wrong(`${where}: expected a "question" (a text) and "answers" (a list), found ${quoteForeign(question)}`)
  }
  return { fields: { ...fields, context, answers: fields.is_impossible === true ? [] : answers }, where }
}

/** The questions of SQuAD's files, 1.1 and 2.0: `data[].paragraphs[].qas[]`. Null for another value. */
function squadRows(value: unknown, file: string): DataRow[] | null {
  const articles = isJsonObject(value) ? value.data : undefined
  if (!Array.isArray(articles) || !isJsonObject(articles[0]) || !('paragraphs' in articles[0])) return null
  return articles.flatMap((article, index) => {
    const where = `${file}: data[${index}]`
    const { paragraphs } = toRow(article, where).fields
    if (!Array.isArray(paragraphs))
      throw wrong(`${where}: expected a list "paragraphs", found ${quoteForeign(paragraphs)}`)
    return paragraphs.flatMap((paragraph, at) => {
      const place = `${where}.paragraphs[${at}]`
      const { context, qas } = toRow(paragraph, place).fields
      if (typeof context !== 'string' || !Array.isArray(qas)) {
        throw wrong(`${place}: expected a "context" (a text) and "qas" (a list), found ${quoteForeign(paragraph)}`)
      }
      return qas.map((question, number) => squadQuestion(question, context, `${place}.qas[${number}]`))
    })
  })
}

/** A tag of IOB1 as IOB2 has it: a span begins with `B-`, also where no other of its type goes before. */
function toIob2(tags: readonly string[]): string[] {
  return tags.map((tag, index) => {
    const before = tags[index - 1] ?? 'O'
    return tag.startsWith('I-') && (before === 'O' || before.slice(2) !== tag.slice(2)) ? `B-${tag.slice(2)}` : tag
  })
}

/**
 * Sentences of a CoNLL file as rows of `tokens` and `tags`: a word on each line, its tag in the last column, columns between tabs or
 * spaces, an empty line after each sentence. `-DOCSTART-` lines are passed over; IOB1 is read as IOB2. Throws INVALID_ARGUMENT.
 */
export function conllRows(file: string) {
  return async (source: AsyncIterable<readonly DataLine[]>): Promise<DataRow[]> => {
    const rows: DataRow[] = []
    let [tokens, tags]: [string[], string[]] = [[], []]
    let start = 0
    let columns: number | undefined
    const end = (): void => {
      if (tokens.length > 0) rows.push({ fields: { tokens, tags }, where: `${file}:${start}` })
      ;[tokens, tags] = [[], []]
    }
    for await (const lines of source) {
      for (const { text, number } of lines) {
        const parts = (text.includes('\t') ? text.split('\t') : text.split(' ')).map(part => part.trim())
        const cells = text.includes('\t') ? parts : parts.filter(part => part !== '')
        if (text.trim() === '' || cells[0] === '-DOCSTART-') {
          end()
          continue
        }
        columns ??= cells.length
        if (cells.length < 2 || cells.length !== columns || cells[0] === '' || cells.at(-1) === '') {
          const expected =
            columns < 2 ? 'a word and its tag in columns' : `${columns} columns, the word first and its tag last`
          throw wrong(`${file}:${number}: expected ${expected}, found ${quoteForeign(text)}`)
        }
        if (tokens.length === 0) start = number
        tokens.push(cells[0]!)
        tags.push(cells.at(-1)!)
      }
    }
    end()
    const tagsOf = (row: DataRow): string[] => row.fields.tags as string[]
    // other schemes (IOE, IOBES) mark ends, and begin with I- too
    if (rows.some(row => tagsOf(row).some(tag => /^[^OBI]-/.test(tag)))) return rows
    return rows.map(({ fields, where }) => ({ fields: { ...fields, tags: toIob2(fields.tags as string[]) }, where }))
  }
}

/** Whether a line is an object by itself, as each line of JSON lines is. */
function isObjectLine(text: string): boolean {
  try {
    return isJsonObject(JSON.parse(text))
  } catch {
    return false
  }
}

/**
 * Rows of JSON lines, or of one JSON list of objects: told by how the text begins, as Hugging Face's `load_dataset('json')` does.
 * Throws INVALID_ARGUMENT with file and line, or place in the list.
 */
export function jsonRows(file: string, kind: 'lines' | 'either', budget: DataBudget = new DataBudget()) {
  return async (source: AsyncIterable<readonly DataLine[]>): Promise<DataRow[]> => {
    const rows: DataRow[] = []
    const list = new TextOfLines(file)
    let isList: boolean | undefined
    for await (const lines of source) {
      for (const [index, line] of lines.entries()) {
        if (line.text.trim() === '') continue
        isList ??= /^\s*\[/.test(line.text) || (kind === 'either' && !isObjectLine(line.text))
        if (isList) {
          list.add(lines.slice(index))
          break
        }
        rows.push(parseLine(line, file))
      }
    }
    if (isList) return parseJsonList(list.toString(), file, budget)
    return (rows.length === 1 && squadRows(rows[0]!.fields, file)) || rows
  }
}

const separators = [',', '\t', ';', '|'] as const

/** The separator that gives the first line the most columns. */
function separatorOf(header: string): string {
  const columns = separators.map(delimiter => (Papa.parse<string[]>(header, { delimiter }).data[0] ?? []).length)
  return separators[columns.indexOf(Math.max(...columns))]!
}

const isWholeNumber = (text: unknown): text is string => typeof text === 'string' && /^(?:0|[1-9]\d{0,14})$/.test(text)

/** As a measured value is written: `-0.5`, `3.20`, `1e-3`. */
const isDecimal = (text: unknown): text is string =>
  typeof text === 'string' && /^-?(?:0|[1-9]\d{0,14})(?:\.\d+)?(?:[eE][-+]?\d{1,3})?$/.test(text)

/** Columns that hold labels or scores. */
const numberColumns = ['label', 'score'] as const

/** Rows of a table whose first line names the columns. */
export interface Table {
  readonly rows: readonly DataRow[]
  /** rows without a value */
  readonly emptyRows: number
  readonly separator: string
}

/**
 * The rows of CSV (RFC 4180: quoted fields may hold separators, line ends and doubled quotes). Every value is a text, but for columns
 * `label` and `score` of numbers only. `separator`: default: the one of `, tab ; |` by which the first line has the most columns.
 * Throws INVALID_ARGUMENT with file and line.
 */
export function parseTable(text: string, file: string, separator?: string): Table {
  const delimiter = separator ?? separatorOf(text.slice(0, text.indexOf('\n') + 1) || text)
  const rows: DataRow[] = []
  let names: readonly string[] | undefined
  let [emptyRows, line, at] = [0, 1, 0]
  Papa.parse<string[]>(text, {
    delimiter,
    step({ data: values, errors, meta: { cursor } }) {
      const where = `${file}:${line}`
      for (; at < cursor; at++) if (text.charCodeAt(at) === newline) line++
      if (errors[0]) throw wrong(`${where}: not CSV: ${errors[0].message} (double the quotes inside of a quoted field)`)
      if (names === undefined) {
        names = columnsOf(values, where)
      } else if (values.every(value => value.trim() === '')) {
        if (cursor < text.length || values.length > 1) emptyRows++
      } else if (values.length === names.length) {
        rows.push({ fields: Object.fromEntries(names.map((name, column) => [name, values[column]!])), where })
      } else {
        throw wrong(
          `${where}: expected ${names.length} columns (${names.join(', ')}), found ${values.length} ` +
            '(quote fields that hold the separator)'
        )
      }
    }
  })
  return { rows: withNumbers(rows), emptyRows, separator: delimiter }
}

function columnsOf(values: readonly string[], where: string): readonly string[] {
  const names = values.map(value => value.trim())
  const seen = new Set<string>()
  const twice = names.find(name => name !== '' && seen.size === seen.add(name).size)
  if (twice !== undefined) throw wrong(`${where}: expected each column once, found two called '${twice}'`)
  return names
}

/** Whole numbers are classes, others are measured values (docs/training-data.md). */
function withNumbers(rows: readonly DataRow[]): readonly DataRow[] {
  let read = rows
  for (const column of numberColumns) {
    const isWhole = read.every(({ fields }) => isWholeNumber(fields[column]))
    if (!isWhole && !read.every(({ fields }) => isDecimal(fields[column]))) continue
    read = read.map(({ fields, where }) => ({ fields: { ...fields, [column]: Number(fields[column]) }, where }))
  }
  return read
}
