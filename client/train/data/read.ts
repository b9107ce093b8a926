// Data files and folders of them as rows or whole texts. Knows no tokenizer.
import { files } from '#files'
import { SwarmError } from '../../../common/errors.ts'
import { decodeText, parseJsonLines, parseJsonList } from './decode.ts'
import type { Row } from './format.ts'
import { type DataFormatName, dataFormatNames, detectFormat } from './formats/index.ts'

/** Rows of one format. */
export interface RowsFile {
  readonly file: string
  readonly format: DataFormatName
  /** the format was told by the fields of the first row */
  readonly isDetected: boolean
  readonly rows: readonly Row[]
}

/** One long text. */
export interface DocumentFile {
  readonly file: string
  readonly document: string
}

export type DataFile = RowsFile | DocumentFile

export interface ReadOptions {
  /** default: by the fields of each file's first row */
  readonly format?: DataFormatName
  readonly signal?: AbortSignal
}

type Reader = (text: string, file: string, options: ReadOptions) => DataFile

function toRowsFile(rows: readonly Row[], file: string, { format }: ReadOptions): RowsFile {
  const [first] = rows
  if (first === undefined) {
    throw new SwarmError('INVALID_ARGUMENT', `${file}: expected at least one example, found none`)
  }
  return { file, format: format ?? detectFormat(first), isDetected: format === undefined, rows }
}

/** by the end of a file's name */
const readers: Readonly<Record<string, Reader>> = {
  '.jsonl': (text, file, options) => toRowsFile(parseJsonLines(text, file), file, options),
  '.json': (text, file, options) => toRowsFile(parseJsonList(text, file), file, options),
  '.txt': (text, file, { format = 'text' }) => {
    if (text.trim() === '') throw new SwarmError('INVALID_ARGUMENT', `${file}: expected a text, found none`)
    if (format === 'text') return { file, document: text }
    throw new SwarmError('INVALID_ARGUMENT', `${file}: a .txt file is one text, not ${format} (write those as .jsonl)`)
  }
}

const extensions = Object.keys(readers).join(', ')

function readerOf(file: string): Reader | undefined {
  return Object.entries(readers).find(([extension]) => file.toLowerCase().endsWith(extension))?.[1]
}

/** The data files of a path: itself, or those in the folder by name. */
async function filesOf(path: string): Promise<string[]> {
  const names = await files.list(path)
  if (names === null) return [path]
  const found = names.filter(name => readerOf(name) !== undefined && !name.startsWith('.')).sort()
  if (found.length > 0) return found.map(name => files.join(path, name))
  throw new SwarmError('NOT_FOUND', `${path}: no data in this folder (expected files ending in ${extensions})`)
}

/**
 * What is in these files and folders, in their order. Throws NOT_FOUND for a path where nothing is, INVALID_ARGUMENT with file and
 * line for bytes that are not UTF-8, lines that are not JSON and rows of no format, and for a file without any.
 */
export async function readData(paths: readonly string[], options: ReadOptions = {}): Promise<DataFile[]> {
  const { format, signal } = options
  if (format !== undefined && !dataFormatNames.includes(format)) {
    throw new SwarmError('INVALID_ARGUMENT', `format: expected ${dataFormatNames.join(', ')}, found '${format}'`)
  }
  const found: DataFile[] = []
  for (const path of paths) {
    for (const file of await filesOf(path)) {
      const read = readerOf(file)
      if (read === undefined) {
        throw new SwarmError('INVALID_ARGUMENT', `${file}: expected a file ending in ${extensions}`)
      }
      found.push(read(decodeText(await files.read(file, { signal }), file), file, options))
    }
  }
  if (found.length === 0) throw new SwarmError('INVALID_ARGUMENT', 'data: expected at least one file, found none')
  return found
}
