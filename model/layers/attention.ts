// Attention with grouped heads in differentiable operators. GQA: arXiv 2305.13245. The query heads that share a key/value head
// become rows of one product, so that keys and values are never repeated.
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Dim, Value } from '../../graph/graph.ts'
import { rowsSymbol } from './sequence.ts'

export interface HeadSizes {
  readonly numHeads: number
  readonly numKeyValueHeads: number
  readonly headDim: number
}

/** [batch, seq, kvHeads * width] -> [batch, kvHeads, seq, width] */
export function splitHeads(g: GraphBuilder, x: Value, heads: number, width: number): Value {
  return g.Transpose(g.Reshape(x, ['batch', 'seq', heads, width]), { perm: [0, 2, 1, 3] })
}

/**
 * Softmax(Q Kᵀ / sqrt(headDim) + bias) V.
 * `query` [batch, seq, numHeads * headDim]; `key`, `value` [batch, kvHeads, keys, headDim]; `bias` [batch, 1, rows, keys] with
 * numHeads / kvHeads rows per token. Returns [batch, seq, numHeads * headDim].
 */
export function groupedAttention(
  g: GraphBuilder,
  { query, key, value, bias }: { query: Value; key: Value; value: Value; bias: Value },
  { numHeads, numKeyValueHeads, headDim }: HeadSizes
): Value {
  const repeat = numHeads / numKeyValueHeads
  const width = repeat * headDim
  const rows: Dim = rowsSymbol(repeat)
  const regroup = (x: Value, shape: readonly Dim[]): Value => (repeat === 1 ? x : g.Reshape(x, shape))
  const grouped = regroup(splitHeads(g, query, numKeyValueHeads, width), ['batch', numKeyValueHeads, rows, headDim])
  const scores = g.FusedMatMul(grouped, key, { transB: true, alpha: 1 / Math.sqrt(headDim) })
  const weights = g.Softmax(g.Add(scores, bias), { axis: -1 })
  const mixed = regroup(g.MatMul(weights, value), ['batch', numKeyValueHeads, 'seq', width])
  return g.Reshape(g.Transpose(mixed, { perm: [0, 2, 1, 3] }), ['batch', 'seq', numHeads * headDim])
}
