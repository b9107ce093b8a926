// Sequences of tokens as vectors of length 1. Knows no HTTP.
import { rowView } from '../../common/rows.ts'
import { ApiError } from '../errors.ts'
import { currentMeter } from '../models/meter.ts'
import type { ServedModel } from '../models/served-model.ts'

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

/**
 * The mean of each row's hidden states after the last norm, at length 1: `[hidden size]` each.
 * Throws ApiError 400 `context_length_exceeded` with `params` of the row, and what the way through the servers throws.
 */
export async function embed(
  { id, model, contextLength }: ServedModel,
  rows: readonly (readonly number[])[],
  { signal, params }: { readonly signal: AbortSignal; readonly params: (row: number) => string }
): Promise<readonly Float32Array[]> {
  for (const [place, row] of rows.entries()) {
    if (row.length <= contextLength) continue
    const param = params(place)
    throw new ApiError(
      `${param}: takes ${row.length} tokens, the model '${id}' has room for ${contextLength}: shorten it`,
      { status: 400, code: 'context_length_exceeded', param }
    )
  }
  const vectors: Float32Array[] = []
  currentMeter()?.prompt(rows.reduce((sum, row) => sum + row.length, 0))
  for (const places of batchesOf(rows)) {
    const { data, shape } = await model.embed(
      places.map(place => [...rows[place]!]),
      { signal }
    )
    for (const [at, place] of places.entries()) vectors[place] = normalized(rowView(data, shape[1]!, at))
  }
  return vectors
}
