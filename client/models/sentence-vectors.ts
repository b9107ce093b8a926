// From the hidden states of texts to their vectors, as the modules of sentence-transformers compute them. Pure.
import { SwarmError } from '../../common/errors.ts'
import { type Float32Tensor, tensor } from '../../common/tensor.ts'
import type { DenseLayer, SentenceStep } from './sentence-folder.ts'

type PoolingModes = Extract<SentenceStep, { kind: 'pooling' }>['modes']

/** States of one text's tokens as one vector: the modes one behind the other. */
function pooled(rows: readonly Float32Array[], modes: PoolingModes): Float32Array {
  const width = rows[0]!.length
  const sumOf = (weight: (index: number) => number): Float64Array => {
    const sum = new Float64Array(width)
    for (const [index, row] of rows.entries()) {
      for (let at = 0; at < width; at++) sum[at]! += weight(index) * row[at]!
    }
    return sum
  }
  const count = rows.length
  const by = {
    cls: () => rows[0]!,
    lasttoken: () => rows.at(-1)!,
    max: () => rows[0]!.map((_, at) => rows.reduce((most, row) => Math.max(most, row[at]!), -Infinity)),
    mean: () => sumOf(() => 1).map(value => value / count),
    mean_sqrt_len_tokens: () => sumOf(() => 1).map(value => value / Math.sqrt(count)),
    weightedmean: () => sumOf(index => index + 1).map(value => value / ((count * (count + 1)) / 2))
  } as const
  return Float32Array.from(modes.flatMap(mode => [...by[mode]()]))
}

/** Row of a matrix [out, in] times the vector. */
function product({ shape, data }: Float32Tensor, row: number, vector: Float32Array): number {
  const width = shape[1]!
  let sum = 0
  for (let at = 0; at < width; at++) sum += data[row * width + at]! * vector[at]!
  return sum
}

function applied(vector: Float32Array, { weight, bias, activation, residual }: DenseLayer): Float32Array {
  const [out, width] = weight.shape as [number, number]
  if (vector.length !== width) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `linear.weight: a vector has ${vector.length} numbers, the layer takes ${width}`
    )
  }
  return Float32Array.from({ length: out }, (_, row) => {
    const sum = (bias?.data[row] ?? 0) + product(weight, row, vector)
    const active = activation === 'tanh' ? Math.tanh(sum) : sum
    if (residual === null) return active
    return active + (residual === 'same' ? vector[row]! : product(residual, row, vector))
  })
}

/** Of length 1; zeros stay. */
export function unitVector(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector)
  return length === 0 ? vector : vector.map(value => value / length)
}

/** The states of one text's tokens, [tokens][width], through the steps. */
export function sentenceVector(rows: readonly Float32Array[], steps: readonly SentenceStep[]): Float32Array {
  let vector = rows[0]!
  for (const step of steps) {
    if (step.kind === 'pooling') vector = pooled(rows, step.modes)
    else if (step.kind === 'truncate') vector = vector.slice(0, step.width)
    else vector = step.kind === 'dense' ? applied(vector, step.layer) : unitVector(vector)
  }
  return vector
}

/** Numbers of a vector after the steps. @param width of the hidden states */
export function vectorWidth(width: number, steps: readonly SentenceStep[]): number {
  let found = width
  for (const step of steps) {
    if (step.kind === 'pooling') found = width * step.modes.length
    else if (step.kind === 'dense') found = step.layer.weight.shape[0]!
    else if (step.kind === 'truncate') found = Math.min(found, step.width)
  }
  return found
}

/** Cosine similarity of every row of `a` [n, width] with every row of `b` [m, width]: [n, m]. */
export function similarityOf(a: Float32Tensor, b: Float32Tensor): Float32Tensor {
  const units = ({ shape, data }: Float32Tensor) =>
    Array.from({ length: shape[0]! }, (_, row) => unitVector(data.subarray(row * shape[1]!, (row + 1) * shape[1]!)))
  if (a.shape.length !== 2 || b.shape.length !== 2 || a.shape[1] !== b.shape[1]) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `similarity: expected vectors of one width, found [${a.shape}] and [${b.shape}]`
    )
  }
  const [left, right] = [units(a), units(b)]
  const out = tensor('float32', [left.length, right.length])
  for (const [i, x] of left.entries()) {
    for (const [j, y] of right.entries())
      out.data[i * right.length + j] = x.reduce((sum, value, at) => sum + value * y[at]!, 0)
  }
  return out
}
