// What the blocks of a span share about the sequence: sizes, positions, who may see whom. Computed once per graph.
import type { GraphBuilder } from '../../graph/builder.ts'
import { multiplyDims } from '../../graph/dim.ts'
import type { Dim, Value } from '../../graph/graph.ts'

/** Added to the scores of what must not be seen. Finite, so that a row that sees nothing stays finite too. */
const unseen = -3.4e38

/** 0, 1, 2, … int64 [dim]. `limit` int64 scalar says how many where no input has an axis of this size. */
export function indices(g: GraphBuilder, dim: Dim, limit: Value = g.size(dim)): Value {
  return g.Range(g.constant(0, 'int64'), limit, g.constant(1, 'int64'), dim)
}

/** Size of an axis where every token of `seq` has `repeat` rows. */
export function rowsSymbol(repeat: number, seq: Dim = 'seq'): Dim {
  return repeat === 1 ? seq : multiplyDims(repeat, seq)
}

/**
 * Position of every token for rotary embedding, int64 [batch, seq]: how many tokens came before it, 0 for padding.
 * `mask` int64 [batch, seq] is 1 for tokens, 0 for padding on either side.
 */
export function maskedPositions(g: GraphBuilder, mask: Value): Value {
  return g.Mul(g.Sub(g.CumSum(mask, 1), g.constant(1, 'int64')), mask)
}

/** Index of the token of each of `repeat` rows per token, int64 [rows]: 0, 0, 1, 1, … */
export function rowIndices(g: GraphBuilder, repeat: number): Value {
  const rows = indices(g, rowsSymbol(repeat))
  return repeat === 1 ? rows : g.Div(rows, g.constant(repeat, 'int64'))
}

/** 0 where `allowed`, else so low that softmax gives nothing. */
export function scoreBias(g: GraphBuilder, allowed: Value): Value {
  return g.Where(allowed, g.constant(0), g.constant(unseen))
}

/** Whether a query may see a key by their places in the sequence: not after it, and within the window. Both broadcast. */
export function causal(g: GraphBuilder, query: Value, key: Value, window?: number): Value {
  const before = g.GreaterOrEqual(query, key)
  if (window === undefined) return before
  return g.And(before, g.Less(g.Sub(query, key), g.constant(window, 'int64')))
}

/** Whether a query may see a key where tokens see both ways: at most `window` places away. Both broadcast. */
export function near(g: GraphBuilder, query: Value, key: Value, window: number): Value {
  const away = g.Sub(query, key)
  const limit = g.constant(window, 'int64')
  return g.And(g.LessOrEqual(away, limit), g.GreaterOrEqual(away, g.Neg(limit)))
}

/** Bias of attention both ways over unpadded tokens, [batch, 1, 1 or seq, seq]. */
export function openBias(g: GraphBuilder, mask: Value, window?: number): Value {
  const tokens = g.Unsqueeze(g.Cast(mask, { to: 'bool' }), [1, 2])
  if (window === undefined) return scoreBias(g, tokens)
  return scoreBias(g, g.And(near(g, g.Unsqueeze(indices(g, 'seq'), [1]), indices(g, 'seq'), window), tokens))
}

/**
 * Bias of causal attention over unpadded tokens, [batch, 1, rows, seq], rows ordered by token, then by repetition.
 */
export function causalBias(g: GraphBuilder, mask: Value, repeat: number, window?: number): Value {
  const seen = causal(g, g.Unsqueeze(rowIndices(g, repeat), [1]), indices(g, 'seq'), window)
  return scoreBias(g, g.And(seen, g.Unsqueeze(g.Cast(mask, { to: 'bool' }), [1, 2])))
}

/**
 * 1 where the token at a sequence index is the prompt's row, [..., seq, prompt]: times the prompt it spreads its rows.
 * `index` int64 [seq] or [batch, seq].
 */
export function promptSelector(g: GraphBuilder, index: Value): Value {
  return g.Cast(g.Equal(g.Unsqueeze(index, [-1]), indices(g, 'prompt')), { to: 'float32' })
}
