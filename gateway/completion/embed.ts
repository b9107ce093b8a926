// Sequences of tokens as vectors. Knows no HTTP.
import { rowView } from '../../common/rows.ts'
import { ApiError, invalid } from '../errors.ts'
import { currentMeter } from '../models/meter.ts'
import { canGenerate, encodePrompt, type Served, type ServedModel } from '../models/served-model.ts'
import type { TextVectors } from '../models/text-vectors.ts'

/** positions of a batch, padding included: what servers compute and hold at once */
const batchPositions = 4096

/** Batches of rows of like lengths, so that little is padded: places of the rows. */
function* batchesOf(rows: readonly (readonly number[])[]): Generator<number[]> {
  const places = rows.map((_, place) => place).sort((a, b) => rows[a]!.length - rows[b]!.length)
  let batch: number[] = []
  for (const place of places) {
    // sorted: the last row is the longest
    if (batch.length > 0 && (batch.length + 1) * rows[place]!.length > batchPositions) {
      yield batch
      batch = []
    }
    batch.push(place)
  }
  if (batch.length > 0) yield batch
}

function normalized(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector)
  return length === 0 ? vector : vector.map(value => value / length)
}

/** How the folder of the model says that texts become vectors; undefined: it does not. Throws why it cannot be done. */
function vectorsOf({ vectors }: Served): TextVectors | undefined {
  if (vectors instanceof Error) throw vectors
  return vectors
}

/** Tokens that a text may have. */
export const embeddingRoom = (served: Served): number => vectorsOf(served)?.maxTokens ?? served.contextLength

/** Numbers of a vector. */
export const embeddingWidth = (served: Served): number => vectorsOf(served)?.width ?? served.model.config.hiddenSize

/** Throws ApiError 400 where a request wants vectors of another width. */
export function checkDimensions(served: Served, dimensions: number | null | undefined): void {
  const width = embeddingWidth(served)
  if (!dimensions || dimensions === width) return
  const found = `vectors of '${served.id}' have ${width} numbers and mean nothing when cut, found ${dimensions}`
  throw invalid(`dimensions: ${found}; leave it out`, 'dimensions')
}

/** Token ids of a text: with the prompt that the folder puts before it, else as a raw prompt. @param options.cut leave out the end of one that is too long */
export async function embeddingIds(
  served: Served,
  text: string,
  { cut = false }: { readonly cut?: boolean } = {}
): Promise<number[]> {
  if (!canGenerate(served)) return await served.model.sentenceIds(text, { truncation: cut })
  const vectors = vectorsOf(served)
  if (vectors !== undefined) return await vectors.model.sentenceIds(text, { truncation: cut })
  const ids = encodePrompt(served, text)
  return cut ? ids.slice(0, served.contextLength) : ids
}

/** Vectors of a batch, `[width]` each. */
async function vectorsOfBatch(served: Served, rows: readonly (readonly number[])[], signal: AbortSignal) {
  const model = canGenerate(served) ? vectorsOf(served)?.model : served.model
  const { data, shape } =
    model === undefined
      ? await (served as ServedModel).model.embed(
          rows.map(row => [...row]),
          { signal }
        )
      : await model.encodeIds(rows, { batchSize: rows.length, signal })
  return rows.map((_, at) => rowView(data, shape[1]!, at))
}

/**
 * A vector of each row, of length 1 unless `normalize` is false: as the modules of the model's folder make it, else the mean of the
 * hidden states after the last norm. Throws ApiError 400 `context_length_exceeded` with `params` of the row, and what the way through
 * the servers throws.
 */
export async function embed(
  served: Served,
  rows: readonly (readonly number[])[],
  options: { readonly signal: AbortSignal; readonly params: (row: number) => string; readonly normalize?: boolean }
): Promise<readonly Float32Array[]> {
  const { signal, params, normalize = true } = options
  const room = embeddingRoom(served)
  for (const [place, row] of rows.entries()) {
    if (row.length <= room) continue
    const param = params(place)
    throw new ApiError(
      `${param}: takes ${row.length} tokens, the model '${served.id}' has room for ${room}: shorten it`,
      { status: 400, code: 'context_length_exceeded', param }
    )
  }
  const vectors: Float32Array[] = []
  currentMeter()?.prompt(rows.reduce((sum, row) => sum + row.length, 0))
  for (const places of batchesOf(rows)) {
    const found = await vectorsOfBatch(
      served,
      places.map(place => rows[place]!),
      signal
    )
    for (const [at, place] of places.entries()) vectors[place] = normalize ? normalized(found[at]!) : found[at]!
  }
  return vectors
}
