// Attention over a KV cache in plain operators: for head sizes and steps that the fused operator does not take.
// The cache is written in place where past and present are one buffer (ScatterND copies only between different ones).
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'
import { groupedAttention, type HeadSizes, splitHeads } from './attention.ts'
import { indices, rowIndices, scoreBias } from './sequence.ts'

/** Lengths as the fused operator takes them. */
export interface StepLengths {
  /** int32 [batch]: a row's length after this step, minus 1 */
  readonly seqlensK: Value
  /** int32 scalar */
  readonly totalSequenceLength: Value
}

/** What all blocks of a step share. */
export interface CacheStep {
  /** rotary positions, int64 [batch, seq] */
  readonly positions: Value
  /** places in the cache, int64 [batch, kvHeads, seq, 3]: row, head, position */
  readonly places: Value
  /** [batch, 1, rows, total] */
  readonly bias: Value
  /** int64 [1] */
  readonly total: Value
}

/** Tokens that a row holds before this step, int64 [batch]: none where the whole length is new. */
function pastLengths(g: GraphBuilder, { seqlensK, totalSequenceLength }: StepLengths): Value {
  const seq = g.size('seq')
  const after = g.Add(g.Cast(seqlensK, { to: 'int64' }), g.constant(1, 'int64'))
  const isFirst = g.Equal(g.Cast(totalSequenceLength, { to: 'int64' }), seq)
  return g.Where(isFirst, g.constant(0, 'int64'), g.Sub(after, seq))
}

/** Index in its sequence of every token of this step, int64 [batch, seq]. */
export function tokenIndices(g: GraphBuilder, lengths: StepLengths): Value {
  return g.Add(g.Unsqueeze(pastLengths(g, lengths), [1]), indices(g, 'seq'))
}

export function cacheStep(g: GraphBuilder, lengths: StepLengths, sizes: HeadSizes): CacheStep {
  const { numHeads, numKeyValueHeads } = sizes
  const positions = tokenIndices(g, lengths)
  const total = g.Cast(lengths.totalSequenceLength, { to: 'int64' })

  const zero = g.constant(0, 'int64')
  const row = g.Unsqueeze(indices(g, 'batch'), [1, 2, 3])
  const heads = Array.from({ length: numKeyValueHeads }, (_, head) => head)
  const head = g.Unsqueeze(g.constant(heads, 'int64'), [0, 2, 3])
  const position = g.Unsqueeze(positions, [1, 3])
  const shape = g.Mul(g.Add(g.Add(row, head), position), zero)
  const places = g.Concat([g.Add(shape, row), g.Add(shape, head), g.Add(shape, position)], { axis: 3 })

  const past = g.Unsqueeze(pastLengths(g, lengths), [1])
  const rows = g.Add(past, rowIndices(g, numHeads / numKeyValueHeads))
  const seen = g.GreaterOrEqual(g.Unsqueeze(rows, [1, 3]), indices(g, 'total', total))
  return { positions, places, bias: scoreBias(g, seen), total: g.Unsqueeze(total, [0]) }
}

/**
 * query, key, value [batch, seq, heads * headDim] before rotary embedding; past [batch, kvHeads, capacity, headDim], whose
 * unused part must be finite. Returns [batch, seq, numHeads * headDim] and the cache with this step's tokens.
 */
export function cachedAttention(
  g: GraphBuilder,
  inputs: {
    query: Value
    key: Value
    value: Value
    past: { readonly key: Value; readonly value: Value }
    cos: Value
    sin: Value
  },
  step: CacheStep,
  sizes: HeadSizes
): { output: Value; present: { key: Value; value: Value } } {
  const { cos, sin, past } = inputs
  const { numHeads, numKeyValueHeads, headDim } = sizes
  const rotate = (x: Value, heads: number) => g.RotaryEmbedding(x, step.positions, cos, sin, { numHeads: heads })
  const newKey = splitHeads(g, rotate(inputs.key, numKeyValueHeads), numKeyValueHeads, headDim)
  const newValue = splitHeads(g, inputs.value, numKeyValueHeads, headDim)
  const present = {
    key: g.ScatterND(past.key, step.places, newKey),
    value: g.ScatterND(past.value, step.places, newValue)
  }
  const used = (cache: Value): Value =>
    g.SliceTo(cache, g.constant([0], 'int64'), step.total, 2, ['batch', numKeyValueHeads, 'total', headDim])
  const query = rotate(inputs.query, numHeads)
  const output = groupedAttention(
    g,
    { query, key: used(present.key), value: used(present.value), bias: step.bias },
    sizes
  )
  return { output, present }
}
