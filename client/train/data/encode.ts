// Rows and texts of data files as examples that fit, with a line for a person about each file.

import { pipe } from 'it-pipe'
import { delay } from '../../../common/async.ts'
import { SwarmError } from '../../../common/errors.ts'
import { plural } from '../../../common/plural.ts'
import { type OnProgress, type RunningStage, runStage } from '../../../common/progress.ts'
import { countLabels, countTokens } from '../collate.ts'
import { type Example, hasLabels, ignoredLabel } from './example.ts'
import { fitExample, type LengthLimit } from './fit.ts'
import type { DataRow, EncodeContext } from './format.ts'
import { dataFormats } from './formats/index.ts'
import type { DataFile, DocumentFile, RowsFile } from './read.ts'

export interface DataEncodeSettings {
  readonly encoding: EncodeContext
  readonly limit: LengthLimit
  /** tokens from one window of a text to the next; default: pieces that do not overlap */
  readonly stride?: number
  /** hears of the stage `tokenize` of each file */
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

interface Encoded {
  readonly examples: readonly Example[]
  /** rows without a value, which are skipped */
  readonly emptyRows: number
  readonly description: readonly string[]
}

/** Tokenizing takes minutes for large files: the event loop has its turn this often, so that Ctrl-C is heard. */
const turnMs = 50

function encodeDocument({ file, document }: DocumentFile, { encoding, limit, stride }: DataEncodeSettings): Encoded {
  const { tokenizer, eosTokenId } = encoding
  const { maxLength } = limit
  const ids = tokenizer.encode(document)
  // windows measure the text alone, as perplexity is reported elsewhere
  if (eosTokenId !== undefined && stride === undefined) ids.push(eosTokenId)
  const examples = textWindows(ids, maxLength, stride ?? maxLength)
  if (examples.length === 0) throw new SwarmError('INVALID_ARGUMENT', `${file}: no tokens to train on`)
  const cut = `${plural(examples.length, stride === undefined ? 'piece' : 'window')} of up to ${maxLength}`
  return { examples, emptyRows: 0, description: [`${file}: plain text, ${plural(ids.length, 'token')} in ${cut}`] }
}

/** All items, as the end of a pipe, with turns for the event loop between them. Throws ABORTED. */
function inTurns<T>(signal: AbortSignal | undefined) {
  return async (items: Iterable<T>): Promise<T[]> => {
    const all: T[] = []
    let began = performance.now()
    for (const item of items) {
      all.push(item)
      if (performance.now() - began <= turnMs) continue
      await delay(0, signal)
      began = performance.now()
    }
    return all
  }
}

async function encodeRows(
  file: RowsFile,
  { encoding, limit, signal }: DataEncodeSettings,
  running: RunningStage
): Promise<Encoded> {
  const { format, isDetected, rows, layout } = file
  const { isEmpty = () => false, encode } = dataFormats[format]
  let { emptyRows } = file
  let [cut, gone, pieces] = [0, 0, 0]

  function* filled(found: Iterable<DataRow>): Generator<DataRow> {
    for (const row of found) {
      if (isEmpty(row)) emptyRows += 1
      else yield row
      running.add(1)
    }
  }

  function* tokenized(found: Iterable<DataRow>): Generator<Example> {
    for (const row of found) {
      const made = encode(row, encoding)
      const wholes: readonly Example[] = Array.isArray(made) ? made : [made as Example]
      pieces += wholes.length - 1
      for (const whole of wholes) {
        const example = fitExample(whole, row.where, limit)
        if (example === null) gone += 1
        else if (example !== whole) cut += 1
        if (example !== null) yield example
      }
    }
  }

  const examples = await pipe(rows, filled, tokenized, inTurns<Example>(signal))
  const how = [...(layout === undefined ? [] : [layout]), isDetected ? 'by its fields' : 'as told'].join(', ')
  const description = [
    `${file.file}: ${format} (${how}), ${plural(examples.length, 'example')}, ` +
      `${plural(countTokens(examples), 'token')}, ${plural(countLabels(examples), 'label')}`
  ]
  if (emptyRows > 0) description.push(`  ${plural(emptyRows, 'empty row')} skipped`)
  if (pieces > 0) description.push(`  ${plural(pieces, 'example')} more: long contexts in overlapping pieces`)
  if (cut + gone > 0) description.push(`  ${plural(cut, 'example')} cut to ${limit.maxLength} tokens`)
  if (gone > 0) description.push(`  ${plural(gone, 'example')} left out: cut so, nothing to learn is left`)
  if (examples.length > 0) return { examples, emptyRows, description }
  const reason = gone > 0 ? `with at most ${limit.maxLength} tokens no example is left` : 'all rows are empty'
  throw new SwarmError('INVALID_ARGUMENT', `${file.file}: ${reason}`)
}

/** The examples of all files in order. Throws INVALID_ARGUMENT naming file and row; what the signal was aborted with. */
export async function encodeFiles(files: readonly DataFile[], settings: DataEncodeSettings): Promise<Encoded> {
  const encoded: Encoded[] = []
  for (const file of files) {
    settings.signal?.throwIfAborted()
    const counts = 'rows' in file ? ({ unit: 'examples', total: file.rows.length } as const) : {}
    const about = { stage: 'tokenize', name: file.file, ...counts } as const
    const { onProgress } = settings
    encoded.push(
      await runStage(onProgress, about, running =>
        'document' in file ? encodeDocument(file, settings) : encodeRows(file, settings, running)
      )
    )
  }
  return {
    examples: encoded.flatMap(({ examples }) => examples),
    emptyRows: encoded.reduce((sum, { emptyRows }) => sum + emptyRows, 0),
    description: encoded.flatMap(({ description }) => description)
  }
}

/**
 * Windows of at most `length` tokens, each `stride` after the one before; every token but the very first of the text, and the first
 * of windows that do not overlap, is a label once, with as much before it as its window holds (Hugging Face, "Perplexity of
 * fixed-length models"). `stride` = `length` cuts the text into pieces.
 */
function textWindows(ids: readonly number[], length: number, stride: number): Example[] {
  const windows: Example[] = []
  let labelled = 0
  for (let start = 0; labelled < ids.length; start += stride) {
    const end = Math.min(start + length, ids.length)
    const window = ids.slice(start, end)
    const fresh = Math.max(1, labelled - start)
    windows.push({ ids: window, labels: window.map((id, place) => (place < fresh ? ignoredLabel : id)) })
    labelled = end
  }
  return windows.filter(hasLabels)
}
