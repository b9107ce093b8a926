// Attention with grouped heads in differentiable operators. GQA: arXiv 2305.13245. The query heads that share a key/value head
// become rows of one product, so that keys and values are never repeated.
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Dim, Value } from '../../graph/graph.ts'
import type { RelativeBias } from './relative-bias.ts'
import { rowsSymbol } from './sequence.ts'

export interface HeadSizes {
  readonly numHeads: number
  readonly numKeyValueHeads: number
  readonly headDim: number
}

/** How the blocks of a model attend, where they differ. */
export interface AttentionKind {
  /** of the scores; default 1 / sqrt(headDim) */
  readonly scale?: number
  /** scores become softcap * tanh(score / softcap) (Gemma 2, arXiv 2408.00118, section 2) */
  readonly softcap?: number
  /** tokens that a token sees, itself and those before it; with `bothWays` those at most this far away on either side. Default all */
  readonly window?: number
  /** tokens see those after them too, as in an encoder. Default false */
  readonly bothWays?: boolean
  /** one key/value head for each head; what counts is the key's position */
  readonly alibi?: Alibi
  /** one key/value head for each head; what counts is how far the key is from the query. Default none */
  readonly relative?: RelativeBias
  /** default none */
  readonly rotary?: RotaryKind
}

/** Attention with linear biases (arXiv 2108.12409): added to the scores is slope * position. */
export interface Alibi {
  /** of each head */
  readonly slopes: readonly number[]
  /** what the biases are multiplied with; default 1 */
  readonly scale?: number
  /** positions, slopes and their products are rounded to bfloat16, as the model was trained; default not */
  readonly rounded?: boolean
}

export interface RotaryKind {
  /** names of the graph inputs that hold the angles, [positions, dims / 2] */
  readonly cos: string
  readonly sin: string
  /** leading numbers of each head that are rotated */
  readonly dims: number
}

/** Query, key and value of a block before rotary embedding, each [batch, seq, heads * headDim]. */
export interface Projections {
  readonly query: Value
  readonly key: Value
  readonly value: Value
  /** added to the scores, [batch or 1, heads, seq, seq]; keys before the sequence get none. Default none */
  readonly bias?: Value
}

/** [batch, seq, kvHeads * width] -> [batch, kvHeads, seq, width] */
export function splitHeads(g: GraphBuilder, x: Value, heads: number, width: number): Value {
  return g.Transpose(g.Reshape(x, [x.shape[0]!, x.shape[1]!, heads, width]), { perm: [0, 2, 1, 3] })
}

/**
 * One projection [batch, seq, …] taken apart: for each of `groups` the queries of `repeat` heads, a key and a value.
 * One group of all heads: queries, keys, values one after the other.
 */
export function splitFused(
  g: GraphBuilder,
  fused: Value,
  { groups, repeat, headDim }: { groups: number; repeat: number; headDim: number }
): Projections {
  const width = (repeat + 2) * headDim
  const grouped = g.Reshape(fused, ['batch', 'seq', groups, width])
  const parts = g.Split(grouped, { axis: 3, sizes: [repeat * headDim, headDim, headDim] })
  const [query, key, value] = parts.map((part, index) =>
    g.Reshape(part, ['batch', 'seq', groups * (index === 0 ? repeat : 1) * headDim])
  )
  return { query: query!, key: key!, value: value! }
}

/** ALiBi's part of the scores, [..., heads, 1, keys], for positions int64 [..., 1, 1, keys]. */
export function positionBias(g: GraphBuilder, alibi: Alibi, positions: Value): Value {
  const { slopes, scale = 1, rounded = false } = alibi
  const round = (x: Value): Value => (rounded ? g.Cast(g.Cast(x, { to: 'bfloat16' }), { to: 'float32' }) : x)
  const perHead = g.constant({ dtype: 'float32', shape: [slopes.length, 1, 1], data: Float32Array.from(slopes) })
  const bias = round(g.Mul(round(g.Cast(positions, { to: 'float32' })), round(perHead)))
  return scale === 1 ? bias : g.Mul(bias, g.constant(scale))
}

/** The same for all kinds of attention that see the same and are biased the same way. */
export function biasKey({ window, alibi, relative, bothWays }: AttentionKind): string {
  return JSON.stringify([window, alibi, relative, bothWays])
}

/**
 * Softmax(cap(Q Kᵀ scale) + bias) V.
 * `query` [batch, seq, numHeads * headDim]; `key`, `value` [batch, kvHeads, keys, headDim]; `bias` [batch, 1 or kvHeads, rows,
 * keys] with numHeads / kvHeads rows per token. Returns [batch, seq, numHeads * headDim]. The first two axes may have other names.
 */
export function groupedAttention(
  g: GraphBuilder,
  { query, key, value, bias }: { query: Value; key: Value; value: Value; bias: Value },
  { numHeads, numKeyValueHeads, headDim }: HeadSizes,
  { scale = 1 / Math.sqrt(headDim), softcap }: Pick<AttentionKind, 'scale' | 'softcap'> = {}
): Value {
  const repeat = numHeads / numKeyValueHeads
  const width = repeat * headDim
  const [batch, seq] = [query.shape[0]!, query.shape[1]!]
  const rows: Dim = rowsSymbol(repeat, seq)
  const regroup = (x: Value, shape: readonly Dim[]): Value => (repeat === 1 ? x : g.Reshape(x, shape))
  const grouped = regroup(splitHeads(g, query, numKeyValueHeads, width), [batch, numKeyValueHeads, rows, headDim])
  const alpha = softcap === undefined ? scale : scale / softcap
  const product = g.FusedMatMul(grouped, key, { transB: true, alpha })
  const scores = softcap === undefined ? product : g.Mul(g.Tanh(product), g.constant(softcap))
  const weights = g.Softmax(g.Add(scores, bias), { axis: -1 })
  const mixed = regroup(g.MatMul(weights, value), [batch, numKeyValueHeads, seq, width])
  return g.Reshape(g.Transpose(mixed, { perm: [0, 2, 1, 3] }), [batch, seq, numHeads * headDim])
}
