// Attention over a KV cache in plain operators: for head sizes and steps that the fused operator does not take.
// The cache is written in place where past and present are one buffer (ScatterND copies only between different ones).
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'
import {
  type AttentionKind,
  groupedAttention,
  type HeadSizes,
  type Projections,
  positionBias,
  splitHeads
} from './attention.ts'
import { relativeBias } from './relative-bias.ts'
import { causal, indices, rowIndices, scoreBias } from './sequence.ts'

/** Lengths as the fused operator takes them. */
export interface StepLengths {
  /** int32 [batch]: a row's length after this step, minus 1 */
  readonly seqlensK: Value
  /** int32 scalar */
  readonly totalSequenceLength: Value
}

/** What all blocks of a step share that attend alike. */
export interface CacheStep {
  /** places in the cache, int64 [batch, kvHeads, seq, 3]: row, head, position */
  readonly places: Value
  /** [batch, 1 or kvHeads, rows, total] */
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

/** Places in the cache that hold tokens after this step, 0, 1, 2, … int64 [total]. */
export function cachedIndices(g: GraphBuilder, { totalSequenceLength }: StepLengths): Value {
  return indices(g, 'total', g.Cast(totalSequenceLength, { to: 'int64' }))
}

export function cacheStep(
  g: GraphBuilder,
  lengths: StepLengths,
  sizes: HeadSizes,
  { window, alibi, relative }: AttentionKind
): CacheStep {
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
  const keys = cachedIndices(g, lengths)
  const visible = scoreBias(g, causal(g, g.Unsqueeze(rows, [1, 3]), keys, window))
  const bias = alibi === undefined ? visible : g.Add(visible, positionBias(g, alibi, keys))
  if (relative !== undefined) {
    const near = relativeBias(g, relative, { heads: numHeads }, g.Sub(keys, g.Unsqueeze(rows, [2])))
    return { places, bias: g.Add(bias, g.Transpose(near, { perm: [1, 0, 2, 3] })), total: g.Unsqueeze(total, [0]) }
  }
  return { places, bias, total: g.Unsqueeze(total, [0]) }
}

/**
 * query, key, value [batch, seq, heads * headDim], rotated where they are to be; past [batch, kvHeads, capacity, headDim], whose
 * unused part must be finite. Returns [batch, seq, numHeads * headDim] and the cache with this step's tokens.
 */
export function cachedAttention(
  g: GraphBuilder,
  { query, key, value, past }: Projections & { readonly past: { readonly key: Value; readonly value: Value } },
  step: CacheStep,
  sizes: HeadSizes,
  kind: AttentionKind
): { output: Value; present: { key: Value; value: Value } } {
  const { numKeyValueHeads, headDim } = sizes
  const write = (cache: Value, added: Value): Value =>
    g.ScatterND(cache, step.places, splitHeads(g, added, numKeyValueHeads, headDim))
  const present = { key: write(past.key, key), value: write(past.value, value) }
  const used = (cache: Value): Value =>
    g.SliceTo(cache, g.constant([0], 'int64'), step.total, 2, ['batch', numKeyValueHeads, 'total', headDim])
  const output = groupedAttention(
    g,
    { query, key: used(present.key), value: used(present.value), bias: step.bias },
    sizes,
    kind
  )
  return { output, present }
}
