// The gated feed-forward layer. SwiGLU: arXiv 2002.05202, equation 6, with Swish_1 = SiLU.
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'

/** SiLU(gate) * up, element by element. */
export function swiglu(g: GraphBuilder, gate: Value, up: Value): Value {
  return g.Mul(g.Mul(gate, g.Sigmoid(gate)), up)
}
