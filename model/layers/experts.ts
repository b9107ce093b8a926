// A mixture-of-experts layer with few active experts per token (arXiv 2401.04088, section 2.1). Each expert gets the
// rows of its tokens only, gathered; one without tokens multiplies nothing, and its mapped weights are never read.
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'

export interface Routing {
  readonly numExperts: number
  /** experts that work on a token */
  readonly chosen: number
  /** tells the sizes of this layer's parts from those of others */
  readonly name: string
}

/**
 * Sum over the chosen experts of each token, weighted by softmax over their scores. `x` [batch, seq, hidden], `scores` [batch,
 * seq, experts]; `expert` maps the rows [rows, hidden] of one expert to their results. Gradients flow through results and weights.
 */
export function mixExperts(
  g: GraphBuilder,
  x: Value,
  scores: Value,
  { numExperts, chosen, name }: Routing,
  expert: (index: number, rows: Value) => Value
): Value {
  const hidden = x.shape[2]!
  const rows = g.Reshape(x, ['batch*seq', hidden])
  const probabilities = g.Softmax(g.Reshape(scores, ['batch*seq', numExperts]), { axis: -1 })
  const picked = g.TopK(probabilities, chosen)
  const kept = g.GatherElements(probabilities, picked, { axis: 1 })
  const weights = g.Div(kept, g.ReduceSum(kept, { axes: [1] }))
  let sum = g.Expand(g.constant(0), ['batch*seq', hidden])
  for (let index = 0; index < numExperts; index++) {
    const isPicked = g.Equal(picked, g.constant(index, 'int64'))
    const count = g.ReduceSum(g.Cast(isPicked, { to: 'int64' }), { axes: [1], keepdims: false })
    const tokens = g.NonZero(g.Greater(count, g.constant(0, 'int64')), `${name}.${index}`)
    const weight = g.ReduceSum(g.Where(isPicked, weights, g.constant(0)), { axes: [1] })
    const result = g.Mul(expert(index, g.Gather(rows, tokens)), g.Gather(weight, tokens))
    sum = g.ScatterND(sum, g.Unsqueeze(tokens, [1]), result, { reduction: 'add' })
  }
  return g.Reshape(sum, x.shape)
}
