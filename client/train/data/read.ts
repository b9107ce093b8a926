// Data files and folders of them as rows or whole texts. Knows no tokenizer.
import { pipe } from 'it-pipe'
import { files } from '#files'
import { SwarmError } from '../../../common/errors.ts'
import { conllRows, DataBudget, type DataLine, jsonRows, parseTable, toLines, toText, unzip } from './decode.ts'
import type { DataRow, DataTask } from './format.ts'
import { type DataFormatName, dataFormatNames, detectFormat } from './formats/index.ts'

/** Rows of one format. */
export interface RowsFile {
  readonly file: string
  readonly format: DataFormatName
  /** the format was detected from the fields of the first row */
  readonly isDetected: boolean
  readonly rows: readonly DataRow[]
  /** rows of a table without a value, which are not in `rows` */
  readonly emptyRows: number
  /** properties of the file that its name does not show: `separated by ;` */
  readonly layout?: string
}

/** One long text. */
export interface DocumentFile {
  readonly file: string
  readonly document: string
}

export type DataFile = RowsFile | DocumentFile

export interface ReadDataOptions {
  /** default: by the fields of each file's first row */
  readonly format?: DataFormatName
  /** what the rows are for, where their fields suit several tasks */
  readonly task?: DataTask
  /** memory that it may take, with what else is read on the same budget; default: any */
  readonly budget?: DataBudget
  readonly signal?: AbortSignal
}

type Found = Pick<RowsFile, 'rows'> & Partial<RowsFile>

/** What a kind of file holds: rows, or one text. */
type Reader = (
  lines: AsyncIterable<readonly DataLine[]>,
  file: string,
  budget: DataBudget
) => Promise<Found | { readonly document: string }>

const json = (kind: 'lines' | 'either'): Reader => {
  return async (lines, file, budget) => ({ rows: await pipe(lines, jsonRows(file, kind, budget)) })
}

const separatorNames: Readonly<Record<string, string>> = { ',': 'commas', '\t': 'tabs', ';': 'semicolons', '|': 'bars' }

const table = (separator?: string): Reader => {
  return async (lines, file) => {
    const found = parseTable(await pipe(lines, toText(file)), file, separator)
    return { ...found, layout: `separated by ${separatorNames[found.separator]}` }
  }
}

const conll: Reader = async (lines, file) => ({
  rows: await pipe(lines, conllRows(file)),
  format: 'tokens-tags',
  layout: 'CoNLL columns'
})

/** by the end of a file's name */
const readers: Readonly<Record<string, Reader>> = {
  '.jsonl': json('lines'),
  '.ndjson': json('lines'),
  '.json': json('either'),
  '.csv': table(),
  '.tsv': table('\t'),
  '.conll': conll,
  '.iob': conll,
  '.iob2': conll,
  '.bio': conll,
  '.txt': async (lines, file) => ({ document: await pipe(lines, toText(file)) })
}

const zipped = '.gz'
const extensions = `${Object.keys(readers).join(', ')}, each also with ${zipped}`

/** Kinds of files that people have and that are not read, by the end of their names. */
const convertible =
  /\.(?:parquet|arrow|feather|xlsx?|zip|zst|bz2|xz|7z|tar|tgz|tar\.gz|pkl|pickle|ya?ml|xml|sqlite3?|db|md|pdf|docx?)$/i

function readerOf(file: string): Reader | undefined {
  const name = file.toLowerCase()
  const inner = name.endsWith(zipped) ? name.slice(0, -zipped.length) : name
  return Object.entries(readers).find(([extension]) => inner.endsWith(extension))?.[1]
}

function unread(file: string): SwarmError {
  const kind = convertible.exec(file)?.[0]
  const advice =
    kind === undefined
      ? ''
      : /xls|db|sqlite|doc|pdf/i.test(kind)
        ? `; save it as CSV or JSON lines first`
        : `; convert ${kind} first, in Python: datasets.load_dataset(…)['train'].to_json('train.jsonl')`
  return new SwarmError('INVALID_ARGUMENT', `${file}: expected a file ending in ${extensions}${advice}`)
}

/** Remote data: an address, or the name of a data set of the hub. */
function notHere(path: string): SwarmError {
  const advice = /^[a-z]+:\/\//i.test(path)
    ? ' (addresses are not fetched: download the file first)'
    : /^[\w.-]+\/[\w.-]+$/.test(path)
      ? ` (data sets of the hub are not fetched; in Python: datasets.load_dataset('${path}', split='train').to_json('train.jsonl'))`
      : ''
  return new SwarmError('NOT_FOUND', `${path}: no such file or folder${advice}`)
}

/** The data files of a path: itself, or those in the folder by name. */
async function filesOf(path: string): Promise<string[]> {
  const names = await files.list(path)
  if (names === null) {
    if (await files.exists(path)) return [path]
    throw notHere(path)
  }
  const found = names.filter(name => readerOf(name) !== undefined && !name.startsWith('.')).sort()
  if (found.length > 0) return found.map(name => files.join(path, name))
  const other = names.find(name => convertible.test(name))
  if (other !== undefined) throw unread(files.join(path, other))
  throw new SwarmError('NOT_FOUND', `${path}: no data in this folder (expected files ending in ${extensions})`)
}

function toRowsFile(
  { rows, emptyRows = 0, layout, format: own }: Found,
  file: string,
  { format, task }: ReadDataOptions
): RowsFile {
  const [first] = rows
  if (first === undefined) {
    throw new SwarmError('INVALID_ARGUMENT', `${file}: expected at least one example, found none`)
  }
  const found = format ?? own ?? detectFormat(first, task)
  return { file, format: found, isDetected: format === undefined, rows, emptyRows, layout }
}

/** Words with their tags, one on each line: in a .txt file only where it is told, or begins as CoNLL's files do. */
const isConll = (document: string, format: DataFormatName | undefined): boolean =>
  format === 'tokens-tags' || (format === undefined && /^\s*-DOCSTART-/.test(document))

async function* linesOf(document: string): AsyncGenerator<readonly DataLine[]> {
  yield document.split('\n').map((text, index) => ({ text, number: index + 1 }))
}

async function readFile(file: string, options: ReadDataOptions): Promise<DataFile> {
  const { format, signal, budget = new DataBudget() } = options
  const read = readerOf(file)
  if (read === undefined) throw unread(file)
  const bytes = files.stream(file, { signal })
  const plain = file.toLowerCase().endsWith(zipped) ? pipe(bytes, unzip(file)) : bytes
  const found = await read(pipe(plain, toLines(file, budget)), file, budget)
  if ('rows' in found) return toRowsFile(found, file, options)
  const { document } = found
  if (document.trim() === '') throw new SwarmError('INVALID_ARGUMENT', `${file}: expected a text, found none`)
  if (isConll(document, format)) {
    return toRowsFile((await conll(linesOf(document), file, budget)) as Found, file, options)
  }
  if (format === undefined || format === 'text') return { file, document }
  throw new SwarmError('INVALID_ARGUMENT', `${file}: a .txt file is one text, not ${format} (write those as .jsonl)`)
}

/**
 * What is in these files and folders, in their order. Throws NOT_FOUND for a path where nothing is, INVALID_ARGUMENT with file and
 * line for bytes that are not UTF-8, lines that are not JSON or CSV and rows of no format, and for a file without any.
 */
export async function readData(paths: readonly string[], options: ReadDataOptions = {}): Promise<DataFile[]> {
  const { format } = options
  if (format !== undefined && !dataFormatNames.includes(format)) {
    throw new SwarmError('INVALID_ARGUMENT', `format: expected ${dataFormatNames.join(', ')}, found '${format}'`)
  }
  const found: DataFile[] = []
  for (const path of paths) {
    for (const file of await filesOf(path)) found.push(await readFile(file, options))
  }
  if (found.length === 0) throw new SwarmError('INVALID_ARGUMENT', 'data: expected at least one file, found none')
  return found
}
